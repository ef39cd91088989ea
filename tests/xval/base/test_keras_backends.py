"""Which backends of Keras are installed: on machines that have not all of them, or none."""

from types import SimpleNamespace

import pytest

from xval.base import keras_backends
from xval.base.errors import SettingsError
from xval.base.keras_backends import BACKENDS, default_backend, installed_backends, installed_or_default, require_backend

METRIC = """
from xval import metric

@metric(higher_is_better=True)
def answered(targets, predictions):
    return 1.0
"""


@pytest.fixture
def install(monkeypatch):
    """Return a function that makes only some backends installed."""

    def install(*names):
        monkeypatch.setattr(keras_backends, "find_spec", lambda name: SimpleNamespace(origin=name) if name in names else None)

    return install


def test_the_first_backend_that_is_installed_is_taken(install):
    for installed, taken in (("tensorflow", "torch", "jax"), "tensorflow"), (("jax", "torch"), "torch"), (("jax",), "jax"):
        install(*installed)
        assert default_backend() == taken
        assert installed_or_default("tensorflow") == taken
        assert installed_or_default(installed[-1]) == installed[-1]


def test_a_folder_of_the_name_of_a_backend_is_none(install, monkeypatch):
    install("jax")
    find = keras_backends.find_spec
    folder = SimpleNamespace(origin=None)  # as of a folder without __init__.py in the current folder
    monkeypatch.setattr(keras_backends, "find_spec", lambda name: folder if name == "tensorflow" else find(name))
    assert installed_backends() == ["jax"]
    assert default_backend() == "jax"


def test_a_backend_that_is_not_installed_is_refused_with_what_to_install(install):
    install("jax", "torch")
    require_backend("jax")
    with pytest.raises(
        SettingsError, match=r"^there: backend='tensorflow': tensorflow is not installed\. .*'\.\[tensorflow\]'.*torch or jax"
    ):
        require_backend("tensorflow", "there: ")
    with pytest.raises(SettingsError, match=r"of this project\.$"):
        require_backend("tensorflow", is_choice=False)
    install()
    assert installed_or_default("jax") == "jax"
    with pytest.raises(SettingsError, match=r"'\.\[torch\]' in the folder of this project\.$"):
        require_backend("torch")


def test_estimators_need_no_backend_and_a_network_is_refused_before_anything_is_made(project):
    """As a user without TensorFlow, torch and JAX would see it."""
    place = project.folder / "without"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        f"hidden = lambda name, *rest: None if name.partition('.')[0] in {BACKENDS} else find(name, *rest)\n"
        "PathFinder.find_spec = staticmethod(hidden)\n"
    )
    (project.folder / "score.py").write_text(METRIC)
    estimator = {"architecture": "logistic", "C": (1.0,), "pca_components": 0, "metrics": "score.answered"}
    project.write_script(estimator, {"architecture": "mlp"}, num_folds=2)

    refused = project.run("--dry-run", PYTHONPATH=str(place))
    assert (refused.returncode, refused.stdout) == (2, "")
    (line,) = refused.stderr.splitlines()
    assert line.startswith(
        "error: exp.py, instance 2 (config.ini): backend='tensorflow': tensorflow is not installed. Install it: pip install"
    )
    assert not project.results.exists()

    ended = project.run("1", "--executor", "inline", PYTHONPATH=str(place))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {record["status"] for record in project.records().values()} == {"done"}
