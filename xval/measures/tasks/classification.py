"""Classification: each clip has one of several classes.

Targets are int64 (n_examples,), class numbers; predictions float32 (n_examples, n_classes), probabilities. The predicted class
is the most probable one, the first of them in a tie.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.base.keras_names import KerasMetric
from xval.measures.answered import combine_clips
from xval.measures.arrays import area_under_roc, equal_error_rate, mean_of_defined
from xval.measures.calibration import are_probabilities, brier_score, measure_calibration
from xval.measures.confusion import Predictions, Targets, per_class
from xval.measures.forms import AnswerText, Array, ClipAnswers, Names, Renames, ResampledScore, ScoreOptions
from xval.measures.labels import LabelledData, TrueLabels, match_labels
from xval.measures.metrics import Chance, all_examples, metric
from xval.measures.side import Side
from xval.measures.task import ClassTask

if TYPE_CHECKING:
    import pandas as pd


def _most_frequent(targets: Targets, weights: NDArray[np.float64], n_named: int = 1) -> Chance:
    share = float(np.sort(np.bincount(targets, weights))[-n_named:].sum())
    return Chance(share, "always the most frequent class" if n_named == 1 else f"always the {n_named} most frequent classes")


def _five_most_frequent(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    return _most_frequent(targets, weights, 5)


def _one_of_all(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return 1 / (number of classes that occur): the mean recall of every constant prediction and of guessing."""
    return Chance(float(1 / np.count_nonzero(np.bincount(targets, weights))), "any constant prediction, or guessing")


