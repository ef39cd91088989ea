"""A Python that xval does not run on is refused in one line, before anything is installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("version", ["3.10.12", "3.14.0", "4.0.0"])
def test_make_refuses_a_python_of_another_version(version: str, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "other_python"
    python.write_text(
        f"""#!/bin/sh
case "$1" in
  --version) echo "Python {version}" ;;
  -c) echo "import sys; sys.version_info = ({version.replace(".", ", ")}, 'final', 0); $2" | exec python3 - ;;
  *) touch installed ;;
esac
"""
    )
    python.chmod(0o755)

    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # `make test` runs this
    command = ["make", "demo", f"PYTHON={python}"]
    ended = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 2
    line, *from_make = ended.stderr.splitlines()
    assert f"found Python {version}, but xval needs Python 3.11, 3.12 or 3.13" in line
    assert line.endswith("Type: make demo PYTHON=python3.12")
    assert len(from_make) == 1  # "make: *** ... Error 2"
    assert not ended.stdout
    assert not (tmp_path / "installed").exists()
    assert not (tmp_path / ".venv").exists()
