"""Speech is found in a clip, and what lies before and behind it is cut off."""

import importlib.util
from importlib.util import find_spec

import numpy as np
import pytest

from preprocessing.corpora._demo_speech import SAMPLE_RATE_HZ, WORDS, draw_speaker, speak
from preprocessing.features import voice
from preprocessing.features.extract import check_settings, trim
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.voice import find_voice, speech_segments
from preprocessing.features.windows import make_examples
from xval.base.errors import SettingsError

SURE, UNSURE, NO = 0.9, 0.4, 0.1
needs_detector = pytest.mark.skipif(find_spec("silero_vad") is None, reason="silero-vad is not installed")


def settings_with(**changes):
    return FeatureSettings(**{"vad": "silero", **changes})


def noise(n_samples, seed=0):
    return (1e-3 * np.random.default_rng(seed).normal(size=n_samples)).astype(np.float32)


def words_amid_noise(before_s=1.0, behind_s=0.7):
    """Return three words of a generated voice with noise around them, and where they begin and end."""
    rng = np.random.default_rng(1)
    speaker = draw_speaker(2, seed=0)
    words = np.concatenate([speak(word, speaker, rng) for word in list(WORDS)[:3]])
    first = round(before_s * SAMPLE_RATE_HZ)
    samples = noise(first + words.size + round(behind_s * SAMPLE_RATE_HZ))
    samples[first : first + words.size] += words.astype(np.float32)
    return samples, first, first + words.size


@needs_detector
@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_speech_is_found_at_any_rate(rate_hz):
    import soxr

    samples, first, stop = words_amid_noise()
    resampled = np.asarray(soxr.resample(samples, SAMPLE_RATE_HZ, rate_hz), np.float32)

    found = find_voice(resampled, rate_hz)

    assert found == pytest.approx(np.array([first, stop]) * rate_hz / SAMPLE_RATE_HZ, abs=0.15 * rate_hz)


@needs_detector
def test_a_long_recording_is_heard_in_parts_as_at_once(monkeypatch):
    samples, _, _ = words_amid_noise()

    whole = voice.speech_probabilities(samples, SAMPLE_RATE_HZ)
    monkeypatch.setattr(voice, "_AT_ONCE", 7)

    np.testing.assert_allclose(voice.speech_probabilities(samples, SAMPLE_RATE_HZ), whole, atol=1e-5)
    assert len(whole) == -(-samples.size // 512)


@needs_detector
@pytest.mark.parametrize("samples", [noise(32000), np.zeros(100, np.float32)])
def test_a_clip_without_speech_stays_whole(samples):
    assert find_voice(samples, SAMPLE_RATE_HZ) is None
    assert trim(samples, settings_with(trim_db=None)) == (0, samples.size)


@needs_detector
@pytest.mark.parametrize("features", ["logmel", "waveform"])
def test_the_examples_of_a_clip_are_its_speech(features):
    samples, first, stop = words_amid_noise()
    first_kept, stop_kept = find_voice(samples, SAMPLE_RATE_HZ)

    whole = make_examples(samples, settings_with(vad="none", features=features, sample_rate_hz=SAMPLE_RATE_HZ), None)
    cut = make_examples(samples, settings_with(features=features, sample_rate_hz=SAMPLE_RATE_HZ), None)

    assert (whole.start_s[0], whole.end_s[0]) == (0, samples.size / SAMPLE_RATE_HZ)
    assert (cut.start_s[0] * SAMPLE_RATE_HZ, cut.end_s[0] * SAMPLE_RATE_HZ) == pytest.approx((first_kept, stop_kept))
    assert cut.predictors.shape[1] < 0.6 * whole.predictors.shape[1]
    assert 0 < first_kept < first + 1600
    assert stop - 1600 < stop_kept < samples.size


@needs_detector
def test_silence_within_what_was_found_is_trimmed_too():
    samples, _, _ = words_amid_noise()
    first, stop = find_voice(samples, SAMPLE_RATE_HZ)

    trimmed = trim(samples, settings_with(trim_db=20, sample_rate_hz=SAMPLE_RATE_HZ))

    assert first < trimmed[0] < trimmed[1] < stop


@pytest.mark.parametrize(
    ("probabilities", "stretches"),
    [
        ([NO] * 20, []),
        ([NO] * 2 + [SURE] * 8 + [NO] * 5, [(2, 10)]),
        ([NO] * 2 + [SURE] * 7 + [NO] * 5, []),  # too short
        ([UNSURE] * 3 + [SURE] * 4 + [UNSURE] * 4 + [NO] * 5, [(3, 11)]),  # it begins when it is sure
        ([SURE] * 4 + [NO] * 2 + [SURE] * 4, [(0, 10)]),  # a pause within it
        ([SURE] * 9 + [NO] * 3 + [SURE] * 9, [(0, 9), (12, 21)]),
    ],
)
def test_probabilities_are_read_as_stretches_of_speech(probabilities, stretches):
    assert speech_segments(np.array(probabilities, np.float32)) == stretches


def test_features_are_stored_under_another_name_only_with_a_detector():
    for features in ("logmel", "waveform"):
        assert "vad" not in settings_with(vad="none", features=features).stored()
        assert settings_with(features=features).stored()["vad"] == "silero"


def test_a_missing_detector_is_named_before_any_clip_is_read(monkeypatch):
    monkeypatch.setattr(voice, "find_spec", lambda name: None if name == "silero_vad" else importlib.util.find_spec(name))

    with pytest.raises(SettingsError, match=r"silero-vad .* is not installed. Install them: pip install -e '.\[vad\]'"):
        check_settings(settings_with())
    check_settings(settings_with(vad="none"))
