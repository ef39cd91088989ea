import copy
import json
import math
import re
import shutil

import numpy as np
import pytest
import soundfile

import xval
from preprocessing.store import open_store
from xval.base.errors import AudioError, ResultsError, SettingsError, UndefinedAnswerError
from xval.reuse.inference import Segment
from xval.reuse.inference.inputs import clip_inputs, segment_inputs
from xval.reuse.inference.sources import list_sources

RATE_HZ = 8000
PROBABILITIES = ["probability_high", "probability_low"]


@pytest.fixture(scope="module")
def model(save_untrained):
    return xval.load_model(save_untrained.save())


@pytest.fixture
def noise(tmp_path):
    """Return one second of noise, and a file of it."""
    samples = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", samples, RATE_HZ, subtype="FLOAT")
    return samples, tmp_path / "noise.wav"


def test_what_is_known_of_a_model_stands_on_it(model):
    assert (model.task_type, model.class_names) == ("classification", ("high", "low"))
    assert model.settings["feature_settings"]["n_mels"] == 12
    assert model.settings["seen_items"] == {"tones": ["s0", "s1", "s2"]}
    assert not model.is_untested


def test_samples_are_heard_as_a_file_is(model, noise):
    samples, path = noise

    of_file, of_samples = model.predict(path), model.predict(samples, sample_rate_hz=RATE_HZ)

    np.testing.assert_array_equal(of_file[PROBABILITIES], of_samples[PROBABILITIES])
    assert (of_file["path"][0], of_samples["path"][0]) == (str(path), "0")


class Tensor:
    """Samples in a form that knows how to become an array, as those of torchaudio.load."""

    def __init__(self, samples):
        self.samples, self.ndim, self.shape = samples, samples.ndim, samples.shape

    def __array__(self, dtype=None, copy=None):
        return self.samples

    def __iter__(self):
        return map(Tensor, self.samples)


class Decoder:
    """Audio as datasets gives it from its version 4 on: it is asked as a dict is."""

    get_all_samples = None

    def __init__(self, content):
        self.content = content

    def __getitem__(self, key):
        return self.content[key]


def test_samples_are_heard_as_transformers_datasets_and_torchaudio_give_them(model, noise):
    samples, path = noise
    decoded = {"path": None, "array": samples, "sampling_rate": RATE_HZ}
    ways = [
        (samples, {"sampling_rate": RATE_HZ}),
        (samples, {"sampling_rate": RATE_HZ, "sample_rate_hz": RATE_HZ}),
        (Tensor(samples[np.newaxis]), {"sampling_rate": RATE_HZ}),
        (decoded, {}),
        ([Decoder(decoded)], {"sampling_rate": RATE_HZ}),
    ]

    expected = model.predict(path)[PROBABILITIES].to_numpy()
    for audio, rates in ways:
        np.testing.assert_array_equal(model.predict(audio, **rates)[PROBABILITIES], expected)
    np.testing.assert_array_equal(
        model.embed(samples, sampling_rate=RATE_HZ).filter(like="embedding"), model.embed(path).filter(like="embedding")
    )
    assert len(model.predict(np.array([str(path)] * 2))) == 2


@pytest.mark.parametrize(
    ("audio", "rates", "message"),
    [
        (np.zeros(9), {"sampling_rate": 8000, "sample_rate_hz": 16000}, "sampling_rate=8000 are two names for the sample rate"),
        (
            {"array": np.zeros(9), "sampling_rate": 8000},
            {"sampling_rate": 16000},
            "its own sampling_rate is 8000, but the call gives 16000",
        ),
        (
            {"bytes": b"RIFF", "path": "a.wav"},
            {},
            r"array 0: received \{'bytes'.*; expected \{'array': samples, 'sampling_rate'.*decode=True",
        ),
    ],
)
def test_rates_that_contradict_each_other_are_refused(model, audio, rates, message):
    with pytest.raises(SettingsError, match=message):
        model.predict(audio, **rates)


def test_samples_of_another_rate_are_resampled(model, noise):
    import soxr

    samples, _ = noise
    found = model.predict([samples, soxr.resample(samples, RATE_HZ, 16000, quality="HQ")], sample_rate_hz=16000)
    assert found["end_s"].tolist() == pytest.approx([0.3, 0.3])
    again = model.predict(samples, sample_rate_hz=RATE_HZ)
    np.testing.assert_allclose(found[PROBABILITIES].iloc[1], again[PROBABILITIES].iloc[0], atol=0.02)


