"""Runs jobs one after the other in this process and prints what each left, for comparison with other processes.

Run by test_compiled.py and test_on_device.py as `python -P warm_model_probe.py FOLDER [on_device] INSTANCE:FOLD ...`, with
KERAS_BACKEND set; FOLDER gets corpus and results; on_device: as if there were a GPU with memory for the examples. Prints
one line of JSON: {"INSTANCE:FOLD": {"status", "warm", "error", "on_device", "has_tensorflow", "moved", "figures", "weights",
"predictions", "history"}}; "warm": whether an earlier job had compiled the model; "on_device": whether epochs ran there;
"moved": after each epoch, whether the first variable has another value than at the start.
"""

import json
import sys
from hashlib import blake2b
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from preprocessing import store
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store.waveforms import make_moments
from preprocessing.store.writer import Example, StoreWriter
from xval.backend import on_device
from xval.engine.worker.run import run_job
from xval.folds.plan import Fold
from xval.jobs.job import Job, job_seed
from xval.jobs.prepare_backend_for_job import prepare_for
from xval.settings.resolve import Declaration, resolve
from xval.training import compiled

ITEMS = [f"speaker_{number}" for number in range(6)]
FOLDS = {
    1: Fold(1, ("speaker_0", "speaker_1", "speaker_2", "speaker_3"), ("speaker_4",), ("speaker_5",)),
    2: Fold(2, ("speaker_2", "speaker_3", "speaker_4"), ("speaker_5",), ("speaker_0", "speaker_1")),
    3: Fold(3, ("speaker_0", "speaker_1", "speaker_4", "speaker_5"), ("speaker_2",), ("speaker_3",)),
}
OF_WAVEFORMS = ("features", "frontend", "sample_rate_hz", "n_fft", "win_length", "hop_length", "n_mels", "crop_s")
CNN = {"architecture": "cnn_small", "n_filters": (4, 8), "dropout": 0.3}
INSTANCES = {
    # starts from a model that is built otherwise, its first block frozen for two epochs
    1: {
        "architecture": "mlp",
        "n_units": (8, 4),
        "dropout": 0.5,
        "monitor": "val_macro_f1",
        "initial_model": "initial.keras",
        "initial_model_match": "prefix",
        "frozen_layers": 1,
        "unfreeze_every": 2,
        "layer_learning_rate_decay": 0.5,
    },
    # of numbers, whose scale is another in each fold
    2: CNN
    | {
        "task_type": "regression",
        "regularization_lambda": 0.01,
        "schedule": "plateau",
        "schedule_patience": 1,
        "patience": 1,
        "clip_norm": 1.0,
        "weight_average": 0.9,
        "augment_mixstyle": 0.5,
        "augment_vocal_tract": 0.2,
        "augment_speed": 0.2,
        "augment_response_db": 6.0,
        "augment_noise_floor_db": -20.0,
    },
    3: CNN
    | {
        "augment_noise": 0.3,
        "augment_time_masks": 1,
        "augment_time_mask_frames": 3,
        "augment_mixup": 0.3,
        "schedule": "cosine",
        "warmup_epochs": 1,
        "schedule_unit": "batch",
    },
    4: {
        "label_smoothing": 0.1,
        "architecture": "rnn_small",
        "class_weights": "balanced",
        "optimizer": "nadam",
        "evaluate_training": True,
    },
    6: {
        "features": "waveform",
        "frontend": "logmel",
        "sample_rate_hz": 1000,
        "n_fft": 64,
        "win_length": 64,
        "hop_length": 16,
        "n_mels": 8,
        "crop_s": 0.1,
        "augment_gain_db": 6.0,
        "augment_mixup": 0.3,
        "data": "waveforms",
    }
    | CNN,
    5: CNN | {"learning_rate": 1e30, "optimizer": "sgd", "regularization_lambda": 0.01},  # diverges
}


def write_corpora(folder: Path) -> dict[str, store.FeatureStore]:
    """Return stores of items of different sizes, by the task."""
    rng = np.random.default_rng(0)
    predictors, targets, numbers = {}, {}, {}
    for number, item in enumerate(ITEMS):
        classes = np.arange(7 + 2 * number) % 3
        values = rng.normal(size=(len(classes), 12, 8)).astype(np.float32) + 0.5 * number
        for example, label in enumerate(classes):
            values[example, :, 2 * label : 2 * label + 2] += 1.5
        predictors[item], targets[item] = values, np.array(["a", "b", "c"])[classes]
        numbers[item] = 100 + (3.0 + number) * classes
    return {
        "waveforms": write_waveforms(folder / "data" / "waveforms"),
        "classification": store.write("toy", predictors, targets, data_folder=folder / "data"),
        "regression": store.write("numbers", predictors, numbers, data_folder=folder / "data", task_type="regression"),
    }


