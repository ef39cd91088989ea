import numpy as np
import pytest

from xval.training.combination import short_term
from xval.training.combination.short_term import FEATURE_NAMES, SHORT_TERM_NAMES, basic_features, short_term_features

RATE_HZ = 8000


def tone(frequency_hz, duration_s=1.5, rate_hz=RATE_HZ):
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate_hz)) / rate_hz).astype(np.float32)


def named(values, names=SHORT_TERM_NAMES):
    return dict(zip(names, values, strict=True))


def test_a_tone_has_the_figures_that_follow_from_its_frequency():
    features = short_term_features(tone(440.0), RATE_HZ)

    assert features.shape == (1 + (12000 - 400) // 80, 34)
    found = named(features.mean(axis=0))
    assert found["zcr"] == pytest.approx(2 * 440 / RATE_HZ, rel=0.03)
    assert found["energy"] == pytest.approx(0.5, rel=0.01)
    assert found["energy_entropy"] == pytest.approx(np.log2(10), abs=0.01)
    assert found["centroid"] == pytest.approx(440 / 4000, rel=0.05)
    assert found["rolloff"] == pytest.approx(440 / 4000, abs=0.01)
    chroma = [found[f"chroma_{number}"] for number in range(1, 13)]
    assert np.argmax(chroma) == 9, "440 Hz is an A, the tenth pitch class from C"
    assert found["flux"] < 1e-5


def test_noise_is_flat_and_a_change_of_sound_is_a_peak_of_flux():
    noise = np.random.default_rng(0).normal(size=RATE_HZ).astype(np.float32)
    features = short_term_features(np.concatenate([tone(440.0, 1.0), noise]), RATE_HZ)

    assert named(features[-1])["centroid"] == pytest.approx(0.5, abs=0.08)
    assert named(features[-1])["spectral_entropy"] > named(features[0])["spectral_entropy"] + 2
    assert 90 < np.argmax(features[:, SHORT_TERM_NAMES.index("flux")]) < 102


def test_what_is_computed_in_blocks_is_what_is_computed_at_once(monkeypatch):
    samples = np.random.default_rng(0).normal(size=RATE_HZ).astype(np.float32)
    whole = short_term_features(samples, RATE_HZ)

    monkeypatch.setattr(short_term, "_FRAMES_AT_ONCE", 7)

    np.testing.assert_allclose(short_term_features(samples, RATE_HZ), whole, rtol=1e-9, atol=1e-12)


def test_the_statistics_are_means_and_deviations_of_features_and_deltas():
    rising = tone(440.0, 1.0) * np.linspace(0.1, 1.0, RATE_HZ, dtype=np.float32)

    found = named(basic_features(rising, RATE_HZ), FEATURE_NAMES)

    assert len(found) == 136
    assert found["delta_energy_mean"] > 0
    assert found["energy_std"] > 0.1
    assert found["zcr_std"] < 0.01


def test_deviations_are_those_within_a_second():
    loud, soft = tone(440.0, 1.0), 0.1 * tone(440.0, 1.0)

    found = named(basic_features(np.concatenate([loud, soft]), RATE_HZ), FEATURE_NAMES)

    assert found["energy_mean"] == pytest.approx((0.5 + 0.005) / 2, rel=0.02)
    assert found["energy_std"] < 0.1, "over both seconds it would be 0.25"


@pytest.mark.parametrize("n_samples", [1, 399, 400, 500])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_silence_and_sounds_shorter_than_a_frame_have_finite_figures(n_samples, level):
    assert np.isfinite(basic_features(np.full(n_samples, level, np.float32), RATE_HZ)).all()
