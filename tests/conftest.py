"""A small corpus that is learned in a second, and scripts that run on it as a user would run them."""

import ctypes
import gc
import importlib.util
import json
import os
import random
import runpy
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from filelock import FileLock
from hypothesis import settings as hypothesis_settings

from preprocessing import corpus, store
from xval.base.operating_system import ENDING_SIGNALS
from xval.settings.resolve import Declaration, resolve

# A busy machine is no fault, and what passes on one machine passes on any. `make test-slow` draws new examples each time, and
# more of them: the same ones again seldom find what some of them do not.
hypothesis_settings.register_profile("random", deadline=None)
hypothesis_settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=30)
hypothesis_settings.load_profile("repeatable")

# Each process of the session, and each that a test starts, would compile tests and project anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Small networks are done before their work is spread over threads. Runs in processes of their own choose theirs themselves.
os.environ |= dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")

gc.disable()  # an import leaves no garbage; on again in `pytest_collection_finish`
gc.set_threshold(50_000, 20, 20)  # what is traced of a network is much and stays: a search for each 700 objects finds nothing

os.fsync = lambda _: None  # where the power fails, the tests are run again

# A shell that starts the tests in the background lets them ignore Ctrl-C, and nohup that the terminal is closed; so would every
# process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Files whose tests take longest. They are begun with, so that no process waits for another one in the end.
LONG_FILES = (
    "test_saved_models.py",
    "xval/engine/executors/test_conformance.py",
    "xval/training/test_compiled.py",
    "test_resilience.py",
    "architectures/test_contract.py",
    "test_main_job.py",
    "xval/training/test_augmentation.py",
    "test_corpora_to_workbook.py",
    "architectures/test_waveform_networks.py",
    "xval/models/test_frontend.py",
    "test_own_parts.py",
    "test_waveform_run.py",
    "test_evaluate.py",
    "xval/training/combination/test_run.py",
    "xval/commands/test_predict.py",
)
COMPARED = ("metrics", "clip_metrics", "item_metrics", "confusion_matrix", "best_epoch", "epochs", "seed")
SMALL_FEATURES = {"sample_rate_hz": 8000, "n_fft": 128, "win_length": 128, "hop_length": 64, "n_mels": 12}
TESTS = Path(__file__).parent
SLOW_PARTS = 30  # one of them for each submission
# JAX otherwise compiles small networks for longer than it computes. One thread: the same bits whatever else runs.
QUICK_COMPILATION = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_multi_thread_eigen=false "
    "intra_op_parallelism_threads=1"
)
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
N_ITEMS, N_EXAMPLES, SHAPE = 6, 12, (12, 8)


def pytest_collectstart():
    """Import skops before Keras: it looks through all that is loaded. A process that only waits for others collects nothing."""
    from xval.training.classical.pipeline_file import import_skops

    import_skops()


def pytest_addoption(parser):
    """Take the commit that chooses a part of the slow tests."""
    parser.addoption("--slow-part", metavar="COMMIT", help="of the slow tests, run those of the part that this hash chooses")


def pytest_ignore_collect(collection_path, config):
    """Pass over the files without slow tests where --slow-part is given: to import all files takes as long as the part."""
    if not config.getoption("--slow-part") or collection_path.suffix != ".py":
        return None
    marking = {collection_path, collection_path.with_name("conftest.py")} - {TESTS / "conftest.py"}
    return None if any(path.exists() and "mark.slow" in path.read_text(encoding="utf-8") for path in marking) else True


def is_longest(item):
    """Return whether a test has a timeout of its own, since it takes many minutes: `make test-slow` has it in one piece."""
    return item.get_closest_marker("timeout") is not None


