"""Trained networks on every backend: a probe runs once per backend, in a process that does not know this project."""

import json
import shutil
from pathlib import Path

import pytest

PROJECT_ROOT = Path(__file__).parents[2]
QUICK_COMPILATION = "--xla_backend_optimization_level=0"  # JAX otherwise compiles for longer than it computes


@pytest.fixture(scope="session")
def ask_backend(make_once, run_on):
    """Return a function that gives what a probe of this folder prints on a backend, of networks that `train` gives by name."""

    def ask(script, backend, train, names):
        def save(folder):
            (trained,) = {train(name).path.parent for name in names}
            shutil.copytree(trained, folder, dirs_exist_ok=True)

        def run(folder):
            models = make_once(f"models_of_{script}", save)
            probe = Path(__file__).with_name(script)
            (folder / "printed").write_text(run_on(backend, probe, models, PROJECT_ROOT, XLA_FLAGS=QUICK_COMPILATION))

        return json.loads((make_once(f"{script}_on_{backend}", run) / "printed").read_text().splitlines()[-1])

    return ask
