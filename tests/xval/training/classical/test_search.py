import numpy as np
import pytest

from xval.base.errors import JobError
from xval.training.classical import estimators
from xval.training.classical.estimators import EstimatorSpec
from xval.training.classical.search import LEFT_OUT, VALIDATION, Part, fit_estimator

GRIDS = {
    "svm": {"C": (1.0, 100.0), "gamma": ("scale", 1e-2)},
    "logistic": {"C": (1e-2, 1.0, 10.0)},
    "forest": {"min_samples_leaf": (2, 1)},
    "boosting": {"max_leaf_nodes": (3, 7)},
    "knn": {"n_neighbors": (9, 3)},
}
NAMES = tuple(GRIDS)


def examples(n_items=4, n_classes=3, shift=1.0, seed=0, n_features=8):
    """Return features whose classes overlap, targets and items."""
    rng = np.random.default_rng(seed)
    targets = np.tile(np.arange(n_classes), 6 * n_items)
    features = rng.normal(size=(len(targets), n_features))
    features[np.arange(len(targets)), targets] += shift
    return features, targets, np.repeat([f"s{item}" for item in range(n_items)], 6 * n_classes)


def fit(features, targets, groups, name="svm", *, n_classes=3, pca_components=5, **changes):
    spec = EstimatorSpec(name, GRIDS[name], n_trees=10, n_components=pca_components)
    arguments = {"n_outputs": n_classes, "has_classes": True, "seed": 1} | changes
    return fit_estimator(Part(features, targets), groups, spec, **arguments)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_most_probable_class_is_what_the_classifier_decides(name, n_classes):
    fitted = fit(*examples(n_classes=n_classes), name, n_classes=n_classes)
    unseen, targets, _ = examples(n_classes=n_classes, seed=1)

    found = fitted.answers(unseen)

    assert (found.dtype, found.shape) == (np.float32, (len(unseen), n_classes))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), fitted.pipeline.predict(unseen))
    assert (found.argmax(axis=1) == targets).mean() > 1 / n_classes + 0.1


@pytest.mark.parametrize("name", NAMES)
def test_a_classifier_is_as_sure_as_it_is_right(name):
    unseen, truth, _ = examples(n_items=20, shift=1.2, seed=1)
    validation = Part(*examples(n_items=20, shift=1.2, seed=2)[:2])

    fitted = fit(*examples(n_items=6, shift=1.2), name, validation=validation)
    found = fitted.answers(unseen)

    right = (found.argmax(axis=1) == truth).mean()
    assert found.max(axis=1).mean() == pytest.approx(right, abs=0.1)
    assert fitted.searched_on == LEFT_OUT


def test_a_grid_may_be_searched_on_the_validation_items_where_training_items_are_known_by_heart():
    # A network gives its training items away: leaving some of them out, the search sees nothing wrong.
    features, targets, groups = examples(shift=0.5)
    features = np.concatenate([features, np.eye(3)[targets] * 50], axis=1)
    unseen, wanted, _ = examples(shift=0.5, seed=1)
    validation = Part(np.concatenate([unseen, np.zeros((len(unseen), 3))], axis=1), wanted)

    left_out, on_validation = (
        fit(features, targets, groups, validation=validation, search_on_validation=chosen) for chosen in (False, True)
    )

    assert max(each.score for each in left_out.grid) > 0.95
    assert max(each.score for each in on_validation.grid) < 0.6
    assert on_validation.searched_on == VALIDATION


@pytest.mark.parametrize("name", ["linear", "ridge", "svr", "forest", "boosting", "knn"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_numbers_are_answered_in_their_own_unit(name, n_outputs):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 4))
    targets = (1000 + 200 * features[:, :n_outputs] + rng.normal(size=(120, n_outputs))).astype(np.float32)
    scaling = targets[:90].mean(axis=0), targets[:90].std(axis=0)
    grid = {"alpha": (10.0, 0.1)} if name == "ridge" else GRIDS.get(name, {})

    spec = EstimatorSpec(name, grid, n_trees=30)
    training, items = Part(features[:90], targets[:90]), np.arange(90) % 5
    fitted = fit_estimator(training, items, spec, n_outputs=n_outputs, has_classes=False, scaling=scaling, seed=1)
    found = fitted.answers(features[90:])

    assert (found.dtype, found.shape) == (np.float32, (30, n_outputs))
    assert np.sqrt(((found - targets[90:]) ** 2).mean()) < 0.7 * targets.std()
    if fitted.grid:
        assert fitted.settings == min(fitted.grid, key=lambda each: each.score).settings


