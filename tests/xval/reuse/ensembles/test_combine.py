"""Combine the answers of several models: weights and regressions that can be worked out by hand."""

import numpy as np
import pytest

from xval.base.errors import ResultsError
from xval.reuse.ensembles.combine import choose_members, cross_predict, mean_of, stack_members

RNG = np.random.default_rng(0)
TARGETS = np.arange(60) % 3


def sure_of(classes, confidence=0.8):
    answers = np.full((len(classes), 3), (1 - confidence) / 2, np.float32)
    answers[np.arange(len(classes)), classes] = confidence
    return answers


GOOD = sure_of(np.where(np.arange(60) % 10 == 0, (TARGETS + 1) % 3, TARGETS))
ROTATED = sure_of((TARGETS + 1) % 3)  # always wrong, and always in the same way
NOISE = sure_of(RNG.integers(3, size=60))


def score(targets, answers):
    loss = -np.log(answers[np.arange(len(targets)), targets]).mean()
    return float((answers.argmax(axis=1) == targets).mean()), -loss


def test_the_mean_weighs_all_members_alike():
    found = mean_of(2, "softmax").combine(np.stack([GOOD, NOISE]))

    np.testing.assert_allclose(found, (GOOD + NOISE) / 2, atol=1e-7)
    assert found.dtype == np.float32


def test_forward_selection_takes_what_helps_and_leaves_out_what_does_not():
    other = sure_of(np.where(np.arange(60) % 10 == 5, (TARGETS + 1) % 3, TARGETS), 0.7)

    chosen = choose_members(np.stack([NOISE, GOOD, ROTATED, other]), TARGETS, score, "softmax")

    assert chosen.weights[[0, 2]].tolist() == [0, 0]
    assert chosen.weights.sum() == pytest.approx(1)
    assert score(TARGETS, chosen.combine(np.stack([NOISE, GOOD, ROTATED, other]))) >= score(TARGETS, GOOD)


def test_the_loss_decides_between_members_that_only_rounding_tells_apart():
    rounded = {True: 0.1 + 0.2, False: 0.3}  # the larger one has the larger loss

    def equal_but_for_rounding(targets, answers):
        return rounded[bool(np.allclose(answers, NOISE))], score(targets, answers)[1]

    chosen = choose_members(np.stack([NOISE, GOOD]), TARGETS, equal_but_for_rounding, "softmax")

    assert chosen.weights[1] > chosen.weights[0]


def test_stacking_learns_what_the_wrong_answers_of_a_member_mean():
    answers = np.stack([NOISE, ROTATED])

    assert score(TARGETS, stack_members(answers, TARGETS, "softmax").combine(answers))[0] == 1
    assert score(TARGETS, mean_of(2, "softmax").combine(answers))[0] < 0.5


@pytest.mark.parametrize("classes", [(0, 2), (1,)])
def test_a_class_that_was_not_there_to_be_fitted_is_never_answered(classes):
    kept = np.isin(TARGETS, classes)
    answers = np.stack([GOOD, NOISE])

    found = stack_members(answers[:, kept], TARGETS[kept], "softmax").combine(answers)

    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert found[:, [each for each in range(3) if each not in classes]].max() < 1e-4


def test_numbers_are_stacked_without_negative_weights_and_labels_each_by_itself():
    targets = RNG.normal(size=(80, 2)).astype(np.float32)
    answers = np.stack([2 * targets + 1, -targets]).astype(np.float32)

    stack = stack_members(answers, targets, "linear")

    np.testing.assert_allclose(stack.combine(answers), targets, atol=1e-4)
    assert (stack.coefficients >= 0).all()
    labels = (targets > 0).astype(np.float32)
    labels[:, 1] = 0
    of_labels = stack_members(np.clip(np.stack([labels * 0.6 + 0.1, RNG.random((80, 2))]), 0, 1), labels, "sigmoid")
    found = of_labels.combine(np.stack([labels * 0.6 + 0.1, RNG.random((80, 2))]).astype(np.float32))
    assert ((found[:, 0] > 0.5) == labels[:, 0]).all()
    assert found[:, 1].max() < 1e-4


def test_validation_answers_of_a_fit_are_of_items_that_took_no_part_in_it():
    """A fit that remembers the targets of the items it has seen knows nothing of the others."""
    items, seen = np.repeat(["a", "b", "c"], 20), []

    def fit(answers, targets):
        seen.append(len(targets))
        return mean_of(len(answers), "softmax")

    found = cross_predict(fit, np.stack([GOOD, NOISE]), TARGETS, items, np.arange(60), "fold 1")

    assert seen == [40, 40, 40]
    np.testing.assert_allclose(found, (GOOD + NOISE) / 2, atol=1e-7)
    seen.clear()
    cross_predict(fit, np.stack([GOOD, NOISE]), TARGETS, np.zeros(60), np.arange(60) // 4, "fold 1")
    assert len(seen) == 10
    with pytest.raises(ResultsError, match="fold 1: has one validation clip"):
        cross_predict(fit, np.stack([GOOD, NOISE]), TARGETS, np.zeros(60), np.zeros(60), "fold 1")