def test_a_stretch_is_heard_as_a_file_of_its_own(model, noise):
    samples, path = noise

    found = model.predict([Segment(path, 0.25, 0.5), Segment(path, math.nan, 0.25), Segment(path, 0.75, math.inf)])

    alone = model.predict([samples[2000:4000], samples[:2000], samples[6000:]], sample_rate_hz=RATE_HZ)
    np.testing.assert_array_equal(found[PROBABILITIES], alone[PROBABILITIES])
    assert found["start_s"].tolist() == [0.25, 0.0, 0.75]
    assert found["end_s"].tolist() == [0.5, 0.25, 1.0]


def test_many_clips_of_many_lengths_are_each_answered_as_alone(save_untrained, noise):
    """With crops a model reads clips of any length, and only those of one length make a batch."""
    model = xval.load_model(save_untrained.save(features="waveform", frontend="logmel", crop_s=0.05, normalization="per_clip"))
    samples, _ = noise
    clips = [samples[:n] for n in (500, 4000, 500, 8000, 4100, 600, 8000)]

    together = model.predict(clips, sample_rate_hz=RATE_HZ)

    alone = [model.predict(clip, sample_rate_hz=RATE_HZ)[PROBABILITIES].to_numpy()[0] for clip in clips]
    np.testing.assert_allclose(together[PROBABILITIES], alone, atol=1e-6)


@pytest.mark.parametrize(
    "own", [{}, {"features": "waveform", "frontend": "logmel", "normalization": "per_clip"}], ids=["stored", "front end"]
)
def test_the_end_of_a_clip_that_is_longer_than_all_of_the_corpus_is_not_heard(save_untrained, noise, own):
    model = xval.load_model(save_untrained.save(**own))
    samples, _ = noise
    longest_s = model.description.clip_samples / RATE_HZ

    found = model.predict([samples, samples[: model.description.clip_samples]], sample_rate_hz=RATE_HZ)

    assert found["end_s"].tolist() == pytest.approx([longest_s, longest_s])
    assert found.attrs["cut"] == 1
    np.testing.assert_allclose(found[PROBABILITIES].iloc[0], found[PROBABILITIES].iloc[1], atol=1e-6)


def test_the_channel_of_the_experiment_is_heard(model, noise, tmp_path):
    samples, _ = noise
    soundfile.write(tmp_path / "stereo.wav", np.stack([samples, samples[::-1]], axis=1), RATE_HZ, subtype="FLOAT")
    (source,) = list_sources(tmp_path / "stereo.wav", sample_rate_hz=None, is_custom=False)
    found = {}
    for channel in ("mean", 0, 1):
        settings = model.description.feature_settings.model_copy(update={"channel": channel})
        described = model.description.model_copy(update={"feature_settings": settings})
        found[channel] = clip_inputs(source, described, with_basic=False).predictors
        (segment, *_) = segment_inputs(source, described, None, with_basic=False)
        np.testing.assert_array_equal(segment.predictors, found[channel])

        stereo = np.stack([samples, samples[::-1]])
        for array in list_sources([stereo, stereo.T], sample_rate_hz=RATE_HZ, is_custom=False):
            np.testing.assert_array_equal(clip_inputs(array, described, with_basic=False).predictors, found[channel])

    arrays = list_sources([samples, samples[::-1]], sample_rate_hz=RATE_HZ, is_custom=False)
    for channel, array in enumerate(arrays):
        alone = clip_inputs(array, model.description, with_basic=False).predictors
        np.testing.assert_array_equal(found[channel], alone)
    assert np.ptp([found[channel] for channel in ("mean", 0, 1)], axis=0).max() > 1
    (array,) = list_sources(stereo, sample_rate_hz=RATE_HZ, is_custom=False)
    with pytest.raises(AudioError, match="array 0: there is no channel 2; expected 0 to 1"):
        array.samples(RATE_HZ, 2)


