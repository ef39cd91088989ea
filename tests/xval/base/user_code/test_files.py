"""The files that belong to parts of a user's own."""

from xval.base.code_hash import hash_code
from xval.base.user_code.files import own_files
from xval.experiment.snapshot import code_files


def test_the_files_of_a_module_are_its_package_and_what_of_ones_own_it_imports(own_package):
    (own_package.parent / "alone.py").write_text("import numpy\nimport json\nimport neighbour\n")
    (own_package.parent / "neighbour.py").write_text("import alone\n")

    assert set(own_files(["own_package.network"], known=["xval"])) == {
        f"own_package/{name}.py" for name in ("__init__", "parts", "network", "shared", "broken")
    }
    assert set(own_files(["alone"], known=[])) == {"alone.py", "neighbour.py"}
    assert own_files(["keras.optimizers", "json"], known=[]) == {}


def test_a_folder_without_init_gives_what_is_named(own_package):
    (own_package / "__init__.py").unlink()

    assert set(own_files(["own_package.network"], known=[])) == {"own_package/network.py", "own_package/shared.py"}


def test_a_changed_module_of_ones_own_is_other_code(own_package, tmp_path):
    script = tmp_path / "exp.py"
    script.write_text("")
    before = hash_code(code_files(script, ["own_package.network"]))

    (own_package / "shared.py").write_text("activation = 'tanh'\n")

    assert hash_code(code_files(script, ["own_package.network"])) != before


def test_what_is_installed_is_not_ones_own_in_whatever_environment_it_lies(tmp_path, monkeypatch):
    package = tmp_path / "elsewhere" / "site-packages" / "installed_elsewhere"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (tmp_path / "own_module.py").write_text("import installed_elsewhere\n")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.syspath_prepend(tmp_path)

    assert set(own_files(["own_module"], known=[])) == {"own_module.py"}
    assert own_files(["installed_elsewhere"], known=[]) == {}