def _guess(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the mean precision, recall and F1 of guessing: for each class they are its share, and the shares add up to 1."""
    return _one_of_all(targets, weights)._replace(strategy="guessing each class as often as it occurs")


def _half(targets: Targets, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - every chance level takes both
    return Chance(0.5, "any prediction that does not depend on the audio")


def _equal_credit(targets: Targets, weights: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG001 - all take both
    return weights


def _credit_of_recall(targets: Targets, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    class_weights = np.bincount(targets, weights)
    return np.asarray(weights / (np.count_nonzero(class_weights) * class_weights[targets]))


@metric(higher_is_better=True, bounds=(0, 1), is_mean=True, chance=_most_frequent, aliases=("war", "acc"), credit=_equal_credit)
def accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the share of examples whose predicted class is the true one."""
    return float(np.mean(np.argmax(predictions, axis=1) == targets))


@metric(higher_is_better=True, bounds=(0, 1), chance=_one_of_all, aliases=("uar",), credit=_credit_of_recall)
def balanced_accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the unweighted average recall (UAR): the mean recall of the classes that occur in the targets."""
    return float(np.nanmean(per_class(targets, predictions).recall))


@metric(higher_is_better=True, bounds=(0, 1), chance=_guess, aliases=("f1_macro",))
def macro_f1(targets: Targets, predictions: Predictions) -> float:
    """Return the mean F1 score of the classes that occur in the targets or among the predicted classes."""
    return float(np.nanmean(per_class(targets, predictions).f1))


@metric(higher_is_better=True, bounds=(0, 1), chance=_guess, aliases=("precision_macro",))
def precision(targets: Targets, predictions: Predictions) -> float:
    """Return the macro precision: the mean over the classes that occur in the targets or among the predicted classes.

    A class that is never predicted counts as 0, as in scikit-learn.
    """
    scores = per_class(targets, predictions)
    return float(np.mean(np.nan_to_num(scores.precision)[~np.isnan(scores.f1)]))


@metric(higher_is_better=True, bounds=(0, 1), chance=_one_of_all, aliases=("recall_macro",))
def recall(targets: Targets, predictions: Predictions) -> float:
    """Return the macro recall: the mean over the classes that occur in the targets or among the predicted classes.

    A class that is predicted but never true counts as 0, as in scikit-learn; `balanced_accuracy` leaves it out.
    """
    scores = per_class(targets, predictions)
    return float(np.mean(np.nan_to_num(scores.recall)[~np.isnan(scores.f1)]))


@metric(higher_is_better=True, bounds=(0, 1), chance=_half, aliases=("roc_auc",), ranks=True)
def auc(targets: Targets, predictions: Predictions) -> float:
    """Return the area under the ROC curve, each class against the rest, averaged over classes (Fawcett 2006).

    Classes that all or none of the targets belong to have no curve and are left out; NaN when no class is left. The area is the
    share of pairs, one example of the class and one of the others, that the probabilities put in the right order, ties counted
    half (Hanley & McNeil 1982).
    """
    areas = [area_under_roc(predictions[:, number], targets == number) for number in np.unique(targets)]
    return mean_of_defined(np.array(areas))


@metric(higher_is_better=False, bounds=(0, 1), chance=_half, ranks=True)
def eer(targets: Targets, predictions: Predictions) -> float:
    """Return the equal error rate of a closed set: each class against the rest (one-vs-rest), averaged over classes.

    It says how well the probability of a class tells its examples from those of the other classes, all of which the model has
    trained on. It is no verification of speakers, where pairs of recordings of unknown speakers are compared; that is
    `xval.measures.verification.verification_eer`. Classes are left out as in `auc`.
    """
    present = np.unique(targets)
    if len(present) == 1:
        return float("nan")
    return float(np.mean([equal_error_rate(targets == number, predictions[:, number]) for number in present]))


@metric(higher_is_better=True, least_outputs=6, bounds=(0, 1), is_mean=True, chance=_five_most_frequent)
def top_5_accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the share of examples whose true class is among the five most probable ones, the first of them in a tie."""
    best = np.argsort(-predictions, axis=1, kind="stable")[:, :5]
    return float(np.mean((best == targets[:, np.newaxis]).any(axis=1)))


def _share_chance(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the Brier score of the class shares as probabilities: 1 minus the sum of their squares."""
    shares = np.bincount(targets, weights)
    return Chance(float(1 - np.sum(shares**2)), "the share of each class as its probability")


def _shares_are_calibrated(targets: Targets, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - all take both
    return Chance(0.0, "the share of each class as its probability")


@metric(higher_is_better=False, bounds=(0, 2), is_mean=True, chance=_share_chance, aliases=("brier_score",))
def brier(targets: Targets, predictions: Predictions) -> float:
    """Return the Brier score: the mean squared distance of the probabilities and the true class, summed over classes.

    0 is perfect, 2 worst; of two classes it is twice scikit-learn's (Brier, Monthly Weather Review 78, 1950). NaN where
    predictions are no probabilities.
    """
    return brier_score(targets, predictions) if are_probabilities(predictions) else float("nan")


@metric(
    higher_is_better=False,
    bounds=(0, 1),
    is_pooled=True,
    rests_on=all_examples,
    chance=_shares_are_calibrated,
    aliases=("expected_calibration_error",),
)
def ece(targets: Targets, predictions: Predictions) -> float:
    """Return the expected calibration error: the mean distance of accuracy and confidence in 15 bins of equal width.

    Confidence is the probability of the predicted class (Naeini et al., AAAI 2015; Guo et al., ICML 2017). Few examples make it
    too large, so that it is read of all test examples together. NaN where predictions are no probabilities.
    """
    return measure_calibration(targets, predictions).ece if are_probabilities(predictions) else float("nan")


def check(targets: Targets, predictions: Predictions) -> None:
    """Raise an error for arrays of unsuitable shapes, and for targets that are not class numbers."""
    if targets.ndim != 1 or predictions.ndim != 2:
        raise JobError(
            f"metrics of classification: received targets {targets.shape} and predictions {predictions.shape}; "
            f"expected (n_examples,) and (n_examples, n_classes)."
        )
    n_classes = predictions.shape[1]
    if not np.issubdtype(targets.dtype, np.integer) or targets.min() < 0 or targets.max() >= n_classes:
        raise JobError(
            f"metrics of classification: received targets from {targets.min()} to {targets.max()} ({targets.dtype}); "
            f"expected whole numbers from 0 to {n_classes - 1}."
        )


class Classification(ClassTask):
    """Classes of clips."""

    losses = {
        "sparse_categorical_crossentropy": "class",
        "categorical_crossentropy": "one_hot",
        "categorical_focal_crossentropy": "one_hot",
        "categorical_hinge": "one_hot",
        "kl_divergence": "one_hot",
        "binary_crossentropy": "one_hot",
        "binary_focal_crossentropy": "one_hot",
        "mean_squared_error": "one_hot",
    }
    training_metric_classes = {"class": "SparseCategoricalAccuracy", "one_hot": "CategoricalAccuracy"}
    main_metrics = ("balanced_accuracy", "accuracy")
    item_metric = "accuracy"
    keras_metrics = {
        "binary_crossentropy": KerasMetric("BinaryCrossentropy", higher_is_better=False),
        "categorical_accuracy": KerasMetric("CategoricalAccuracy", higher_is_better=True),
        "categorical_crossentropy": KerasMetric("CategoricalCrossentropy", higher_is_better=False),
        "categorical_hinge": KerasMetric("CategoricalHinge", higher_is_better=False),
        "cosine_similarity": KerasMetric("CosineSimilarity", higher_is_better=True),
        "kl_divergence": KerasMetric("KLDivergence", higher_is_better=False),
        "mean_absolute_error": KerasMetric("MeanAbsoluteError", higher_is_better=False),
        "mean_squared_error": KerasMetric("MeanSquaredError", higher_is_better=False),
        "sparse_categorical_accuracy": KerasMetric("SparseCategoricalAccuracy", higher_is_better=True),
        "sparse_categorical_crossentropy": KerasMetric("SparseCategoricalCrossentropy", higher_is_better=False),
        "sparse_top_k_categorical_accuracy": KerasMetric("SparseTopKCategoricalAccuracy", higher_is_better=True),
        "top_k_categorical_accuracy": KerasMetric("TopKCategoricalAccuracy", higher_is_better=True),
    }
    stratifies_classes = True
    has_positive_class = True
    refused = {}
    worst_first = (
        "Only wrong predictions, the most confident first (highest probability of the wrong class, lowest of the right one)."
    )

    def counted_scores(self, side: Side) -> dict[str, ResampledScore]:
        """Return accuracy and balanced accuracy.

        Items are weighted by how often they were drawn, which is faster than collecting their clips.
        """
        targets, predictions = side.counted()
        items = np.unique(side.rows["item"].to_numpy(dtype=str), return_inverse=True)[1]
        is_right, n_items = predictions.argmax(axis=1) == targets, int(items.max()) + 1

        def recalls(drawn: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
            weights = np.bincount(drawn, minlength=n_items)[items]
            return np.bincount(targets, weights=weights * is_right), np.bincount(targets, weights=weights)

        def drawn_accuracy(drawn: NDArray[np.intp]) -> float:
            n_right, n_true = recalls(drawn)
            return float(n_right.sum() / n_true.sum())

        def drawn_recall(drawn: NDArray[np.intp]) -> float:
            n_right, n_true = recalls(drawn)
            return float(np.mean(n_right[n_true > 0] / n_true[n_true > 0]))

        class_counts = np.bincount(targets * n_items + items, minlength=(int(targets.max()) + 1) * n_items).reshape(-1, n_items)
        item_counts = class_counts.sum(axis=0, keepdims=True)
        return {
            "accuracy": ResampledScore(drawn_accuracy, item_counts),
            "balanced_accuracy": ResampledScore(drawn_recall, class_counts[class_counts.any(axis=1)]),
        }

    def answer_clips(self, table: "pd.DataFrame", clip_of: Array, options: ScoreOptions) -> ClipAnswers:
        """Return the true and the most probable class.

        The error is the probability of the latter minus that of the true one.
        """
        decoded = self.decode(table, options.class_names).complete()
        targets, probabilities = combine_clips(*decoded, clip_of, options.clip_average)
        classes, numbers = np.array(options.class_names, dtype=object), np.arange(len(targets))
        best = probabilities.argmax(axis=1)
        sure = probabilities[numbers, best]
        return ClipAnswers(classes[targets], classes[best], sure, sure - probabilities[numbers, targets])

    def describe(self, answer: Mapping[Any, Any]) -> AnswerText:
        """Return the class and its probability."""
        return AnswerText(str(answer["answer"]), sure=f"{answer['sure']:.0%}", is_right=answer["answer"] == answer["true"])

    def read_labels(self, data: LabelledData, names: Names, renames: Renames, policy: str) -> TrueLabels:
        """Return class numbers; clips with other labels are skipped."""
        labels = data.table["label"].tolist()
        matched = match_labels(labels, names, renames)
        reasons = [f"not a class of the model: {label}" for label in labels]
        return TrueLabels(matched.targets, matched.targets >= 0, matched, reasons)


TASK = Classification()
