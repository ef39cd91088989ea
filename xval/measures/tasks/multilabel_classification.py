"""Multi-label classification: each clip has any number of labels.

Targets are float32 (n_examples, n_classes), 0 or 1; predictions float32 (n_examples, n_classes), the probability of each label,
independent of the others. A label is predicted from 0.5 on; for other thresholds, predictions are decisions, 0 or 1.

They are those of scikit-learn (definitions: Tsoumakas, Katakis & Vlahavas, Mining multi-label data, 2010), but labels that no
target has are excluded from means over labels, and what is not defined is NaN. Chance of average precision: Bestgen, Exact
expected average precision of the random baseline for system evaluation, Prague Bulletin of Mathematical Linguistics 103, 2015.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.clips.label_sets import split_labels
from xval.base.errors import JobError
from xval.base.keras_names import KerasMetric
from xval.data.clip_average import combine_examples
from xval.measures.arrays import area_under_roc, check_zeros_and_ones, mean_of_defined
from xval.measures.confusion import THRESHOLD, count_classes
from xval.measures.forms import AnswerText, Array, ClipAnswers, Encoded, Known, MetricValues, Names, Renames, ScoreOptions
from xval.measures.label_counts import (
    Predictions,
    Targets,
    average_precisions,
    decide,
    join_decided,
    label_metrics,
    random_average_precision,
    ranking_precision,
)
from xval.measures.labels import LabelledData, TrueLabels, match_label_sets
from xval.measures.metrics import Chance, all_examples, find, labels_and_rest, metric
from xval.measures.side import Side
from xval.measures.statistics import thresholds as label_thresholds
from xval.measures.task import LabelsTask

if TYPE_CHECKING:
    import pandas as pd

_INDEPENDENT = "any prediction that does not depend on the audio"
_MORE_FREQUENT = "each label always or never, whichever is more frequent"
_TUNED = ("macro_f1", "micro_f1", "hamming_loss")
TUNED_METRICS = {f"tuned_{name}": name != "hamming_loss" for name in _TUNED}
"""The metrics of decisions at thresholds that validation items choose, with whether higher is better."""


def _shares(targets: Targets, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the examples that have each label: float64 (n_classes,)."""
    return np.asarray(weights @ targets.astype(np.float64))


