import numpy as np
import pytest

from xval.base.errors import ResultsError
from xval.models.saved.novelty import NOVELTY_NAME, choose_kept, limit_ratio_of, measure_novelty, read_novelty

LINE = np.array([[0, 0], [1, 0], [4, 0]], np.float32)


def of_estimator(training=LINE, validation=((2, 0),), clips=("a",), **given):
    validation = None if validation is None else np.array(validation, np.float32)
    clips = None if clips is None else np.array(clips)
    return measure_novelty(np.asarray(training, np.float32), validation, clips, is_network=False, **given)


def test_the_distance_to_the_nearest_training_example_is_divided_by_that_of_the_validation_clips():
    novelty = of_estimator()

    assert novelty.settings.limit == pytest.approx(1)
    np.testing.assert_allclose(novelty.of(np.array([[10, 0], [4, 0], [1, 0.5]], np.float32)), [6, 0, 0.5])


def test_one_percent_of_the_validation_clips_lies_beyond_the_limit():
    places = np.linspace(4, 5, 1001)

    novelty = of_estimator(validation=[(place, 0) for place in places], clips=[f"c{number}" for number in range(1001)])

    assert novelty.settings.limit == pytest.approx(0.99)


def test_the_distance_of_a_clip_is_the_mean_over_its_windows():
    assert of_estimator(validation=[(5, 0), (7, 0)], clips=["a", "a"]).settings.limit == pytest.approx(2)
    assert of_estimator(validation=[(5, 0), (7, 0)], clips=["a", "b"]).settings.limit == pytest.approx(2.98)


def test_how_long_the_embedding_of_a_network_is_does_not_count():
    rng = np.random.default_rng(0)
    training, validation, new = (rng.normal(size=(n, 6)).astype(np.float32) for n in (40, 20, 5))
    novelty = measure_novelty(training, validation, np.arange(20), is_network=True)

    assert novelty.settings.neighbour == 10
    np.testing.assert_allclose(novelty.of(new), novelty.of(100 * new), rtol=1e-4)


def test_an_embedding_of_zeros_is_far_from_all_others():
    rng = np.random.default_rng(0)
    training = np.abs(rng.normal(1, 0.1, size=(40, 6))).astype(np.float32)
    novelty = measure_novelty(training, training[:20] * 1.1, np.arange(20), is_network=True)

    assert novelty.of(np.zeros((1, 6), np.float32))[0] > 3


def test_a_model_of_all_items_takes_the_ratio_of_its_folds():
    fold = of_estimator()
    assert fold.settings.limit_ratio == pytest.approx(1 / np.quantile([1, 1, 3], 0.99))

    final = of_estimator(validation=None, clips=None, limit_ratio=0.5)

    assert final.settings.limit == pytest.approx(0.5 * np.quantile([1, 1, 3], 0.99))


def test_the_ratio_is_the_median_of_the_folds_that_have_one():
    records = [{"novelty": {"limit_ratio": ratio}} for ratio in (1.0, 1.2, 9.0)]

    assert limit_ratio_of([*records, {}]) == 1.2
    assert limit_ratio_of([{}]) is None


@pytest.mark.parametrize(
    "given",
    [
        {"training": LINE[:1]},
        {"training": np.ones((5, 2))},
        {"validation": None, "clips": None},
        {"validation": LINE[:1], "training": LINE},
    ],
    ids=["one example", "one place", "no validation", "validation that was trained on"],
)
def test_where_no_distance_is_to_be_had_nothing_is_said(given):
    assert of_estimator(**given) is None


@pytest.mark.parametrize(
    ("n_examples", "n_features", "n_kept"), [(10, 4, 10), (5000, 4, 1000), (5000, 512, 256), (5000, 9999, 64)]
)
def test_what_is_kept_stays_small_and_comes_from_all_places(n_examples, n_features, n_kept):
    kept = choose_kept(n_examples, n_features)

    assert (len(kept), kept[0], kept[-1]) == (n_kept, 0, n_examples - 1)
    assert len(np.unique(kept)) == n_kept


def test_what_is_read_again_measures_the_same(tmp_path):
    rng = np.random.default_rng(0)
    training, validation, new = (rng.normal(size=(n, 6)).astype(np.float32) for n in (40, 20, 5))
    novelty = measure_novelty(training, validation, np.arange(20), is_network=True)

    assert novelty.write(tmp_path) == {"novelty": novelty.settings.model_dump()}

    again = read_novelty(tmp_path / "model.keras", novelty.settings)
    np.testing.assert_array_equal(again.of(new), novelty.of(new))
    assert read_novelty(tmp_path / "model.keras", None) is None
    (tmp_path / NOVELTY_NAME).unlink()
    assert read_novelty(tmp_path / "model.keras", novelty.settings) is None


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 2), np.float32), np.zeros(4, np.float16), np.full((4, 2), np.nan, np.float16), np.zeros((0, 2), np.float16)],
)
def test_another_array_is_refused_with_its_path(tmp_path, array):
    np.save(tmp_path / NOVELTY_NAME, array)

    with pytest.raises(ResultsError, match=r"novelty\.npy: holds"):
        read_novelty(tmp_path / "model.keras", of_estimator().settings)
