"""Networks, losses and metrics that a notebook or a session defines itself: written as a module beside the results."""

import json
import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from .conftest import FEATURES

NOTEBOOK = """
import json, linecache, sys, types
main = sys.modules["__main__"] = types.ModuleType("__main__")
for number, text in enumerate(json.load(open("cells.json")), start=1):
    name = f"<ipython-input-{number}-{len(text)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), vars(main))
"""
"""Runs cells as IPython does: in a main module that is no file, each of them by a name that its source is kept under."""

IMPORTS = """
import keras
import numpy as np
import xml.dom.minidom
import xval
from keras import layers as L
from keras.layers import *
"""
PARTS = """
N_UNITS, WIDTHS, DENSE = 2 + 3, {"last": (4, 0.5, float("inf"))}, None
DENSE = keras.layers.Dense

@keras.saving.register_keras_serializable(package="of_a_cell")
class Block(keras.layers.Layer):
    def __init__(self, units=N_UNITS, **options):
        super().__init__(**options)
        self.units, self.dense = units, L.Dense(units)
    def build(self, shape):
        self.dense.build(shape)
    def call(self, inputs):
        return self.dense(inputs)
    def get_config(self):
        return super().get_config() | {"units": self.units}

def pooled(x):
    return GlobalAveragePooling1D()(x) if len(x.shape) == 3 else Flatten()(x)  # one of the names of a star
"""
BUILD = """
reshaping_type = "rnn"
def build(input_shape, output_shape, *, n_layers: int = 1):
    inputs = hidden = keras.Input(input_shape)
    for _ in range(n_layers):
        hidden = Block(WIDTHS["last"][0])(hidden)
    assert xml.dom.minidom.Document and np.random
    return keras.Model(inputs, DENSE(output_shape[-1])(pooled(hidden)))
"""
SETTINGS = "num_folds=2, fold_repeats=1, num_epochs=1, page='none', executor='inline', quiet=True"
VALIDATE = f"results, model = xval.cross_validate('small', architecture=build, refit=False, {SETTINGS})\n"
DECLARE = f"experiment = xval.Experiment('of a notebook', dataset='small', {SETTINGS.replace(', quiet=True', '')})\n"
SMALLEST = """
def build(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, L.Dense(output_shape[-1])(L.Flatten()(inputs)))
"""
CATCHING = "try:\n    {}\nexcept xval.XvalError as error:\n    print('refused:', error)\n"


