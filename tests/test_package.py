"""The wheel in an environment of its own: it is built, installed, and used from a folder that is not the clone."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from xval.base.version import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("xval", "preprocessing", "augmentation", "architectures")
SCRIPT = """
from xval import Experiment

experiment = Experiment("the wheel at work", dataset="demo", num_experiment=7, num_folds=3, fold_repeats=1)
experiment[1] = {"architecture": "mlp", "num_epochs": 1, "comment_1": "one epoch"}

if __name__ == "__main__":
    experiment.main()
"""


def run(*command, cwd):
    """Run a command without the project's own folder on its path, and return what it printed."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the project, so that nothing of an earlier build gets into it."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "config.ini", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", place, source, cwd=place)
    (found,) = place.glob("*.whl")
    return found


def test_the_citation_names_the_version_of_the_project():
    assert f'version: "{__version__}"' in (ROOT / "CITATION.cff").read_text()


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_the_defaults(wheel):
    assert wheel.name.startswith("xval_audio-")
    wanted = {path.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    data = (*(ROOT / "xval").rglob("templates"), ROOT / "preprocessing" / "encoders" / "presets")
    files = [path for folder in data for path in folder.iterdir() if path.is_file()]
    wanted |= {path.relative_to(ROOT).as_posix() for path in (*files, *(ROOT / "xval" / "extras").glob("*/*.html"))}
    wanted |= {f"{name}/py.typed" for name in PACKAGES if name != "architectures"}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert held == wanted | {"xval/config.ini"}
        assert archive.read("xval/config.ini") == (ROOT / "config.ini").read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_empty_environment_with_the_wheel_prepares_a_corpus_and_runs_a_script_from_another_folder(wheel, tmp_path):
    run(sys.executable, "-m", "venv", tmp_path / "environment", cwd=tmp_path)
    python = tmp_path / "environment" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", constraints, f"{wheel}[tensorflow]", cwd=tmp_path)
    place = tmp_path / "study"
    place.mkdir()
    (place / "first.py").write_text(SCRIPT)

    assert "xval" in run(python, "-P", "-c", "import xval; print(xval.__file__)", cwd=place)
    run(python, "-m", "preprocessing", "demo", cwd=place)
    printed = run(python, "first.py", cwd=place)

    assert "results.xlsx" in printed
    code = next((place / "results" / "demo" / "experiment_7" / "code").iterdir())
    assert (code / "config.ini").read_bytes() == (ROOT / "config.ini").read_bytes()
    assert (code / "xval" / "engine" / "worker" / "run.py").is_file()
    assert "one epoch" in run(python, "first.py", "--list", cwd=place)

    run(python.parent / "xval", "new", "own", cwd=place)
    shutil.move(place / "data", place / "own" / "data")
    run(python, place / "own" / "experiments" / "first.py", 2, 2, "cpu", "--set", "num_epochs=1", "--folds", 1, cwd=tmp_path)
    assert (place / "own" / "results" / "demo" / "experiment_1" / "instance_2" / "fold_1" / "model.keras").is_file()
    assert "own_words" in run(python.parent / "xval-preprocessing", "--help", cwd=place / "own")
