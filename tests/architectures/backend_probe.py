"""Loads saved models in a fresh isolated process, then trains, saves and loads each architecture on this process's backend.

Run by test_contract.py as `python -I backend_probe.py FOLDER PROJECT_ROOT BACKEND`: FOLDER holds for each name <name>.keras,
<name>.npz (inputs, targets, predictions) and <name>.json (options, output_shape, has_own_layers), trained and saved on BACKEND;
there they are loaded alone. Models of Keras's own layers are loaded first, before anything of the project can be imported.
Prints one line of JSON: {"imported": [...], "loaded": {name: difference}, "trained": {name: {"loss", "still", "difference"}}}.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

IS_JAX = keras.backend.backend() == "jax"


def load(folder: Path, name: str) -> float:
    """Return the largest difference between stored predictions and those of the loaded model."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        model = keras.models.load_model(folder / f"{name}.keras")
        return float(np.abs(predict(model, arrays["inputs"]) - arrays["predictions"]).max())


def train(folder: Path, name: str, described: dict[str, Any]) -> dict[str, object]:
    """Train one step, save, load as the engine loads; return loss, weights that stayed, the difference of predictions."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        inputs, targets = arrays["inputs"][:6], arrays["targets"][:6]
    keras.utils.set_random_seed(1)
    options = {
        option: tuple(value) if isinstance(value, list) else value for option, value in described["options"].items()
    }  # JSON has no tuples
    model = import_module(f"architectures.{name}").build(inputs.shape[1:], tuple(described["output_shape"]), **options)
    is_class = targets.dtype.kind == "i"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if is_class else keras.losses.MeanSquaredError()
    # One step without compilation takes less time, but not on JAX.
    model.compile("adam", loss, jit_compile="auto" if IS_JAX else False, run_eagerly=not IS_JAX)
    before = model.get_weights()
    value = float(model.train_on_batch(inputs, targets))
    trainable = {weight.path for weight in model.trainable_weights}
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    still = [weight.path for weight, old, new in pairs if weight.path in trainable and np.array_equal(old, new)]
    path = folder / f"{name}_{keras.backend.backend()}.keras"
    model.save(path)
    from xval.models.saved.load import read_keras_model

    difference = np.abs(predict(read_keras_model(path), inputs) - predict(model, inputs)).max()
    return {"loss": value, "still": still, "difference": float(difference)}


def predict(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Return the outputs of one batch; JAX would compile a smaller last one apart."""
    if IS_JAX:
        return model.predict(inputs, batch_size=len(inputs), verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.stop_gradient(model(inputs, training=False)))


def main() -> None:
    folder, project_root, trained_on = Path(sys.argv[1]), *sys.argv[2:]
    described = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    loaded = {name: load(folder, name) for name in described if not described[name]["has_own_layers"]}
    imported = sorted({"xval", "architectures", "preprocessing"} & sys.modules.keys())
    sys.path.insert(0, project_root)
    for name in described:
        import_module(f"architectures.{name}")
    is_trained = keras.backend.backend() == trained_on
    trained = {} if is_trained else {name: train(folder, name, described[name]) for name in described}
    loaded |= {name: load(folder, name) for name in described if described[name]["has_own_layers"]}
    print(json.dumps({"imported": imported, "loaded": loaded, "trained": trained}))


if __name__ == "__main__":
    main()
