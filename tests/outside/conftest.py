"""A folder as a user has one: a small corpus, scripts, and commands that run in it.

Nothing here or in the tests of this folder imports a module below `xval`, `preprocessing`, `augmentation` or `architectures`
that its docs do not name: these tests hold what a user sees, so that the inside may change.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
SERVER = Path(__file__).with_name("server.py")
CLASSES = ("a", "b", "c")
N_ITEMS, N_EXAMPLES, SHAPE = 6, 12, (12, 8)
PARAMETERS = {
    "dataset": "small",
    "num_folds": 2,
    "fold_repeats": 1,
    "num_epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.01,
    "workers": 1,
    "page": "none",
}
FEATURES = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
"""Of recordings: `Study.recordings` writes them at this rate."""
TASKS = ("classification", "multilabel_classification", "regression", "representation")
"""The tasks whose corpora are arrays; frame_classification needs recordings: `Study.write_recordings`."""
BOUND = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
    # JAX otherwise compiles small networks for longer than it computes.
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "COLUMNS": "200",
}

WITHOUT_RIGHTS = """
import ctypes, runpy, sys
# Root may write everywhere but for these: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
system, header, rights = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert system.capget(header, rights) == 0
rights[0] &= ~0b110
assert system.capset(header, rights) == 0
sys.argv[:] = ["xval", *sys.argv[1:]]
runpy.run_module("xval", run_name="__main__", alter_sys=True)
"""


class Server:
    """Runs commands in forks of a process that has loaded Keras on a backend: a second each, in place of six."""

    def __init__(self, backend: str, running: ExitStack) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        environment = os.environ | BOUND | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
        self._process = running.enter_context(
            subprocess.Popen([sys.executable, str(SERVER)], text=True, env=environment, **pipes)
        )

    def run(self, folder: Path, arguments: list[str], **variables: str) -> subprocess.CompletedProcess:
        """Run ``python ARGUMENTS`` in a folder."""
        order = {"arguments": arguments, "folder": str(folder), "variables": variables}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        ended = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess(arguments, ended["code"], ended["printed"], ended["errors"])


@pytest.fixture(scope="session")
def servers():
    """Return a function that gives the server of a backend."""
    started = {}
    with ExitStack() as running:
        yield lambda backend: started.get(backend) or started.setdefault(backend, Server(backend, running))


@dataclass
class Study:
    """A folder with a corpus ``small`` of 6 items, 12 examples of shape (12, 8) each.

    Attributes:
        folder: Where commands run.
        backend: Of Keras, for all commands.
    """

    EXPERIMENT: ClassVar[str] = "results/small/experiment_1"

    folder: Path
    servers: object
    backend: str = "tensorflow"
    written: dict = field(default_factory=dict)

    @property
    def results(self) -> Path:
        return self.folder / self.EXPERIMENT

    def file(self, name: str, text: str) -> Path:
        """Write a file of the study."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def corpus(self, task: str = "classification", **options: object) -> None:
        """Write the corpus for a task, as a script of a user's own does."""
        from preprocessing.store import write

        predictors, targets = arrays(task)
        if task == "representation":
            task = "classification"  # a corpus of classes is rebuilt
        write("small", predictors, targets, data_folder=self.folder / "data", task_type=task, **options)

    def recordings(
        self, folder: str = "audio", *, labels: tuple[str, ...] = ("low", "high"), n_speakers: int = 6
    ) -> pd.DataFrame:
        """Write short tones of some speakers, four clips each, and a table of them: clips.csv beside them."""
        rng = np.random.default_rng(0)
        rows = []
        for speaker, take in np.ndindex(n_speakers, 4):
            label = labels[take % len(labels)]
            time_s = np.arange(rng.integers(700, 1000)) / FEATURES["sample_rate_hz"]
            tone = np.sin(2 * np.pi * (400 + 800 * (take % len(labels)) + 40 * speaker) * time_s)
            path = self.folder / folder / label / f"s{speaker}_{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * tone + 0.08 * rng.normal(size=len(tone)), FEATURES["sample_rate_hz"])
            about = {"gender": "fm"[speaker % 2], "age": 20 + 9 * speaker, "pitch": (0.4, 1.2, 2.0)[take % len(labels)]}
            rows.append({"path": f"{label}/{path.name}", "item": f"s{speaker}", "label": label, **about})
        table = pd.DataFrame(rows)
        table.to_csv(self.folder / folder / "clips.csv", index=False)
        return table

    def prepare(self, *arguments: object, **features: object) -> subprocess.CompletedProcess:
        """Run ``xval prepare`` for a corpus, with small features."""
        settings = [word for name, value in (FEATURES | features).items() for word in ("--set", f"{name}={value}")]
        return self.python("-m", "preprocessing", *arguments, "--workers", "1", *settings)

    def script(self, *instances: dict | str, name: str = "exp.py", head: str = "", **parameters: object) -> None:
        """Write an experiment; an instance is a dict, or the text of one."""
        values = PARAMETERS | parameters
        lines = [head, "from xval import Experiment", f"experiment = Experiment('A test', **{values!r})"]
        lines += [f"experiment[{number}] = {instance}" for number, instance in enumerate(instances, start=1)]
        self.file(name, "\n".join([*lines, "if __name__ == '__main__':", "    experiment.main()", ""]))

    def python(self, *arguments: object, in_workers: bool = False, **variables: str) -> subprocess.CompletedProcess:
        """Run ``python ARGUMENTS`` in the folder; jobs of scripts run in the same process but for ``in_workers``.

        With ``in_workers`` it is a process of its own, as a user starts it, and has workers: some 6 s.
        """
        words = [str(word) for word in arguments]
        if in_workers:
            environment = os.environ | BOUND | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": self.backend} | variables
            return subprocess.run(
                [sys.executable, *words], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=500
            )
        return self.servers(self.backend).run(self.folder, words, **variables)

    @contextmanager
    def started(self, *arguments: object) -> Iterator[subprocess.Popen]:
        """Start ``python ARGUMENTS`` in a process group of its own, which ends with the block."""
        environment = os.environ | BOUND | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": self.backend}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
        process = subprocess.Popen([sys.executable, *map(str, arguments)], cwd=self.folder, env=environment, **pipes)
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def wait_for(self, pattern: str, process: subprocess.Popen) -> None:
        """Wait until there is a file in the results whose path fits a pattern, as long as a process lives."""
        while not any(self.results.glob(pattern)):
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)

    def run(self, *arguments: object, script: str = "exp.py", **variables: str) -> subprocess.CompletedProcess:
        """Run a script of the study, with its jobs in the process that runs it."""
        return self.python(script, *arguments, "--executor", "inline", **variables)

    def xval(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess:
        """Run ``xval``."""
        return self.python("-m", "xval", *arguments, **variables)

    def without_rights(self, *arguments: object) -> subprocess.CompletedProcess:
        """Run ``xval`` as who may write only where the file system says so, which root need not heed (Linux)."""
        return self.python("-c", WITHOUT_RIGHTS, *arguments)

    def mistake(self, *arguments: object, **variables: str) -> str:
        """Run ``python ARGUMENTS`` with a mistake in them, hold it to be one for the command, and return what it says."""
        ended = self.python(*arguments, **variables)
        assert ended.returncode == 2, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        assert ended.stderr.count("error: ") == 1, ended.stderr
        return ended.stderr

    def train(self, *instances: dict | str, **parameters: object) -> subprocess.CompletedProcess:
        """Write a script with these instances, run it, and hold it to have succeeded."""
        self.script(*instances, **parameters)
        ended = self.run()
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def fold(self, instance: int = 1, fold: int = 1) -> Path:
        """Return the folder of a fold."""
        return self.results / f"instance_{instance}" / f"fold_{fold}"

    def record(self, instance: int = 1, fold: int = 1) -> dict:
        """Return the record of a fold."""
        return json.loads((self.fold(instance, fold) / "record.json").read_text())

    def score_table(self, instance: int = 1, fold: int = 1) -> pd.DataFrame:
        """Return the scores of a fold: side, item, metric, value."""
        return pd.read_parquet(self.fold(instance, fold) / "scores.parquet")

    def scores(self, instance: int = 1, fold: int = 1, *, side: str = "test", item: str = "") -> dict[str, float]:
        """Return the metrics of a side of a fold, or of an item that it tests."""
        rows = self.score_table(instance, fold).query("side == @side and item == @item")
        return dict(zip(rows["metric"], rows["value"], strict=True))

    def history(self, instance: int = 1, fold: int = 1) -> pd.DataFrame:
        """Return the epochs of a fold."""
        return pd.read_csv(self.fold(instance, fold) / "history.csv")

    def predictions(self, instance: int = 1, fold: int = 1) -> pd.DataFrame:
        """Return the predictions of a fold."""
        return pd.read_parquet(self.fold(instance, fold) / "predictions.parquet")

    def trained(self) -> list[Path]:
        """Return the models that have been written: what was refused before the first epoch leaves none."""
        return sorted(self.results.glob("instance_*/fold_*/model.keras"))


def arrays(task: str = "classification") -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Return predictors and targets by item, whose classes can be learned."""
    rng = np.random.default_rng(0)
    predictors, targets = {}, {}
    for number in range(N_ITEMS):
        numbers = np.arange(N_EXAMPLES) % 3
        predictors[f"s{number}"] = (rng.normal(size=(N_EXAMPLES, *SHAPE)) + 0.7 * numbers[:, None, None]).astype("float32")
        names = [CLASSES[place] for place in numbers]
        targets[f"s{number}"] = {
            "regression": numbers.astype("float32"),
            "multilabel_classification": [[name, "c"] if name == "a" else [name] for name in names],
        }.get(task, names)
    return predictors, targets


def write_two_classes(study: "Study", deviation: float) -> None:
    """Make the dataset one of two classes, ``healthy`` and ``sick``, which noise of a deviation hides in part."""
    from preprocessing.store import write

    predictors, targets = arrays()
    rng = np.random.default_rng(1)
    noisy = {item: values + rng.normal(0, deviation, values.shape).astype("float32") for item, values in predictors.items()}
    names = {item: ["sick" if label == "a" else "healthy" for label in labels] for item, labels in targets.items()}
    write("small", noisy, names, data_folder=study.folder / "data")


def prepare_repeated_recordings(study: "Study", item_column: str) -> None:
    """Prepare a table of six items, of which the last has the recordings of the first at half of the level."""
    rng = np.random.default_rng(0)
    (study.folder / "audio").mkdir()
    recordings = rng.normal(size=(5, 4, 1200)) + 2 * np.sin(np.arange(1200) * np.array([0.5, 1.5, 0.5, 1.5])[:, None])
    rows = []
    for item, clip in np.ndindex(6, 4):
        samples = 0.1 * recordings[item] if item < 5 else 0.05 * recordings[0]
        soundfile.write(study.folder / f"audio/s{item}_{clip}.wav", samples[clip], FEATURES["sample_rate_hz"])
        rows.append((f"s{item}_{clip}.wav", f"s{item}", "ab"[clip % 2]))
    pd.DataFrame(rows, columns=["path", item_column, "label"]).to_csv(study.folder / "audio/t.csv", index=False)
    assert study.prepare("table", "audio/t.csv", "--dataset", "small", "--item", item_column).returncode == 0


@pytest.fixture(scope="session")
def study_in(servers):
    """Return a function that gives the study of a folder."""
    return lambda folder: Study(folder, servers)


@pytest.fixture
def study(tmp_path, servers):
    """Return a folder with a small corpus for classification."""
    made = Study(tmp_path, servers)
    made.corpus()
    return made


@pytest.fixture
def empty(tmp_path, servers):
    """Return a folder without anything in it."""
    return Study(tmp_path, servers)


def train_finished(study: Study) -> None:
    """Train what `finished` is."""
    clips = study.recordings()
    clips.loc[0, "label"] = "high"  # a label that is wrong
    clips.to_csv(study.folder / "audio" / "clips.csv", index=False)
    prepared = study.prepare("table", "audio/clips.csv", "--dataset", "small")
    assert prepared.returncode == 0, prepared.stderr
    study.train(
        {"architecture": "mlp", "n_units": (8,), "comment_1": "a network"},
        {"architecture": "mlp", "n_units": (4,), "normalization": "per_clip", "comment_1": "scaled per clip"},
        {"architecture": "svm", "C": (1.0,), "comment_1": "an estimator"},
        **FEATURES,
        page="complete",
        num_folds=3,
        num_epochs=3,
    )


@pytest.fixture(scope="session")
def finished(make_once, servers):
    """Return a study with recordings and a finished experiment of three instances, which tests only read.

    Two networks and an estimator, three folds of two speakers. A test that writes takes `copied`.
    """
    return Study(make_once("finished_from_outside", lambda folder: train_finished(Study(folder, servers))), servers)


@pytest.fixture
def copied(finished, tmp_path):
    """Return a copy of `finished` that a test may change."""

    def copy(source: str, target: str) -> str:
        """Copy a file; of the code that ran, which is most of the files and which nobody edits, a link will do."""
        return os.link(source, target) or target if "/code/" in source else shutil.copy2(source, target)

    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True, copy_function=copy)
    return Study(tmp_path, finished.servers)
