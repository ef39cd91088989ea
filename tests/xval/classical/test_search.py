import numpy as np
import pytest

from xval.combination import classifier
from xval.combination.classifier import fit_classifier
from xval.errors import JobError

NAMES = ("svm", "random_forest", "logistic_regression")


def examples(n_items=4, n_classes=3, shift=1.0, seed=0, n_features=8):
    """Return features whose classes overlap, targets and items."""
    rng = np.random.default_rng(seed)
    targets = np.tile(np.arange(n_classes), 6 * n_items)
    features = rng.normal(size=(len(targets), n_features))
    features[np.arange(len(targets)), targets] += shift
    return features, targets, np.repeat([f"s{item}" for item in range(n_items)], 6 * n_classes)


def fit(features, targets, groups, name="svm", **changes):
    arguments = {"n_classes": 3, "pca_components": 5, "seed": 1} | changes
    return fit_classifier(features, targets, groups, name=name, **arguments)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_most_probable_class_is_what_the_classifier_decides(name, n_classes):
    fitted = fit(*examples(n_classes=n_classes), name, n_classes=n_classes)
    unseen, targets, _ = examples(n_classes=n_classes, seed=1)

    found = fitted.probabilities(unseen)

    assert (found.dtype, found.shape) == (np.float32, (len(unseen), n_classes))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), fitted.pipeline.predict(unseen))
    assert (found.argmax(axis=1) == targets).mean() > 1 / n_classes + 0.1


def test_an_svm_is_as_sure_as_it_is_right():
    features, targets, groups = examples(n_items=6, shift=1.2)
    unseen, truth, _ = examples(n_items=20, shift=1.2, seed=1)

    found = fit(features, targets, groups).probabilities(unseen)

    right = (found.argmax(axis=1) == truth).mean()
    assert found.max(axis=1).mean() == pytest.approx(right, abs=0.1)


def test_items_are_never_on_both_sides_of_the_search():
    rng = np.random.default_rng(0)
    items = np.repeat(np.arange(6), 20)
    places = rng.normal(scale=20, size=(6, 4))
    features, targets = places[items] + rng.normal(size=(120, 4)), items % 2  # an item tells its class, and nothing else does

    by_item, by_example = (
        fit(features, targets, groups, n_classes=2, pca_components=0).grid for groups in (items, np.arange(120))
    )

    assert max(score.macro_f1 for score in by_item) < 0.8
    assert max(score.macro_f1 for score in by_example) == 1.0


def test_scaler_and_components_of_the_search_never_see_what_is_left_out(monkeypatch):
    seen = []

    class Noting(classifier.StandardScaler):
        def fit(self, X, y=None, sample_weight=None):  # noqa: N803 - scikit-learn's name
            seen.append(np.array(X))
            return super().fit(X, y)

    monkeypatch.setattr(classifier, "StandardScaler", Noting)
    features, targets, groups = examples()
    by_row = {row.tobytes(): item for row, item in zip(features, groups, strict=True)}

    fit(features, targets, groups)

    items = [{by_row[row.tobytes()] for row in fitted} for fitted in seen]
    assert [len(each) for each in items] == [3] * 8 + [4], "four splits to search, four for the temperature, then everything"


def test_augmented_examples_train_and_are_not_scored():
    features, targets, groups = examples(shift=6.0)
    copies = np.concatenate([features, features]), np.concatenate([targets, (targets + 1) % 3]), np.tile(groups, 2)
    is_original = np.arange(2 * len(targets)) < len(targets)

    scored = fit(*copies, scored=is_original).grid
    everything = fit(*copies).grid

    assert max(score.macro_f1 for score in everything) < 0.6
    assert [score.macro_f1 for score in scored] != [score.macro_f1 for score in everything]


def test_the_grid_names_the_chosen_settings_and_the_first_of_equals_is_taken():
    fitted = fit(*examples(shift=20.0), "logistic_regression", pca_components=0)

    assert [score.macro_f1 for score in fitted.grid][-3:] == [1.0] * 3
    assert fitted.settings == next(score.settings for score in fitted.grid if score.macro_f1 == 1.0)
    assert fitted.settings["C"] == fitted.pipeline[-1].C


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_classifier_with_any_number_of_threads(name):
    unseen, _, _ = examples(seed=1)

    first, second = (fit(*examples(), name, threads=threads).probabilities(unseen) for threads in (1, 2))

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

    found = fit(features, 2 * targets, groups, name, n_classes=4).probabilities(features)

    assert found.shape[1] == 4
    assert (found[:, [1, 3]] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_balanced_weights_find_a_rare_class():
    rng = np.random.default_rng(0)
    targets = (np.arange(300) % 10 == 0).astype(np.int64)
    features = rng.normal(size=(300, 2)) + targets[:, None]
    groups = np.arange(300) % 4

    plain, balanced = (
        fit(features, targets, groups, "logistic_regression", n_classes=2, pca_components=0, balanced=is_balanced)
        .probabilities(features)
        .argmax(axis=1)
        for is_balanced in (False, True)
    )

    assert balanced[targets == 1].mean() > plain[targets == 1].mean() + 0.2


def test_what_cannot_be_searched_is_an_error():
    features, targets, groups = examples()

    with pytest.raises(JobError, match="there are 1 of them, two are wanted"):
        fit(features, targets, np.zeros(len(targets)))
    with pytest.raises(JobError, match="one class alone"):
        fit(features, np.repeat([0, 1], len(targets) // 2), np.repeat([0, 1], len(targets) // 2))
    features[3] = np.nan
    with pytest.raises(JobError, match="1 of 72 examples have NaN features"):
        fit(features, targets, groups)
