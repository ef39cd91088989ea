"""`TaskFacts`: the attributes of a task: its words, losses, metrics, and the settings it does not support."""

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
    """The attributes of a task; `Task` adds the methods.

    Attributes:
        target: What predictions are compared with: the target of each clip, of each frame of a recording, or the input.
        has_classes: Whether predictions are probabilities of classes, not numbers.
        activation: Keras's name of the activation that turns the output of an architecture into predictions.
        losses: The supported losses, with the form of targets that each requires; the first is `auto`.
        scaled_losses: Losses of differences, which target_scaling expresses in standard deviations of the training targets.
        training_metric: The metric that is computed in training in addition to the loss.
        training_metric_classes: Its class in keras.metrics, by the form of the targets.
        main_metrics: The metrics of the terminal; the first ranks instances unless rank_by names another.
        item_metric: The metric of the sheet *items*.
        keras_metrics: The metrics of Keras that give one number for targets and predictions, without options.
        final_metrics: Metrics that are computed once, after training, with whether higher is better.
        recorded_metrics: The final metrics that records have.
        relative_metrics: Metrics that compare with a prediction from the training data, which saved models do not keep.
        loss_metric: The metric of the loss in records, whatever training minimised; None: the loss of the settings.
        loss_depends_on: What validation losses depend on; instances that differ in it are not compared by their losses
            (`xval.settings.schema.names_of_loss`).
        loss_metrics: The monitored metrics that are only comparable then.
        takes_further_metrics: Whether further metrics can be computed from its predictions.
        unit: The unit that tables and reports count.
        clip_word: The word for a clip.
        answer_word: The word for a prediction.
        label_word: The word for what unknown labels of new data are counted in.
        worst_first: A sentence on which predictions are the worst.
        built_like: The task whose architectures also fit this one.
        has_thresholds: Whether validation clips choose the threshold of each label.
        stratifies_classes: Whether folds are stratified by class, so that each class has a training item.
        needs_labels: Whether corpora are prepared for it; otherwise it reads corpora of any task.
        draws_numbers: Whether the page plots predictions over targets.
        has_positive_class: Whether one class may be the class to detect; see `xval.measures.binary`.
        refused: The reason why a setting is not supported, by its name.
        uneven_folds: The consequence of folds that lack a class, or in which a target number is constant.
        why_final: Why `final_metrics` cannot be monitored, and which metrics can.
        why_no_ensemble: Why its predictions cannot be combined; empty: they can.
        why_no_folder: Why a folder of class folders cannot be new data; empty: it can.
        why_no_table: Why a table of clips cannot be new data; empty: it can.
        corpus_wanted: The new data on which it can be tested.
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
        """The final metrics that records have, with whether higher is better."""
        return self.final_metrics

    def monitors(self, further: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the quantities that can choose the best epoch: the loss, the training metric and all validation metrics."""
        validated = (*metrics.metric_names(self.name), *further)
        return ("val_loss", "loss", self.training_metric, *(f"val_{name}" for name in validated))

    def loss_name(self, name: str) -> str:
        """Return the Keras name of a loss, with `auto` resolved; a user's loss, or one with options, stays as it is.

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
        """Return the form of targets that a loss of `loss_name` requires; for a user's loss, that of the first loss."""
        return self.losses.get(self.loss_kind(loss), next(iter(self.losses.values())))

    def loss_kind(self, loss: str) -> str:
        """Return the Keras name of a loss of `loss_name` without its options."""
        if not keras_objects.is_object(loss):
            return loss
        return keras_names.match(keras_objects.parse(loss).class_name, self.losses) or loss

    def higher_is_better(self, metric: str) -> bool:
        """Return whether a higher value of a metric of the task, or of `final_metrics`, is better."""
        if metric in self.final_metrics:
            return self.final_metrics[metric]
        return metrics.higher_is_better(self.name, metric)
