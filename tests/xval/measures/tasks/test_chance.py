"""Chance levels: no answer that does not listen beats them, and one reaches them."""

from itertools import permutations, product

import numpy as np
import pytest

from xval.measures import metrics

RNG = np.random.default_rng(0)
UNIFORM = np.full(900, 1 / 900)


def one_hot(number, n_classes):
    return np.tile(np.eye(n_classes, dtype=np.float32)[number], (900, 1))


CLASSES = RNG.choice(8, size=900, p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05])
SHARES = np.bincount(CLASSES) / len(CLASSES)
FRAMES = RNG.choice(4, size=900, p=[0.5, 0.3, 0.15, 0.05])
LABELS = (RNG.random((900, 3)) < [0.45, 0.3, 0.1]).astype(np.float32)
NUMBERS = RNG.gamma(2, size=(900, 2)).astype(np.float32)
ERRORS = RNG.gamma(2, size=900).astype(np.float32)
# Targets, and answers that are the same for every example.
CASES = {
    "classes": (
        "classification", CLASSES,
        [(one_hot(number, 8) + SHARES / 9) / (1 + 1 / 9) for number in range(8)] + [np.tile(SHARES, (900, 1))],
    ),
    "frames": ("frame_classification", FRAMES, [one_hot(number, 4) for number in range(4)]),
    "labels": ("frame_classification", LABELS, [np.tile(np.float32(on), (900, 1)) for on in product((0, 1), repeat=3)]),
    "several": (
        "multilabel_classification", LABELS, [np.tile(np.float32(on), (900, 1)) for on in product((0, 0.4, 1), repeat=3)],
    ),
    "numbers": ("regression", NUMBERS, [np.tile(np.float32([level, level]), (900, 1)) for level in np.linspace(0, 5, 40)]
                + [np.tile(of(NUMBERS, axis=0), (900, 1)) for of in (np.mean, np.median)]),
    "errors": ("representation", ERRORS, [ERRORS]),
}  # fmt: skip
REACHED_BY_GUESSING = {
    "classes": {"macro_f1", "precision"},
    "frames": {"macro_f1", "macro_recall"},
    "labels": set(),
    "several": {"mean_average_precision"},
}
UNDEFINED_OF_CONSTANTS = {"numbers": {"pearson"}}


@pytest.mark.parametrize("case", CASES)
def test_no_constant_answer_beats_chance_and_the_best_reaches_it(case):
    task, targets, answers = CASES[case]
    reached = [metrics.compute(task, targets, np.float32(answer)) for answer in answers]
    for name in reached[0]:
        found = metrics.find(task, name)
        value, strategy, _ = found.chance(targets, UNIFORM)
        sign = 1 if found.higher_is_better else -1
        best = max((sign * each[name] for each in reached if not np.isnan(each[name])), default=np.nan)
        assert strategy
        if name in REACHED_BY_GUESSING.get(case, ()):
            assert best <= sign * value + 1e-6
        elif name not in UNDEFINED_OF_CONSTANTS.get(case, ()):
            assert best == pytest.approx(sign * value, abs=1e-5), name
        assert found.bounds[0] <= value <= found.bounds[1]


@pytest.mark.parametrize(("case", "shares"), [("classes", None), ("frames", [0, 0.3, 0.15, 0.05])])
def test_guessing_reaches_the_chance_of_macro_figures(case, shares):
    """Guesses in proportion to the shares of the classes, of frames without the background."""
    task, targets, _ = CASES[case]
    shares = np.bincount(targets) if shares is None else np.array(shares)
    many = np.tile(targets, 100)
    guesses = np.eye(len(shares), dtype=np.float32)[RNG.choice(len(shares), size=len(many), p=shares / shares.sum())]
    for name in REACHED_BY_GUESSING[case]:
        found = metrics.find(task, name)
        assert found.function(many, guesses) == pytest.approx(found.chance(targets, UNIFORM).value, abs=0.01), name


@pytest.mark.parametrize("n_true", [1, 2, 4, 6])
def test_the_chance_of_average_precision_is_its_mean_over_all_orders(n_true):
    mean_average_precision = metrics.find("multilabel_classification", "mean_average_precision")
    targets = np.float32(np.arange(6) < n_true)[:, np.newaxis]
    orders = [np.float32(order)[:, np.newaxis] for order in permutations(range(6))]

    found = mean_average_precision.chance(targets, np.full(6, 1 / 6)).value

    assert found == pytest.approx(np.mean([mean_average_precision.function(targets, order) for order in orders]))
    assert found > n_true / 6 or n_true == 6


def test_weights_count_examples_as_often_as_they_say():
    weights = np.concatenate([np.full(300, 2 / 900), np.full(600, 0.5 / 900)])
    as_often = np.repeat([4, 1], [300, 600])
    for task, targets, _ in CASES.values():
        whole = np.repeat(targets, as_often, axis=0)
        for name in metrics.metric_names(task):
            chance = metrics.find(task, name).chance
            if task == "multilabel_classification" and name == "mean_average_precision":
                continue  # of a random order of so many examples
            repeated = chance(whole, np.full(len(whole), 1 / len(whole)))
            assert chance(targets, weights).value == pytest.approx(repeated.value, abs=1e-6), name


def test_a_recording_without_events_has_no_chance_of_events():
    for name in ("f1", "precision", "recall", "macro_f1", "macro_recall", "mean_average_precision"):
        assert np.isnan(metrics.find("frame_classification", name).chance(np.zeros(900, np.int64), UNIFORM).value)
