"""Trained networks on every backend: a probe runs once per backend, in a process that does not know this project."""

import json
import shutil
from pathlib import Path

import keras
import pytest

PROJECT_ROOT = Path(__file__).parents[2]
# JAX compiles each network for seconds. `make test-slow` has these on JAX: others have their layers too, as denet those of
# sincnet. What is special about networks for waveforms is left to it as well; that they train on JAX is in every run.
LIKE_OTHERS = (
    "cnn_small", "cp_resnet", "crnn", "crnn_attention", "daf_cnn", "fma_cnn", "rnn_small", "sincnet", "vgg_net", "vgg_pool",
    "vgg_ultramini", "vggvox",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """Leave much of JAX to the slow tests."""
    for item in items:
        chosen = getattr(getattr(item, "callspec", None), "params", {})
        is_special = item.path.name == "test_waveform_networks.py"
        if chosen.get("backend") == "jax" and (is_special or chosen.get("name") in LIKE_OTHERS):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def ask_backend(make_once, run_on):
    """Return a function that gives what a probe of this folder prints on a backend, of networks that `train` gives by name.

    Of the names, those that are like others are asked about apart from the rest on JAX.
    """

    def ask(script, backend, train, names, name=""):
        is_apart = backend == "jax" and name in LIKE_OTHERS
        asked = [each for each in names if backend != "jax" or (each in LIKE_OTHERS) == is_apart]

        def save(folder):
            for path in (file for each in asked for file in train(each).path.parent.iterdir()):
                if path.stem in asked or path.stem not in names:
                    shutil.copy(path, folder)

        def run(folder):
            models = make_once(f"models_of_{script}_{len(asked)}_{is_apart}", save)
            probe, here = Path(__file__).with_name(script), keras.backend.backend()
            (folder / "printed").write_text(run_on(backend, probe, models, PROJECT_ROOT, here))

        return json.loads((make_once(f"{script}_on_{backend}_{is_apart}", run) / "printed").read_text().splitlines()[-1])

    return ask