def test_what_cannot_be_read_raises_or_is_listed(model, noise, tmp_path):
    _, path = noise
    with pytest.raises(AudioError, match=r"no\.wav: no such file"):
        model.predict([path, tmp_path / "no.wav"])

    found = model.predict([tmp_path / "no.wav", path, np.array([np.nan])], sample_rate_hz=RATE_HZ, skip_unreadable=True)

    assert found["path"].tolist() == [str(path)]
    assert [each.path for each in found.attrs["left_out"]] == [str(tmp_path / "no.wav"), "2"]


def test_a_file_that_breaks_off_leaves_no_rows(model, tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.1, 20 * RATE_HZ)
    for name in ("whole", "broken"):
        soundfile.write(tmp_path / f"{name}.flac", samples, RATE_HZ)
    content = (tmp_path / "broken.flac").read_bytes()
    (tmp_path / "broken.flac").write_bytes(content[: len(content) // 2])

    found = model.predict([tmp_path / "broken.flac", tmp_path / "whole.flac"], per="segment", skip_unreadable=True)

    assert set(found["path"]) == {str(tmp_path / "whole.flac")}
    assert [each.path for each in found.attrs["left_out"]] == [str(tmp_path / "broken.flac")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per": "clip"}, "per='clip'; allowed: file, example, segment"),
        ({"every_s": 1.0}, "every_s, --every.* needs segments"),
        ({"per": "segment", "every_s": math.nan}, "every_s=nan: expected a number of seconds above 0"),
        ({"per": "segment", "every_s": math.inf}, "every_s=inf: expected a number of seconds above 0"),
        ({}, "array 0: the sample rate is missing. Give it"),
    ],
)
def test_wrong_questions_are_refused(model, noise, options, message):
    with pytest.raises(SettingsError, match=message):
        model.predict(noise[0], **options)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(100, np.int16), "array 0: received int16; expected float samples"),
        (np.full(100, 12000.0), "array 0: its samples reach 12000; expected -1 to 1"),
    ],
)
def test_samples_of_another_scale_are_refused(model, samples, message):
    with pytest.raises(SettingsError, match=message):
        model.predict(samples, sample_rate_hz=RATE_HZ)


def test_silence_is_counted(model):
    found = model.predict([np.zeros(4000), 1e-5 * np.ones(2000), 0.1 * np.ones(2000)], sample_rate_hz=RATE_HZ)

    assert found.attrs["silent"] == ["0", "1"]
    begins_silent = np.concatenate([np.zeros(8 * RATE_HZ), 0.1 * np.ones(2000)])
    found = model.predict([begins_silent, np.zeros(4000)], per="segment", sample_rate_hz=RATE_HZ)
    assert found.attrs["silent"] == ["1"]


def test_nothing_to_hear_is_refused(model, tmp_path):
    with pytest.raises(SettingsError, match="no audio was given"):
        model.predict([])


@pytest.mark.parametrize("shape", [(100, 2), (40, 300), (13, 1300), (16000, 16), (2, 2, 400), ()])
def test_an_array_of_which_either_axis_may_be_the_channels_is_refused_with_what_to_write(model, shape):
    unclear = ", in which either axis may be the channels" if len(shape) == 2 else ""
    message = rf"array 0: received shape {re.escape(str(shape))}{unclear}\. Expected samples .* x\.mean\(axis=0\).*list\(x\)"
    with pytest.raises(AudioError, match=message):
        model.predict(np.zeros(shape, np.float32), sampling_rate=RATE_HZ)


def test_probabilities_are_those_of_predict_in_the_form_of_scikit_learn(model, noise):
    from sklearn.metrics import log_loss

    samples, path = noise

    probabilities = model.predict_proba([path, samples[:3000]], sampling_rate=RATE_HZ)

    table = model.predict([path, samples[:3000]], sampling_rate=RATE_HZ)
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (2, 2))
    np.testing.assert_array_equal(probabilities, table[[f"probability_{name}" for name in model.classes_]])
    assert model.classes_[probabilities.argmax(axis=1)].tolist() == table["predicted"].tolist()
    assert log_loss(["low", "low"], probabilities, labels=model.classes_) > 0
    with pytest.raises(
        SettingsError, match=r"shape \(2, 8000\) may be several clips.*list\(x\) for several clips, \[x\] for one"
    ):
        model.predict_proba(np.stack([samples, samples]), sampling_rate=RATE_HZ)
    of_frames = copy.copy(model)
    of_frames.description = model.description.model_copy(update={"frames": object()})
    with pytest.raises(SettingsError, match=r"labels frames\. Use predict\(\.\.\., per='segment'\)"):
        of_frames.predict_proba(path)


