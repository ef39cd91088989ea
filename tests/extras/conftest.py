"""The fixtures of the core's rooms, which the tests of extras use too."""

import importlib.util
import shutil
from pathlib import Path

import pytest

ROOMS = Path(__file__).resolve().parents[1] / "xval"

for _path in (ROOMS / "conftest.py", ROOMS / "commands/conftest.py", ROOMS / "report/conftest.py"):
    _spec = importlib.util.spec_from_file_location(f"_fixtures_of_{_path.parent.name}", _path)
    _module = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(_module)
    globals().update({name: value for name, value in vars(_module).items() if not name.startswith("_")})


@pytest.fixture
def data(finished, tmp_path):
    """Return a copy of the folder of all datasets of the finished experiment."""
    return shutil.copytree(finished.folder / "data", tmp_path / "data")


@pytest.fixture
def arguments_on(results):
    """Return a function that puts an experiment before arguments, of which the first may choose an instance, such as :9."""

    def join(arguments):
        chosen = arguments[0] if arguments[0].startswith(":") else ""
        return [f"{results}{chosen}", *arguments[bool(chosen) :]]

    return join
