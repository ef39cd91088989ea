"""Metrics of clips that have any number of labels: how well the probability of each label fits whether the clip has it.

Comes in: targets, float32 (n_examples, n_classes), 0 or 1; predictions, float32 (n_examples, n_classes), the probability of
each label, whatever the others are. Goes out: one float per metric, the figures of each label. A label is predicted from 0.5
on; figures at other thresholds are those of decisions, 0 or 1, in the place of probabilities.

They are those of scikit-learn (definitions: Tsoumakas, Katakis & Vlahavas, Mining multi-label data, 2010), but labels that no
target has are left out of means over labels, and what is not defined is NaN. Chance of average precision: Bestgen, Exact
expected average precision of the random baseline for system evaluation, Prague Bulletin of Mathematical Linguistics 103, 2015.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.measures.metrics import Chance, find, metric
from xval.measures.tasks._arrays import area_under_roc, check_zeros_and_ones, divide, mean_of_defined

Targets = NDArray[np.float32]
Predictions = NDArray[np.float32]

_THRESHOLD = 0.5
_INDEPENDENT = "any answer that does not depend on the audio"
_MORE_FREQUENT = "each label always or never, whichever is more frequent"
_TUNED = ("macro_f1", "micro_f1", "hamming_loss")
TUNED_METRICS = {f"tuned_{name}": name != "hamming_loss" for name in _TUNED}
"""The metrics of decisions at thresholds that validation items choose, and whether more of each is better."""


class LabelMetrics(TypedDict):
    """The figures of one label on clips; NaN where there is nothing to divide by."""

    n_clips: int
    threshold: float
    average_precision: float
    precision: float
    recall: float
    f1: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


def _shares(targets: Targets, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the examples that have each label: float64 (n_classes,)."""
    return np.asarray(weights @ targets.astype(np.float64))


def random_average_precision(n_true: NDArray[Any], n_examples: int) -> NDArray[np.float64]:
    """Return the average precision of a random order of examples, the mean over all orders (Bestgen 2015).

    It is the share of the examples that have the label, and more where these are few: one of them may come first.

    Args:
        n_true: How many of the examples have the label, at least one; an array of labels or a number.
        n_examples: How many there are.
    """
    harmonic = np.sum(1 / np.arange(1, n_examples + 1))
    return np.asarray((harmonic + (n_true - 1) / max(1, n_examples - 1) * (n_examples - harmonic)) / n_examples)