def slow_part(items, commit):
    """Return the slow tests that the hash of a commit chooses: each SLOW_PARTS-th, so that those of a file are spread.

    Those of an `xdist_group` stay together, since all of them need what takes long to make.
    """
    groups = [marker.args[0] if (marker := item.get_closest_marker("xdist_group")) else item.nodeid for item in items]
    chosen = set(list(dict.fromkeys(groups))[int(commit, 16) % SLOW_PARTS :: SLOW_PARTS])
    return [item for item, group in zip(items, groups, strict=True) if group in chosen]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Keep the part of --slow-part, and let each process begin with long files.

    pytest-xdist gives a process an equal segment of the tests, and more later.
    """
    if commit := config.getoption("--slow-part"):
        chosen = slow_part([item for item in items if not is_longest(item)], commit)
        config.hook.pytest_deselected(items=list(set(items) - set(chosen)))
        items[:] = chosen
    n_processes = getattr(config, "workerinput", {}).get("workercount", 1)
    stretches = [[] for _ in range(n_processes)]
    for place, name in enumerate(LONG_FILES):
        stretches[place % n_processes] += [item for item in items if item.path == TESTS / name]
    long = set(chain(*stretches))
    rest = iter([item for item in items if item not in long])
    for number, stretch in enumerate(stretches, start=1):
        end = len(items) * number // n_processes
        stretch += islice(rest, max(end - sum(map(len, stretches[:number])), 0))
    items[:] = [*chain(*stretches), *rest]


def pytest_collection_finish():
    """Let TensorFlow compute the graphs of this process as they are: to optimize those of small networks takes longer."""
    gc.enable()
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def pytest_runtest_setup(item):
    """Begin with the same random state of Python, from which Keras and the parts of a job draw their seeds.

    What is alive before the first test of a file is left out of every later search for garbage: Keras searches whenever it
    clears a session, and that would take a sixth of the time.
    """
    random.seed(0)
    if item.path != _begun.get("file"):
        _begun["file"] = item.path
        gc.collect()
        gc.freeze()


_begun = {}


def read_fold(folder):
    """Return the record of a fold with its scores in dicts, as metrics.json has them."""
    record = json.loads((folder / "record.json").read_text())
    if not (folder / "scores.parquet").exists():
        return record
    scores = pd.read_parquet(folder / "scores.parquet").replace({np.nan: None})
    sides = {side: dict(zip(of.metric, of.value, strict=True)) for side, of in scores[scores.item == ""].groupby("side")}
    items = {item: dict(zip(of.metric, of.value, strict=True)) for item, of in scores[scores.item != ""].groupby("item")}
    return record | {
        "metrics": {side: sides[side] for side in ("training", "validation", "test") if side in sides},
        "clip_metrics": {side: sides[f"clip_{side}"] for side in ("validation", "test") if f"clip_{side}" in sides},
        "item_metrics": {"test": items},
        "chance": {"test": sides.get("chance", {})},
    }


@pytest.fixture(name="read_fold", scope="session")
def read_fold_fixture():
    """Return `read_fold`."""
    return read_fold


PARTS = """
import keras
from xval.measures.metrics import metric

ALIAS = keras.optimizers.Adam
quickly = None

