"""Checks the layers and networks for waveforms on this process's backend, in a fresh process.

Run by test_waveform_networks.py as `python -I waveform_probe.py FOLDER PROJECT_ROOT`, with KERAS_BACKEND set: FOLDER holds for
each name <name>.keras, <name>.npz (inputs, predictions) and <name>.json (the options of build()). Prints one line of JSON, see
`main`.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import keras
import numpy as np

N_CLASSES = 3


def numbers(tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)


def load(folder: Path, name: str) -> tuple[float, float]:
    """Return the largest differences between stored predictions and those of the loaded model, in float32 and in bfloat16.

    The second one is a share of the largest prediction.
    """
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        inputs, expected = arrays["inputs"], arrays["predictions"]
    model = keras.saving.load_model(folder / f"{name}.keras", safe_mode=True)
    keras.config.set_dtype_policy("mixed_bfloat16")
    mixed = build(folder, name, inputs.shape)
    keras.config.set_dtype_policy("float32")
    mixed.set_weights(model.get_weights())
    assert keras.backend.standardize_dtype(mixed.output.dtype) == "bfloat16"
    found = [np.asarray(one.predict_on_batch(inputs), np.float32) for one in (model, mixed)]
    return float(np.abs(found[0] - expected).max()), float(np.abs(found[1] - expected).max() / np.abs(expected).max())


def build(folder: Path, name: str, shape: tuple[int, ...]) -> keras.Model:
    """Return a fresh model for inputs of a shape, not slowed down by XLA where that can be left out."""
    options = json.loads((folder / f"{name}.json").read_text())
    options = {option: tuple(value) if isinstance(value, list) else value for option, value in options.items()}
    keras.utils.set_random_seed(1)
    model = import_module(f"architectures.{name}").build(shape[1:], (shape[1], N_CLASSES), **options)
    jit_compile = "auto" if keras.backend.backend() == "jax" else False
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001), loss, jit_compile=jit_compile)
    return model


def gradient_error(step_khz: float = 1e-4) -> float:
    """Return how far the gradient at the cut-offs, read from a step of SGD, lies from differences of the loss (relative)."""
    from architectures._sinc_conv import SincConv

    layer = SincConv(3, 31, 8000)
    model = keras.Sequential([keras.Input((64, 1)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
    samples = np.random.default_rng(2).standard_normal((4, 64, 1)).astype(np.float32)
    wanted = np.zeros((4, 34, 3), np.float32)
    start = [np.array([0.4, 1.1, 2.0], np.float32), np.array([0.2, 0.5, 0.9], np.float32)]

    def loss(weights) -> float:
        layer.set_weights(weights)
        return float(np.mean(numbers(layer(samples)) ** 2))

    expected = np.zeros((2, 3))
    for row, column in np.ndindex(2, 3):
        sides = []
        for sign in (1, -1):
            moved = [values.copy() for values in start]
            moved[row][column] += sign * step_khz
            sides.append(loss(moved))
        expected[row, column] = (sides[0] - sides[1]) / (2 * step_khz)
    layer.set_weights(start)
    model.train_on_batch(samples, wanted)
    found = np.stack(start) - np.stack([numbers(weight) for weight in layer.trainable_weights])
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def layers(folder: Path) -> dict[str, float]:
    """Return the difference of the filters from SciPy's, the error of their gradient, and of sums of the channels' weights."""
    from architectures._de_layer import DenoisingEnhancement
    from architectures._sinc_conv import SincConv

    conv = SincConv()
    conv.build((None, 800, 1))
    taps = np.load(folder / "filters.npy", allow_pickle=False)
    frames = np.random.default_rng(3).standard_normal((4, 80, 6)).astype(np.float32)
    weights = numbers(DenoisingEnhancement(n_filters=(4, 4, 2), n_units=(8, 4)).channel_weights(frames))
    return {
        "filters": float(np.abs(numbers(conv.filters()) - taps).max()),
        "gradient": gradient_error(),
        "sums": float(np.abs(weights.sum(axis=1) - 1).max()),
    }


def main() -> None:
    folder, project_root = Path(sys.argv[1]), sys.argv[2]
    names = sorted(path.stem for path in folder.glob("*.npz"))
    sys.path.insert(0, project_root)
    for name in names:
        import_module(f"architectures.{name}")
    print(
        json.dumps(
            {
                "backend": keras.backend.backend(),
                "layers": layers(folder),
                "loaded": {name: load(folder, name) for name in names},
            }
        )
    )


if __name__ == "__main__":
    main()
