"""Trained networks on every backend: a probe runs once per backend, in a process that does not know this project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT_ROOT = Path(__file__).parents[2]
QUICK_COMPILATION = "--xla_backend_optimization_level=0"  # JAX otherwise compiles for longer than it computes


@pytest.fixture(scope="session")
def ask_backend(make_once):
    """Return a function that gives what a probe of this folder prints on a backend, of networks that `train` gives by name."""

    def ask(script, backend, train, names):
        def save(folder):
            (trained,) = {train(name).path.parent for name in names}
            shutil.copytree(trained, folder, dirs_exist_ok=True)

        def run(folder):
            ended = subprocess.run(
                [sys.executable, "-I", Path(__file__).with_name(script), make_once(f"models_of_{script}", save), PROJECT_ROOT],
                cwd=folder,
                env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_FLAGS": QUICK_COMPILATION},
                capture_output=True,
                text=True,
                check=False,
            )
            (folder / "ended.json").write_text(json.dumps([ended.returncode, ended.stdout, ended.stderr]))

        code, printed, errors = json.loads((make_once(f"{script}_on_{backend}", run) / "ended.json").read_text())
        assert code == 0, errors
        return json.loads(printed.splitlines()[-1])

    return ask