def loss(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

def mean_loss(y_true, y_pred):
    return keras.ops.mean(loss(y_true, y_pred))

def three(a, b, c):
    return a

def optimizer(learning_rate):
    return keras.optimizers.SGD(learning_rate, momentum=0.5)

class Slow(keras.optimizers.SGD):
    pass

def no_optimizer(learning_rate):
    return learning_rate

def schedule(epoch, learning_rate):
    return learning_rate / 2 if epoch else learning_rate

def falling(epoch, learning_rate):
    return -1.0

@metric(higher_is_better=False)
def worst(targets, predictions):
    return float(1 - predictions[range(len(targets)), targets].min())

@metric(higher_is_better=True)
def accuracy(targets, predictions):
    return 1.0

def by_attribute(targets, predictions):
    return 0.5

by_attribute.higher_is_better = True

def without_direction(targets, predictions):
    return 0.5

@metric(higher_is_better=True)
def several(targets, predictions):
    return predictions[0]
"""
OWN_NETWORK = """
from keras import Model, layers
from own_package.shared import activation

reshaping_type = "none"
task_types = ("classification",)

def build(input_shape, output_shape, *, n_hidden: int = 3):
    inputs = layers.Input(input_shape)
    x = layers.Dense(n_hidden, activation=activation)(layers.Flatten()(inputs))
    return Model(inputs, layers.Dense(output_shape[-1])(x))

def wider(input_shape, output_shape, *, n_hidden: int = 30):
    return build(input_shape, output_shape, n_hidden=n_hidden)

def loaded(input_shape, output_shape):
    import numpy as np

    network = build(input_shape, output_shape)
    network.layers[-1].set_weights([np.linspace(-1, 1, 3 * output_shape[-1]).reshape(3, -1), np.zeros(output_shape[-1])])
    return network

def untyped(input_shape, output_shape, *, n_hidden=None):
    return build(input_shape, output_shape, n_hidden=n_hidden)

def single(input_shape):
    return None
"""


def _resolve(changes):
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", changes, {1: {}}))
    return instance


@pytest.fixture(scope="session")
def make_settings():
    """Return a function that gives the checked settings of config.ini with some changes, among them any options."""
    return lambda **changes: _resolve(changes).settings


@pytest.fixture(scope="session")
def make_options():
    """Return a function that gives the options of an architecture, all of them, from the same changes as `make_settings`."""
    return lambda **changes: _resolve(changes).options


def toy_corpus(seed=0, task_type="classification"):
    """Return predictors and targets of items whose three classes differ in three bands, on an offset of the item."""
    rng = np.random.default_rng(seed)
    predictors, targets = {}, {}
    for number in range(N_ITEMS):
        classes = np.arange(N_EXAMPLES) % 3
        values = rng.normal(size=(N_EXAMPLES, *SHAPE)).astype(np.float32) + 0.5 * number
        for example, label in enumerate(classes):
            values[example, :, 2 * label : 2 * label + 2] += 1.5
        predictors[f"speaker_{number}"] = values
        targets[f"speaker_{number}"] = (
            np.array(["a", "b", "c"])[classes] if task_type == "classification" else classes.astype(np.float32)
        )
    return predictors, targets


@dataclass
class Project:
    """A folder with a corpus and a script.

    Attributes:
        folder: Where commands run.
        results: The folder of the experiment's results.
        settings: Of the features, small ones.
    """

    folder: Path
    results: Path
    settings: dict = field(default_factory=lambda: dict(SMALL_FEATURES))

    def records(self):
        """Return the record, with the scores, of every job of the first repeat that has ended."""
        read = (read_fold(path.parent) for path in sorted(self.results.glob("instance_*/fold_*/record.json")))
        return {(record["instance"], record["fold"]): record for record in read if record["repeat"] == 1}

    def scores(self, experiment_folder="results"):
        """Return what must be equal bit for bit between runs."""
        other = Project(self.folder, self.folder / experiment_folder / "toy" / "experiment_1")
        return {job: {name: record[name] for name in COMPARED} for job, record in other.records().items()}

    def stamp(self, job):
        """Return when the record of a job was written."""
        return (self.results / f"instance_{job[0]}" / f"fold_{job[1]}" / "record.json").stat().st_mtime_ns

    def leftovers(self):
        """Return what is left half-written."""
        return [path for path in self.results.rglob("*") if path.name.endswith(".part")]

    def workers_of(self, pid):
        """Return the process ids of the worker processes of a run."""
        command = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return [int(line.split()[0]) for line in listed.splitlines() if "xval.engine.worker.serve" in line]

    def is_home_of(self, process):
        """Return whether a process, by its folder in /proc, runs in the project's folder."""
        try:
            return (process / "cwd").readlink() == self.folder
        except OSError:
            return False

    def prepare(self, table, *options):
        """Prepare a table of the folder audio as the corpus toy, with the features of `settings`."""
        settings = [word for name, value in self.settings.items() for word in ("--set", f"{name}={value}")]
        options = ("--dataset", "toy", "--workers", "1", *options)
        ended = self.run_module("preprocessing", "table", f"audio/{table}", *options, *settings)
        assert ended.returncode == 0, ended.stderr

    def write_script(self, *instances, **parameters):
        """Write exp.py with instances 1, 2, ..."""
        given = {
            "dataset": "toy",
            "num_folds": 3,
            "fold_repeats": 1,
            "num_epochs": 2,
            "batch_size": 16,
            "learning_rate": 0.01,
            "workers": 1,
            "page": "none",
        } | parameters
        lines = ["from xval import Experiment", f"experiment = Experiment('a test', **{given!r})"]
        lines += [f"experiment[{number}] = {instance!r}" for number, instance in enumerate(instances, start=1)]
        lines += ["if __name__ == '__main__':", "    experiment.main()", ""]
        (self.folder / "exp.py").write_text("\n".join(lines))

    def write_corpus(self, task_type="classification"):
        predictors, targets = toy_corpus(task_type=task_type)
        store.write("toy", predictors, targets, data_folder=self.folder / "data", task_type=task_type)

    def command(self, *arguments):
        return [sys.executable, "exp.py", *map(str, arguments)]

    def environment(self, **variables):
        kept = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
        quick = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.05"}  # small networks, which many tests train again
        return kept | {"COLUMNS": "200"} | quick | variables

    def run_script(self, script, *arguments):
        """Run a script and return the finished process, with its text."""
        return subprocess.run(
            [sys.executable, script, *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=550,
            env=self.environment(),
        )

    def run(self, *arguments, **variables):
        """Run exp.py and return the finished process, with its text."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=550,
            env=self.environment(**variables),
        )

    def run_module(self, module, *arguments):
        """Run ``python -m module`` and return the finished process, with its text."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=550,
            env=self.environment(),
        )

    def start(self, *arguments, **variables):
        """Start exp.py in a process group of its own, which `end_processes` ends, and the kernel if this process is killed."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGTERM),
            env=self.environment(**variables),
        )

    def end_processes(self):
        """Kill what `start` has started and what that has: Ctrl-C ends a test, and does not reach other process groups."""
        for process in filter(self.is_home_of, Path("/proc").glob("[0-9]*")):
            with suppress(ProcessLookupError):
                if os.getpgid(int(process.name)) != os.getpgrp():
                    os.kill(int(process.name), signal.SIGKILL)


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path, tmp_path / "results" / "toy" / "experiment_1")
    made.write_corpus()
    made.write_script({"architecture": "mlp", "n_units": (16,)}, {"architecture": "mlp", "n_units": (8,), "dropout": 0.5})
    yield made
    made.end_processes()


@pytest.fixture(scope="session")
def described_environment():
    """Return what a snapshot says of the environment, for which it reads a file of each of some 240 packages."""
    from xval.experiment import snapshot

    return snapshot._describe_environment()


@pytest.fixture
def default_signals():
    """Let signals end this process within a test: a command that one has stopped ignores the later ones, since it is to end."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def in_process(project, described_environment, monkeypatch, capfd):
    """Let the project's `run`, `run_script` and `run_module` work in this process, which has loaded TensorFlow already.

    Jobs run one after the other (``--executor inline``); the threads of the backend, which has started, stay as they are.
    """
    import keras

    from xval.experiment import snapshot
    from xval.reuse import inference

    def prepare(*, seed, precision, **_):
        keras.backend.clear_session(free_memory=False)  # the search for garbage takes as long as a small network trains
        keras.config.set_dtype_policy(precision)
        keras.utils.set_random_seed(seed)

    def end(command, carry_out):
        capfd.readouterr()
        code = carry_out()
        return subprocess.CompletedProcess(command, code, *capfd.readouterr())

    def run_script(script, *arguments):
        command = [str(script), *map(str, arguments), "--executor", "inline"]
        monkeypatch.setattr(sys, "argv", command)

        def carry_out():
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(script), run_name="__main__")
            return ended.value.code

        return end(command, carry_out)

    def run_module(module, *arguments):
        main = importlib.import_module(f"{module}.__main__").main
        return end([module, *arguments], lambda: main([*map(str, arguments)]) or 0)

    monkeypatch.chdir(project.folder)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("xval.jobs.prepare_backend_for_job.prepare_backend", prepare)
    monkeypatch.setattr(snapshot, "_describe_environment", lambda: described_environment)
    monkeypatch.setattr(inference, "_bind", lambda *_, **__: None)
    monkeypatch.setattr(project, "run", lambda *arguments: run_script("exp.py", *arguments))
    monkeypatch.setattr(project, "run_script", run_script)
    monkeypatch.setattr(project, "run_module", run_module)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def eagerly(monkeypatch):
    """Let Keras on TensorFlow take steps without a graph of them: to trace it takes longer than an epoch of a few steps.

    For tests of what lies around a training. Those of architectures/ and xval/training/, and all runs in processes of their
    own, have graphs.
    """
    import keras

    monkeypatch.setattr(keras.Model, "run_eagerly", property(lambda _: True, lambda *_: None))


