"""The hashes of a user's own code: what counts as a change of it, and what does not."""

import ast

import pytest

from xval.base.config_file import ROOT
from xval.base.errors import SettingsError
from xval.base.literals import parse_module
from xval.base.user_code import identity
from xval.base.user_code.identity import FORM, describe_changes, find_changes, hash_definitions, hash_file
from xval.base.user_code.modules import looking_in
from xval.base.user_code.shipped_architectures import HASHES
from xval.base.user_code.syntax_trees import names_used

NETS = '''"""Networks."""
import keras
from keras.layers import Conv1D as Conv
from own import blocks
from own.shared import activation as shape
from own.stars import *

KERNEL = 3
UNUSED = 1
TABLE = {}
TABLE["units"] = 8

class Block(keras.layers.Layer):
    """A block."""
    def call(self, inputs):
        return inputs

def helper(inputs):  # a comment
    return Block()(inputs)

def build(input_shape, output_shape, *, n: int = 3):
    """Return a network."""
    hidden = blocks.residual(helper(input_shape), shape, KERNEL, TABLE)
    return starred(Conv(hidden), 0)

def other(input_shape, output_shape):
    return 1

experiment = dict()
experiment[1] = {"learning_rate": 0.1}
if __name__ == "__main__":
    print(experiment)
'''
FILES = {
    "__init__": "",
    "nets": NETS,
    "blocks": "from . import inner\nWIDTH = 2\ndef residual(*a): return inner.add(WIDTH)\ndef dense(): return 1\n",
    "inner": "def add(x): return x\n",
    "shared": "def activation(x): return x\n",
    "stars": "def starred(*a): return limit()\ndef limit(): return 5\n",
}


