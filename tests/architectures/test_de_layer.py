"""The weights of the channels that the denoising-enhancement layer makes, and its sum."""

import keras
import numpy as np
import pytest

from architectures._de_layer import DenoisingEnhancement

FRAMES = np.random.default_rng(1).standard_normal((3, 60, 5)).astype(np.float32)
SMALL = {"n_filters": (4, 4, 2), "n_units": (8, 4)}


@pytest.fixture
def layer() -> DenoisingEnhancement:
    keras.utils.set_random_seed(1)
    layer = DenoisingEnhancement(**SMALL)
    layer.build(FRAMES.shape)
    # Larger than at the start, so that the channels differ clearly.
    layer.set_weights([3 * weight for weight in layer.get_weights()])
    return layer


def numbers(tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)


def test_the_weights_of_the_channels_sum_to_one(layer):
    weights = numbers(layer.channel_weights(FRAMES))

    assert weights.shape == (3, 5)
    assert weights.min() >= 0
    assert weights.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-6)
    assert weights.std(axis=1).min() > 1e-3


def test_its_output_is_the_weighted_sum_in_one_channel(layer):
    expected = np.einsum("btc,bc->bt", FRAMES, numbers(layer.channel_weights(FRAMES)))

    outputs = layer(FRAMES)

    assert outputs.shape == (3, 60, 1) == layer.compute_output_shape(FRAMES.shape)
    np.testing.assert_allclose(numbers(outputs)[..., 0], expected, atol=1e-5)


def test_all_channels_go_through_the_same_network(layer):
    order = [3, 0, 4, 1, 2]

    np.testing.assert_allclose(
        numbers(layer.channel_weights(FRAMES[:, :, order])), numbers(layer.channel_weights(FRAMES))[:, order], atol=1e-6
    )
    np.testing.assert_allclose(numbers(layer(FRAMES[:, :, order])), numbers(layer(FRAMES)), atol=1e-5)
    alike = numbers(layer.channel_weights(np.repeat(FRAMES[:, :, :1], 5, axis=2)))
    np.testing.assert_allclose(alike, np.full((3, 5), 0.2), atol=1e-6)


def test_one_frame_does_not_change_the_weights_of_another(layer):
    together = numbers(layer.channel_weights(FRAMES))

    np.testing.assert_allclose(numbers(layer.channel_weights(FRAMES[1:2]))[0], together[1], atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_the_weights_are_float32_in_mixed_precision(policy):
    layer = DenoisingEnhancement(**SMALL, dtype=policy)
    outputs = layer(FRAMES)
    weights = layer.channel_weights(FRAMES)

    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(weights.dtype) == "float32"
    assert numbers(weights).sum(axis=1) == pytest.approx(np.ones(3), abs=1e-6)


def test_loud_frames_keep_finite_weights(layer):
    weights = numbers(layer.channel_weights(1e6 * FRAMES))

    assert np.isfinite(weights).all()
    assert weights.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-6)


def test_sizes_of_the_shared_network_are_those_of_the_original():
    layer = DenoisingEnhancement()
    layer.build((None, 800, 80))

    convolutions = (30 * 7 + 30) + (30 * 30 * 7 + 30) + (30 * 10 * 7 + 10)
    steps = ((800 - 7) // 2 + 1 - 7) // 3 + 1
    flattened = 10 * ((steps - 7) // 3 + 1)
    assert layer.count_params() == convolutions + (flattened * 128 + 128) + (128 * 64 + 64) + (64 + 1)


def test_frames_that_are_too_short_are_refused():
    with pytest.raises(ValueError, match="a frame of 54 steps is too short for convolutions of 7 steps"):
        DenoisingEnhancement().build((None, 54, 5))
    DenoisingEnhancement().build((None, 55, 5))


def test_sizes_that_contradict_each_other_or_are_unknown_are_refused():
    with pytest.raises(ValueError, match=r"one entry per convolution. Received: \(30, 30\) and \(2, 3, 3\)"):
        DenoisingEnhancement(n_filters=(30, 30))
    with pytest.raises(ValueError, match="must be known"):
        DenoisingEnhancement().build((None, None, 5))