def write_waveforms(folder: Path) -> store.FeatureStore:
    """Return a store of noise, of clips that are mostly shorter or longer than a crop."""
    rng = np.random.default_rng(0)
    settings = FeatureSettings(**{name: INSTANCES[6][name] for name in OF_WAVEFORMS})
    with StoreWriter(
        folder, task_type="classification", class_names=("a", "b", "c"), is_waveform=True, clip_samples=260,
        feature_settings=settings,
    ) as writer:  # fmt: skip
        for number, item in enumerate(ITEMS):
            for take in range(5 + number):
                samples = rng.normal(size=(1, 60 + 20 * take)).astype(np.float32)
                about = Example(f"{item}_{take}", 0.0, samples.size / 1000)
                writer.append(item, samples, [take % 3], [about])
        writer.publish(index_hash="x")
    found = store.open_store(folder)
    make_moments(found, settings)
    return found


def make_job(folder: Path, written: dict[str, store.FeatureStore], number: int, fold: int) -> Job:
    """Return the job of a fold of an instance."""
    given = {
        "dataset": "toy", "num_folds": 3, "num_epochs": 3, "batch_size": 8, "backend": keras.backend.backend(),
        "experiment_folder": str(folder / "results"), "data_folder": str(folder / "data"),
    }  # fmt: skip
    own = dict(INSTANCES[number])
    if "initial_model" in own:
        own["initial_model"] = str(folder / own["initial_model"])
    given["task_type"] = own.pop("task_type", "classification")
    data = own.pop("data", given["task_type"])
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", given, {number: own}))
    return Job(
        experiment_folder=str(folder / "results"), code_folder=str(folder), instance=number,
        store_folder=str(written[data].folder), fold=FOLDS[fold], settings=instance.settings,
        options=instance.options, settings_hash=instance.settings_hash, folds_hash="folds", seed=job_seed(1, fold),
    )  # fmt: skip


def record_without_graphs() -> None:
    """Have steps on torch recorded on a CPU, which has no graphs: the recorded step is taken again."""
    from xval.backend import torch_graphs

    class Graph:
        def __init__(self, take_step, output):
            self.take_step, self.output = take_step, output

        def replay(self):
            found = self.take_step()
            if found is not None:
                self.output.copy_(found)

    def capture(take_step, batch):
        output = [take_step(), take_step()][1]
        return Graph(take_step, output), batch, output

    class Recording(torch_graphs.RecordedSteps):
        def __init__(self, *given):
            super().__init__(*given)
            self.not_recorded = ""

    torch_graphs._capture, torch_graphs.RecordedSteps = capture, Recording


def main(folder: Path, names: list[str]) -> None:
    """Run the jobs."""
    written = write_corpora(folder)
    prepare_for(make_job(folder, written, 2, 1))  # threads are bound before anything is computed
    layers = [keras.Input((12, 8)), keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.Dense(96)]
    keras.Sequential(layers).save(folder / "initial.keras")
    taken, first, moved = [], {}, []
    take = compiled.WARM_MODEL.take

    def note(new, *given):
        found = take(new, *given)
        taken.append(found is not new)
        first["variable"] = found.fitted.trainable_variables[0]
        first["value"] = np.array(first["variable"])
        return found

    def follow(event):
        moved.append(not np.array_equal(first["variable"], first["value"]))

    compiled.WARM_MODEL.take = note
    if names[0] == "on_device":
        on_device.memory_bytes = lambda: 2**30
        names = names[1:]
        if keras.backend.backend() == "torch":
            record_without_graphs()
    left = {}
    (folder / "results").mkdir(exist_ok=True)
    for name in names:
        number, fold = map(int, name.split(":"))
        moved.clear()
        outcome = run_job(make_job(folder, written, number, fold), follow)
        kept = compiled.WARM_MODEL._kept
        epochs_ran_there = kept is not None and "_xval_device_steps" in vars(kept.fitted)
        found = {"status": outcome.status, "warm": taken[-1], "error": outcome.error, "on_device": epochs_ran_there}
        found["has_tensorflow"] = "tensorflow" in sys.modules
        found["moved"] = [*moved]
        steps = vars(kept.fitted).get("_xval_device_steps") if kept else None
        found["not_recorded"] = getattr(steps, "not_recorded", "")
        if outcome.status == "done":
            place = folder / "results" / f"instance_{number}" / f"fold_{fold}"
            record = json.loads((place / "record.json").read_text())
            weights = keras.saving.load_model(place / "model.keras").get_weights()
            found |= {
                "epochs": [record["best_epoch"], record["epochs"]],
                "scores": pd.read_parquet(place / "scores.parquet").to_csv(),
                "weights": blake2b(b"".join(values.tobytes() for values in weights)).hexdigest(),
                "predictions": blake2b((place / "predictions.parquet").read_bytes()).hexdigest(),
                "history": (place / "history.csv").read_text(),
            }
        left[name] = found
    print(json.dumps(left))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
