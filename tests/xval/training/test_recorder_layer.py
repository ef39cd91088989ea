"""Frequency responses and noise floors against what they are defined to be."""

import keras
import numpy as np
import pytest

from xval.training.recorder_layer import QUIETEST_DB, RecorderAugmentation

N_EXAMPLES, N_FRAMES, N_BINS = 1000, 5, 17


def change(examples, **options):
    layer = RecorderAugmentation(**options, seed=1)
    return keras.ops.convert_to_numpy(layer(np.asarray(examples, np.float32), training=True))


@pytest.fixture(scope="module")
def spectra():
    return np.random.default_rng(0).uniform(-70, 10, size=(N_EXAMPLES, N_FRAMES, N_BINS)).astype(np.float32)


def test_a_response_is_a_line_through_uniform_gains_at_five_bins_and_the_same_in_all_frames(spectra):
    gains = change(spectra, response_db=6) - spectra

    np.testing.assert_allclose(gains, np.broadcast_to(gains[:, :1], gains.shape), atol=1e-4)
    at_bins = gains[:, 0, ::4]
    wanted = np.stack([np.interp(np.arange(N_BINS), np.arange(0, N_BINS, 4), row) for row in at_bins])
    np.testing.assert_allclose(gains[:, 0], wanted, atol=1e-4)
    assert np.histogram(at_bins, bins=4, range=(-6, 6))[0] / at_bins.size == pytest.approx(0.25, abs=0.03)
    assert abs(np.corrcoef(at_bins.T) - np.eye(5)).max() < 0.15  # each is drawn by itself


def test_noise_is_added_as_power_at_a_level_below_the_loudest_value(spectra):
    spectra = spectra.copy()
    spectra[:, :2] = -200
    loudest = spectra.max(axis=(1, 2), keepdims=True)
    noisy = change(spectra, noise_floor_db=-20)

    added = 10 ** (noisy.astype(float) / 10) - 10 ** (spectra.astype(float) / 10)
    level = 10 * np.log10(added[:, 0]) - loudest[:, 0]  # of the first frame, which has nothing else
    assert QUIETEST_DB - 12 - 0.1 < level.min() < -68
    assert -12 < level.max() < -20 + 12 + 0.1
    assert level.mean() == pytest.approx(-40, abs=1)
    np.testing.assert_allclose(added[:, 1], added[:, 0], rtol=1e-3)  # the same in all frames


def test_what_lies_at_the_floor_stays_there():
    spectra = np.random.default_rng(0).uniform(-90, 0, size=(50, N_FRAMES, N_BINS)).astype(np.float32)
    spectra[:, 0, 8] = 0
    spectra = np.maximum(spectra, -40)

    changed = change(spectra, response_db=3, top_db=40)

    loudest = changed.max(axis=(1, 2), keepdims=True)
    assert (changed >= loudest - 40).all()
    assert (changed[spectra == -40] <= np.broadcast_to(np.maximum(loudest - 40, -40), changed.shape)[spectra == -40]).all()
    assert (changed[spectra > -36] != spectra[spectra > -36]).mean() > 0.99
