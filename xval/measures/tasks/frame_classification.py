"""Classification of frames: each frame of a recording has a class, or any number of labels.

All frames that count, of all examples, are in one row. One class per frame: targets int64 (n_frames,), class numbers, 0 the
background; predictions float32 (n_frames, n_classes), probabilities; the predicted class is the most probable one, the first of
them in a tie. Several labels per frame: targets float32 (n_frames, n_classes), 0 or 1; predictions float32 (n_frames,
n_classes), probabilities; a label is predicted from 0.5 on. Undefined metrics are NaN.

The names mean the same in both forms: F1, precision, recall and average precision are those of the classes of events, so that
the background, which most frames are, does not lift them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.measures import frame_chance
from xval.measures.arrays import check_zeros_and_ones, divide, mean_of_defined
from xval.measures.columns import PROBABILITY
from xval.measures.confusion import THRESHOLD, ClassCounts, all_classes, count_classes
from xval.measures.events.score_names import EVENT_FIGURES, EVENT_METRICS, SCORE_METRICS
from xval.measures.forms import AnswerText, Array, ClipAnswers, MetricValues, Names, Renames, ResampledScore, ScoreOptions
from xval.measures.labels import LabelledData, TrueLabels
from xval.measures.metrics import all_examples, metric
from xval.measures.side import Side
from xval.measures.task import ClassTask, LabelsTask, constant_answer

if TYPE_CHECKING:
    import pandas as pd

    from xval.measures.events.recordings import AnsweredRecordings


Targets = NDArray[Any]
Predictions = NDArray[np.float32]

_WANTED = (
    "A model that labels frames must be tested on recordings with annotated events. Prepare them with xval prepare "
    "events ANNOTATION [--audio-folder DIR] --task-type frame_classification --dataset NAME, and give NAME."
)


@metric(higher_is_better=True, bounds=(0, 1), is_mean=True, chance=frame_chance.chance_accuracy, aliases=("acc",))
def accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the share of right decisions: frames with the right class, including background.

    Or labels of frames, on or off.
    """
    true, predicted = all_classes(targets, predictions)
    if targets.ndim == 1:
        return float(np.mean((true & predicted).any(axis=1)))
    return float(np.mean(true == predicted))


@metric(higher_is_better=True, bounds=(0, 1), chance=frame_chance.chance_balanced, aliases=("uar",))
def balanced_accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the unweighted average recall (UAR).

    One class per frame: the mean recall of the classes that occur in the targets, including background. Several labels: for the
    labels that occur in some but not all frames, the mean of the recall of frames with the label and of those without.
    """
    true, predicted = all_classes(targets, predictions)
    recalls = divide((true & predicted).sum(axis=0), true.sum(axis=0))
    if targets.ndim == 1:
        return mean_of_defined(recalls)
    return mean_of_defined((recalls + divide((~true & ~predicted).sum(axis=0), (~true).sum(axis=0))) / 2)


@metric(higher_is_better=True, bounds=(0, 1), chance=frame_chance.event_chance(frame_chance.best_f1), rests_on=all_examples)
def f1(targets: Targets, predictions: Predictions) -> float:
    """Return the F1 score of all classes of events together (micro average); NaN where none is true or predicted."""
    return float(_count_events(targets, predictions).total.f1)


@metric(
    higher_is_better=True, bounds=(0, 1), chance=frame_chance.event_chance(frame_chance.best_precision), rests_on=all_examples
)
def precision(targets: Targets, predictions: Predictions) -> float:
    """Return the share of the predicted events' frames that are true (micro average); NaN where none is predicted."""
    return float(_count_events(targets, predictions).total.precision)


@metric(higher_is_better=True, bounds=(0, 1), chance=frame_chance.event_chance(frame_chance.best_recall), rests_on=all_examples)
def recall(targets: Targets, predictions: Predictions) -> float:
    """Return the share of the true events' frames that are predicted (micro average); NaN where none is true."""
    return float(_count_events(targets, predictions).total.recall)