@pytest.mark.usefixtures("in_process")
def test_a_model_of_ready_features_reads_arrays_alone(project, tmp_path):
    import pandas as pd

    project.write_script({"architecture": "mlp", "n_units": (4,)}, num_epochs=1, fold_strategy="holdout", debug_mode=True)
    ended = project.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    fold = project.results / "instance_1" / "fold_1"
    stored = pd.read_parquet(fold / "predictions.parquet").query("side == 'test'")
    item = stored["item"].iloc[0]
    arrays = open_store(next((project.folder / "data" / "toy" / "features").glob("*/store.json")).parent).predictors(item)
    model = xval.load_model(fold)

    found = model.predict(list(arrays))

    columns = ["probability_a", "probability_b", "probability_c"]
    np.testing.assert_allclose(found[columns], stored[stored["item"] == item][columns], atol=1e-5)
    np.testing.assert_array_equal(model.predict_proba(arrays), found[columns])
    assert model.predict_proba(arrays[:1]).shape == (1, 3)
    with pytest.raises(SettingsError, match=r"reads features made by a script \(preprocessing"):
        model.predict(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=r"array 0|0: gives examples of shape \(5, 8\)"):
        model.predict([np.zeros((5, 8))])


def test_a_description_of_another_model_is_refused(save_untrained, tmp_path):
    folder = shutil.copytree(save_untrained.save(), tmp_path / "fold")
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(content | {"class_names": ["a", "b", "c"]}))

    with pytest.raises(ResultsError, match=r"model\.json: names 3 outputs, but model\.keras has 2"):
        xval.load_model(folder)


@pytest.fixture(scope="module")
def overflowing(save_untrained):
    """A fold whose weights are numbers, and whose answers are none: the last layer overflows to inf - inf."""
    from xval.models.saved.load import read_keras_model

    fold = save_untrained.save()
    network = read_keras_model(fold / "model.keras")
    layer = network.get_layer("cnn_small").layers[-1]
    kernel, bias = layer.get_weights()
    layer.set_weights([np.full_like(kernel, 3e38), np.full_like(bias, 3e38)])
    network.save(fold / "model.keras")
    return fold


@pytest.mark.parametrize("per", ["file", "segment", "example"])
def test_what_is_answered_by_nan_is_refused_or_left_out_and_never_gets_a_class(overflowing, noise, tmp_path, per):
    undefined, (_, path) = xval.load_model(overflowing), noise
    (tmp_path / "broken.wav").write_bytes(b"RIFF....")
    message = rf"noise\.wav: .*{overflowing.name}.model\.keras outputs NaN or infinite values, so there is no prediction"

    with pytest.raises(UndefinedAnswerError, match=message):
        undefined.predict(path, per=per)
    found = undefined.predict([path, tmp_path / "broken.wav"], per=per, skip_unreadable=True)

    assert len(found) == 0
    assert [(each.number, each.is_undefined) for each in found.attrs["left_out"]] == [(0, True), (1, False)]
    assert re.match(message, found.attrs["left_out"][0].reason.removeprefix(f"{tmp_path}/"))


def test_one_member_without_an_answer_is_named_among_others(overflowing, save_untrained, noise, tmp_path):
    shutil.copytree(overflowing, tmp_path / "instance" / "fold_1")
    shutil.copytree(save_untrained.save(2), tmp_path / "instance" / "fold_2")
    named = tmp_path / "instance" / "fold_1" / "model.keras"

    with pytest.raises(UndefinedAnswerError, match=re.escape(f"{named} outputs NaN")):
        xval.load_model(tmp_path / "instance").predict(noise[1])
    with pytest.raises(UndefinedAnswerError, match="outputs NaN"):
        xval.load_model(overflowing).predict_proba(noise[1])


def test_an_answer_of_nan_is_not_explained(overflowing, noise):
    explain = pytest.importorskip("xval.extras.explanations.clips").explain

    with pytest.raises(UndefinedAnswerError, match=r"noise\.wav: .*outputs NaN"):
        list(explain(xval.load_model(overflowing), noise[1]))
