import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from xval.training.classical.calibration import fit_temperature, probabilities_of


@pytest.fixture
def classifier():
    """Return a classifier of two classes that overlap, and that is far too sure: its weights are ten times too large."""
    rng = np.random.default_rng(0)
    targets = np.arange(400) % 2
    pipeline = Pipeline([("last", LogisticRegression())]).fit(rng.normal(size=(400, 1)) + targets[:, None], targets)
    pipeline[-1].coef_ *= 10
    pipeline[-1].intercept_ *= 10
    return pipeline


def held_out(n_examples, seed=1):
    targets = np.arange(n_examples) % 2
    return np.random.default_rng(seed).normal(size=(n_examples, 1)) + targets[:, None], targets


def test_a_temperature_takes_back_what_is_too_sure(classifier):
    features, targets = held_out(300)
    unseen, truth = held_out(2000, seed=2)

    before, after = (
        probabilities_of(classifier, unseen, temperature)
        for temperature in (None, fit_temperature(classifier, features, targets))
    )

    losses = [-np.log(np.clip(found[np.arange(2000), truth], 1e-7, 1)).mean() for found in (before, after)]
    assert losses[1] < 0.62 < 1.0 < losses[0]
    np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))


def test_few_examples_that_are_all_right_do_not_make_it_certain(classifier):
    features, targets = np.array([[-2.0], [3.0], [-3.0], [4.0]]), np.array([0, 1, 0, 1])

    found = probabilities_of(classifier, features, fit_temperature(classifier, features, targets))

    # Platt's target of the right class is (4 + 1) / (4 + 2).
    assert found.max(axis=1).mean() == pytest.approx(5 / 6, abs=0.05)


def test_without_a_known_class_there_is_nothing_to_calibrate(classifier):
    assert fit_temperature(classifier, np.zeros((2, 1)), np.array([5, 6])) is None
    np.testing.assert_array_equal(
        probabilities_of(classifier, np.ones((1, 1)), None), classifier.predict_proba(np.ones((1, 1)))
    )
