"""SincConv against band-pass filters of SciPy."""

import keras
import librosa
import numpy as np
import pytest
from scipy import signal

from architectures._sinc_conv import SincConv, mel_edges_hz

RATE_HZ = 16000


def built(*args, **options) -> SincConv:
    layer = SincConv(*args, **options)
    layer.build((None, 800, 1))
    return layer


def with_bands(bands_hz, kernel_length=251, sample_rate_hz=RATE_HZ) -> SincConv:
    """Return a layer whose filters have these (low, high) in Hz."""
    layer = built(len(bands_hz), kernel_length, sample_rate_hz)
    low, high = np.array(bands_hz, np.float64).T
    layer.set_weights([(low - 50) / 1000, (high - low - 50) / 1000])
    return layer


def numbers(tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)


def cutoffs_of(layer) -> tuple[np.ndarray, np.ndarray]:
    low, high = layer.cutoffs_hz()
    return numbers(low), numbers(high)


def scipy_filters(low_hz, high_hz, kernel_length, sample_rate_hz) -> np.ndarray:
    """Return windowed band-passes of SciPy, divided by their bandwidth so that the middle tap is 1."""
    columns = []
    for low, high in zip(low_hz, high_hz, strict=True):
        edges = [low, high] if high < sample_rate_hz / 2 - 0.01 else [low]
        taps = signal.firwin(kernel_length, edges, window="hamming", pass_zero=False, scale=False, fs=sample_rate_hz)
        columns.append(taps * sample_rate_hz / (2 * (high - low)))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(
    ("n_filters", "kernel_length", "sample_rate_hz"), [(80, 251, 16000), (5, 33, 8000), (40, 101, 44100), (3, 3, 400)]
)
def test_the_filters_are_the_windowed_band_passes_of_scipy(n_filters, kernel_length, sample_rate_hz):
    layer = built(n_filters, kernel_length, sample_rate_hz)

    expected = scipy_filters(*cutoffs_of(layer), kernel_length, sample_rate_hz)

    np.testing.assert_allclose(numbers(layer.filters()), expected, atol=1e-4)


def test_after_changes_of_its_weights_too():
    bands = [(50, 100), (300, 3400), (1000, 1050.5), (7900, 8000)]

    np.testing.assert_allclose(
        numbers(with_bands(bands).filters()), scipy_filters(*np.array(bands, float).T, 251, RATE_HZ), atol=1e-4
    )


def test_gain_is_even_in_the_band_half_at_the_cutoffs_and_nothing_beyond():
    bands = [(600, 1500), (2000, 3000), (4000, 7000)]
    taps = numbers(with_bands(bands).filters())
    transition_hz = 3.3 * RATE_HZ / 251  # of Hamming's window

    for column, (low, high) in zip(taps.T, bands, strict=True):
        frequencies, response = signal.freqz(column, worN=8192, fs=RATE_HZ)
        gain = np.abs(response) * 2 * (high - low) / RATE_HZ
        inside = (frequencies > low + transition_hz) & (frequencies < high - transition_hz)
        outside = (frequencies < low - transition_hz) | (frequencies > high + transition_hz)
        assert gain[inside] == pytest.approx(1, abs=0.01)
        assert gain.max() == pytest.approx(1, abs=0.02)
        assert np.interp([low, high], frequencies, gain) == pytest.approx(0.5, abs=0.01)
        assert 20 * np.log10(gain[outside].max()) < -50


def test_each_filter_is_loudest_within_its_cutoffs():
    layer = built()
    low, high = cutoffs_of(layer)

    gains = np.abs(np.fft.rfft(numbers(layer.filters()), 8192, axis=0))
    loudest = np.fft.rfftfreq(8192, 1 / RATE_HZ)[gains.argmax(axis=0)]

    assert np.all((loudest >= low) & (loudest <= high))


def test_filters_are_symmetric_around_a_tap_of_one():
    taps = numbers(built().filters())

    np.testing.assert_array_equal(taps, taps[::-1])
    np.testing.assert_array_equal(taps[125], np.ones(80))


def test_eighty_filters_have_160_numbers_to_train():
    layer = built(80)

    assert layer.count_params() == 160
    assert sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights) == 160
    assert not layer.non_trainable_weights


def test_it_begins_with_bands_of_equal_width_in_mel():
    edges = mel_edges_hz(80, RATE_HZ)
    low, high = cutoffs_of(built(80))

    assert (edges[0], edges[-1]) == pytest.approx((30, 7900))
    np.testing.assert_allclose(edges, librosa.mel_frequencies(81, fmin=30, fmax=7900, htk=True), rtol=1e-6)
    np.testing.assert_allclose(low, edges[:-1] + 50, rtol=1e-5)
    np.testing.assert_allclose(high, edges[1:] + 100, rtol=1e-5)


@pytest.mark.parametrize("sample_rate_hz", [400, 8000, 16000, 250_000])
@pytest.mark.parametrize("scale", [0.0, 0.001, 1.0, 1e3, 1e9])
def test_filters_stay_between_0_and_half_the_rate_whatever_the_weights(sample_rate_hz, scale):
    layer = built(64, 31, sample_rate_hz)
    rng = np.random.default_rng(7)
    layer.set_weights(list(scale * rng.standard_normal((2, 64))))

    low, high = cutoffs_of(layer)

    assert np.all((low >= 50) & (high <= sample_rate_hz / 2))
    assert np.all(high - low >= 50 * (1 - 1e-3))
    assert np.abs(numbers(layer.filters())).max() <= 1 + 1e-6


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_its_output_is_the_convolution_of_the_samples_with_the_filters(padding):
    samples = np.random.default_rng(0).standard_normal((2, 90, 1)).astype(np.float32)
    layer = SincConv(4, 31, 8000, padding=padding)

    outputs = numbers(layer(samples))

    expected = [[np.convolve(one[:, 0], taps, padding) for taps in numbers(layer.filters()).T] for one in samples]
    np.testing.assert_allclose(outputs, np.swapaxes(expected, 1, 2), atol=1e-3)
    assert layer.compute_output_shape((None, 90, 1)) == (None, *outputs.shape[1:])
    assert layer.compute_output_shape((None, None, 1)) == (None, None, 4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_its_filters_are_float32_under_every_policy(policy):
    layer = SincConv(8, 31, 8000, dtype=policy)
    outputs = layer(np.ones((1, 40, 1), np.float32))

    assert keras.backend.standardize_dtype(outputs.dtype) == layer.compute_dtype != "float32"
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    assert keras.backend.standardize_dtype(layer.filters().dtype) == "float32"
    np.testing.assert_array_equal(numbers(layer.filters()), numbers(built(8, 31, 8000).filters()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_filters": 0}, "n_filters must be 1 or more. Received: 0"),
        ({"kernel_length": 250}, "kernel_length must be odd .* Received: 250"),
        ({"kernel_length": 1}, "kernel_length must be odd and 3 or more"),
        ({"sample_rate_hz": 200}, "sample_rate_hz must be 400 or more. Received: 200"),
        ({"padding": "causal"}, "padding must be 'valid' or 'same'. Received: 'causal'"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SincConv(**options)


def test_several_channels_are_refused():
    with pytest.raises(ValueError, match="axis -1"):
        SincConv(4, 31)(np.zeros((1, 40, 2), np.float32))
