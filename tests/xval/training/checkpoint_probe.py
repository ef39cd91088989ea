"""Trains jobs undisturbed, and again with an interruption after which they go on; prints what each left.

Run by test_checkpoint.py as `python -P checkpoint_probe.py FOLDER INSTANCE:EPOCH ...`, with KERAS_BACKEND set: at the end of
EPOCH the job is ended, before its checkpoint is written; EPOCH "test": when it is trained and is to be tested. Prints one line
of JSON: {"INSTANCE:EPOCH": {"undisturbed", "gone_on", "notes", "seen", "went_on", "files"}}; "seen": epochs of the second run.
"""

import json
import runpy
import sys
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from xval.engine.worker import run
from xval.jobs.job import Trial
from xval.jobs.prepare_backend_for_job import prepare_for
from xval.results.folder import ExperimentFolder
from xval.training import compiled

probe = runpy.run_path(str(Path(__file__).with_name("warm_model_probe.py")))
EVERYTHING = {
    "architecture": "cnn_small", "n_filters": (4, 8), "dropout": 0.3, "augment_mixup": 0.3, "weight_average": 0.9,
    "augment_noise": 0.3, "augment_time_masks": 1, "augment_time_mask_frames": 3, "augment_frequency_masks": 1,
    "augment_frequency_mask_bins": 2, "augment_mixstyle": 0.5, "augment_speed": 0.2, "augment_vocal_tract": 0.2,
    "schedule": "plateau", "schedule_patience": 1, "clip_norm": 1.0, "regularization_lambda": 0.01, "learning_rate": 0.02,
    "class_weights": "balanced",
}  # fmt: skip
probe["INSTANCES"].update({
    11: EVERYTHING,
    12: probe["INSTANCES"][1] | {"schedule": "cosine", "warmup_epochs": 1},  # an initial model, frozen blocks, rates by block
    13: {"architecture": "mlp", "dropout": 0.5, "precision": "mixed_float16", "optimizer": "nadam", "patience": 1},
    14: {"architecture": "mlp", "dropout": 0.5, "sampling": "balanced"},  # a trial
    15: EVERYTHING | {"augment_mixup": 0.0},  # as epochs run on a GPU
})  # fmt: skip
N_EPOCHS = 5


def left_by(folder, key):
    """Return what a job left that must not differ."""
    place = ExperimentFolder(folder).fold_folder(*key)
    record = json.loads((place / "record.json").read_text())
    names = ("best_epoch", "epochs", "score", "values", "state")
    found = {name: record[name] for name in names if name in record} | {"history": (place / "history.csv").read_text()}
    found["scores"] = pd.read_parquet(place / "scores.parquet").to_csv()
    if (place / "model.keras").exists():
        weights = keras.saving.load_model(place / "model.keras").get_weights()
        found["weights"] = blake2b(b"".join(np.ascontiguousarray(each).tobytes() for each in weights)).hexdigest()
        found["predictions"] = blake2b((place / "predictions.parquet").read_bytes()).hexdigest()
    return found, record.get("went_on", {})


def interrupted(job, where):
    """Run a job and end it; return the notes of the next run, which goes on."""
    test, notes = run.test_and_save, []

    def end(event):
        if "epoch" in event and str(event["epoch"]) == where:
            raise KeyboardInterrupt

    def end_at_test(*_):
        raise KeyboardInterrupt

    run.test_and_save = end_at_test if where == "test" else test
    try:
        run.run_job(job, end)
    except KeyboardInterrupt:
        run.test_and_save = test
    seen = []
    outcome = run.run_job(job, lambda event: notes.append(event["note"]) if "note" in event else seen.append(event["epoch"]))
    assert outcome.status == "done", outcome.details
    return notes, seen


def main(folder: Path, names: list[str]) -> None:
    """Run the jobs."""
    written = probe["write_corpora"](folder)
    prepare_for(probe["make_job"](folder, written, 2, 1))  # threads are bound before anything is computed
    layers = [keras.Input((12, 8)), keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.Dense(96)]
    keras.Sequential(layers).save(folder / "initial.keras")
    if keras.backend.backend() != "torch":
        compiled.WARM_MODEL.forget = lambda: None  # to compile takes most of the time; benchmarks/checkpoints.py compiles anew
    left = {}
    for place in ("results", "interrupted"):
        (folder / place).mkdir(exist_ok=True)
    for name in names:
        number, where = name.split(":")
        job = probe["make_job"](folder, written, int(number), 1)
        changes = {"num_epochs": N_EPOCHS, "checkpoint_minutes": 1e-9}
        job = replace(job, settings=job.settings.model_copy(update=changes), seed=2)
        if number == "14":
            job = replace(job, trial=Trial(1, {"dropout": 0.5}))
        assert run.run_job(job, lambda _: None).status == "done"
        undisturbed, _ = left_by(folder / "results", job.key)
        other = replace(job, experiment_folder=str(folder / "interrupted"))
        notes, seen = interrupted(other, where)
        gone_on, went_on = left_by(folder / "interrupted", job.key)
        files = sorted(path.name for path in (folder / "interrupted").rglob("*.npz"))
        left[name] = {
            "undisturbed": undisturbed,
            "gone_on": gone_on,
            "notes": notes,
            "seen": seen,
            "went_on": went_on,
            "files": files,
        }
    print(json.dumps(left))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