def _random_order(targets: Targets, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - every chance level takes both
    n_true = np.sum(targets > _THRESHOLD, axis=0)
    return Chance(mean_of_defined(random_average_precision(n_true[n_true > 0], len(targets))), "a random order, on average")


def _half(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    shares = _shares(targets, weights)
    is_told = (shares > 0) & (targets == 0).any(axis=0)
    return Chance(0.5 if is_told.any() else float("nan"), _INDEPENDENT)


def _best_ranking(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return what the order of the labels by their frequency reaches, the same for every example."""
    shares = _shares(targets, weights)
    order = np.argsort(-shares, kind="stable")
    ranks = np.empty(len(shares), np.float32)
    ranks[order] = np.arange(len(shares), 0, -1)
    return Chance(float(weights @ _ranking_precision(targets, np.tile(ranks, (len(targets), 1)))), "always the same order")


def _best_macro_f1(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the mean F1 of labels that are always on: 2 p / (1 + p) of the share p of each."""
    shares = _shares(targets, weights)
    occur = shares[shares > 0]
    return Chance(mean_of_defined(2 * occur / (1 + occur)), "always all labels that occur", shares > 0)


def _best_micro_f1(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the F1 of the best labels to be answered always: some of the most frequent ones."""
    of_labels = _shares(targets, weights)
    order = np.argsort(-of_labels, kind="stable")
    shares = of_labels[order]
    if not shares.sum():
        return Chance(float("nan"), "no label occurs")
    reached = 2 * np.cumsum(shares) / (shares.sum() + np.arange(1, len(shares) + 1))
    best = int(reached.argmax())
    strategy = f"always the {best + 1} most frequent labels" if best else "always the most frequent label"
    return Chance(float(reached[best]), strategy, np.isin(np.arange(len(shares)), order[: best + 1]))


def _best_accuracy(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    shares = _shares(targets, weights)
    return Chance(float(np.mean(np.maximum(shares, 1 - shares))), _MORE_FREQUENT)


def _best_hamming(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    return Chance(1 - _best_accuracy(targets, weights).value, _MORE_FREQUENT)


@metric(higher_is_better=True, bounds=(0, 1), chance=_random_order, aliases=("map",))
def mean_average_precision(targets: Targets, predictions: Predictions) -> float:
    """Return the mean average precision (mAP): the area under precision over recall of each label, averaged over labels.

    The area is the sum of precisions weighted by the steps of recall, as in scikit-learn. Labels that no target has are left
    out; NaN when no label is left.
    """
    return mean_of_defined(_average_precisions(targets, predictions))


@metric(higher_is_better=True, bounds=(0, 1), chance=_half, aliases=("roc_auc", "macro_auc"))
def auc(targets: Targets, predictions: Predictions) -> float:
    """Return the area under the ROC curve of each label, averaged over labels (macro).

    It is the share of pairs of an example with the label and one without it that the probabilities put in the right order, ties
    counted half. Labels that all or none of the targets have are left out; NaN when no label is left.
    """
    areas = [area_under_roc(predictions[:, number], targets[:, number] > _THRESHOLD) for number in range(targets.shape[1])]
    return mean_of_defined(np.array(areas))


@metric(higher_is_better=True, bounds=(0, 1), is_mean=True, chance=_best_ranking, aliases=("label_ranking_average_precision",))
def lrap(targets: Targets, predictions: Predictions) -> float:
    """Return the label ranking average precision (LRAP): how far up an example's labels stand among all, by their probability.

    For each label of an example it is the share of right ones among those that are as probable or more, averaged over its
    labels, then over examples. As in scikit-learn, an example that has none of the labels, or all, counts as 1.
    """
    return float(np.mean(_ranking_precision(targets, predictions)))


@metric(higher_is_better=True, bounds=(0, 1), chance=_best_macro_f1, aliases=("f1_macro",))
def macro_f1(targets: Targets, predictions: Predictions) -> float:
    """Return the mean F1 score of the labels that some target has, each predicted from 0.5 on."""
    counts = _count(targets, predictions)
    return mean_of_defined(counts.f1[counts.n_true > 0])


@metric(higher_is_better=True, bounds=(0, 1), chance=_best_micro_f1, aliases=("f1_micro",))
def micro_f1(targets: Targets, predictions: Predictions) -> float:
    """Return the F1 score of all labels together, each predicted from 0.5 on; NaN where none is true or predicted."""
    counts = _count(targets, predictions)
    return float(divide(2 * counts.n_right.sum(), counts.n_true.sum() + counts.n_predicted.sum()))


@metric(higher_is_better=False, bounds=(0, 1), is_mean=True, chance=_best_hamming)
def hamming_loss(targets: Targets, predictions: Predictions) -> float:
    """Return the share of wrong decisions over all labels of all examples (Hamming loss), each label predicted from 0.5 on."""
    return float(np.mean((targets > _THRESHOLD) != (predictions >= _THRESHOLD)))


@metric(higher_is_better=True, bounds=(0, 1), is_mean=True, chance=_best_accuracy)
def accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the share of right decisions over all labels of all examples, which training follows: 1 less the Hamming loss.

    Where most labels are rare it is high for a model that finds none of them.
    """
    return 1 - hamming_loss(targets, predictions)


def label_metrics(
    targets: Targets, predictions: Predictions, class_names: Sequence[str], thresholds: NDArray[np.float64]
) -> dict[str, LabelMetrics]:
    """Return the figures of each label, and its counts at its threshold.

    Args:
        targets: float32 (n_clips, n_classes), 0 or 1.
        predictions: float32 (n_clips, n_classes), probabilities.
        class_names: The name of each label.
        thresholds: float64 (n_classes,), from which probability on a label is predicted.

    Returns:
        The figures by label. Average precision and recall are NaN for a label that no clip has, precision for one that is never
        predicted, F1 for one that is neither.
    """
    counts = _count(targets, decide(predictions, thresholds))
    areas = _average_precisions(targets, predictions)
    return {
        name: LabelMetrics(
            n_clips=int(counts.n_true[number]),
            threshold=float(thresholds[number]),
            average_precision=float(areas[number]),
            precision=float(divide(counts.n_right[number], counts.n_predicted[number])),
            recall=float(divide(counts.n_right[number], counts.n_true[number])),
            f1=float(counts.f1[number]),
            true_positives=int(counts.n_right[number]),
            false_positives=int(counts.n_predicted[number] - counts.n_right[number]),
            false_negatives=int(counts.n_true[number] - counts.n_right[number]),
            true_negatives=int(len(targets) - counts.n_true[number] - counts.n_predicted[number] + counts.n_right[number]),
        )
        for number, name in enumerate(class_names)
    }


def decide(predictions: Predictions, thresholds: NDArray[np.float64]) -> Predictions:
    """Return 1 where a probability reaches the threshold of its label, else 0: float32, as the predictions."""
    return np.asarray(predictions >= thresholds.astype(np.float32), np.float32)


def join_decided(decided: NDArray[Any], class_names: Sequence[str]) -> list[str]:
    """Return the labels of each example in one text, with ``;`` between them: those that are 1 of (n_examples, n_classes)."""
    return [";".join(name for name, is_on in zip(class_names, row, strict=True) if is_on) for row in decided > 0]


def tuned_metrics(targets: Targets, predictions: Predictions, thresholds: NDArray[np.float64] | None) -> dict[str, float]:
    """Return `TUNED_METRICS` at the thresholds of the labels, float64 (n_classes,); nothing without thresholds."""
    if thresholds is None:
        return {}
    decided = decide(predictions, thresholds)
    return {f"tuned_{name}": float(find("multilabel_classification", name).function(targets, decided)) for name in _TUNED}


def check(targets: NDArray[Any], predictions: Predictions) -> None:
    """Refuse arrays that are no targets and predictions of labels.

    Raises:
        JobError: A wrong shape, or a target that is neither 0 nor 1.
    """
    if targets.ndim != 2 or targets.shape != predictions.shape:
        raise JobError(
            f"metrics of multilabel_classification: received targets {targets.shape} and predictions {predictions.shape}; "
            "(n_examples, n_classes) is wanted of both."
        )
    check_zeros_and_ones(targets, "multilabel_classification")


class _Counts(NamedTuple):
    """Examples by label, int64 (n_classes,) each."""

    n_true: NDArray[np.int64]
    n_predicted: NDArray[np.int64]
    n_right: NDArray[np.int64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 score of each label; NaN where it is neither true nor predicted."""
        return divide(2 * self.n_right, self.n_true + self.n_predicted)


def _count(targets: Targets, predictions: Predictions) -> _Counts:
    true, predicted = targets > _THRESHOLD, predictions >= _THRESHOLD
    return _Counts(true.sum(axis=0), predicted.sum(axis=0), (true & predicted).sum(axis=0))


def _average_precisions(targets: Targets, predictions: Predictions) -> NDArray[np.float64]:
    """Return the average precision of each label, float64 (n_classes,); NaN where no target has it."""
    found = np.full(targets.shape[1], np.nan)
    for number in np.flatnonzero(targets.any(axis=0)):
        order = np.argsort(-predictions[:, number], kind="stable")
        n_right = np.cumsum(targets[order, number], dtype=np.float64)
        # Examples of one probability are found together.
        last = np.flatnonzero(np.append(np.diff(predictions[order, number]) != 0, True))
        steps = np.diff(n_right[last], prepend=0) / n_right[-1]
        found[number] = float(steps @ (n_right[last] / (last + 1)))
    return found


def _ranking_precision(targets: Targets, predictions: Predictions) -> NDArray[np.float64]:
    """Return the label ranking average precision of each example, float64 (n_examples,)."""
    from scipy.stats import rankdata  # here, because it takes a second and most uses of this module need no value

    true = targets > _THRESHOLD
    ranks = rankdata(-predictions, method="max", axis=1)
    among_true = rankdata(np.where(true, -predictions, np.inf), method="max", axis=1)
    sums = np.where(true, among_true / ranks, 0).sum(axis=1)
    n_true = true.sum(axis=1)
    return np.where((n_true == 0) | (n_true == true.shape[1]), 1.0, sums / np.maximum(n_true, 1))
