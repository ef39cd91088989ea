"""Parts of a user's own: found and read without being run."""

import sys

import pytest

from xval.base.errors import SettingsError
from xval.base.user_code import definitions
from xval.base.user_code.definitions import find_definition, find_module
from xval.base.user_code.files import own_files
from xval.base.user_code.imports import load
from xval.settings.architectures import find_architecture


def test_a_part_is_found_without_running_its_module(own_package):
    (own_package / "__init__.py").write_text("raise RuntimeError('run')")

    found = find_definition("own_package.parts.loss")

    assert (found.node.name, found.module.file) == ("loss", own_package / "parts.py")
    assert "own_package" not in sys.modules


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_pakage.parts.loss", r"no module 'own_pakage' in .*Did you mean 'own_package'\?"),
        ("own_package.part.loss", r"'own_package\.part': there is no module 'part' in own_package\..*Did you mean 'parts'\?"),
        ("own_package.parts.los", r"parts.py has no 'los'\. Available: .*optimizer.*Did you mean 'loss'\?"),
        ("own_package.waits.loss", r"waits.py defines 'loss' with async def\. Write def\."),
        ("own_package.parts.loss.more", r"no module 'loss' in own_package.parts"),
        ("own_package.broken.f", r"broken.py, line 1: "),
        ("own_package..loss", r"no module ''"),
        ("sys.exit", r"'sys' is not a Python source file\. Name"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(own_package, path, message):
    (own_package / "waits.py").write_text("async def loss(targets, predictions):\n    return 0\n")
    with pytest.raises(SettingsError, match=message):
        find_definition(path)


def test_a_name_from_elsewhere_is_known_only_when_it_is_loaded(own_package):
    assert find_definition("own_package.parts.ALIAS").node is None
    assert load("own_package.parts.ALIAS").__name__ == "Adam"


@pytest.mark.parametrize("arguments", ["a, b", "a, b=1", "*args", "a, /, b", "a, b, *, c=1", "a, *rest"])
def test_signatures_that_take_two_arguments(own_package, arguments):
    (own_package / "more.py").write_text(f"def f({arguments}): pass\n")

    find_definition("own_package.more.f").check_signature(2, "f(a, b)")


@pytest.mark.parametrize("arguments", ["", "a", "a, b, c", "a, b, *, c", "*, a, b"])
def test_signatures_that_do_not(own_package, arguments):
    (own_package / "more.py").write_text(f"\ndef f({arguments}): pass\n")

    with pytest.raises(SettingsError, match=r"'own_package.more.f': received f\(.*more.py, line 2; expected f\(a, b\)"):
        find_definition("own_package.more.f").check_signature(2, "f(a, b)")


def test_an_architecture_of_ones_own_is_a_module_or_a_function(own_package):
    module, function = find_architecture("own_package.network"), find_architecture("own_package.network.wider")

    assert (module.reshaping_type, module.task_types) == ("none", ("classification", "multilabel_classification"))
    assert (module.options["n_hidden"].default, function.options["n_hidden"].default) == (3, 30)
    assert module.source == function.source == "own_package.network"
    assert "own_package.network" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_package.netwrk", r"__init__.py has no 'netwrk'"),
        ("own_package.parts", r"parts.py has no 'build'"),
        ("own_package.network.untyped", r"option n_hidden of build\(\) needs a type"),
        ("own_package.network.single", r"received single\(input_shape\).*build\(input_shape, output_shape"),
    ],
)
def test_an_architecture_of_ones_own_that_is_none_is_refused(own_package, name, message):
    with pytest.raises(SettingsError, match=message):
        find_architecture(name)


@pytest.mark.parametrize(
    "source",
    [
        b"import keras\nBLOCKS = (keras.layers.Dense, keras.layers.GRU)\n",
        b"\xef\xbb\xbf# as some editors begin a file\n",
        b"# -*- coding: latin-1 -*-\n# f\xfcr\n",
    ],
)
def test_an_architecture_of_ones_own_may_be_written_in_any_way_that_python_reads(own_package, source):
    find_architecture.cache_clear()
    lines = b"features = 'waveform'\ndef build(input_shape, output_shape, *, n: int = 3): pass\n"
    (own_package / "other.py").write_bytes(source + lines)

    found = find_architecture("own_package.other")

    assert (found.features, set(found.options)) == ("waveform", {"n"})
    assert "own_package/other.py" in own_files(["own_package.other"], known=["xval"])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"NAME = 'f\xfcr'\ndef build(i, o): pass\n", r"spoilt\.py, line .*'utf-8' codec can't decode byte 0xfc"),
        (
            b"BOTH = ()\ntask_types = (*BOTH, 'regression')\ndef build(i, o): pass\n",
            r"spoilt\.py, line 2: task_types = .*literal",
        ),
        (
            b"NAME = 'conv'\nreshaping_type = NAME\ndef build(i, o): pass\n",
            r"spoilt\.py, line 2: reshaping_type = NAME.*literal",
        ),
    ],
)
def test_an_architecture_that_cannot_be_read_is_refused_with_the_line(own_package, source, message):
    find_architecture.cache_clear()
    (own_package / "spoilt.py").write_bytes(source)

    with pytest.raises(SettingsError, match=message):
        find_architecture("own_package.spoilt")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("from xval import Experiment\nexperiment = Experiment('x')\nexperiment.run(1)", 3),
        ("import xval\nxval.cross_validate('audio')", 2),
        ("from xval import cross_validate as start\nfrom xval import cross_validate\ncross_validate('audio')", 3),
        ("import subprocess\nsubprocess.run(['ls'])", 0),
        ("from asyncio import run\nrun(None)", 0),
        ("import os.path, asyncio as aio\naio.run(None)\nos.main()", 0),
        ("import subprocess\nsubprocess.run(['ls'])\nexperiment.main()", 3),
        ("def later():\n    experiment.run()\nif __name__ == '__main__':\n    experiment.main()", 0),
    ],
)
def test_the_line_of_a_script_that_starts_a_run_is_no_run_of_another_package(tmp_path, source, line, monkeypatch):
    (tmp_path / "script_that_runs.py").write_text(f"{source}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(definitions, "_is_running", lambda file: True)
    if line:
        with pytest.raises(SettingsError, match=rf"script_that_runs\.py, line {line}: this line runs the experiment"):
            find_module("script_that_runs")
    else:
        assert find_module("script_that_runs").name == "script_that_runs"
