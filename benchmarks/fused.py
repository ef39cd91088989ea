"""The folds of an instance in one program against one after the other, on JAX. Prints the ratio last.

python benchmarks/fused.py [--quick] [--gpu cpu]

On a GPU: 10 folds of 3,000 examples of 64 frames x 64 bins, cnn_small and crnn as they come, 12 epochs, three rounds. On a CPU,
where convolutions of several members become grouped ones and a core has one thing to do at a time anyway: 4 folds of 400
examples and smaller networks. --quick: 3 folds, 4 epochs, one round, smaller still.

Each round runs both ways in turn, each in a fresh process, from its first job to its last record: reading, compiling, training,
evaluation and files. Early stopping is off, so that both do the same epochs; both give the same metrics, which is checked. An
epoch's time is that of all folds together, without the first epoch, in which compiling falls.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from _folds import make_jobs, write_store

ROOT = Path(__file__).resolve().parents[1]
WAYS = ("fused", "one by one")
TOLERANCE = 1e-2  # on a GPU sums are taken in another order; a wrong answer more or less is no other result
SIZES = {
    "gpu": {"n_folds": 10, "n_examples": 3000, "shape": (64, 64), "n_epochs": 12, "n_rounds": 3, "options": {}},
    "cpu": {
        "n_folds": 4,
        "n_examples": 400,
        "shape": (32, 32),
        "n_epochs": 5,
        "n_rounds": 3,
        "options": {"n_filters": (8, 16)},
    },
    "quick": {"n_folds": 3, "n_examples": 96, "shape": (16, 8), "n_epochs": 4, "n_rounds": 1, "options": {"n_filters": (2, 4)}},
}


def run(folder: Path, architecture: str, way: str, size: dict[str, Any]) -> None:
    """Run the jobs in this process, and print what it took as JSON."""
    from xval.jobs.groups import group_jobs
    from xval.worker.run import run_jobs

    engine = "fused_always" if way == "fused" else "sequential"
    parameters = {"dataset": "folds", "data_folder": str(folder / "data"), "backend": "jax", "engine": engine}
    parameters |= {
        "architecture": architecture,
        "num_epochs": size["n_epochs"],
        "early_stopping": False,
        "max_worker_memory_mb": 16000,
    }
    results = Path(tempfile.mkdtemp(dir=folder))
    jobs = make_jobs(results, size["store"], size["n_folds"], parameters, size["options"])
    ends: dict[int, list[float]] = {}  # of the epochs of each fold
    started = time.perf_counter()
    for group in group_jobs(jobs):
        for outcome in run_jobs(group, lambda event: ends.setdefault(event["fold"], []).append(time.perf_counter())):
            if outcome.status != "done":
                sys.exit(f"fold {outcome.fold}: {outcome.error}\n{outcome.details}")
    total_s = time.perf_counter() - started
    gaps = [median(later - earlier for earlier, later in pairwise(of)) for of in ends.values()]
    records = [json.loads((results / f"instance_1/fold_{job.fold.number}/record.json").read_text()) for job in jobs]
    used = {record.get("engine", {"used": "sequential"})["used"] for record in records}
    if used != {"fused" if way == "fused" else "sequential"}:
        sys.exit(f"{architecture}: asked for {way}, got {records[0].get('engine')}")
    losses = [record["metrics"]["test"]["loss"] for record in records]
    print(json.dumps({"total_s": total_s, "epoch_s": max(gaps) if way == "fused" else sum(gaps), "losses": losses}))


def measure(folder: Path, architecture: str, way: str, size: dict[str, Any], gpu: str) -> dict[str, Any]:
    """Run the jobs in a fresh process that is bound to a device, and return what it took."""
    from xval.backend.devices import Slot, environment

    command = [sys.executable, "-P", __file__, "--run", json.dumps([str(folder), architecture, way, size])]
    variables = (
        os.environ
        | environment(Slot(gpu, 1), "jax")
        | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}", "JAX_ENABLE_COMPILATION_CACHE": "false"}
    )
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{architecture}, {way}: exit code {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Run both ways in turn and print their times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--gpu", default="0", help="number of the GPU, or cpu")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        folder, architecture, way, size = json.loads(arguments.run)
        run(Path(folder), architecture, way, size)
        return
    from xval.backend.devices import find_gpus

    gpu = arguments.gpu if find_gpus() else "cpu"
    size = SIZES["quick" if arguments.quick else "cpu" if gpu == "cpu" else "gpu"]
    print(f"{size['n_folds']} folds, {size['n_examples']} examples of {size['shape']}, {size['n_epochs']} epochs, device {gpu}")
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_items = size["n_folds"] + 2
        size = size | {"store": write_store(folder, n_items=n_items, n_examples=size["n_examples"], shape=size["shape"])}
        for architecture in ("cnn_small", "crnn"):
            rounds = [{way: measure(folder, architecture, way, size, gpu) for way in WAYS} for _ in range(size["n_rounds"])]
            apart = max(
                abs(one - other) for each in rounds for one, other in zip(*(each[way]["losses"] for way in WAYS), strict=True)
            )
            if apart > TOLERANCE:
                sys.exit(
                    f"{architecture}: the test losses of the two ways differ by {apart:.3g}; at most {TOLERANCE} is rounding"
                )
            for way in WAYS:
                total_s, epoch_s = (median(each[way][key] for each in rounds) for key in ("total_s", "epoch_s"))
                print(
                    f"{architecture:10} {way:10}  {total_s:7.2f} s in all, {1000 * epoch_s:8.1f} ms for an epoch of all folds"
                )
            ratio = {
                key: median(each["one by one"][key] / each["fused"][key] for each in rounds) for key in ("total_s", "epoch_s")
            }
            ratios.append(f"{architecture} {ratio['total_s']:.2f} (epochs alone {ratio['epoch_s']:.2f})")
            print(f"{architecture:10} test losses differ by {apart:.1e} at most")
    print(f"ratio one by one / fused: {', '.join(ratios)}")


if __name__ == "__main__":
    main()
