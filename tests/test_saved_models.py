"""Models that experiments left, at work on audio: what they say equals what was stored when they were tested.

Combinations, autoencoders and models of frames: test_corpora_to_workbook.py.
"""

import json
from pathlib import Path

import pytest

PROBE = Path(__file__).with_name("saved_model_probe.py")
CNN = {"architecture": "cnn_small", "n_filters": (4, 4)}
FRONT_END = {"features": "waveform", "frontend": "logmel"}
KINDS = {
    "trimmed and padded": {**CNN, "trim_db": 30},
    "windows": {**CNN, "example_length_s": 0.1, "example_overlap": 0.5},
    "front end": {**CNN, **FRONT_END},
    "front end, windows": {**CNN, **FRONT_END, "example_length_s": 0.1, "clip_average": "logits"},
    "front end, clips of any length": {**CNN, **FRONT_END, "crop_s": 0.15},
}
ON_ALL = ("windows", "front end", "front end, windows")
BACKENDS = ("tensorflow", "torch", "jax")


def test_a_moved_model_says_what_was_stored_on_each_backend(tones, run_on):
    for backend in BACKENDS:
        pytest.importorskip(backend)
    tones.prepare("toy.csv")
    pairs = [(backend, kind) for backend in BACKENDS for kind in KINDS if backend == "tensorflow" or kind in ON_ALL]
    tones.write_script(
        *({**KINDS[kind], "backend": backend} for backend, kind in pairs),
        num_epochs=1,
        fold_strategy="holdout",
        workers=1,
        **tones.settings,
    )
    ended = tones.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr

    for backend in BACKENDS:
        folds = {
            kind: str(tones.results / f"instance_{number}" / "fold_1")
            for number, (of, kind) in enumerate(pairs, start=1)
            if of == backend
        }
        printed = run_on(backend, PROBE, *folds.values(), path=[PROBE.parents[1]], folder=tones.folder)
        for kind, found in zip(folds, json.loads(printed).values(), strict=True):
            assert found["n_rows"] == 0, (backend, kind)
            assert max(found["values"], found["times"], found.get("clips", 0.0)) < 1e-5, (backend, kind, found)


@pytest.mark.usefixtures("in_process")
def test_numbers_are_predicted_by_the_names_of_their_targets(tones, differences):
    tones.prepare("numbers.csv", "--task-type", "regression")
    regression = {"task_type": "regression", "num_epochs": 1, "num_folds": 2, "debug_mode": True, **tones.settings}
    tones.write_script({"architecture": "mlp", "n_units": (8,)}, **regression)
    ended = tones.run("1", "1", "cpu", "--folds", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr

    found = differences(tones.results / "instance_1" / "fold_1", tones.folder / "data")
    assert found["n_rows"] == 0
    assert max(found["values"], found["times"], found["clips"]) < 1e-5