def write_tones(audio, rate_hz=8000):
    """Write a corpus of tones of many lengths, as classes (toy.csv) and as numbers (numbers.csv)."""
    rng = np.random.default_rng(0)
    audio.mkdir()
    numbers, classes = ["path,item,label:pitch,label:length"], ["path,item,label"]
    for speaker in range(5):
        for take in range(8):
            time_s = np.arange(rng.integers(1500, 4000)) / rate_hz
            pitch_hz = (500, 1500)[take % 2] * (1 + 0.02 * speaker)
            samples = 0.3 * np.sin(2 * np.pi * pitch_hz * time_s) + 0.01 * rng.normal(size=time_s.size)
            soundfile.write(audio / f"{speaker}_{take}.wav", samples, rate_hz)
            numbers.append(f"{speaker}_{take}.wav,s{speaker},{pitch_hz / 1000},{time_s.size / rate_hz}")
            classes.append(f"{speaker}_{take}.wav,s{speaker},{('low', 'high')[take % 2]}")
    (audio / "numbers.csv").write_text("\n".join(numbers))
    (audio / "toy.csv").write_text("\n".join(classes))


@pytest.fixture
def tones(project):
    """Put a corpus of tones of many lengths in the place of the project's corpus; return the project."""
    write_tones(project.folder / "audio")
    return project


