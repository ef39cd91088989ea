"""Loads saved models in a fresh isolated process, then trains, saves and loads each architecture on this process's backend.

Run by test_contract.py as `python -I backend_probe.py FOLDER PROJECT_ROOT`: FOLDER holds for each name <name>.keras and
<name>.npz (inputs, predictions). Prints one line of JSON: {"imported": [...], "loaded": {name: difference}, "trained": {...}}.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import keras
import numpy as np


def load(folder: Path, name: str) -> float:
    """Return the largest difference between stored predictions and those of the loaded model."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        model = keras.models.load_model(folder / f"{name}.keras")
        return float(np.abs(model.predict(arrays["inputs"], verbose=0) - arrays["predictions"]).max())


def train(folder: Path, name: str) -> dict[str, float]:
    """Train one step, save, load, and return the loss, the change of the weights and the difference of the predictions."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        inputs, n_outputs = arrays["inputs"], arrays["predictions"].shape[-1]
    keras.utils.set_random_seed(1)
    model = import_module(f"architectures.{name}").build(inputs.shape[1:], (n_outputs,))
    jit_compile = "auto" if keras.backend.backend() == "jax" else False  # XLA compiles slowly for a few examples
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=jit_compile)
    before = model.get_weights()
    loss = float(model.train_on_batch(inputs, np.arange(len(inputs)) % n_outputs))
    change = max(float(np.abs(new - old).max()) for new, old in zip(model.get_weights(), before, strict=True))
    predictions = model.predict(inputs, verbose=0)
    path = folder / f"{name}_{keras.backend.backend()}.keras"
    model.save(path)
    difference = np.abs(keras.models.load_model(path).predict(inputs, verbose=0) - predictions).max()
    return {"loss": loss, "change": change, "difference": float(difference)}


def main() -> None:
    folder, project_root = Path(sys.argv[1]), sys.argv[2]
    names = sorted(path.stem for path in folder.glob("*.npz"))
    loaded = {name: load(folder, name) for name in names}
    imported = sorted({"xval", "architectures", "preprocessing"} & sys.modules.keys())
    sys.path.insert(0, project_root)
    trained = {name: train(folder, name) for name in names}
    print(json.dumps({"imported": imported, "loaded": loaded, "trained": trained}))


if __name__ == "__main__":
    main()