def _random_order(targets: Targets, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - every chance level takes both
    n_true = np.sum(targets > THRESHOLD, axis=0)
    return Chance(mean_of_defined(random_average_precision(n_true[n_true > 0], len(targets))), "a random order, on average")


def _half(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    shares = _shares(targets, weights)
    is_told = (shares > 0) & (targets == 0).any(axis=0)
    return Chance(0.5 if is_told.any() else float("nan"), _INDEPENDENT)


def _best_ranking(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the score of ranking the labels by frequency, the same for every example."""
    shares = _shares(targets, weights)
    order = np.argsort(-shares, kind="stable")
    ranks = np.empty(len(shares), np.float32)
    ranks[order] = np.arange(len(shares), 0, -1)
    return Chance(float(weights @ ranking_precision(targets, np.tile(ranks, (len(targets), 1)))), "always the same order")


def _best_macro_f1(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the mean F1 of predicting all labels: 2 p / (1 + p) for a label with the share p."""
    shares = _shares(targets, weights)
    occur = shares[shares > 0]
    return Chance(mean_of_defined(2 * occur / (1 + occur)), "always all labels that occur", shares > 0)


def _best_micro_f1(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the F1 of always predicting the best set of labels, which are the most frequent ones."""
    label_shares = _shares(targets, weights)
    order = np.argsort(-label_shares, kind="stable")
    shares = label_shares[order]
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
    return mean_of_defined(average_precisions(targets, predictions))


@metric(
    higher_is_better=True, bounds=(0, 1), chance=_half, aliases=("roc_auc", "macro_auc"), rests_on=labels_and_rest, ranks=True
)
def auc(targets: Targets, predictions: Predictions) -> float:
    """Return the area under the ROC curve of each label, averaged over labels (macro).

    It is the share of pairs of an example with the label and one without it that the probabilities put in the right order, ties
    counted half. Labels that all or none of the targets have are left out; NaN when no label is left.
    """
    areas = [area_under_roc(predictions[:, number], targets[:, number] > THRESHOLD) for number in range(targets.shape[1])]
    return mean_of_defined(np.array(areas))


@metric(higher_is_better=True, bounds=(0, 1), is_mean=True, chance=_best_ranking, aliases=("label_ranking_average_precision",))
def lrap(targets: Targets, predictions: Predictions) -> float:
    """Return the label ranking average precision (LRAP): how far up an example's labels stand among all, by their probability.

    For each label of an example it is the share of right ones among those that are as probable or more, averaged over its
    labels, then over examples. As in scikit-learn, an example that has none of the labels, or all, counts as 1.
    """
    return float(np.mean(ranking_precision(targets, predictions)))


@metric(higher_is_better=True, bounds=(0, 1), chance=_best_macro_f1, aliases=("f1_macro",))
def macro_f1(targets: Targets, predictions: Predictions) -> float:
    """Return the mean F1 score of the labels that some target has, each predicted from 0.5 on."""
    counts = count_classes(targets, predictions)
    return mean_of_defined(counts.f1[counts.n_true > 0])


@metric(higher_is_better=True, bounds=(0, 1), chance=_best_micro_f1, aliases=("f1_micro",), rests_on=all_examples)
def micro_f1(targets: Targets, predictions: Predictions) -> float:
    """Return the F1 score of all labels together, each predicted from 0.5 on; NaN where none is true or predicted."""
    return float(count_classes(targets, predictions).total.f1)


@metric(higher_is_better=False, bounds=(0, 1), is_mean=True, chance=_best_hamming)
def hamming_loss(targets: Targets, predictions: Predictions) -> float:
    """Return the share of wrong decisions over all labels of all examples (Hamming loss), each label predicted from 0.5 on."""
    return float(np.mean((targets > THRESHOLD) != (predictions >= THRESHOLD)))


@metric(higher_is_better=True, bounds=(0, 1), is_mean=True, chance=_best_accuracy, aliases=("acc",))
def accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the share of right decisions over all labels of all examples, which training follows: 1 less the Hamming loss.

    Where most labels are rare it is high for a model that finds none of them.
    """
    return 1 - hamming_loss(targets, predictions)


def tuned_metrics(targets: Targets, predictions: Predictions, thresholds: NDArray[np.float64] | None) -> dict[str, float]:
    """Return `TUNED_METRICS` at the thresholds of the labels, float64 (n_classes,); nothing without thresholds."""
    if thresholds is None:
        return {}
    decided = decide(predictions, thresholds)
    return {f"tuned_{name}": float(find("multilabel_classification", name).function(targets, decided)) for name in _TUNED}


def check(targets: NDArray[Any], predictions: Predictions) -> None:
    """Raise an error for arrays of unsuitable shapes, and for targets that are neither 0 nor 1."""
    if targets.ndim != 2 or targets.shape != predictions.shape:
        raise JobError(
            f"metrics of multilabel_classification: received targets {targets.shape} and predictions {predictions.shape}; "
            "expected (n_examples, n_classes) for both."
        )
    check_zeros_and_ones(targets, "multilabel_classification")


class MultilabelClassification(LabelsTask):
    """Labels of clips."""

    losses = {"binary_crossentropy": "multi_hot", "binary_focal_crossentropy": "multi_hot"}
    training_metric_classes = {"multi_hot": "BinaryAccuracy"}
    main_metrics = ("mean_average_precision", "tuned_macro_f1")
    item_metric = "lrap"
    final_metrics = TUNED_METRICS
    keras_metrics = {
        "binary_crossentropy": KerasMetric("BinaryCrossentropy", higher_is_better=False),
        "mean_squared_error": KerasMetric("MeanSquaredError", higher_is_better=False),
    }
    built_like = "classification"
    has_thresholds = True
    stratifies_classes = True
    refused = {
        **{name: LabelsTask.refused[name] for name in ("item_decision", "sampling", "calibration", "positive_class")},
        "clip_average": "clip_average='{value}' needs clips with one class each. With several labels, windows are combined "
        "by the mean of their probabilities. Set clip_average=probabilities",
        "class_weights": "class_weights='{value}' needs clips with one class each. Set class_weights=none; "
        "loss='binary_focal_crossentropy' gives more weight to labels that are hard to detect",
    }
    why_final = "thresholds are chosen only after training. Monitor the loss or a metric without thresholds"
    why_no_folder = (
        "folders give one class per clip, but this model predicts several labels. Give a table with the columns path and "
        "label (such as dog;rain)."
    )
    label_word = "label"
    worst_first = "Clips with the most wrong labels first (missed labels and false alarms)."

    def encode(
        self, targets: Known, predictions: Array, names: Names, thresholds: Known = None, clip_of: Known = None
    ) -> Encoded:
        """Return target and predicted, all labels joined by ``;``, target_<label> and probability_<label>."""
        true = {} if targets is None else {"target": np.array(join_decided(targets, names), dtype=object)}
        predicted = {}
        if thresholds is not None:
            decided = predictions if clip_of is None else combine_examples(predictions, clip_of, "probabilities")
            labels = np.array(join_decided(decide(decided, thresholds), names), dtype=object)
            predicted = {"predicted": labels if clip_of is None else labels[clip_of]}
        return true | predicted | super().encode(targets, predictions, names)

    def _compute(self, targets: Targets, predictions: Predictions, options: ScoreOptions) -> MetricValues:
        scores = super()._compute(targets, predictions, options)
        return scores | tuned_metrics(targets, predictions, options.thresholds)

    def class_scores(self, side: Side, options: ScoreOptions) -> dict[str, Any]:
        """Return the scores of each label at its threshold."""
        if options.thresholds is None:
            return {}
        return {"class_metrics": label_metrics(*side.counted(), options.class_names, options.thresholds)}

    def find_thresholds(self, side: Side) -> NDArray[np.float64]:
        """Return the threshold of each label that has the largest F1 score."""
        return label_thresholds.find_thresholds(*side.counted())

    def answer_clips(self, table: "pd.DataFrame", clip_of: Array, options: ScoreOptions) -> ClipAnswers:
        """Return the labels of each clip; the error is the number of wrong labels."""
        clips = table.groupby(clip_of, sort=True)[["target", "predicted"]].first()
        n_wrong = [
            len(set(split_labels(true)) ^ set(split_labels(predicted))) for true, predicted in clips.itertuples(index=False)
        ]
        return ClipAnswers(clips["target"], clips["predicted"], error=np.array(n_wrong, float))

    def describe(self, answer: Mapping[Any, Any]) -> AnswerText:
        """Return the labels and the number of wrong ones."""
        n_wrong = int(answer["error"])
        error = f"{n_wrong} label{'s' * (n_wrong != 1)} wrong"
        return AnswerText(self.describe_true(str(answer["answer"])), error=error, is_right=not n_wrong)

    def describe_true(self, true: str) -> str:
        """Return the labels, or that there is none."""
        return true or "no label"

    def read_labels(self, data: LabelledData, names: Names, renames: Renames, policy: str) -> TrueLabels:
        """Return the labels of each clip; labels that the model does not know are ignored."""
        matched, targets = match_label_sets(data.table["label"].tolist(), names, renames)
        return TrueLabels(targets, np.ones(len(targets), bool), matched)


TASK = MultilabelClassification()
