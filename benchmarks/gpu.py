"""Cross-validation on one NVIDIA GPU: loops written by hand, the engine with one worker and with several.

python benchmarks/gpu.py [--quick] [--backends torch jax] [--networks crnn ...] [--precisions float32 ...] [--ways own 1 8 ...]
                         [--epochs 8] [--minutes 30] [--csv FILE] [--picture FILE]

It installs nothing, and says which of TensorFlow, torch and JAX see the GPU. Ten folds of small networks on 2,010 examples of
64 frames x 64 bins in batches of 32, and of `vggvox` on the samples of 1 s clips with the front end on the device. The ways:

fit, own      two loops of _gpu_loop.py: Keras's `fit` on arrays, and a loop of one's own with all data on the device
host          the engine, one fold after the other, batches put together by the CPU (data_on_device = false)
1, 2, 4, 8    the engine with so many workers on the GPU, which computes for them in turn
4mps, ...     the same with CUDA's Multi-Process Service, by which it computes for several at a time, as the engine's runs do

Processes are warm: before a way is timed, each of its processes has trained a fold of one epoch. What takes place in one
process one fold after the other is timed on three folds, and counted for ten. Seconds are those from the first order to the
last record or saved model: reading, training, validation, test, files. The device is asked for its utilisation (the share of
the time in which some kernel runs) and memory all the while. --quick: 3 folds on the CPU, which measures nothing.
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Protocol

from _experiments import call
from _folds import ROOT, make_jobs, write_store
from _gpu_machine import find_backends, watched
from _gpu_table import Row, print_table, write_files

from xval.backend.devices import Slot, environment, find_gpus
from xval.backend.mps import shared_time
from xval.engine.executors._worker_process import Messages, Worker
from xval.jobs.job import Job
from xval.settings.architectures import architecture_names

BACKENDS = ("tensorflow", "torch", "jax")
LOOPS = ("fit", "own")
WITH_MPS = {"4mps": 4, "8mps": 8, "16mps": 16}
WAYS = (*LOOPS, "host", "1", "2", "4", "8", *WITH_MPS)
ONE_BY_ONE = (*LOOPS, "host", "1")
PRECISIONS = ("float32", "tensorfloat32", "mixed_bfloat16")
NETWORKS = ("cnn_small", "crnn", "cp_resnet", "vggvox")
ON_WAVEFORMS = {"vggvox": {"features": "waveform", "frontend": "logmel", "clip_length_s": 1.0}}
FULL = {"n_folds": 10, "n_timed": 3, "n_epochs": 8, "n_examples": 2010, "shape": (64, 64), "options": {}}
QUICK = {
    "n_folds": 3,
    "n_timed": 2,
    "n_epochs": 2,
    "n_examples": 100,
    "shape": (16, 8),
    "options": {"cnn_small": {"n_filters": (2, 4)}},
}


class Runner(Protocol):
    """Warm processes that run jobs."""

    def run(self, jobs: list[Job]) -> list[float]:
        """Run jobs to their end; return their test accuracies."""


class Loop:
    """A process with a loop written by hand."""

    def __init__(self, form: str, slot: Slot, backend: str) -> None:
        self._form = form
        path = os.pathsep.join((str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])))
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("_gpu_loop.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | environment(slot, backend) | {"PYTHONPATH": path},
        )  # fmt: skip

    def run(self, jobs: list[Job]) -> list[float]:
        """Run jobs; return their test accuracies."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process of the loop has no pipes")
        self._process.stdin.write(json.dumps({"form": self._form, "jobs": [job.to_dict() for job in jobs]}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "the process ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return list(answer["accuracies"])

    def end(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


class Pool:
    """Workers of the engine, each of which takes the next jobs when it has done its own."""

    def __init__(self, n_workers: int, slot: Slot, job: Job) -> None:
        self._messages: Messages = queue.Queue()
        self._workers = [Worker(number, slot, job, self._messages) for number in range(n_workers)]

    def run(self, jobs: list[Job]) -> list[float]:
        """Run jobs; return their test accuracies."""
        waiting = deque(jobs)
        found: list[float] = []
        for worker in self._workers:
            if waiting:
                worker.give(waiting.popleft(), None)
        while len(found) < len(jobs):
            worker, message = self._messages.get()
            if message is None:
                raise RuntimeError(f"a worker ended: {worker.describe_end()}")
            if "outcome" not in message:
                continue
            if message["outcome"]["status"] != "done":
                raise RuntimeError(message["outcome"]["error"])
            found.append(message["outcome"]["test_metrics"]["accuracy"])
            if waiting:
                worker.give(waiting.popleft(), None)
        return found

    def end(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.end()


@dataclass
class Benchmark:
    """What is measured, and where.

    Attributes:
        folder: For all files.
        gpu: The number of a GPU, or cpu.
        size: Folds, epochs and examples.
        stores: The feature store of each network.
        ends: When no further cell is begun (monotonic s).
    """

    folder: Path
    gpu: str
    size: dict[str, Any]
    stores: dict[str, str]
    ends: float

    def jobs(self, backend: str, network: str, precision: str, way: str, n_folds: int, *, n_epochs: int) -> list[Job]:
        """Return the jobs of a cell, with a separate results folder."""
        parameters = {
            "dataset": "folds", "data_folder": str(self.folder / "data"), "backend": backend, "precision": precision,
            "architecture": network, "num_epochs": n_epochs, "early_stopping": False, "max_worker_memory_mb": 64000,
            "data_on_device": way != "host",
        }  # fmt: skip
        if network in ON_WAVEFORMS:
            parameters |= ON_WAVEFORMS[network] | {"normalization": "per_clip"}
        results = Path(tempfile.mkdtemp(dir=self.folder))
        return make_jobs(results, self.stores[network], n_folds, parameters, self.size["options"].get(network))

    @contextmanager
    def processes(self, backend: str, way: str, job: Job) -> Iterator[tuple[Runner, int]]:
        """Start the processes of a way; yield them and how many they are."""
        n_workers = WITH_MPS.get(way) or (int(way) if way.isdecimal() else 1)
        slot = Slot(self.gpu, 1, 1 / n_workers)
        with shared_time([slot] if way in WITH_MPS else []) as is_shared:
            if way in WITH_MPS and not is_shared:
                raise RuntimeError("the Multi-Process Service of CUDA does not run")
            runner = Loop(way, slot, backend) if way in LOOPS else Pool(n_workers, slot, job)
            try:
                yield runner, n_workers
            finally:
                runner.end()

    def measure(self, backend: str, way: str, cells: list[tuple[str, str]]) -> Iterator[Row]:
        """Measure a way on networks in precisions, each with the same warm processes."""
        with ExitStack() as stack:
            runner, n_workers = None, 1
            for network, precision in cells:
                if time.monotonic() > self.ends:
                    print(f"no time left for {backend}, {way}, {network}, {precision}")
                    continue
                n_folds = self.size["n_timed"] if way in ONE_BY_ONE else self.size["n_folds"]
                jobs = self.jobs(backend, network, precision, way, n_folds, n_epochs=self.size["n_epochs"])
                try:
                    if runner is None:
                        runner, n_workers = stack.enter_context(self.processes(backend, way, jobs[0]))
                    started = time.perf_counter()
                    runner.run(self.jobs(backend, network, precision, way, n_workers, n_epochs=1))
                    warm_up_s = time.perf_counter() - started
                    with watched(self.gpu) as readings:
                        started = time.perf_counter()
                        accuracies = runner.run(jobs)
                        seconds = time.perf_counter() - started
                except RuntimeError as error:
                    print(f"{backend}, {way}, {network}, {precision}: {error}")
                    runner = None
                    continue
                yield Row(
                    backend, network, precision, way, seconds * self.size["n_folds"] / n_folds, warm_up_s,
                    *(function(values) if values else 0.0 for function, values in zip((mean, max), readings, strict=True)),
                    mean(accuracies), n_folds,
                )  # fmt: skip


def make_stores(folder: Path, networks: list[str], size: dict[str, Any]) -> dict[str, str]:
    """Make the feature stores that networks read, and return the folder of each."""
    features = write_store(folder, n_items=size["n_folds"] + 2, n_examples=size["n_examples"], shape=size["shape"])
    found = dict.fromkeys(networks, features)
    for network in networks:
        if network in ON_WAVEFORMS:
            settings = [word for name, value in ON_WAVEFORMS[network].items() for word in ("--set", f"{name}={value}")]
            command = [sys.executable, "-m", "preprocessing", "demo", "--data-folder", str(folder / "data")]
            call([*command, "--dataset", network, *settings], ROOT)
            (found[network],) = (str(path.parent) for path in (folder / "data" / network / "features").glob("*/store.json"))
    return found


def main(options: argparse.Namespace) -> None:
    """Measure, and print the table."""
    gpus = find_gpus()
    gpu = "0" if gpus and not options.quick else "cpu"
    print(
        f"device: {gpus[0].name} with {gpus[0].memory_mb} MB" if gpu == "0" else "device: CPU, on which this measures nothing"
    )
    size = QUICK if gpu == "cpu" else FULL | ({"n_epochs": options.epochs} if options.epochs else {})
    seen = find_backends(gpu, options.backends)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        networks = [name for name in options.networks if name in architecture_names()]
        stores = make_stores(Path(place), networks, size)
        os.environ["XDG_CACHE_HOME"] = str(Path(place) / "cache")  # what JAX has compiled before is not found
        benchmark = Benchmark(Path(place), gpu, size, stores, time.monotonic() + 60 * options.minutes)
        for backend in seen:
            for way in options.ways:
                cells = [(network, precision) for precision in options.precisions for network in networks]
                for row in benchmark.measure(backend, way, cells):
                    rows.append(row)
                    print(
                        " ".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in asdict(row).values()),
                        flush=True,
                    )
                    write_files(rows, options.csv, None)
    write_files(rows, options.csv, options.picture)
    print_table(rows, size)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="tiny, on the CPU; with torch and cnn_small where nothing else is said"
    )
    parser.add_argument("--backends", nargs="+", choices=BACKENDS)
    parser.add_argument("--networks", nargs="+", help="files of architectures/")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS)
    parser.add_argument("--ways", nargs="+", choices=WAYS)
    parser.add_argument("--epochs", type=int, help=f"of a fold (default: {FULL['n_epochs']})")
    parser.add_argument("--minutes", type=float, default=60, help="no cell is begun later than this (default: 60)")
    parser.add_argument("--csv", type=Path, help="write the table here")
    parser.add_argument("--picture", type=Path, help="draw it here (.png, .svg)")
    given = parser.parse_args()
    given.backends = given.backends or (["torch"] if given.quick else list(BACKENDS))
    given.networks = given.networks or (["cnn_small"] if given.quick else list(NETWORKS))
    given.precisions = given.precisions or (["float32"] if given.quick else list(PRECISIONS))
    given.ways = given.ways or (["own", "1"] if given.quick else list(WAYS))
    main(given)
