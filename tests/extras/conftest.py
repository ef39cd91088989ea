"""The fixtures of the core's rooms, which the tests of extras use too."""

import importlib.util
from pathlib import Path

ROOMS = Path(__file__).resolve().parents[1] / "xval"

for _path in (ROOMS / "conftest.py", ROOMS / "commands/conftest.py", ROOMS / "report/conftest.py"):
    _spec = importlib.util.spec_from_file_location(f"_fixtures_of_{_path.parent.name}", _path)
    _module = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(_module)
    globals().update({name: value for name, value in vars(_module).items() if not name.startswith("_")})
