"""Vocal-tract length, speed and Freq-MixStyle against what NumPy makes of the same draws."""

import keras
import librosa
import numpy as np
import pytest

from preprocessing.features.feature_settings import FeatureSettings
from xval.training.speaker_layers import SpeakerAugmentation, warped_bins

N_EXAMPLES = 2000
RNG = np.random.default_rng(0)


def settings(**changes):
    return FeatureSettings(**changes)


def change(layer, examples):
    return keras.ops.convert_to_numpy(layer(np.asarray(examples, np.float32), training=True))


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_frequencies_are_warped_as_the_paper_has_it(factor):
    n_bins, top_hz, bound_hz = 257, 8000, 4800
    hz = np.linspace(0, top_hz, n_bins)
    edge = bound_hz * min(factor, 1)
    beyond = top_hz - (top_hz - edge) / (top_hz - edge / factor) * (top_hz - hz)
    wanted_hz = np.where(hz <= edge / factor, factor * hz, beyond)

    (linear,) = warped_bins(settings(features="stft"), n_bins, [factor])
    (mel,) = warped_bins(settings(), 64, [factor])

    np.testing.assert_allclose(linear, wanted_hz / top_hz * (n_bins - 1), atol=1e-3)
    centres_hz = librosa.mel_frequencies(66, fmin=0, fmax=top_hz)[1:-1]
    step = librosa.hz_to_mel(centres_hz[1]) - librosa.hz_to_mel(centres_hz[0])
    inside = (mel > 0) & (mel < 63)
    found_mel = librosa.hz_to_mel(centres_hz[0]) + step * mel
    np.testing.assert_allclose(found_mel[inside], librosa.hz_to_mel(np.interp(centres_hz, hz, wanted_hz))[inside], atol=0.02)
    assert inside.sum() > 50


def test_each_example_gets_one_of_the_vocal_tracts():
    bins = warped_bins(settings(), 16, [0.8, 1.0, 1.2])
    spectrum = RNG.normal(size=16).astype(np.float32)
    wanted = np.stack([np.interp(row, np.arange(16), spectrum) for row in bins])

    found = change(SpeakerAugmentation(bins=bins, seed=1), np.broadcast_to(spectrum, (N_EXAMPLES, 3, 16)))

    differences = np.abs(found[:, 0, None] - wanted).max(axis=2)
    assert (differences.min(axis=1) < 1e-5).all()
    assert np.bincount(differences.argmin(axis=1)) / N_EXAMPLES == pytest.approx(1 / 3, abs=0.05)
    assert (found == found[:, :1]).all()


def test_speed_is_a_straight_line_through_time_whose_slopes_are_uniform():
    n_frames = 50
    ramp = np.arange(n_frames, dtype=np.float32)[:, None]

    found = change(SpeakerAugmentation(speed=0.25, seed=1), np.broadcast_to(ramp, (N_EXAMPLES, n_frames, 1)))[:, :, 0]

    steps = np.diff(found, axis=1)
    factors = steps.max(axis=1)
    assert np.histogram(factors, bins=5, range=(0.75, 1.25))[0] / N_EXAMPLES == pytest.approx(0.2, abs=0.04)
    inside = (found[:, :-1] > 0) & (found[:, 1:] < n_frames - 1)
    assert np.abs(steps - factors[:, None])[inside].max() < 1e-3
    assert (found.min(), found.max()) == (0, n_frames - 1)


@pytest.mark.parametrize("probability", [1.0, 0.4])
def test_mixstyle_mixes_mean_and_deviation_of_the_bins_and_nothing_else(probability):
    scale = RNG.uniform(0.5, 2, size=(400, 1, 6))
    examples = (RNG.normal(size=(400, 20, 6)) * scale + RNG.normal(size=scale.shape)).astype(np.float32)
    own_mean, own_deviation = examples.mean(axis=1), examples.std(axis=1)

    found = change(SpeakerAugmentation(mixstyle=probability, mixstyle_alpha=1.0, seed=1), examples)

    mean, deviation = found.mean(axis=1), found.std(axis=1)
    wanted = (examples - own_mean[:, None]) / own_deviation[:, None]
    np.testing.assert_allclose((found - mean[:, None]) / deviation[:, None], wanted, atol=2e-3)
    changed = np.abs(mean - own_mean).max(axis=1) > 1e-4
    assert changed.mean() == pytest.approx(probability, abs=0.08)
    shares = []
    for row in np.flatnonzero(changed):
        toward = own_mean - own_mean[row]
        parts = (mean[row] - own_mean[row]) @ toward.T / np.maximum((toward**2).sum(axis=1), 1e-9)
        errors = np.abs(own_mean[row] + parts[:, None] * toward - mean[row]).max(axis=1)
        errors[row] = np.inf
        partner = errors.argmin()
        mixed = own_deviation[row] + parts[partner] * (own_deviation[partner] - own_deviation[row])
        np.testing.assert_allclose(mean[row], own_mean[row] + parts[partner] * toward[partner], atol=2e-3)
        np.testing.assert_allclose(deviation[row], mixed, atol=2e-3)
        shares.append(1 - parts[partner])
    assert np.histogram(shares, bins=4, range=(0, 1))[0] / len(shares) == pytest.approx(0.25, abs=0.1)  # Beta(1, 1)


def test_shares_of_mixstyle_have_the_quantiles_of_the_beta_distribution():
    examples = np.concatenate([np.zeros((1000, 4, 1)), np.ones((1000, 4, 1))])  # the mean of a mixture tells its share

    mean = change(SpeakerAugmentation(mixstyle=1.0, mixstyle_alpha=0.5, seed=1), examples).mean(axis=(1, 2))

    mixed = np.sort(np.concatenate([mean[:1000][mean[:1000] > 0], 1 - mean[1000:][mean[1000:] < 1]]))
    wanted = np.random.default_rng(1).beta(0.5, 0.5, size=100_000)
    assert np.quantile(mixed, [0.25, 0.5, 0.75]) == pytest.approx(np.quantile(wanted, [0.25, 0.5, 0.75]), abs=0.06)