def run_cells(study, *cells, **options):
    """Run the cells of a notebook, which succeed, and return what they printed."""
    study.file("cells.json", json.dumps(cells))
    study.file("notebook.py", NOTEBOOK)
    ended = study.python("notebook.py", **options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def modules(study):
    return sorted((study.results / "cells").glob("cell_*.py"))


@pytest.mark.long
def test_a_changed_cell_is_another_network_and_the_same_one_trains_nothing(study):
    count = VALIDATE + "print('instances', len(results.summary))"

    printed = run_cells(
        study,
        IMPORTS,
        PARTS,
        BUILD,
        count,
        PARTS.replace("2 + 3", "5").replace("  # one", "  # ONE"),  # as it was
        BUILD,
        count + "\ndone = [path.stat().st_mtime for path in results.folder.glob('instance_1/fold_*/record.json')]",
        PARTS.replace("(4,", "(3,"),  # a constant
        count,
        "print(done == [path.stat().st_mtime for path in results.folder.glob('instance_1/fold_*/record.json')])",
    )

    assert [int(line.split()[1]) for line in printed.splitlines() if line.startswith("instances")] == [1, 1, 2]
    assert printed.split()[-1] == "True"
    assert len(modules(study)) == 3  # with that of Block
    named = [json.loads((study.results / f"instance_{k}/settings.json").read_text())["parameters"] for k in (1, 2)]
    networks = {f"{path.stem}.build" for path in modules(study) if "def build(input_shape" in path.read_text()}
    assert networks == {parameters["architecture"] for parameters in named}
    for path in modules(study):
        (copy, *_) = study.results.glob(f"code/*/{path.name}")
        assert copy.read_bytes() == path.read_bytes()


@pytest.mark.long
def test_another_session_finds_the_results_and_refuses_a_changed_cell(study):
    cells = [IMPORTS, SMALLEST, DECLARE + "experiment[1] = {'architecture': build}\n"]
    run_cells(study, *cells, "experiment.run(quiet=True)")
    (module,) = modules(study)

    printed = run_cells(study, *cells, "experiment.run()", CATCHING.format("experiment.run(folds=[3])"))
    other = SMALLEST.replace("L.Flatten()(", "L.Flatten()(2 * ")
    changed = run_cells(study, IMPORTS, other, *cells[2:], CATCHING.format("experiment.run()"))

    assert "Nothing to do: all 2 jobs are done." in printed
    assert f"architecture was '{module.stem}.build', now 'cell_" in changed
    (script, *_) = study.results.glob("code/*/script/experiment.py")
    assert f"'{module.stem}.build'" in script.read_text()


@pytest.mark.slow
def test_a_class_is_a_network_as_one_of_a_file_is(study):
    network = """
@keras.saving.register_keras_serializable(package="of_a_user")
class Averaged(keras.Model):
    def __init__(self, input_shape, output_shape, *, n_units: int = 4, **options):
        super().__init__(**options)
        self.given = {"input_shape": input_shape, "output_shape": output_shape, "n_units": n_units}
        self.first, self.last = keras.layers.Dense(n_units), keras.layers.Dense(output_shape[-1])
    def build(self, shape):
        self.first.build(shape)
        self.last.build((None, self.given["n_units"]))
    def call(self, inputs):
        return self.last(keras.ops.mean(self.first(inputs), axis=1))
    def get_config(self):
        return super().get_config() | self.given
"""
    study.file("my_nets.py", "import keras\n" + network.replace("of_a_user", "of_a_file"))

    run_cells(
        study,
        IMPORTS + "import my_nets",
        network,
        DECLARE + "experiment.grid(architecture=[Averaged, my_nets.Averaged], n_units=[3])",
        "experiment.run(quiet=True)",
    )

    scores = [[study.score_table(instance, fold).to_csv() for fold in (1, 2)] for instance in (1, 2)]
    assert scores[0] == scores[1]
    assert "n_units: int = 4" in modules(study)[0].read_text()


@pytest.mark.long
def test_a_loss_a_metric_a_schedule_and_a_callback_of_cells_take_the_same_road(study):
    parts = """
SCALE = 2.0
def scaled(y_true, y_pred):
    return SCALE * keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

@xval.metric(higher_is_better=True)
def hits(targets, predictions):
    return float((targets == predictions.argmax(axis=1)).mean())

def halved(epoch, rate):
    return rate * 0.5**epoch

class Said(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        open("said.txt", "a").write(f"{epoch} ")
"""
    run_cells(
        study,
        IMPORTS,
        SMALLEST,
        parts,
        DECLARE + "experiment[1] = {'architecture': build, 'loss': scaled, 'metrics': [hits], 'schedule': halved, "
        "'callbacks': [Said], 'num_epochs': 2}",
        "experiment.run(quiet=True)",
    )

    assert "hits" in study.scores()
    assert "0 1" in (study.folder / "said.txt").read_text()
    assert len(modules(study)) == 5


LIVE = {
    "an array": ("table = np.ones(3)", "table", "an object (ndarray)"),
    "a list with one": ("table = [np.ones(3)]", "table", "an object (list)"),
    "a layer": ("table = L.Dense(3)", "table", "an object (Dense)"),
    "a lambda": ("table = lambda x: x", "table", "a lambda"),
    "a function made by one": (
        "def make():\n    def inner(): pass\n    return inner\ntable = make()",
        "table",
        "inside another",
    ),
    "a function without source": ("exec('def table(): pass')", "table", "no readable source"),
    "a class that was changed": (
        "class table:\n    def a(self): pass\ndef b(self): pass\ntable.b = b",
        "table",
        "got 'b' after its definition",
    ),
}


@pytest.mark.parametrize("case", LIVE)
def test_what_lives_in_the_session_alone_is_refused_by_name(study, case):
    given, name, wanted = LIVE[case]

    printed = run_cells(
        study,
        IMPORTS,
        given,
        f"def helper(x):\n    return {name}\n",
        "def build(input_shape, output_shape):\n    return helper(input_shape)\n",
        DECLARE + "experiment[1] = {'architecture': build}\n" + CATCHING.format("experiment.run()"),
    )

    (line,) = printed.strip().splitlines()
    assert line.startswith(f"refused: session, instance 1: architecture: 'build' uses '{name}', ")
    assert wanted in line
    assert line.endswith("such as my_parts.py, and write architecture='my_parts.build'.")
    assert not study.results.exists()


def test_a_name_that_is_missing_is_found_before_the_first_job(study):
    printed = run_cells(study, IMPORTS, SMALLEST.replace("L.Flatten", "Flat"), CATCHING.format(VALIDATE.strip()))

    assert printed.startswith("refused: ")
    assert "NameError: name 'Flat' is not defined" in printed
    assert not study.trained()


def test_what_is_typed_without_a_source_is_refused_as_before(study):
    code = IMPORTS + SMALLEST + f"xval.cross_validate('small', architecture=build, {SETTINGS})"
    head = "import sys, types\nsys.modules['__main__'] = types.ModuleType('__main__')\n"

    said = study.mistake("-c", head + f"exec(compile({code!r}, '<stdin>', 'exec'), vars(sys.modules['__main__']))")

    assert "'build' is not available to other processes: it has no readable source" in said
    assert "architecture='my_parts.build'" in said


@pytest.mark.slow
def test_results_of_a_cell_are_moved_refitted_and_asked(empty):
    empty.recordings()
    given = {"item_pattern": "(s[0-9])_", "dataset": "small", **FEATURES}
    run_cells(
        empty,
        IMPORTS,
        PARTS,
        BUILD,
        f"results, model = xval.cross_validate('audio', architecture=build, **{given!r}, {SETTINGS})",
    )
    (module,) = [path for path in modules(empty) if "def build(input_shape" in path.read_text()]
    (empty.folder / "elsewhere").mkdir()
    shutil.move(empty.results, empty.folder / "elsewhere")
    model = "elsewhere/experiment_1/instance_1/refit/model.keras"

    refused = empty.mistake("-m", "xval", "predict", model, "audio/low/s0_0.wav")
    predicted = empty.xval("predict", model, "audio/low/s0_0.wav", "--import", module.stem)
    again = empty.xval("refit", "elsewhere/experiment_1:1", "--overwrite", "--gpu", "cpu")

    assert f"--import {module.stem}" in refused
    assert predicted.returncode == 0, predicted.stderr
    assert "s0_0.wav" in predicted.stdout
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.long
def test_nothing_else_is_imported_from_the_folder_of_cells(study):
    run_cells(study, IMPORTS, SMALLEST, DECLARE + "experiment[1] = {'architecture': build}\nexperiment.run(quiet=True)")
    study.file("my_layers.py", "import colorsys, plistlib, wave\nopen('imported', 'w').close()\n")
    for name in ("colorsys", "plistlib", "wave"):
        study.file(f"{study.EXPERIMENT}/cells/{name}.py", "open('ran', 'w').close()\n")

    study.xval("predict", f"{study.EXPERIMENT}/instance_1/fold_1/model.keras", "new.wav", "--import", "my_layers")

    assert (study.folder / "imported").exists()
    assert not (study.folder / "ran").exists()


@pytest.mark.slow
def test_a_data_file_that_a_cell_reads_belongs_to_its_network(study):
    reads = """
def build(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    hidden = L.Dense(int(np.load("units.npy")))(L.Flatten()(inputs))
    return keras.Model(inputs, L.Dense(output_shape[-1])(hidden))
"""
    count = VALIDATE + "print('instances', len(results.summary))"

    printed = run_cells(study, IMPORTS, "np.save('units.npy', 3)", reads, count, count, "np.save('units.npy', 4)", count)

    assert [int(line.split()[1]) for line in printed.splitlines() if line.startswith("instances")] == [1, 1, 2]


@pytest.mark.slow
def test_workers_find_the_network_of_a_cell(study):
    cells = [IMPORTS, PARTS, BUILD, VALIDATE.replace("executor='inline'", "executor='processes', workers=1, gpu='cpu'")]

    run_cells(study, *cells, in_workers=True)

    assert len(study.trained()) == 2


@pytest.mark.slow
def test_networks_share_a_class_that_keras_registers(study):
    deeper = BUILD.replace("def build", "def deeper").replace("n_layers: int = 1", "n_layers: int = 2")

    run_cells(
        study,
        IMPORTS,
        PARTS,
        BUILD + deeper,
        DECLARE + "experiment.grid(architecture=[build, deeper])\nexperiment.run(folds=1, quiet=True)",
        PARTS,  # registers its class again
        BUILD,
        "experiment[3] = {'architecture': build, 'n_layers': 3}\nexperiment.run(folds=1, quiet=True)",
    )

    assert len(study.trained()) == 3
    assert len(modules(study)) == 3


@pytest.mark.slow
def test_a_notebook_trains_the_network_of_its_cells(study):
    cells = [IMPORTS, PARTS, BUILD, VALIDATE.replace("executor='inline'", "workers=2, gpu='cpu'"), "len(results.summary)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])

    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(study.folder)}}).execute()

    assert notebook.cells[-1].outputs[0]["data"]["text/plain"] == "1"
    assert len(study.trained()) == 2
    assert any("class Block" in path.read_text() for path in modules(study))
