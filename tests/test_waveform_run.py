"""Experiments on samples: front ends in the model, random crops, several targets; and what is refused before training."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import soundfile

RATE_HZ = 8000

pytestmark = pytest.mark.usefixtures("in_process", "eagerly")
FRONT_END = {"features": "waveform", "frontend": "logmel"}
SMALL = {"architecture": "cnn_small", "n_filters": (4, 4)}
SINCNET = {"architecture": "sincnet", "n_filters": 4, "kernel_length": 51, "n_conv_filters": (4,), "n_units": (8,)}
EVERY_10_MS = {"example_overlap": 14 / 15, "clip_average": "logits"}


def test_crops_train_and_whole_clips_are_tested(tones):
    tones.prepare("toy.csv")
    cropped = {**SMALL, **FRONT_END, "crop_s": 0.15}
    tones.write_script(
        cropped,
        {**cropped, "generator": True},
        {**cropped, "augment_time_masks": 1, "augment_time_mask_frames": 3, "augment_mixup": 0.3, "augment_gain_db": 3.0},
        {**SINCNET, "features": "waveform", "normalization": "none", "crop_s": 0.15, "example_length_s": 0.15, **EVERY_10_MS},
        num_epochs=2,
        num_folds=2,
        **tones.settings,
    )
    planned, ended = tones.run("--dry-run"), tones.run("--folds", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for shown in (planned, ended):
        assert re.search(
            r"The dataset: \d+ of 40 clips lose \d+ % of their audio in each epoch, because it trains on a crop", shown.stdout
        )

    records = tones.records()
    assert {job: record["status"] for job, record in records.items()} == dict.fromkeys([(i, 1) for i in range(1, 5)], "done")
    assert records[1, 1]["metrics"] == records[2, 1]["metrics"]
    assert records[1, 1]["metrics"] != records[3, 1]["metrics"]
    whole, windows = records[1, 1]["n_examples"], records[4, 1]["n_examples"]
    assert sum(whole.values()) == 40
    assert windows["test"] > whole["test"]
    # All four read the same samples.
    assert len({record["store"] for record in records.values()}) == 1

    import keras

    folder = tones.results / "instance_1" / "fold_1"
    model = keras.models.load_model(folder / "model.keras")
    predictions = pd.read_parquet(folder / "predictions.parquet")
    clip = predictions[predictions["side"] == "test"].iloc[0]
    samples, _ = soundfile.read(tones.folder / "audio" / clip["clip"], dtype="float32")
    found = model.predict(np.resize(samples, whole_length(samples.size, round(0.15 * RATE_HZ)))[np.newaxis], verbose=0)
    np.testing.assert_allclose(found[0], clip[["probability_high", "probability_low"]].astype(float), atol=1e-5)
    described = json.loads((folder / "model.json").read_text())
    assert (described["architecture"], described["feature_settings"]["frontend"]) == ("cnn_small", "logmel")


def whole_length(n_samples, n_shortest):
    from preprocessing.store.waveforms import whole_length as next_length

    return next_length(n_samples, n_shortest)


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ({**SMALL, **FRONT_END, "crop_s": 0.01}, "instance 1: architecture 'cnn_small': .*Raise crop_s"),
        ({"architecture": "mlp", **FRONT_END, "crop_s": 0.1}, "instance 1: .*reads examples of one length.*example_length_s"),
        ({**SMALL, **FRONT_END, "crop_s": 0.2, "clip_length_s": 0.1}, "crop_s=0.2 is longer than clip_length_s=0.1"),
        ({**SMALL, "frontend": "logmel"}, "frontend=logmel works only on samples. Set features=waveform"),
        ({**SMALL, "features": "waveform", "n_mels": 20}, "'n_mels' has no effect, because the model reads raw samples"),
        ({**SMALL, "augment_mixup": 0.2, "batch_size": 1}, "augment_mixup mixes the examples of a batch, but batch_size is 1"),
        ({**SMALL, "augment_time_masks": 1}, "masks nothing. Set both, or neither"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(list(value)[1:]),
)
def test_what_cannot_work_is_refused_before_training(tones, instance, message):
    tones.prepare("toy.csv")
    tones.write_script(instance, num_epochs=1, num_folds=2, **tones.settings)
    ended = tones.run()
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert re.search(message, " ".join((ended.stdout + ended.stderr).split())), ended.stdout + ended.stderr
    assert not tones.records()