@pytest.fixture
def own(tmp_path):
    """Return the folder of a package of the user's own, which Python does not find by itself."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def hashes(folder, part="own.nets.build"):
    with looking_in([str(folder.parent)]):
        return hash_definitions([part])


def edit(path, *pair):
    text = path.read_text()
    assert pair[0] in text
    path.write_text(text.replace(*pair))


def test_what_a_part_uses_in_turn_has_a_hash_and_nothing_else(own):
    assert set(hashes(own)) == {
        FORM, "own.nets:build", "own.nets:helper", "own.nets:Block", "own.nets:KERNEL", "own.nets:TABLE", "own.nets:",
        "own.nets:Conv", "own.nets:blocks", "own.nets:shape", "own.nets:keras", "own.blocks:residual",
        "own.blocks:WIDTH", "own.blocks:inner",
        "own.inner:add", "own.shared:activation", "own.stars:starred", "own.stars:limit",
    }  # fmt: skip
    assert set(hashes(own, "own.nets.other")) == {FORM, "own.nets:other"}
    assert hashes(own, "keras.losses.mse") == hashes(own, "xval.measures.metrics.metric") == {}


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("nets", "# a comment", "# another one"),
        ("nets", '"""Return a network."""', '"""Return another text,\n    on two lines."""'),
        ("nets", "return Block()(inputs)", "return (\n        Block()(inputs)\n    )"),
        ("nets", "from keras.layers import Conv1D as Conv\n", "from keras.layers import GRU, Conv1D as Conv\nimport os\n"),
        ("nets", "return 1\n", "return 2\n\ndef further(): pass\n"),
        ("nets", "UNUSED = 1", "UNUSED = 2"),
        ("nets", "0.1}", "0.2}\nexperiment[2] = {}"),
        ("nets", "print(experiment)", "print(experiment, 1)"),
        ("blocks", "def dense(): return 1", "def dense(): return 2"),
    ],
)  # fmt: skip
def test_what_says_the_same_or_is_not_used_is_no_change(own, file, before, after):
    known = hashes(own)

    edit(own / f"{file}.py", before, after)

    assert hashes(own) == known


@pytest.mark.parametrize(
    ("file", "before", "after", "changed"),
    [
        ("nets", "KERNEL = 3", "KERNEL = 7", "KERNEL has changed"),
        ("nets", "n: int = 3", "n: int = 7", "build has changed"),
        ("nets", "return inputs", "return -inputs", "Block has changed"),
        ("nets", "Conv1D as Conv", "Conv2D as Conv", "Conv has changed"),
        ("nets", '"units"] = 8', '"units"] = 9', "outside of functions and classes has changed"),
        ("nets", "UNUSED = 1", "keras.config.set_floatx('float16')", "outside of functions and classes has changed"),
        ("nets", "def helper", "@keras.saving.register\ndef helper", "helper has changed"),
        ("nets", "Block()(inputs)", "other(1, 2)", "Block is gone, helper has changed, keras is gone, other is new"),
        ("nets", "0)", "globals()['UNUSED'])", "UNUSED is new"),
        ("blocks", "WIDTH = 2", "WIDTH = 3", "WIDTH has changed"),
        ("blocks", "inner.add(WIDTH)", "inner.add(2)", "WIDTH is gone, residual has changed"),
        ("inner", "return x", "return 2 * x", "add has changed"),
        ("shared", "return x", "return 2 * x", "activation has changed"),
        ("stars", "return 5", "return 6", "limit has changed"),
    ],
)  # fmt: skip
def test_a_change_is_named_by_its_file_and_definition(own, file, before, after, changed):
    known = hashes(own)

    edit(own / f"{file}.py", before, after)

    with looking_in([str(own.parent)]):
        described = describe_changes(known, hashes(own))
    assert f"{own / file}.py: " in described
    assert changed in described


def test_a_module_that_is_used_whole_counts_whole_and_a_path_finds_what_it_names(own):
    edit(own / "nets.py", "blocks.residual(", "max(blocks, ")
    assert "own.blocks:dense" in hashes(own)
    (own / "again.py").write_text(
        "from own.nets import other as build\nimport own.blocks\ndef deep(): return own.blocks.dense()\n"
    )
    assert set(hashes(own, "own.again.build")) == {FORM, "own.again:build", "own.nets:other"}
    assert set(hashes(own, "own.again.deep")) == {FORM, "own.again:deep", "own.again:own", "own.blocks:dense"}


def test_modules_that_import_each_other_and_odd_files_end(own):
    (own / "stars.py").write_text("from own.nets import *\ndef starred(*a): return unknown\n")
    assert "own.stars:starred" in hashes(own)
    (own / "deep.py").write_text(f"def build(a, b): return {'+'.join(['a'] * 900)}\n")
    assert set(hashes(own, "own.deep.build")) == {FORM, "own.deep:build"}
    (own / "shared.py").write_text("def f(:\n")
    with pytest.raises(SettingsError, match=r"shared\.py, line 1: "):
        hashes(own)


def test_a_file_is_read_once_and_again_when_it_is_another(own, monkeypatch):
    known = hashes(own)
    monkeypatch.setattr(identity, "parse_module", None)
    assert hashes(own) == known
    monkeypatch.undo()
    edit(own / "inner.py", "return x", "return y")
    assert find_changes(known, hashes(own)) == ["own.inner:add"]


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        (None, {"a:b": "1"}, []),
        ({"a:b": "1"}, None, []),
        ({}, {"a:b": "1"}, ["a:b"]),
        ({"a:b": "shipped 1"}, {"a:b": "shipped 2"}, []),
        ({"a:b": "shipped 1", "a:c": "shipped 3"}, {"a:b": "shipped 2"}, []),
        ({"a:b": "shipped 1"}, {"a:b": "1"}, []),
        ({"a:b": "shipped 1"}, {"a:b": "2"}, ["a:b"]),
        ({"a:b": "2"}, {"a:b": "shipped 1"}, ["a:b"]),
        ({"a:b": "1"}, {":": "2", "a:b": "1", "c:import": "imported 3"}, []),  # of a version that did not see it
        ({":": "2", "a:b": "1"}, {":": "2", "a:b": "1", "c:import": "imported 3"}, ["c:import"]),
        ({":": "2", "a:b": "1"}, {":": "2", "a:b": "imported 1"}, []),
        ({":": "2"}, {":": "2", "a:w.csv": "file 1"}, []),
        ({":": "2", "a:w.csv": "file 1"}, {":": "2", "a:w.csv": "file 2"}, ["a:w.csv"]),
    ],
)
def test_what_is_not_known_and_what_xval_has_shipped_is_no_change(before, now, changed):
    assert find_changes(before, now) == changed


def test_an_architecture_of_xval_is_shipped_until_it_is_edited(monkeypatch):
    shipped = hash_definitions(["architectures.vgg_mini.build"])
    assert {text.partition(" ")[0] for text in shipped.values()} == {"shipped"}
    assert {name.partition(":")[0] for name in shipped} >= {"architectures.vgg_mini"}
    monkeypatch.setitem(HASHES, "vgg_mini", "0" * 16)
    monkeypatch.setattr(identity, "_READ", {})
    edited = hash_definitions(["architectures.vgg_mini.build"])
    assert find_changes(shipped, edited) == []  # the same code, whoever wrote it
    edited["architectures.vgg_mini:build"] = "1"
    described = describe_changes(shipped, edited)
    assert described == f"{ROOT / 'architectures' / 'vgg_mini.py'}: build has changed"


def test_the_hashes_of_the_shipped_architectures_are_those_of_the_files():
    files = sorted(path for path in (ROOT / "architectures").glob("*.py") if path.stem != "__init__")
    wanted = {path.stem: hash_file(parse_module(path)) for path in files}
    lines = "\n".join(f'    "{name}": "{text}",' for name, text in wanted.items())
    assert wanted == HASHES, f"xval/base/user_code/shipped_architectures.py: write\n{lines}"


def test_a_hash_is_the_same_on_each_version_of_python():
    """Fields that versions have besides (type parameters, kinds of texts) are empty here and left out."""
    tree = ast.parse("def f(a, *, b=u'x'):\n    '''Text.'''\n    return f'{a!r:>{b}}', 1e-3, None, ...\n")
    assert hash_file(tree) == "0502b319f88031a4"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.type_params = []
    assert hash_file(tree) == "0502b319f88031a4"


SCRIPT = """
{head}
TABLE = {{}}
experiment = {call}("a", dataset="toy")
experiment[1] = {{"architecture": "exp.build"}}

