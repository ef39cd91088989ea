"""`TaskFacts`: what a task defines as attributes: its words, its losses and metrics, and the settings it does not support."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from xval.base import keras_names, keras_objects
from xval.base.errors import SettingsError, suggestion
from xval.base.keras_names import KerasMetric
from xval.base.user_code import definitions
from xval.measures import metrics

TargetForm = Literal["class", "one_hot", "multi_hot", "number", "input", "frames"]
Activation = Literal["softmax", "sigmoid", "linear"]


class TaskFacts:
    """What the engine knows of a task but for its methods.

    Attributes:
        target: What the model's answers are compared with: the target of each clip, of each frame of a recording, or the input.
        has_classes: The answers are probabilities of classes, not numbers.
        activation: Keras's name of the activation that turns what an architecture returns into answers.
        losses: The losses that fit, and the form of the targets that each wants; the first is `auto`.
        scaled_losses: Those of differences, which target_scaling has in standard deviations of the training items' targets.
        training_metric: The metric that training follows besides the loss.
        training_metric_classes: Its class in keras.metrics, by the form of the targets.
        main_metrics: The metrics of the terminal; the first ranks instances, where rank_by names no other.
        item_metric: The metric of the sheet *items*.
        keras_metrics: The metrics of Keras that give one number for targets and predictions, without options.
        final_metrics: Metrics that are computed once, after training, and whether more of each is better.
        recorded_metrics: Those of them that records have.
        relative_metrics: Metrics that compare with an answer made of the training data, which no saved model keeps.
        loss_metric: The metric that the loss of a record is, whatever training minimised; None: it is that of the settings.
        loss_depends_on: What validation losses are measured in; instances that differ in it are not compared by them
            (`xval.settings.schema.names_of_loss`).
        loss_metrics: The monitored metrics that need this agreement.
        takes_further_metrics: Metrics in addition to its own can be computed from its predictions.
        unit: What is counted in tables and reports.
        clip_word: What one clip is called.
        answer_word: What a model finds in a file.
        label_word: What unknown labels of new data are counted in.
        worst_first: Which answers are worst, in a sentence.
        built_like: The task whose architectures do this one too.
        has_thresholds: Validation clips choose from which probability on each label is predicted.
        stratifies_classes: Folds are stratified by class, each of which some item has to train.
        needs_labels: Corpora are prepared for it; otherwise it reads those of any task.
        draws_numbers: The page draws what is predicted over what is true.
        has_positive_class: One class may be that which is to be found; see `xval.measures.binary`.
        refused: Why a setting does not fit the task, by its name.
        uneven_folds: What is wrong with folds that lack a class, or in which a number does not vary.
        why_final: Why `final_metrics` cannot be monitored, and what can.
        why_no_ensemble: Why its answers cannot be combined; empty: they can.
        why_no_folder: Why a folder of class folders is no new data of it; empty: it is.
        why_no_table: Why a table of clips is no new data of it; empty: it is.
        corpus_wanted: Which new data it is tested on.
    """

    target: Literal["clip", "frame", "input"] = "clip"
    has_classes: bool
    activation: Activation
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
    label_word: str = "clip"
    built_like: str = ""
    has_thresholds: bool = False
    stratifies_classes: bool = False
    needs_labels: bool = True
    draws_numbers: bool = False
    has_positive_class: bool = False
    refused: Mapping[str, str] = MappingProxyType(
        {
            "label_smoothing": "label_smoothing={value} needs classes of clips; received task_type={task}. Set "
            "label_smoothing=0",
            "clip_average": "clip_average='{value}' needs classes; received task_type={task}. Set clip_average=probabilities",
            "class_weights": "class_weights='{value}' needs classes; received task_type={task}. Set class_weights=none",
            "positive_class": "positive_class='{value}' needs clips with one class each; received task_type={task}. Remove "
            "positive_class",
            "sampling": "sampling='{value}' needs classes of clips; received task_type={task}. Set sampling=none",
            "item_decision": "item_decision='{value}' needs clips with one class or number each; received task_type={task}. "
            "Set item_decision=none",
            "calibration": "calibration={value} needs clips with one class each; received task_type={task}. Set "
            "calibration=none",
            "augment_mixup": "augment_mixup mixes the targets of clips, but task_type={task} has none. Set augment_mixup=0",
        }
    )
    uneven_folds: str = "{Folds} {do} not test every class, so {its} means over classes are undefined or over fewer classes"
    why_final: str = ""
    why_no_ensemble: str = ""
    why_no_folder: str = ""
    why_no_table: str = ""
    corpus_wanted: str = ""

    @cached_property
    def name(self) -> str:
        """The value of task_type: the name of its file."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def corpus_type(self) -> str:
        """The task type of the corpora that it reads."""
        return self.name

    @property
    def recorded_metrics(self) -> Mapping[str, bool]:
        """The final metrics that records have, and whether more of each is better."""
        return self.final_metrics

    def monitors(self, further: Iterable[str] = ()) -> tuple[str, ...]:
        """Return what can choose the best epoch: the loss, the training metric and every validation metric."""
        validated = (*metrics.metric_names(self.name), *further)
        return ("val_loss", "loss", self.training_metric, *(f"val_{name}" for name in validated))

    def loss_name(self, name: str) -> str:
        """Return the Keras name of a loss, with `auto` resolved; a loss of the user's own, or with options, is as it is.

        Raises:
            SettingsError: The loss does not fit the task; or there is no such function of two arguments.
        """
        if name == "auto":
            return next(iter(self.losses))
        if definitions.is_dotted(name):
            definitions.find_definition(name).check_signature(2, "loss(y_true, y_pred)")
            return name
        if keras_objects.is_object(name):
            described = keras_objects.parse(name)
            if described.own_path:
                definitions.find_definition(described.own_path)
                return name
            if keras_names.match(described.class_name, self.losses):
                return name
            name = described.class_name
        matched_loss = keras_names.match(name, self.losses)
        if matched_loss is None:
            raise SettingsError(
                f"unknown loss '{name}' for {self.name}. {suggestion(name, ['auto', *self.losses])} {definitions.HOW_TO_NAME}"
            )
        return matched_loss

    def target_form(self, loss: str) -> TargetForm:
        """Return the form of the targets that a loss of `loss_name` wants; the user's own want that of the first loss."""
        return self.losses.get(self.loss_kind(loss), next(iter(self.losses.values())))

    def loss_kind(self, loss: str) -> str:
        """Return the Keras name of a loss of `loss_name` without its options."""
        if not keras_objects.is_object(loss):
            return loss
        return keras_names.match(keras_objects.parse(loss).class_name, self.losses) or loss

    def higher_is_better(self, metric: str) -> bool:
        """Return whether more of a metric of the task, or of `final_metrics`, is better."""
        if metric in self.final_metrics:
            return self.final_metrics[metric]
        return metrics.higher_is_better(self.name, metric)