@metric(higher_is_better=True, bounds=(0, 1), chance=frame_chance.event_chance(frame_chance.best_macro_f1))
def macro_f1(targets: Targets, predictions: Predictions) -> float:
    """Return the mean F1 score of the classes of events that are true or predicted in any frame."""
    return mean_of_defined(_count_events(targets, predictions).f1)


@metric(higher_is_better=True, bounds=(0, 1), chance=frame_chance.event_chance(frame_chance.best_precision))
def macro_precision(targets: Targets, predictions: Predictions) -> float:
    """Return the mean precision of the classes of events that are predicted in any frame."""
    return mean_of_defined(_count_events(targets, predictions).precision)


@metric(higher_is_better=True, bounds=(0, 1), chance=frame_chance.event_chance(frame_chance.best_macro_recall))
def macro_recall(targets: Targets, predictions: Predictions) -> float:
    """Return the mean recall of the classes of events that are true in any frame."""
    return mean_of_defined(_count_events(targets, predictions).recall)


@metric(higher_is_better=True, bounds=(0, 1), chance=frame_chance.event_chance(frame_chance.mean_share))
def mean_average_precision(targets: Targets, predictions: Predictions) -> float:
    """Return the area under the curve of precision over recall, each class of events against the rest, averaged over classes.

    As in scikit-learn, the sum of precisions weighted by the steps of recall. Classes that are nowhere true have none and are
    left out; NaN when no class is left.
    """
    from sklearn.metrics import average_precision_score  # here, because it takes seconds and most uses need no value

    true, _ = all_classes(targets, predictions)
    present = [number for number in range(_first_event(targets), true.shape[1]) if true[:, number].any()]
    return mean_of_defined(np.array([average_precision_score(true[:, number], predictions[:, number]) for number in present]))


def check(targets: Targets, predictions: Predictions) -> None:
    """Raise an error for arrays of unsuitable shapes, and for targets that are not class numbers, or neither 0 nor 1."""
    n_frames, n_classes = predictions.shape if predictions.ndim == 2 else (-1, -1)
    if targets.shape not in ((n_frames,), (n_frames, n_classes)):
        raise JobError(
            f"metrics of frame_classification: received targets {targets.shape} and predictions {predictions.shape}; "
            "expected (n_frames,) or (n_frames, n_classes), and (n_frames, n_classes)."
        )
    if targets.ndim == 1 and not (np.issubdtype(targets.dtype, np.integer) and 0 <= targets.min() <= targets.max() < n_classes):
        raise JobError(
            f"metrics of frame_classification: received targets from {targets.min()} to {targets.max()} ({targets.dtype}); "
            f"expected whole numbers from 0 to {n_classes - 1}."
        )
    if targets.ndim > 1:
        check_zeros_and_ones(targets, "frame_classification")


def _first_event(targets: Targets) -> int:
    """Return the number of the first class of events: 1 if there is a background class, else 0."""
    return 1 if targets.ndim == 1 else 0


def _count_events(targets: Targets, predictions: Predictions) -> ClassCounts:
    first = _first_event(targets)
    return ClassCounts(*(n_frames[first:] for n_frames in count_classes(targets, predictions)))


