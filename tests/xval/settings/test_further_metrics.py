"""Metrics beside those of a task: Keras's own, and those of the user."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest

from xval.base.errors import SettingsError
from xval.measures import metrics
from xval.measures.metrics import Metric
from xval.measures.task import all_tasks
from xval.settings.further_metrics import check_direction, directions, load, split_names

ALL = [(task.name, name) for task in all_tasks().values() for name in task.keras_metrics]


@pytest.mark.parametrize(("task_type", "name"), ALL)
def test_every_named_metric_of_keras_gives_one_number_and_rises_or_falls_as_stated(task_type, name):
    rng = np.random.default_rng(5)
    found = load(task_type, name)[name]
    if task_type == "classification":
        targets = np.arange(40) % 8
        good = np.eye(8, dtype=np.float32)[targets] * 0.9 + 0.0125
        poor = rng.dirichlet(np.ones(8), 40).astype(np.float32)
    else:
        targets = rng.uniform(1, 2, (40, 1)).astype(np.float32)
        good, poor = targets + np.float32(0.01), rng.uniform(0.2, 0.5, (40, 1)).astype(np.float32) * np.float32(-1)
        poor = np.abs(poor) if name in ("poisson", "mean_squared_logarithmic_error") else poor

    values = [found.function(targets, predictions) for predictions in (good, poor, good)]

    assert all(isinstance(value, float) for value in values)
    assert values[0] == pytest.approx(values[2]), "it remembers what it was asked before"
    assert (values[0] > values[1]) == found.higher_is_better


DEFINED = {"classification": {"accuracy", "auc", "categorical_crossentropy"}, "regression": {"rmse", "mean_absolute_error"}}


@pytest.mark.parametrize(
    "task", [task for task in all_tasks().values() if task.takes_further_metrics], ids=lambda task: task.name
)
def test_a_metric_by_which_a_constant_answer_beats_a_perfect_one_is_refused_and_no_known_one_is(task):
    """Metrics that are alike for both, or undefined, are not refused, whatever their direction is."""
    known = {name: metrics.find(task.name, name) for name in metrics.metric_names(task.name)}
    known |= {name: load(task.name, name)[name] for name in task.keras_metrics}
    refused = set()
    for name, found in known.items():
        for n_outputs in (1, 2, 5):
            check_direction(task, name, found, n_outputs)
            try:
                check_direction(task, name, found._replace(higher_is_better=not found.higher_is_better), n_outputs)
            except SettingsError:
                refused.add(name)

    assert refused >= DEFINED.get(task.name, set())
    assert len(refused) > len(known) / 2


@pytest.mark.parametrize(
    ("metric", "is_refused"),
    [
        (Metric(lambda _, predictions: float(np.log(predictions).mean()), higher_is_better=False), False),  # -inf and finite
        (Metric(lambda targets, predictions: float(-np.mean(predictions[targets == 0] * np.log(predictions[targets == 0]))),
                higher_is_better=True), True),  # NaN for certain answers
        (Metric(lambda targets, _: 1 / (len(targets) - 4), higher_is_better=True), False),
        (Metric(lambda *_: float("nan"), higher_is_better=True), False),
        (Metric(lambda *_: 0.25, higher_is_better=False), False),
    ],
)  # fmt: skip
def test_what_is_undefined_or_alike_has_no_wrong_direction(metric, is_refused):
    task = all_tasks()["classification"]
    with pytest.raises(SettingsError, match=r"higher_is_better=False\) above") if is_refused else nullcontext():
        check_direction(task, "own", metric, 2)


def test_the_values_are_those_of_keras():
    targets, predictions = np.array([0, 2, 1]), np.float32([[0.5, 0.2, 0.3], [0.1, 0.3, 0.6], [0.4, 0.5, 0.1]])
    function = load("classification", "kl_divergence")["kl_divergence"].function
    one_hot = np.eye(3, dtype=np.float32)[targets]

    expected = float(keras.ops.mean(keras.losses.kl_divergence(one_hot, predictions)))
    assert function(targets, predictions) == pytest.approx(expected)


@pytest.mark.parametrize("written", ["auto", " auto ", ""])
def test_auto_adds_nothing(written):
    assert split_names(written) == ()
    assert directions("classification", written) == {}


def test_names_and_paths_stand_side_by_side_with_their_directions(own_package):
    text = "MeanSquaredError, own_package.parts.worst,own_package.parts.by_attribute"

    assert directions("classification", text) == {"mean_squared_error": False, "worst": False, "by_attribute": True}
    assert {name: found.higher_is_better for name, found in load("classification", text).items()} == directions(
        "classification", text
    )


@pytest.mark.parametrize(
    ("task_type", "text", "message"),
    [
        (
            "classification",
            "kl_divergenc",
            r"unknown metric 'kl_divergenc' for classification\..*Did you mean 'kl_divergence'\?",
        ),
        ("regression", "top_k_categorical_accuracy", r"unknown metric .* for regression"),
        ("classification", "own_package.parts.accuracy", r"'accuracy' is already computed. Rename it"),
        ("classification", "mse, MeanSquaredError", r"'mean_squared_error' is already computed. Remove it"),
        ("classification", "own_package.parts.without_direction", r"does not define whether higher is better; write @metric"),
        ("classification", "own_package.parts.three", r"expected metric\(targets, predictions\)"),
        ("classification", "own_package.parts.wost", r"parts.py has no 'wost'.*Did you mean 'worst'\?"),
    ],
)
def test_metrics_that_are_none_are_refused(own_package, task_type, text, message):
    with pytest.raises(SettingsError, match=message):
        directions(task_type, text)
