"""`Task`: all that differs between tasks; each task is a file in xval/measures/tasks, found by its name.

A new task is a file with a class, an instance of it named ``TASK``, metrics and a function ``check`` of targets and
predictions. The task of frame_classification also depends on label_form.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.annotations.labels import LabelForm as LabelForm
from preprocessing.clips.table import TASK_TYPES
from xval.base.errors import SettingsError, suggestion
from xval.measures import metrics
from xval.measures.answered import Answered
from xval.measures.columns import PROBABILITY, decode_outputs, encode_outputs
from xval.measures.confusion import class_metrics, confusion_matrix
from xval.measures.forms import (
    AnswerText,
    Array,
    ClipAnswers,
    Columns,
    Decoded,
    Encoded,
    Known,
    MetricValues,
    Names,
    Renames,
    ResampledScore,
    ScoreOptions,
    SideScores,
)
from xval.measures.labels import LabelledData, TrueLabels
from xval.measures.side import Side
from xval.measures.task_facts import Activation as Activation
from xval.measures.task_facts import TargetForm as TargetForm
from xval.measures.task_facts import TaskFacts

if TYPE_CHECKING:
    import pandas as pd


class Task(TaskFacts, ABC):
    """The attributes and methods of a task.

    Attributes:
        variants: The same task with other values of label_form.
    """

    variants: Mapping[str, "Task"] = MappingProxyType({})

    # The columns of predictions.parquet, of `predict` and of predictions for new data.

    @abstractmethod
    def encode(
        self, targets: Known, predictions: Array, names: Names, thresholds: Known = None, clip_of: Known = None
    ) -> Encoded:
        """Convert targets and predictions to columns of a table.

        Args:
            targets: In the form that the metrics of the task accept; None: not known.
            predictions: float32 (n, n_outputs).
            names: Names of the outputs.
            thresholds: The probability from which on each of several labels is predicted.
            clip_of: int64 (n,), the number of the clip of each row, where all rows of a clip get the labels of the whole clip.
        """

    @abstractmethod
    def decode(self, columns: Columns, names: Names) -> Decoded:
        """Convert the columns of `encode` back to arrays.

        Args:
            columns: The columns of a table; each has ``to_numpy``.
            names: Names of the classes; empty if there are none.

        Raises:
            KeyError: A column is missing, or a class is unknown.
            ValueError: A value is not a number.
        """

    def measure(self, side: Side, options: ScoreOptions) -> MetricValues:
        """Return the metrics, in the order of the task's file, then further ones.

        Raises:
            DivergenceError: A prediction is NaN or infinite.
            JobError: Targets and predictions do not fit each other.
        """
        targets, predictions = side.counted()
        if options.known is None:
            return self._compute(targets, predictions, options)
        key = targets.tobytes() + predictions.tobytes()
        if key not in options.known:
            options.known[key] = self._compute(targets, predictions, options)
        return dict(options.known[key])

    def _compute(self, targets: NDArray[Any], predictions: NDArray[np.float32], options: ScoreOptions) -> MetricValues:
        return metrics.compute(self.name, targets, predictions, options.further)

    def made_up_targets(self, n_examples: int, n_outputs: int) -> Array:
        """Return artificial targets to test user-defined parts: normal numbers; or classes that each occur and are missing."""
        return np.random.default_rng(0).normal(size=(n_examples, n_outputs)).astype(np.float32)

    def evaluate(self, side: Side, options: ScoreOptions, *, by_item: bool = True) -> SideScores:
        """Return all scores of a side of a fold or of new data, and those of each item if `by_item`."""
        items = side.by_item() if by_item else ()
        item_scores = {
            item: {"n_clips": side_of_item.n_clips} | self.measure(side_of_item, options) for item, side_of_item in items
        }
        return SideScores(self.measure(side, options), item_scores, self.class_scores(side, options))

    def class_scores(self, side: Side, options: ScoreOptions) -> dict[str, Any]:
        """Return class_metrics, and confusion_matrix if each example has one class; nothing without classes."""
        return {}

    def count_classes(self, validation: Side, class_names: Names) -> dict[str, Any]:
        """Return validation_classes, the number of validation clips of each class; nothing unless each clip has one class."""
        return {}

    def lack_classes(self, targets: Array, groups: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether each group of examples lacks a class that others have, or has a constant target number.

        Args:
            targets: In the form that the metrics of the task accept.
            groups: The number of the group of each example, from 0 without gaps.

        Returns:
            bool (n_groups,).
        """
        return np.zeros(int(groups.max()) + 1, dtype=bool)

    def class_rows(self, side: Side, scores: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        """Return a row of scores for each class; `scores` are the `class_scores` of the side."""
        return dict(scores.get("class_metrics", {}))

    def counted_scores(self, side: Side) -> dict[str, ResampledScore]:
        """Return fast functions of resampled items for the metrics that follow from counts of each item."""
        return {}

    def find_thresholds(self, side: Side) -> NDArray[np.float64] | None:
        """Return the threshold of each label that the validation clips choose; None: the task has no thresholds."""
        return None

    def answer_constantly(self, side: Side, training_targets: Array, options: ScoreOptions) -> Side:
        """Return constant predictions that ignore the audio: class shares, or mean target, of the training examples."""
        answer = constant_answer(training_targets, len(options.class_names))
        return Answered(side.rows, side.targets, np.repeat(answer, len(side), axis=0))

    @abstractmethod
    def answer_clips(self, table: "pd.DataFrame", clip_of: Array, options: ScoreOptions) -> ClipAnswers:
        """Return the prediction for each clip and its error.

        Args:
            table: Predictions of a fold, a row per example or frame.
            clip_of: int64 (n,), the number of the clip of each row, from 0 without gaps.
            options: The options of scores.

        Raises:
            KeyError: As `decode`.
            ValueError: As `decode`.
        """

    def worst(self, answers: "pd.DataFrame") -> "pd.DataFrame":
        """Return the predictions for the clips of all folds, with a column ``error``, the worst first."""
        return answers.sort_values("error", ascending=False, kind="stable", ignore_index=True)

    def describe(self, answer: Mapping[Any, Any]) -> AnswerText:
        """Return a prediction of `worst` as text."""
        return AnswerText(str(answer["answer"]), error=float(answer["error"]))

    def describe_true(self, true: str) -> str:
        """Return a target of `worst` as text."""
        return true

    def read_labels(self, data: LabelledData, names: Names, renames: Renames, policy: str) -> TrueLabels:
        """Return the targets of new clips or recordings.

        Args:
            data: The clips or recordings with their labels.
            names: Names of the outputs of the model.
            renames: Labels of the data with the class of the model that each becomes.
            policy: How to combine the annotations of recordings.

        Raises:
            SettingsError: A renamed label does not occur or its class is unknown; the policy is unknown.
            CorpusError: No label is a class of the model, or a target is missing.
        """
        raise NotImplementedError


class ClassTask(Task):
    """A task with one class per example: targets are class numbers, int64 (n,)."""

    has_classes = True
    activation: Activation = "softmax"
    training_metric = "accuracy"

    def encode(
        self, targets: Known, predictions: Array, names: Names, thresholds: Known = None, clip_of: Known = None
    ) -> Encoded:
        """Return target, predicted and probability_<class>."""
        classes = np.array(names, dtype=object)
        true = {} if targets is None else {"target": classes[targets]}
        return true | {"predicted": classes[predictions.argmax(axis=1)]} | encode_outputs(PROBABILITY, predictions, names)

    def decode(self, columns: Columns, names: Names) -> Decoded:
        """Return class numbers and probabilities."""
        probabilities = decode_outputs(PROBABILITY, columns, names)
        if "target" not in columns:
            return Decoded(None, probabilities)
        numbers = {name: number for number, name in enumerate(names)}
        return Decoded(np.array([numbers[name] for name in columns["target"].to_numpy().tolist()], np.int64), probabilities)

    def made_up_targets(self, n_examples: int, n_outputs: int) -> Array:
        """Return each class in turn."""
        return np.arange(n_examples) % n_outputs

    def class_scores(self, side: Side, options: ScoreOptions) -> dict[str, Any]:
        """Return the scores of each class and the confusion matrix."""
        targets, predictions = side.counted()
        return {
            "class_metrics": class_metrics(targets, predictions, options.class_names),
            "confusion_matrix": confusion_matrix(targets, predictions),
        }

    def count_classes(self, validation: Side, class_names: Names) -> dict[str, Any]:
        """Return the number of validation clips of each class."""
        counts = np.bincount(validation.counted()[0], minlength=len(class_names)).tolist()
        return {"validation_classes": dict(zip(class_names, counts, strict=True))}

    def lack_classes(self, targets: Array, groups: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether each group lacks a class that others have."""
        occurs = np.zeros((int(groups.max()) + 1, int(targets.max()) + 1), dtype=bool)
        occurs[groups, targets] = True
        return _lack_some(occurs)


class LabelsTask(Task):
    """A task with any number of labels per example: targets are 0 or 1, float32 (n, n_classes)."""

    has_classes = True
    activation: Activation = "sigmoid"
    training_metric = "accuracy"

    def encode(
        self, targets: Known, predictions: Array, names: Names, thresholds: Known = None, clip_of: Known = None
    ) -> Encoded:
        """Return target_<label> and probability_<label>."""
        true = {} if targets is None else encode_outputs("target", targets, names)
        return true | encode_outputs(PROBABILITY, predictions, names)

    def decode(self, columns: Columns, names: Names) -> Decoded:
        """Return 0 or 1, and the probability, of each label."""
        is_known = any(f"target_{name}" in columns for name in names)
        targets = decode_outputs("target", columns, names) if is_known else None
        return Decoded(targets, decode_outputs(PROBABILITY, columns, names))

    def count_classes(self, validation: Side, class_names: Names) -> dict[str, Any]:
        """Return nothing, because metrics skip labels that do not occur, which does not favour a constant prediction."""
        return {}

    def lack_classes(self, targets: Array, groups: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether each group lacks a label that others have."""
        occurs = np.zeros((int(groups.max()) + 1, targets.shape[1]), dtype=bool)
        np.logical_or.at(occurs, groups, targets > 0)
        return _lack_some(occurs)

    def made_up_targets(self, n_examples: int, n_outputs: int) -> Array:
        """Return one label in turn, and then none."""
        return np.asarray(np.arange(n_examples)[:, None] % (n_outputs + 1) == np.arange(n_outputs), np.float32)


def _lack_some(occurs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows, bool (n_groups,), lack a class that other rows have; `occurs`: bool (n_groups, n_classes)."""
    return np.asarray(~occurs[:, occurs.any(axis=0)].all(axis=1))


def constant_answer(targets: NDArray[Any], n_classes: int) -> NDArray[np.float32]:
    """Return the prediction that ignores the audio, class shares or mean target: float32 (1, n_outputs).

    Args:
        targets: Training targets: int64 (n,) class numbers, or float32 (n, n_outputs).
        n_classes: Number of classes; 0 if there are none.
    """
    if targets.ndim == 1:
        return (np.bincount(targets, minlength=n_classes) / len(targets))[None].astype(np.float32)
    return np.asarray(np.mean(targets, axis=0, keepdims=True, dtype=np.float64), np.float32)


@cache
def all_tasks() -> Mapping[str, Task]:
    """Return the tasks by name; the tasks that corpora are prepared for come first."""
    tasks = {name: import_module(f"{metrics.PACKAGE}.{name}").TASK for name in metrics.task_types()}
    return {name: tasks[name] for name in sorted(tasks, key=lambda name: (*TASK_TYPES, name).index(name))}


def find_task(name: str, label_form: str = "multi_class") -> Task:
    """Return a task by its task_type; only frame_classification has more than one label_form."""
    tasks = all_tasks()
    if name not in tasks:
        raise SettingsError(f"unknown task_type '{name}'. {suggestion(name, tasks)}")
    return tasks[name].variants.get(label_form, tasks[name])
