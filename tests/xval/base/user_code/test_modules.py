"""Modules are found where results say that they lay, while these are at work: two results may have modules of one name."""

import sys
import tomllib
from pathlib import Path

import pytest

from xval.base.config_file import ROOT
from xval.base.errors import SettingsError
from xval.base.user_code import modules
from xval.base.user_code.definitions import find_definition, has_module
from xval.base.user_code.files import own_folders
from xval.base.user_code.identity import describe_changes, hash_definitions
from xval.base.user_code.imports import import_own, load
from xval.base.user_code.modules import architecture_folders, describe_place, find_spec, is_own, looking_in
from xval.base.version import DISTRIBUTION
from xval.jobs.plan import write_settings
from xval.jobs.written_settings import restore_instance
from xval.results.added_metrics import load_metric
from xval.results.folder import ExperimentFolder
from xval.settings.architectures import find_architecture
from xval.settings.resolve import Declaration, resolve

NETS = """
from {package}.blocks import UNITS

def build(input_shape, output_shape, *, n_units: int = {units}): return UNITS

def score(targets, predictions): return float(UNITS)
score.higher_is_better = True
"""


@pytest.fixture(params=["a folder", "a package"])
def places(tmp_path, monkeypatch, request):
    """Two folders with modules of the same names, which Python does not find by itself."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for units in (1, 2):
        inner = tmp_path / f"study_{units}" / "mixed"
        inner.mkdir(parents=True)
        if request.param == "a package":
            (inner / "__init__.py").touch()
        (inner / "blocks.py").write_text(f"UNITS = {units}\n")
        (inner / "nets.py").write_text(NETS.format(package="mixed", units=units))
        architectures = inner.parent / "architectures"
        architectures.mkdir()
        (architectures / "mixed_here.py").write_text(f"UNITS = {units}\n{NETS.partition('def score')[0]}".replace(
            "from {package}.blocks import UNITS", "").format(units=units))  # fmt: skip
    yield [[str(tmp_path / f"study_{units}")] for units in (1, 2)]
    for name in [name for name in sys.modules if name.partition(".")[0] == "mixed" or name == "architectures.mixed_here"]:
        del sys.modules[name]


def test_modules_of_one_name_are_those_of_the_results_that_are_at_work(places):
    for _ in range(2):
        for n_units, folders in enumerate(places, start=1):
            with looking_in(folders):
                nets, network = import_own("mixed.nets"), import_own("architectures.mixed_here")
                assert (n_units, n_units) == (nets.UNITS, network.UNITS)
                assert find_architecture("mixed.nets").options["n_units"].default == n_units
                assert find_architecture("mixed_here").options["n_units"].default == n_units
                assert load_metric("classification", "mixed.nets.score").metric.function([], []) == n_units
                assert find_definition("mixed.nets.build").module.file.is_relative_to(folders[0])
                assert own_folders(["mixed.nets"])[:1] == folders


def test_a_module_that_is_as_it_was_is_not_imported_again(places):
    with looking_in(places[0]):
        first = import_own("mixed.nets")
        assert import_own("mixed.blocks") is sys.modules["mixed.blocks"]
        assert import_own("mixed.nets") is first


def test_code_of_one_name_is_told_apart(places):
    hashes = []
    for folders in places:
        with looking_in(folders):
            hashes.append(hash_definitions(["mixed.nets.build"]))
    assert hashes[0] != hashes[1]
    with looking_in(places[1]):
        assert f"{places[1][0]}/mixed/blocks.py: UNITS has changed" in describe_changes(*hashes)


def test_nothing_is_left_of_the_folders_but_what_was_imported(places):
    with looking_in(places[0]):
        assert architecture_folders()
    assert not has_module("mixed.nets")
    assert not architecture_folders()


def test_instances_that_are_read_back_keep_their_own_modules(places, tmp_path):
    folders = []
    for number, own in enumerate(places, start=1):
        declaration = Declaration("exp.py", "exp.py", "a test", {"dataset": "toy"}, {number: {"architecture": "mixed.nets"}})
        folders.append(ExperimentFolder(tmp_path / f"experiment_{number}"))
        with looking_in(own):
            (instance,) = resolve(declaration)
            write_settings(folders[-1], instance, "a test", "exp.py")
    first, second = (restore_instance(folder, number) for number, folder in enumerate(folders, start=1))

    assert (first.options["n_units"], second.options["n_units"]) == (1, 2)
    assert first.own_code["mixed.blocks:UNITS"] != second.own_code["mixed.blocks:UNITS"]


def test_architectures_of_a_clone_are_no_study_s(tmp_path):
    for name in ("clone", "study"):
        (tmp_path / name / "architectures").mkdir(parents=True)
    (tmp_path / "clone" / "xval").mkdir()
    (tmp_path / "clone" / "xval" / "__init__.py").touch()

    with looking_in([str(tmp_path / "clone"), str(tmp_path / "study")]):
        assert architecture_folders() == [tmp_path / "study" / "architectures"]


def test_what_pip_put_into_a_folder_of_any_name_is_not_own(tmp_path, monkeypatch):
    """As `pip install --target packages` does, which clusters and notebooks put on PYTHONPATH."""
    for name in ("installed_there", "lying_there"):
        (tmp_path / "packages" / name).mkdir(parents=True)
        (tmp_path / "packages" / name / "__init__.py").touch()
    about = tmp_path / "packages" / "installed_there-1.0.dist-info"
    about.mkdir()
    (about / "RECORD").write_text("installed_there/__init__.py,sha256=x,0\ninstalled_there-1.0.dist-info/RECORD,,\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "packages")])

    assert not is_own(find_spec("installed_there"))
    assert is_own(find_spec("lying_there"))


def test_no_file_beside_results_stands_for_what_this_program_needs(tmp_path):
    for name in ("pandas", "csv", "iniconfig", "own_names"):  # iniconfig: installed, for pytest alone
        (tmp_path / f"{name}.py").write_text("def build(): return 1\n")

    with looking_in([str(tmp_path)]):
        found = {name: find_spec(name) for name in ("pandas", "csv", "iniconfig", "own_names")}

    assert [name for name, spec in found.items() if Path(spec.origin).is_relative_to(tmp_path)] == ["iniconfig", "own_names"]


def test_what_is_installed_has_the_name_that_is_asked_for():
    written = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert written["project"]["name"] == DISTRIBUTION


def test_an_error_is_placed_in_the_users_own_file_and_not_where_it_was_raised(own_package):
    (own_package / "faulty.py").write_text("import json\n\n\ndef build():\n    return json.loads('x')\n")
    with pytest.raises(ValueError, match="Expecting value") as raised:
        load("own_package.faulty.build")()
    assert describe_place(raised.value) == f"{(own_package / 'faulty.py').as_posix()}, line 5: "
    with pytest.raises(SettingsError) as refused:
        load("own_package.parts.los")
    assert describe_place(refused.value) == ""


def test_the_root_of_the_project_is_searched_too(monkeypatch, tmp_path):
    monkeypatch.setattr(modules, "ROOT", tmp_path)
    (tmp_path / "beside_config.py").write_text("def f(): pass\n")

    assert find_definition("beside_config.f").module.file == tmp_path / "beside_config.py"