@pytest.fixture
def write_onnx(tmp_path):
    """Return a function that writes a convolution of width and step 80 and its tanh; it gives file and kernel (3, 80)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def write(name="net.onnx", *, seed=0, batch="n", length="t"):
        kernel = np.random.default_rng(seed).normal(size=(3, 1, 80)).astype(np.float32)
        nodes = [
            helper.make_node("Unsqueeze", ["x", "axis"], ["y"]),
            helper.make_node("Conv", ["y", "w"], ["c"], strides=[80]),
            helper.make_node("Transpose", ["c"], ["frames"], perm=[0, 2, 1]),
            helper.make_node("Tanh", ["frames"], ["bounded"]),
        ]
        weights = [numpy_helper.from_array(kernel, "w"), numpy_helper.from_array(np.array([1]), "axis")]
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, length])]
        outputs = [helper.make_tensor_value_info(each, TensorProto.FLOAT, [batch, None, 3]) for each in ("frames", "bounded")]
        graph = helper.make_graph(nodes, "net", inputs, outputs, weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, tmp_path / name)
        return tmp_path / name, kernel[:, 0]

    return write


@pytest.fixture
def write_endless_onnx(tmp_path):
    """Return a function that writes a network of valid form whose loop takes 2**62 steps; it gives the file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def write(name="endless.onnx"):
        step = helper.make_graph(
            [helper.make_node("Identity", ["goes_on"], ["still"]), helper.make_node("Mul", ["value", "value"], ["next"])],
            "step",
            [
                helper.make_tensor_value_info("number", TensorProto.INT64, []),
                helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("still", TensorProto.BOOL, []),
                helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
            ],
        )
        nodes = [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1]),
            helper.make_node("Loop", ["steps", "", "mean"], ["y"], body=step),
        ]
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "t"])]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])]
        graph = helper.make_graph(nodes, "net", inputs, outputs, [numpy_helper.from_array(np.array(2**62), "steps")])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def run_on(make_once):
    """Return a function that runs a script in a process that has loaded Keras on a backend; it returns what was printed.

    The process knows this project only if its folder is in ``path``.
    """
    servers = {}
    bound = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICK_COMPILATION}
    compiled = make_once("compiled_by_jax", lambda _: None)
    bound |= {"JAX_COMPILATION_CACHE_DIR": str(compiled), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.02"}
    bound |= {"OMP_NUM_THREADS": "1"}

    def run(backend, script, *arguments, path=(), folder="/", **variables):
        if backend not in servers:
            command = [sys.executable, "-I", str(TESTS / "fork_server.py")]
            environment = os.environ | bound | {"KERAS_BACKEND": backend}
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            servers[backend] = running.enter_context(subprocess.Popen(command, text=True, env=environment, **pipes))
        server = servers[backend]
        order = {"script": script, "arguments": arguments, "path": path, "folder": folder, "variables": variables}
        server.stdin.write(json.dumps(order, default=str) + "\n")
        server.stdin.flush()
        ended = json.loads(server.stdout.readline())
        assert ended["code"] == 0, ended["errors"]
        return ended["printed"]

    with ExitStack() as running:
        yield run


def _load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def differences():
    """Return the function that compares what a saved model says with what was stored of it."""
    return _load("saved_model_probe").differences


@pytest.fixture(scope="session")
def pretrained_models():
    """Return the module that writes tiny models of each family of transformers."""
    return _load("pretrained_models")


@pytest.fixture
def own_package(tmp_path, monkeypatch):
    """Write a package with parts of a user's own beside the script, and return its folder."""
    folder = tmp_path / "own_package"
    folder.mkdir()
    sources = {"__init__": "", "parts": PARTS, "network": OWN_NETWORK, "shared": "activation = 'relu'\n", "broken": "def f(:\n"}
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "own_package"]:
        del sys.modules[name]