class FrameClassification(ClassTask):
    """One class per frame; clips are recordings, and predictions become events."""

    target = "frame"
    losses = {"sparse_categorical_crossentropy": "frames"}
    training_metric_classes = {"frames": "SparseCategoricalAccuracy"}
    main_metrics = ("macro_f1", "event_f1")
    item_metric = "macro_f1"
    final_metrics = EVENT_METRICS | SCORE_METRICS
    loss_depends_on = "frame_labels"  # others are other questions
    unit = "frames"
    clip_word = "recording"
    answer_word = "event"
    label_word = "event"
    why_final = "metrics of segments and events are computed only after training. Monitor a metric of frames"
    why_no_folder = f"a folder of clips. {_WANTED}"
    why_no_table = f"a table of clips. {_WANTED}"
    corpus_wanted = _WANTED
    worst_first = "Recordings with the most seconds of wrongly labelled frames first."

    @property
    def recorded_metrics(self) -> Mapping[str, bool]:
        """The scores of segments and events that records have."""
        return EVENT_FIGURES

    def measure(self, side: Side, options: ScoreOptions) -> MetricValues:
        """Return the metrics of frames, segments and events; without a frame that counts, only those of events."""
        targets, predictions = side.counted()
        frame_scores = self._compute(targets, predictions, options) if len(targets) else {}
        return frame_scores | cast("AnsweredRecordings", side).event_figures()

    def class_rows(self, side: Side, scores: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the scores of the frames and of the events of each class."""
        rows = {
            name: {"precision": row["precision"], "recall": row["recall"], "f1": row["f1"], "n_frames": row["n_clips"]}
            for name, row in scores.get("class_metrics", {}).items()
        }
        for name, class_scores in cast("AnsweredRecordings", side).class_events().items():
            rows.setdefault(name, {}).update({f"event_{key}": value for key, value in class_scores.items()})
        return rows

    def counted_scores(self, side: Side) -> dict[str, ResampledScore]:
        """Return the F1 score of events."""
        counts = cast("AnsweredRecordings", side).event_counts()

        def f1_of(drawn: NDArray[np.intp]) -> float:
            n_correct, n_both = counts[drawn].sum(axis=0)
            return 2 * n_correct / n_both if n_both else float("nan")

        return {"event_f1": ResampledScore(f1_of, counts[:, 1].clip(1)[np.newaxis])}

    def answer_constantly(self, side: Side, training_targets: Array, options: ScoreOptions) -> Side:
        """Return predictions that give every frame the class shares of the training frames."""
        from xval.measures.events.recordings import answer_recordings

        recordings = cast("AnsweredRecordings", side).recordings
        answer = constant_answer(training_targets, len(options.class_names))
        constant = [np.repeat(answer, recording.n_frames, axis=0) for recording in recordings]
        return answer_recordings(recordings, constant, options)

    def answer_clips(self, table: "pd.DataFrame", clip_of: Array, options: ScoreOptions) -> ClipAnswers:
        """Return the seconds of each recording with a wrong label, without disputed ones."""
        is_wrong = self._is_wrong(table, options) & (table["weight"] > 0)
        return ClipAnswers(error=((table["end_s"] - table["start_s"]) * is_wrong).groupby(clip_of).sum())

    def _is_wrong(self, table: "pd.DataFrame", options: ScoreOptions) -> NDArray[np.bool_]:
        return np.asarray(table["target"] != table["predicted"])

    def describe(self, answer: Mapping[Any, Any]) -> AnswerText:
        """Return the number of seconds with a wrong label."""
        return AnswerText(str(answer["answer"]), error=f"{answer['error']:.2f} s wrong")

    def read_labels(self, data: LabelledData, names: Names, renames: Renames, policy: str) -> TrueLabels:
        """Return the events of each recording; recordings without annotation are skipped."""
        from xval.measures.events.annotated import read_annotations

        annotated = read_annotations(data, names, policy, renames)
        kept = data.table["clip"].isin(annotated.known).to_numpy()
        return TrueLabels(annotated, kept, annotated.labels, [f"not annotated ({policy})"] * len(kept))


class MultilabelFrameClassification(LabelsTask, FrameClassification):
    """Any number of labels per frame."""

    losses = {"binary_crossentropy": "frames", "binary_focal_crossentropy": "frames"}
    training_metric_classes = {"frames": "BinaryAccuracy"}

    def class_scores(self, side: Side, options: ScoreOptions) -> dict[str, Any]:
        """Return nothing, because the scores of labels are those of their events."""
        return {}

    def _is_wrong(self, table: "pd.DataFrame", options: ScoreOptions) -> NDArray[np.bool_]:
        names, frames = options.class_names, options.frames
        threshold = (frames and frames.event_threshold) or THRESHOLD
        true = table[[f"target_{name}" for name in names]].to_numpy() > 0
        answered = table[[f"{PROBABILITY}_{name}" for name in names]].to_numpy() >= threshold
        return np.asarray((true != answered).any(axis=1))


TASK = FrameClassification()
TASK.variants = {"multi_label": MultilabelFrameClassification()}