def build(input_shape, output_shape, *, n_units: int = 4, n_more=None):
    width = [n_units * n for n in input_shape]
    return TABLE, width, lambda row: row, n_more

{more}
if __name__ == "__main__":
    experiment.main()
"""
HEADS = {"from xval import Experiment": "Experiment", "import xval as x, os": "x.Experiment"}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    "more",
    [
        "experiment[2] = {'architecture': 'exp.build', 'n_units': 8}",
        "for n_units in (5, 6):\n    experiment[n_units] = {'architecture': 'exp.build', 'n_units': n_units}",
        "experiment.grid(n_units=[n for n in (2, 3)], dropout=[row for row in (1, 2)])",
        "width = 3\nprint('a text', width)",
        "import warnings\nwarnings.filterwarnings('ignore')",
        "if experiment:\n    assert TABLE is not None",
    ],
)
def test_what_a_script_with_a_network_of_its_own_does_besides_is_no_change_of_the_network(tmp_path, head, more):
    path = tmp_path / "exp.py"
    path.write_text(SCRIPT.format(head=head, call=HEADS[head], more=""))
    known = hashes(path, "exp.build")
    path.write_text(SCRIPT.format(head=head, call=HEADS[head], more=more))

    assert hashes(path, "exp.build") == known

    path.write_text(SCRIPT.format(head=head, call=HEADS[head], more=f"{more}\nTABLE['units'] = 3"))
    assert find_changes(known, hashes(path, "exp.build")) == ["exp:"]
    path.write_text(SCRIPT.format(head=head, call=HEADS[head], more=more).replace("* n for", "* n + 1 for"))
    assert find_changes(known, hashes(path, "exp.build")) == ["exp:build"]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(a, *b, c=d, **e): return a, b, c, e, g", {"d", "g"}),
        ("def f():\n    global a\n    a = 1\n    b = 1\n    def c(): return b, h\n    return c", {"a", "h"}),
        ("def f(x: T, n=n): return n", {"T", "n"}),
        ("@d\ndef f(d): return [i for i in j if i], i", {"d", "j", "i"}),
        ("def f():\n    from m import n\n    return n.o", {"n"}),
        ("lambda x, y=z: x + y.w + v", {"z", "v"}),
        ("class C(B):\n    def m(self): return self.a, K", {"B", "K"}),
    ],
)
def test_names_that_a_function_binds_for_itself_are_not_used_from_outside(source, names):
    (node,) = ast.parse(source).body
    assert {head for head, *_ in names_used(node)} == names