def test_items_are_never_on_both_sides_of_the_search():
    rng = np.random.default_rng(0)
    items = np.repeat(np.arange(6), 20)
    places = rng.normal(scale=20, size=(6, 4))
    features, targets = places[items] + rng.normal(size=(120, 4)), items % 2  # an item tells its class, and nothing else does

    by_item, by_example = (
        fit(features, targets, groups, n_classes=2, pca_components=0).grid for groups in (items, np.arange(120))
    )

    assert max(score.score for score in by_item) < 0.8
    assert max(score.score for score in by_example) == 1.0


def test_scaler_and_components_of_the_search_never_see_what_is_left_out(monkeypatch):
    seen = []

    class Noting(estimators.StandardScaler):
        def fit(self, X, y=None, sample_weight=None):  # noqa: N803 - scikit-learn's name
            seen.append(np.array(X))
            return super().fit(X, y)

    monkeypatch.setattr(estimators, "StandardScaler", Noting)
    features, targets, groups = examples()
    by_row = {row.tobytes(): item for row, item in zip(features, groups, strict=True)}

    fit(features, targets, groups)

    items = [{by_row[row.tobytes()] for row in fitted} for fitted in seen]
    assert [len(each) for each in items] == [3] * 4 + [4], "four splits to search, then everything"


def test_augmented_examples_train_and_are_not_scored():
    features, targets, groups = examples(shift=6.0)
    copies = np.concatenate([features, features]), np.concatenate([targets, (targets + 1) % 3]), np.tile(groups, 2)
    is_original = np.arange(2 * len(targets)) < len(targets)

    scored = fit(*copies, scored=is_original).grid
    everything = fit(*copies).grid

    assert max(score.score for score in everything) < 0.6
    assert [score.score for score in scored] != [score.score for score in everything]


def test_the_grid_names_the_chosen_settings_and_the_first_of_equals_is_taken():
    fitted = fit(*examples(shift=20.0), "logistic", pca_components=0)

    assert [score.score for score in fitted.grid][-3:] == [1.0] * 3
    assert fitted.settings == next(score.settings for score in fitted.grid if score.score == 1.0)
    assert fitted.settings["C"] == fitted.pipeline[-1].C


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_classifier_with_any_number_of_threads(name):
    unseen, _, _ = examples(seed=1)

    # Threads of boosting spin where cores are busy.
    first, second = (fit(*examples(), name, threads=threads).answers(unseen) for threads in (1, 1 if name == "boosting" else 2))

    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("wanted", "got"), [(0, None), (3, 3), (100, 8)])
def test_components_are_as_many_as_asked_and_as_the_data_have(wanted, got):
    fitted = fit(*examples(), pca_components=wanted)

    assert ("pca" in fitted.pipeline.named_steps) == (got is not None)
    if got:
        assert fitted.pipeline["pca"].n_components_ == got


def test_components_are_limited_by_the_smallest_part_of_the_search():
    features, targets, groups = examples(n_items=2, n_features=60)

    assert fit(features, targets, groups, pca_components=100).pipeline["pca"].n_components_ == 18


@pytest.mark.parametrize("name", NAMES)
def test_a_class_without_training_examples_is_never_predicted(name):
    features, targets, groups = examples(n_classes=2)

    found = fit(features, 2 * targets, groups, name, n_classes=4).answers(features)

    assert found.shape[1] == 4
    assert (found[:, [1, 3]] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_balanced_weights_find_a_rare_class():
    rng = np.random.default_rng(0)
    targets = (np.arange(300) % 10 == 0).astype(np.int64)
    features = rng.normal(size=(300, 2)) + targets[:, None]
    groups = np.arange(300) % 4

    plain, balanced = (
        fit(
            features,
            targets,
            groups,
            "logistic",
            n_classes=2,
            pca_components=0,
            class_weight="balanced" if is_balanced else None,
        )
        .answers(features)
        .argmax(axis=1)
        for is_balanced in (False, True)
    )

    assert balanced[targets == 1].mean() > plain[targets == 1].mean() + 0.2


def test_what_cannot_be_searched_is_an_error():
    features, targets, groups = examples()

    with pytest.raises(JobError, match="needs at least two"):
        fit(features, targets, np.zeros(len(targets)))
    with pytest.raises(JobError, match="all training examples have one class"):
        fit(features, np.zeros(len(targets), int), groups)
    with pytest.raises(JobError, match="the others have only one class"):
        fit(features, np.repeat([0, 1], len(targets) // 2), np.repeat([0, 1], len(targets) // 2))
    features[3] = np.nan
    with pytest.raises(JobError, match="1 of 72 examples has NaN features"):
        fit(features, targets, groups)
