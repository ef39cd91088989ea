"""Code of one's own that has changed since folds were trained is noticed, whatever brings it in."""

import json

import pytest

NET = """
import keras
import numpy as np
from keras import layers
from pathlib import Path
import my_effects
from my_package import unused


def build(input_shape, output_shape):
    scale = np.loadtxt(Path(__file__).with_name("scale.csv")) * np.load("data_of_mine/filters.npy").sum()
    clip = keras.Input(input_shape)
    return keras.Model(clip, layers.Dense(output_shape[-1])(layers.Flatten()(clip * float(scale))))


def other(input_shape, output_shape):
    return np.loadtxt("other.csv")
"""
READ = ' * np.load("data_of_mine/filters.npy").sum()'
FILES = {
    "my_nets.py": NET,
    "my_effects.py": "import keras\nkeras.config.set_epsilon(1e-7)\n\ndef further(): return 1\n",
    "my_package/__init__.py": "import warnings\nfrom my_package import inner\nwarnings.simplefilter('ignore')\nunused = 1\n",
    "my_package/inner.py": "def note(function):\n    return function\n\n@note\ndef noted(): return 1\n",
    "scale.csv": "1\n",
    "other.csv": "1\n",
    "log.csv": "1\n",
}
CHANGES = {
    "an effect": ("my_effects.py", "1e-7", "1e-6", "my_effects.py: code run when it is imported has changed"),
    "a package": ("my_package/__init__.py", "'ignore'", "'error'", "__init__.py: code run when it is imported has changed"),
    "a decorator": ("my_package/inner.py", "noted(): return 1", "noted(): return 2", "inner.py: code run when"),
    "a new effect": ("my_nets.py", "import my_effects", "import my_effects, more_effects", "more_effects.py: code"),
    "a file": ("scale.csv", "1", "2", " scale.csv has changed"),
    "a file in a folder": ("data_of_mine/filters.npy", b"\x01", b"\x02", " data_of_mine/filters.npy has changed"),
}
NONE = {
    "a comment": ("my_effects.py", "import keras", "import keras  # for its epsilon"),
    "an unused function": ("my_effects.py", "return 1", "return 2"),
    "an unused variable": ("my_package/__init__.py", "unused = 1", "unused = 2"),
    "the file of an unused function": ("other.csv", "1", "2"),
}


def edit(study, name, before, after):
    path = study.folder / name
    content = path.read_bytes()
    before, after = (part if isinstance(part, bytes) else part.encode() for part in (before, after))
    assert before in content
    path.write_bytes(content.replace(before, after))


@pytest.fixture
def trained(study):
    """Return a study whose network is made of several modules and files, and is trained."""
    import numpy as np

    for name, text in FILES.items():
        study.file(name, text)
    study.file("more_effects.py", "import warnings\nwarnings.simplefilter('ignore')\n")
    (study.folder / "data_of_mine").mkdir()
    np.save(study.folder / "data_of_mine" / "filters.npy", np.ones(1, np.uint8))
    study.train({"architecture": "my_nets.build"}, num_epochs=1)
    return study


@pytest.mark.long
def test_what_runs_or_is_read_is_noticed_and_nothing_else(trained):
    for before_after in NONE.values():
        edit(trained, *before_after)
    assert "Nothing to do" in trained.run("--dry-run").stdout + trained.run().stdout
    for name, before, after, _ in CHANGES.values():
        edit(trained, name, before, after)

    shown, refused = trained.xval("status", trained.results).stdout, trained.run()

    assert [said for *_, said in CHANGES.values() if said not in shown] == [], shown
    assert refused.returncode == 2
    assert "scale.csv has changed" in refused.stderr


@pytest.mark.long
def test_results_of_a_version_that_saw_less_are_kept(trained):
    for path in trained.results.glob("instance_1/fold_*/record.json"):
        content = json.loads(path.read_text())
        seen = content["own_code"]
        former = {name: text for name, text in seen.items() if name != ":" and not text.startswith(("imported ", "file "))}
        assert former.keys() < seen.keys()
        assert "my_nets:build" in former
        path.write_text(json.dumps(content | {"own_code": former}))

    ended = trained.run()

    assert (ended.returncode, "Nothing to do" in ended.stdout) == (0, True), ended.stderr
    assert "stale" not in trained.xval("status", trained.results).stdout
    edit(trained, "my_nets.py", "* float(scale)", "* float(scale) * 2")
    assert "my_nets.py: build has changed" in trained.run().stderr


@pytest.mark.slow
def test_a_data_file_beside_a_module_is_there_for_the_processes_that_train(study):
    study.file("scale.csv", "1\n")
    study.file("my_nets.py", NET.replace("import my_effects\nfrom my_package import unused\n", "").replace(READ, ""))
    study.script({"architecture": "my_nets.build"}, num_epochs=1)

    ended = study.python("exp.py", in_workers=True)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [path.name for path in study.results.glob("code/*/scale.csv")] == ["scale.csv"]


