"""Attributions with exact expected values, on each backend; permutation importance of a simple classifier."""

import numpy as np
import pytest

from xval.base.errors import SettingsError
from xval.extras.explanations.attribution import integrate_gradients, occlude
from xval.extras.explanations.estimator import feature_groups
from xval.extras.explanations.importance import permutation_importance

GRADIENTS = """
import keras
import numpy as np
from xval.extras.explanations.attribution import integrate_gradients
from xval.extras.explanations.gradients import input_gradients

keras.utils.set_random_seed(1)
inputs = keras.Input((4, 3))
hidden = keras.layers.BatchNormalization()(keras.layers.Dense(8, activation="tanh")(inputs))
outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Dropout(0.5)(keras.layers.Flatten()(hidden)))
model = keras.Model(inputs, outputs)
example = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
_, found = input_gradients(model, example[np.newaxis], 1)
for place in ((0, 0), (3, 2)):
    step = np.zeros_like(example)
    step[place] = 1e-2
    above, below = (input_gradients(model, (example + sign * step)[np.newaxis], 1)[0][0] for sign in (1, -1))
    assert abs(found[0][place] - (above - below) / 2e-2) < 1e-3, (found[0][place], above, below)
whole = integrate_gradients(lambda batch: input_gradients(model, batch, 1), example, np.zeros_like(example), 64)
assert whole.incompleteness < 1e-3, whole.incompleteness
assert abs(whole.prediction - whole.baseline_prediction) > 1e-2
print(keras.backend.backend())
"""


@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_gradients_are_those_of_small_steps_and_their_integral_is_complete(run_on, tmp_path, backend):
    script = tmp_path / "gradients.py"
    script.write_text(GRADIENTS)

    assert backend in run_on(backend, str(script), path=[str(__import__("xval").__path__[0] + "/..")])


def squares(batch):
    """Return the prediction x0^2 + 3 x1 of each example, and its gradients."""
    return batch[:, 0] ** 2 + 3 * batch[:, 1], np.stack([2 * batch[:, 0], np.full(len(batch), 3.0)], axis=1)


def test_integrated_gradients_of_a_polynomial_are_its_terms():
    found = integrate_gradients(squares, np.array([2, 1], np.float32), np.zeros(2, np.float32), 50)

    np.testing.assert_allclose(found.values, [4, 3], rtol=1e-5)
    assert (found.prediction, found.baseline_prediction) == (7, 0)


def test_occlusion_finds_the_only_patch_that_contributes():
    example = np.ones((32, 16), np.float32)

    found = occlude(lambda batch: batch[:, 8:12, 4:6].mean(axis=(1, 2)), example, np.zeros_like(example))

    assert found.values[8:12, 4:6].min() > 0
    assert found.values[16:].max() == found.values[:, 8:].max() == 0
    along = occlude(lambda batch: batch[:, 40:60].mean(axis=1), np.ones(101, np.float32), np.zeros(101, np.float32))
    assert along.values.argmax() in range(40, 60)


def test_importance_is_the_decrease_of_the_score_without_a_group():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 4)).astype(np.float32)
    features[:, 1] = features[:, 0]  # a copy of the first
    targets = (features[:, 0] > 0).astype(np.int64)

    def predict(values):
        return np.stack([-values[:, 0] - values[:, 1], values[:, 0] + values[:, 1]], axis=1)

    def accuracy(targets, predictions):
        return float((predictions.argmax(axis=1) == targets).mean())

    groups = {"useless": [2, 3], "both": [0, 1]}
    table = permutation_importance(predict, features, targets, groups, accuracy, seed=1)

    assert table["group"].tolist() == ["both", "useless"]
    assert table["importance"][0] == pytest.approx(0.5, abs=0.05)
    assert table["importance"][1] == 0
    with pytest.raises(SettingsError, match="1 example"):
        permutation_importance(predict, features[:1], targets[:1], groups, accuracy, seed=1)


def test_the_families_of_basic_features_have_all_columns_once():
    groups = feature_groups({"network 1": 5}, basic=True)

    assert groups["network 1"] == [0, 1, 2, 3, 4]
    assert len(groups["mfcc"]) == 13 * 4
    assert len(groups["zcr"]) == 4
    assert sorted(column for columns in groups.values() for column in columns) == list(range(5 + 136))


def test_padding_after_the_end_of_a_clip_contributes_nothing():
    example = np.array([[1, 2], [3, 4], [np.nan, np.nan]], np.float32)
    baseline = np.where(np.isnan(example), example, np.float32(1))

    def gradients(batch):
        return np.nansum(batch, axis=(1, 2)), np.where(np.isnan(batch), np.nan, 1)

    attribution = integrate_gradients(gradients, example, baseline, 4)
    np.testing.assert_allclose(attribution.values, [[0, 1], [2, 3], [0, 0]])
    assert attribution.incompleteness < 1e-6
