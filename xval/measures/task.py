"""What differs between tasks, as the methods of a `Task`; each task is a file of xval/measures/tasks.

Comes in: a task_type, and of frame_classification a label_form. Goes out: its `Task`. A new task is a file with a class, an
instance of it named ``TASK``, metrics and a function ``check`` of targets and predictions; it is found by its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from preprocessing.annotations.labels import LabelForm as LabelForm
from preprocessing.clips.table import TASK_TYPES
from xval.base import keras_names, user_code
from xval.base.errors import SettingsError, suggestion
from xval.base.keras_names import KerasMetric
from xval.measures import metrics
from xval.measures.answered import Answered
from xval.measures.forms import (
    AnswerText,
    ClipAnswers,
    Columns,
    Decoded,
    DrawnFigure,
    FigureOptions,
    Figures,
    Side,
    SideFigures,
)
from xval.measures.labels import LabelledData, TrueLabels

if TYPE_CHECKING:
    import pandas as pd

TargetForm = Literal["class", "one_hot", "multi_hot", "number", "input", "frames"]


class Task(ABC):
    """What the engine knows of a task.

    Attributes:
        target: What the model's answers are compared with: the target of each clip, of each frame of a recording, or the input.
        has_classes: The answers are probabilities of classes, not numbers.
        activation: Keras's name of the activation that turns what an architecture returns into answers.
        losses: The losses that fit, and the form of the targets that each wants; the first is `auto`.
        scaled_losses: Those of differences, which target_scaling has in deviations of the training items' targets.
        training_metric: The metric that training follows besides the loss.
        training_metric_classes: Its class in keras.metrics, by the form of the targets.
        main_metrics: The metrics of the terminal; the first ranks instances whose monitored values cannot be compared.
        item_metric: The metric of the sheet *items*.
        keras_metrics: The metrics of Keras that give one number for targets and predictions, without options.
        final_metrics: Metrics that are computed once, after training, and whether more of each is better.
        recorded_metrics: Those of them that records have.
        relative_metrics: Metrics that compare with an answer made of the training data, which no saved model keeps.
        loss_metric: The metric that the loss of a record is, whatever training minimised; None: it is that of the settings.
        loss_depends_on: What validation losses are measured in; instances that differ in it are not compared by them
            (`xval.settings.schema.names_of_loss`).
        loss_metrics: The monitored metrics that need this agreement.
        takes_further_metrics: Metrics beside its own can be computed from its predictions.
        unit: What is counted in tables and reports.
        clip_word: What one clip is called.
        answer_word: What a model finds in a file.
        label_word: What unknown labels of new data are counted in.
        worst_first: Which answers are worst, in a sentence.
        variants: The same task with another label_form.
    """

    target: Literal["clip", "frame", "input"] = "clip"
    has_classes: bool
    activation: Literal["softmax", "sigmoid", "linear"]
    losses: Mapping[str, TargetForm]
    training_metric: str
    training_metric_classes: Mapping[TargetForm, str]
    main_metrics: tuple[str, ...]
    item_metric: str
    worst_first: str
    scaled_losses: tuple[str, ...] = ()
    keras_metrics: Mapping[str, KerasMetric] = MappingProxyType({})
    final_metrics: Mapping[str, bool] = MappingProxyType({})
    relative_metrics: tuple[str, ...] = ()
    loss_metric: str | None = None
    loss_depends_on: Literal["features", "frame_labels"] | None = None
    loss_metrics: tuple[str, ...] = ("loss",)
    takes_further_metrics: bool = True
    unit: Literal["clips", "frames"] = "clips"
    clip_word: str = "clip"
    answer_word: str = "prediction"
    label_word: str = "clips"
    variants: Mapping[str, "Task"] = MappingProxyType({})

    @cached_property
    def name(self) -> str:
        """The value of task_type: the name of its file."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def recorded_metrics(self) -> Mapping[str, bool]:
        """The final metrics that records have, and whether more of each is better."""
        return self.final_metrics

    @property
    def is_framewise(self) -> bool:
        """Whether each frame of a recording has a target."""
        return self.target == "frame"

    @property
    def is_reconstruction(self) -> bool:
        """Whether a model rebuilds its input, so that it needs no labels."""
        return self.target == "input"

    @property
    def has_clip_targets(self) -> bool:
        """Whether each clip has a target: a class, labels or numbers."""
        return self.target == "clip"

    @property
    def has_clip_classes(self) -> bool:
        """Whether each clip has one class."""
        return self.has_clip_targets and self.has_classes and not self.is_multi_label

    @property
    def has_clip_labels(self) -> bool:
        """Whether each clip has any number of labels."""
        return self.has_clip_targets and self.is_multi_label

    @property
    def deals_classes(self) -> bool:
        """Whether folds are stratified by class, each of which some item has to train."""
        return self.has_clip_classes or self.has_clip_labels

    @property
    def has_clip_numbers(self) -> bool:
        """Whether each clip has numbers to predict."""
        return self.has_clip_targets and not self.has_classes

    @property
    def is_multi_label(self) -> bool:
        """Whether several classes may be right at once."""
        return self.has_classes and self.activation == "sigmoid"

    # What predictions.parquet holds, what `predict` returns and what new data are answered with.

    @abstractmethod
    def encode(
        self,
        targets: NDArray[Any] | None,
        predictions: NDArray[np.float32],
        names: Sequence[str],
        thresholds: NDArray[np.float64] | None = None,
        clip_of: NDArray[np.int64] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return the columns of predictions.

        Args:
            targets: As the metrics of the task take them; None: not known.
            predictions: float32 (n, n_outputs).
            names: Of the outputs.
            thresholds: From which probability on each of several labels is predicted.
            clip_of: int64 (n,), the number of the clip of each row, where all rows of a clip get the labels of the whole clip.
        """

    @abstractmethod
    def decode(self, columns: Columns, names: Sequence[str]) -> Decoded:
        """Return the arrays that `encode` made columns of.

        Args:
            columns: Of a table: whatever has ``to_numpy``.
            names: Of the classes; empty where there are none.

        Raises:
            KeyError: A column is missing, or a class is unknown.
            ValueError: A value is no number.
        """

    def measure(self, side: Side, options: FigureOptions) -> Figures:
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

    def _compute(self, targets: NDArray[Any], predictions: NDArray[np.float32], options: FigureOptions) -> Figures:
        return metrics.compute(self.name, targets, predictions, options.further)

    def evaluate(self, side: Side, options: FigureOptions, *, by_item: bool = True) -> SideFigures:
        """Return all figures of a side, with those of each item if they are wanted; for folds and for new data alike.

        Raises:
            DivergenceError: A prediction is NaN or infinite.
            JobError: Targets and predictions do not fit each other.
        """
        items = side.by_item() if by_item else ()
        of_items = {item: {"n_clips": len(own)} | self.measure(own, options) for item, own in items}
        return SideFigures(self.measure(side, options), of_items, self.class_figures(side, options))

    def class_figures(self, side: Side, options: FigureOptions) -> dict[str, Any]:  # noqa: ARG002
        """Return class_metrics, and the confusion_matrix where one class is the right one; nothing without classes."""
        return {}

    def class_rows(self, side: Side, figures: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:  # noqa: ARG002
        """Return a row of figures for each class; `figures` are the `class_figures` of the side."""
        return dict(figures.get("class_metrics", {}))

    def counted_figures(self, side: Side) -> dict[str, DrawnFigure]:  # noqa: ARG002
        """Return the metrics that follow from counts of each item, as functions of drawn items, which are fast."""
        return {}

    def find_thresholds(self, side: Side) -> NDArray[np.float64] | None:  # noqa: ARG002
        """Return from which probability on each label is predicted, as validation clips choose it; None: there is no such."""
        return None

    def answer_constantly(self, side: Side, training_targets: NDArray[Any], options: FigureOptions) -> Side:
        """Return what a model answers that ignores the audio: the shares of the classes, or the mean target, of what trains."""
        answer = constant_answer(training_targets, len(options.class_names))
        return Answered(side.rows, side.targets, np.repeat(answer, len(side), axis=0))

    @abstractmethod
    def answer_clips(self, table: "pd.DataFrame", clip_of: NDArray[np.int64], options: FigureOptions) -> ClipAnswers:
        """Return what was answered on each clip, and how wrong it is.

        Args:
            table: Predictions of a fold, a row per example or frame.
            clip_of: int64 (n,), the number of the clip of each row, from 0 without gaps.
            options: What the answers depend on.

        Raises:
            KeyError: As `decode`.
            ValueError: As `decode`.
        """

    def worst(self, answers: "pd.DataFrame") -> "pd.DataFrame":
        """Return the answers on the clips of all folds, the worst first, which have the column error."""
        return answers.sort_values("error", ascending=False, kind="stable", ignore_index=True)

    def describe(self, answer: Mapping[Any, Any]) -> AnswerText:
        """Return an answer of `worst` for people."""
        return AnswerText(str(answer["answer"]), error=float(answer["error"]))

    def describe_true(self, true: str) -> str:
        """Return the true answer of `worst` for people."""
        return true

    def read_labels(self, data: LabelledData, names: Sequence[str], renames: Mapping[str, str], policy: str) -> TrueLabels:
        """Return the targets of clips or recordings from elsewhere.

        Args:
            data: With the labels.
            names: Of the outputs of the model.
            renames: From labels of the data to classes of the model.
            policy: How annotations of recordings are combined.

        Raises:
            SettingsError: A renamed label does not occur or its class is unknown; the policy is unknown.
            CorpusError: No label is a class of the model, or a target is missing.
        """
        raise NotImplementedError

    def monitors(self, further: Iterable[str] = ()) -> tuple[str, ...]:
        """Return what can choose the best epoch: the loss, the training metric and every validation metric."""
        # The metrics of a reconstruction need the features besides, which are not kept between epochs.
        validated = (self.training_metric,) if self.is_reconstruction else (*metrics.metric_names(self.name), *further)
        return ("val_loss", "loss", self.training_metric, *(f"val_{name}" for name in validated))

    def loss_name(self, name: str) -> str:
        """Return the Keras name of a loss, with `auto` resolved, or the dotted path of a loss of the user's own.

        Args:
            name: A Keras name, or `auto`.

        Raises:
            SettingsError: The loss does not fit the task; or there is no such function of two arguments.
        """
        if name == "auto":
            return next(iter(self.losses))
        if user_code.is_dotted(name):
            user_code.find_definition(name).check_signature(2, "loss(y_true, y_pred)")
            return name
        found = keras_names.match(name, self.losses)
        if found is None:
            raise SettingsError(
                f"unknown loss '{name}' for {self.name}. {suggestion(name, ['auto', *self.losses])} {user_code.HOW_TO_NAME}"
            )
        return found

    def target_form(self, loss: str) -> TargetForm:
        """Return the form of the targets that a loss of `loss_name` wants; the user's own want that of the first loss."""
        return self.losses.get(loss, next(iter(self.losses.values())))

    def higher_is_better(self, metric: str) -> bool:
        """Return whether more of a metric of the task, or of `final_metrics`, is better.

        Raises:
            SettingsError: There is no such metric.
        """
        if metric in self.final_metrics:
            return self.final_metrics[metric]
        return metrics.higher_is_better(self.name, metric)


def constant_answer(targets: NDArray[Any], n_classes: int) -> NDArray[np.float32]:
    """Return the answer that ignores the audio: the shares of the classes, or the mean target, float32 (1, n_outputs).

    Args:
        targets: Of what trains: int64 (n,) class numbers, or float32 (n, n_outputs).
        n_classes: Number of classes; 0 where there are none.
    """
    if targets.ndim == 1:
        return (np.bincount(targets, minlength=n_classes) / len(targets))[None].astype(np.float32)
    return np.asarray(np.mean(targets, axis=0, keepdims=True, dtype=np.float64), np.float32)


@cache
def all_tasks() -> Mapping[str, Task]:
    """Return the tasks by their names, as their files give them: first those that corpora are prepared for by name."""
    found = {name: import_module(f"{metrics.PACKAGE}.{name}").TASK for name in metrics.task_types()}
    return {name: found[name] for name in sorted(found, key=lambda name: (*TASK_TYPES, name).index(name))}


def find_task(name: str, label_form: str = "multi_class") -> Task:
    """Return a task.

    Args:
        name: The task_type.
        label_form: The label_form; only frame_classification has more than one.

    Raises:
        SettingsError: There is no such task.
    """
    tasks = all_tasks()
    if name not in tasks:
        raise SettingsError(f"unknown task_type '{name}'. {suggestion(name, tasks)}")
    return tasks[name].variants.get(label_form, tasks[name])
