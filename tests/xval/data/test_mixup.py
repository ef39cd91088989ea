import numpy as np
import pytest

from xval.data.mixup import draw_pairs, mixup_batch

N_EXAMPLES = 2000
ONE_HOT = np.eye(N_EXAMPLES, dtype=np.float32)  # each example a class of its own: the shares can be read from the targets


def mix(predictors, targets, weights=None, *, seed=1, alpha=0.4):
    return mixup_batch(predictors, targets, weights, np.random.default_rng(seed), alpha)


def test_predictors_targets_and_weights_are_mixed_by_the_same_shares():
    rng = np.random.default_rng(0)
    predictors = rng.normal(size=(N_EXAMPLES, 3, 2)).astype(np.float32)
    weights = rng.uniform(0.5, 2, N_EXAMPLES).astype(np.float32)

    mixed, shares, mixed_weights = mix(predictors, ONE_HOT, weights)

    assert mixed == pytest.approx(np.einsum("ij,jkl->ikl", shares, predictors), abs=1e-5)
    assert mixed_weights == pytest.approx(shares @ weights, abs=1e-5)
    assert shares.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert (shares > 0).sum(axis=1).max() == 2
    assert (mixed.dtype, shares.dtype, mixed_weights.dtype) == (np.float32,) * 3


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_every_example_draws_a_share_of_its_own_from_the_beta_distribution(alpha):
    own = np.diagonal(mix(ONE_HOT, ONE_HOT, alpha=alpha)[0])

    assert len(np.unique(own)) > 0.7 * N_EXAMPLES
    assert own.mean() == pytest.approx(0.5, abs=0.04)
    assert own.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)


def test_numbers_are_mixed_as_targets_too():
    numbers = np.arange(8, dtype=np.float32)[:, np.newaxis]

    mixed, targets, weights = mix(numbers, 10 * numbers)

    assert targets == pytest.approx(10 * mixed, abs=1e-4)
    assert not np.array_equal(mixed, numbers)
    assert weights is None


def test_a_batch_of_one_stays_as_it_is_and_given_arrays_are_not_written_to():
    one = np.full((1, 4), 0.1, np.float32)
    many = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    many.setflags(write=False)

    np.testing.assert_array_equal(mix(one, one)[0], one)
    mix(many, many, many[:, 0])


def test_the_same_generator_gives_the_same_batch():
    np.testing.assert_array_equal(mix(ONE_HOT, ONE_HOT)[0], mix(ONE_HOT, ONE_HOT)[0])
    assert not np.array_equal(mix(ONE_HOT, ONE_HOT)[0], mix(ONE_HOT, ONE_HOT, seed=2)[0])


def test_class_numbers_are_refused():
    with pytest.raises(TypeError, match=r"one-hot targets or numbers as floats; received int64 \(3,\)"):
        mix(np.zeros((3, 2), np.float32), np.arange(3))


def test_the_longer_clip_goes_on_alone_where_padding_is_masked():
    ends = np.array([2, 5, 4, 3])
    clips = np.where(np.arange(6) < ends[:, np.newaxis], 1.0 + np.arange(4)[:, np.newaxis], np.nan).astype(np.float32)
    mixed, _, _ = mixup_batch(clips, np.eye(4, dtype=np.float32), None, np.random.default_rng(2), 0.5)
    partners = draw_pairs(4, np.random.default_rng(2), 0.5)[0]
    assert (partners != np.arange(4)).any()
    assert np.isfinite(mixed).sum(axis=1).tolist() == np.maximum(ends, ends[partners]).tolist()
    for number, partner in enumerate(partners):
        longer = max(number, partner, key=ends.__getitem__)
        assert (mixed[number, min(ends[number], ends[partner]) : ends[longer]] == 1 + longer).all()