TINY_FEATURES = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}


def write_tones_and_copies(folder):
    """Make the corpus ``tones`` in a folder: six speakers, four clips of two classes each, and a copy of each first clip."""
    import pandas as pd

    rng = np.random.default_rng(0)
    (folder / "audio").mkdir()
    rows = []
    for speaker in range(N_ITEMS):
        for take in range(4):
            label, name = ("low", "high")[take % 2], f"speaker_{speaker}_{take}.wav"
            tone = np.sin(2 * np.pi * {"low": 300, "high": 1200}[label] * np.arange(rng.integers(700, 1000)) / 4000)
            samples = 0.1 * (1 + speaker) * tone + 0.02 * rng.normal(size=tone.size)
            rows.append({"path": name, "item": f"speaker_{speaker}", "label": label, "augmented": False, "source_clip": None})
            soundfile.write(folder / "audio" / name, samples, 4000)
            if take == 0:
                rows.append(rows[-1] | {"path": f"copy_of_{name}", "augmented": True, "source_clip": name})
                soundfile.write(folder / "audio" / f"copy_of_{name}", 0.5 * samples, 4000)
    clips = pd.DataFrame(rows).assign(clip=lambda table: table["path"])
    corpus.make_corpus(clips, folder / "audio", dataset="tones", data_folder=folder / "data", corpus="table")


@pytest.fixture(scope="session")
def make_once(tmp_path_factory):
    """Return a function that gives a folder of a name, which a function has filled once for all processes of the session."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name, fill):
        folder, ready = shared / name, shared / f"{name}.ready"
        with FileLock(shared / f"{name}.lock"):
            if not ready.exists():
                folder.mkdir()
                fill(folder)
                ready.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def finished(make_once):
    """A finished experiment on audio with augmented copies; tests change copies of it.

    Three instances on two folds: stored features scaled per bin; waveforms with a front end, scaled globally; and one that is
    scaled per clip.
    """
    folder = make_once("finished", train_finished)
    return Project(folder, folder / "results" / "tones" / "experiment_1")


def train_finished(folder):
    """Make the corpus and the results of `finished`."""
    made = Project(folder, folder / "results" / "tones" / "experiment_1")
    write_tones_and_copies(folder)
    network = {"architecture": "mlp", "n_units": (4,), **TINY_FEATURES}
    made.write_script(
        {**network, "comment_1": "per bin"},
        {**network, "features": "waveform", "frontend": "logmel", "normalization": "global", "comment_1": "=global"},
        {**network, "normalization": "per_clip"},
        dataset="tones", num_folds=2, fold_repeats=1, num_epochs=1, executor="inline", page="complete",
    )  # fmt: skip
    ended = made.run("--quiet")
    assert ended.returncode == 0, ended.stdout + ended.stderr
