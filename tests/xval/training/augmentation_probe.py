"""Trains a model with each augmentation switched on, on this process's backend, and compares it with the frozen whole model.

Run by test_training_augmentation.py as `python augmentation_probe.py FOLDER`, with KERAS_BACKEND set; FOLDER is for the feature
store. Prints one line of JSON: {"backend", "frozen": {setting: difference}, "layers": {name: {...}}, "trained": {...}}.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from preprocessing import store
from xval.models.build import build_model
from xval.settings.resolve import Declaration, Instance, resolve
from xval.training.augmentation import RandomGain, TrainingAugmentation, WaveformAugmentation, augmented

SHAPE = (12, 8)
EACH = {
    "time masks": {"augment_time_masks": 2, "augment_time_mask_frames": 4},
    "frequency masks": {"augment_frequency_masks": 1, "augment_frequency_mask_bins": 3},
    "time shift": {"augment_time_shift_s": 0.05},
    "frequency shift": {"augment_frequency_shift_bins": 2},
    "noise": {"augment_noise": 0.3},
    "gain": {"augment_gain_db": 6.0},
    "speakers": {"augment_mixstyle": 0.5, "augment_vocal_tract": 0.2, "augment_speed": 0.2},
    "recorders": {"augment_response_db": 6.0, "augment_noise_floor_db": -20.0},
}
ALL = {key: value for settings in EACH.values() for key, value in settings.items()}


def resolve_one(**changes: object) -> Instance:
    given = {"architecture": "mlp", "n_units": (4,), "n_mels": 8} | changes
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", given, {1: {}}))
    return instance


def make_store(folder: Path) -> store.FeatureStore:
    """Return a store of random features."""
    rng = np.random.default_rng(1)
    predictors = {item: rng.normal(5, 2, (8, *SHAPE)).astype(np.float32) for item in "ab"}
    return store.write("probe", predictors, {item: ["x", "y"] * 4 for item in "ab"}, data_folder=folder)


def compiled(model: keras.Model) -> keras.Model:
    """Return the model compiled as training.py does."""
    jit_compile = "auto" if keras.backend.backend() != "tensorflow" else False
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit_compile)
    return model


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())


def fit(examples: store.FeatureStore, *, policy: str = "float32", batch_size: int = 4) -> tuple[float, np.ndarray]:
    """Train two epochs with everything on; return the loss and the whole model's predictions."""
    inputs, targets = np.array(examples.predictors("a")), np.array(examples.targets("a"))
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(5)
    model = build_model(resolve_one().settings, resolve_one().options, examples, "ab")
    fitted = compiled(augmented(model, resolve_one(**ALL).settings, seed=1))
    loss = fitted.fit(inputs, targets, batch_size=batch_size, epochs=2, shuffle=False, verbose=0).history["loss"][-1]
    return float(loss), model.predict_on_batch(inputs)


def try_layers(layers: list[keras.layers.Layer], shape: tuple[int | None, ...]) -> dict[str, float]:
    """Train one step on a chain of layers, and return how far training and prediction change its inputs."""
    inputs = keras.Input(shape)
    chain = keras.Model(inputs, keras.Sequential(layers)(inputs))
    pooled = chain.output if len(shape) == 1 else keras.layers.GlobalAveragePooling1D()(chain.output)
    model = compiled(keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(pooled)))
    examples = np.random.default_rng(2).normal(size=(6, *(length or 20 for length in shape))).astype(np.float32)
    loss = model.train_on_batch(examples, np.arange(6) % 2)
    changed = keras.ops.convert_to_numpy(chain(examples, training=True))
    kept = keras.ops.convert_to_numpy(chain(examples, training=False))
    return {"loss": float(loss), "changed": difference(changed, examples), "kept": difference(kept, examples)}


def compare_frozen(examples: store.FeatureStore) -> dict[str, float]:
    """Return for each augmentation how far it changes predictions, by the model to fit and by the whole model."""
    inputs = np.array(examples.predictors("b"))
    model = compiled(build_model(resolve_one().settings, resolve_one().options, examples, "ab"))
    plain, found = model.predict_on_batch(inputs), {}
    for name, changes in (EACH | {"all": ALL}).items():
        fitted = augmented(model, resolve_one(**changes).settings, seed=3)
        predictions = keras.ops.convert_to_numpy(fitted(inputs, training=False))
        found[name] = difference(predictions, keras.ops.convert_to_numpy(model(inputs, training=False)))
    found["compiled"] = difference(plain, compiled(fitted).predict_on_batch(inputs))
    found["whole model"] = difference(plain, model.predict_on_batch(inputs))
    return found


def main() -> None:
    examples = make_store(Path(sys.argv[1]))
    frozen = compare_frozen(examples)
    options = {
        "n_time_masks": 2, "time_mask_frames": 5, "n_frequency_masks": 1, "frequency_mask_bins": 3,
        "time_shift_frames": 4, "frequency_shift_bins": 2, "noise_share": 0.2,
    }  # fmt: skip
    layers = {
        "waveform": [
            RandomGain(gain_db=6.0, mode="waveform", seed=1),
            WaveformAugmentation(time_shift_samples=5, noise_share=0.2, seed=2),
        ],
        "features": [RandomGain(gain_db=6.0, mode="mfcc", n_mels=64, seed=1), TrainingAugmentation(**options, seed=2)],
    }
    shapes = {"waveform": (30,), "features": (None, 8)}
    found = {name: try_layers(chain, shapes[name]) for name, chain in layers.items()}
    (loss, predictions), (_, again) = fit(examples), fit(examples)
    trained = {
        "loss": loss,
        "repeated": difference(predictions, again),
        "loss in mixed precision": fit(examples, policy="mixed_bfloat16", batch_size=5)[0],  # the last batch is smaller
    }
    print(json.dumps({"backend": keras.backend.backend(), "frozen": frozen, "layers": found, "trained": trained}))


if __name__ == "__main__":
    main()