@pytest.mark.parametrize("place", ["my_folder", "my_folder/deeper"])
def test_the_copy_of_the_code_has_what_a_folder_of_modules_imports_from_itself(study, place):
    """A folder without __init__.py, whose files are found by their imports alone."""
    study.file(f"{place}/sizes.py", "UNITS = 3\n")
    study.file(f"{place}/blocks.py", "from . import sizes\n\nUNITS = sizes.UNITS\n")
    nets = """
import keras
from .PLACEblocks import UNITS


def build(input_shape, output_shape):
    clip = keras.Input(input_shape)
    units = keras.layers.Dense(UNITS)(keras.layers.Flatten()(clip))
    return keras.Model(clip, keras.layers.Dense(output_shape[-1])(units))
"""
    inner = place.removeprefix("my_folder").removeprefix("/")
    study.file("my_folder/nets.py", nets.replace("PLACE", f"{inner}." if inner else ""))

    study.train({"architecture": "my_folder.nets.build"}, num_epochs=1)

    copied = {path.name for path in study.results.glob("code/*/my_folder/**/*.py")}
    assert copied == {"nets.py", "blocks.py", "sizes.py"}


REGISTERING = """
import keras
from keras import layers
import my_kinds

reshaping_type = "none"
SIZES = {}


def register(name):
    def keep(function):
        SIZES[name] = function
        return function
    return keep


def timed(function):
    return function


@register("wide")
def wide():
    return 4


@timed
def other(input_shape, output_shape):
    return 1


class Halved(my_kinds.Head):
    n_units = 3


def build(input_shape, output_shape):
    clip = keras.Input(input_shape)
    hidden = layers.Flatten()(clip)
    for size in SIZES.values():
        hidden = layers.Dense(size())(hidden)
    hidden = layers.Dense(my_kinds.Head.kinds[0].n_units)(hidden)
    return keras.Model(clip, layers.Dense(output_shape[-1])(hidden))
"""
KINDS = "class Head:\n    kinds = []\n\n    def __init_subclass__(cls):\n        Head.kinds.append(cls)\n"


def test_what_registers_itself_or_is_declared_is_noticed_and_nothing_else(study):
    study.file("my_kinds.py", KINDS)
    study.file("my_parts.py", REGISTERING)
    study.train({"architecture": "my_parts.build"}, num_epochs=1)

    edit(study, "my_parts.py", "    return 1\n", "    return 2\n")
    assert "Nothing to do" in study.run().stdout
    for before, after, said in (
        ("    return 4\n", "    return 5\n", "my_parts.py: wide has changed."),
        ("n_units = 3", "n_units = 2", "my_parts.py: Halved has changed."),
        ('reshaping_type = "none"', 'reshaping_type = "rnn"', "my_parts.py: reshaping_type has changed."),
    ):
        edit(study, "my_parts.py", before, after)
        ended = study.run("--dry-run")
        assert (ended.returncode, said in ended.stderr) == (2, True), ended.stdout + ended.stderr
        edit(study, "my_parts.py", after, before)
    for path in study.results.glob("instance_1/fold_*/record.json"):
        content = json.loads(path.read_text())
        former = {name: text for name, text in content["own_code"].items() if not text.startswith("registered ")}
        assert {f"my_parts:{name}" for name in ("wide", "Halved", "reshaping_type")} <= content[
            "own_code"
        ].keys() - former.keys()
        path.write_text(json.dumps(content | {"own_code": former | {":": "2"}}))
    assert "Nothing to do" in study.run().stdout


PLAIN = """
import keras


def build(input_shape, output_shape):
    clip = keras.Input(input_shape)
    return keras.Model(clip, keras.layers.Dense(output_shape[-1])(keras.layers.Flatten()(clip)))
"""


@pytest.mark.long
def test_a_final_model_is_not_said_to_have_other_code_where_another_variant_has_code_of_its_own(study):
    study.file("plain_net.py", PLAIN)
    study.train({"architecture": "svm"}, {"architecture": "plain_net.build"}, num_folds=2, num_epochs=1)
    for number in (1, 2):
        assert "has changed" not in study.xval("refit", f"{study.EXPERIMENT}:{number}").stdout
    study.file("plain_net.py", PLAIN.replace("layers.Flatten()(clip)", "layers.Flatten()(clip * 2)"))

    svm, network = (study.xval("refit", f"{study.EXPERIMENT}:{number}", "--overwrite") for number in (1, 2))

    assert svm.returncode == 0, svm.stderr
    assert "has changed" not in svm.stdout
    assert network.returncode == 2
    assert "plain_net.py: build has changed" in network.stderr
