"""The tasks: all that differs between classification, of one label or of several, regression, representation and frames.

Comes in: a task_type, and of frame_classification a label_form. Goes out: a `Task`. A new task is an entry of `TASKS`, a file
of metrics, xval/measures/tasks/<name>.py, and a module of xval/training/evaluation/.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from preprocessing.annotations.labels import LabelForm as LabelForm
from preprocessing.clips.table import TaskType
from xval.base import keras_names, user_code
from xval.base.errors import SettingsError, suggestion
from xval.base.keras_names import KerasMetric
from xval.measures import metrics
from xval.measures.tasks.frame_classification import EVENT_METRICS, SCORE_METRICS
from xval.measures.tasks.multilabel_classification import TUNED_METRICS

TargetForm = Literal["class", "one_hot", "multi_hot", "number", "input", "frames"]


@dataclass(frozen=True, eq=False)
class Task:
    """What the engine knows of a task.

    Attributes:
        name: The value of task_type; the metrics of the task are in xval/measures/tasks/<name>.py.
        target: What the model's answers are compared with: the target of each clip, of each frame of a recording, or the input.
        has_classes: The answers are probabilities of classes, not numbers.
        activation: Keras's name of the activation that turns what an architecture returns into answers.
        losses: The losses that fit, and the form of the targets that each wants; the first is `auto`.
        scaled_losses: Those of differences, which target_scaling has in deviations of the training items' targets.
        training_metric: The metric that training follows besides the loss.
        training_metric_classes: Its class in keras.metrics, by the form of the targets.
        main_metrics: The metrics of the terminal; the first ranks instances whose monitored values cannot be compared.
        item_metric: The metric of the sheet *items*.
        evaluation: The dotted path of the function that tests a fitted model.
        keras_metrics: The metrics of Keras that give one number for targets and predictions, without options.
        final_metrics: Metrics that are computed once, after training, and whether more of each is better.
        relative_metrics: Metrics that compare with an answer made of the training data, which no saved model keeps.
        loss_depends_on: What validation losses are measured in; instances that differ in it are not compared by them
            (`xval.settings.schema.names_of_loss`).
        loss_metrics: The monitored metrics that need this agreement.
        unit: What is counted in tables and reports.
        clip_word: What one clip is called.
        answer_word: What a model finds in a file.
        variants: The same task with another label_form.
    """

    name: TaskType
    target: Literal["clip", "frame", "input"]
    has_classes: bool
    activation: Literal["softmax", "sigmoid", "linear"]
    losses: Mapping[str, TargetForm]
    training_metric: str
    training_metric_classes: Mapping[TargetForm, str]
    main_metrics: tuple[str, ...]
    item_metric: str
    evaluation: str
    scaled_losses: tuple[str, ...] = ()
    keras_metrics: Mapping[str, KerasMetric] = field(default_factory=dict)
    final_metrics: Mapping[str, bool] = field(default_factory=dict)
    relative_metrics: tuple[str, ...] = ()
    loss_depends_on: Literal["features", "frame_labels"] | None = None
    loss_metrics: tuple[str, ...] = ("loss",)
    unit: Literal["clips", "frames"] = "clips"
    clip_word: str = "clip"
    answer_word: str = "prediction"
    variants: Mapping[str, "Task"] = field(default_factory=dict)

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


CLASSIFICATION = Task(
    name="classification",
    target="clip",
    has_classes=True,
    activation="softmax",
    losses={
        "sparse_categorical_crossentropy": "class",
        "categorical_crossentropy": "one_hot",
        "categorical_focal_crossentropy": "one_hot",
        "categorical_hinge": "one_hot",
        "kl_divergence": "one_hot",
        "binary_crossentropy": "one_hot",
        "binary_focal_crossentropy": "one_hot",
        "mean_squared_error": "one_hot",
    },
    training_metric="accuracy",
    training_metric_classes={"class": "SparseCategoricalAccuracy", "one_hot": "CategoricalAccuracy"},
    main_metrics=("balanced_accuracy", "accuracy"),
    item_metric="accuracy",
    evaluation="xval.training.evaluation.clips.evaluate_model",
    keras_metrics={
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
    },
)

MULTILABEL_CLASSIFICATION = Task(
    name="multilabel_classification",
    target="clip",
    has_classes=True,
    activation="sigmoid",
    losses={"binary_crossentropy": "multi_hot", "binary_focal_crossentropy": "multi_hot"},
    training_metric="accuracy",
    training_metric_classes={"multi_hot": "BinaryAccuracy"},
    main_metrics=("mean_average_precision", "tuned_macro_f1"),
    item_metric="lrap",
    evaluation="xval.training.evaluation.clips.evaluate_model",
    final_metrics=TUNED_METRICS,
    keras_metrics={
        "binary_crossentropy": KerasMetric("BinaryCrossentropy", higher_is_better=False),
        "mean_squared_error": KerasMetric("MeanSquaredError", higher_is_better=False),
    },
)

REGRESSION = Task(
    name="regression",
    target="clip",
    has_classes=False,
    activation="linear",
    losses={
        "mean_squared_error": "number",
        "mean_absolute_error": "number",
        "huber": "number",
        "log_cosh": "number",
        "mean_absolute_percentage_error": "number",
        "mean_squared_logarithmic_error": "number",
        "poisson": "number",
        "cosine_similarity": "number",
    },
    scaled_losses=("mean_squared_error", "mean_absolute_error", "huber", "log_cosh"),
    training_metric="mae",
    training_metric_classes={"number": "MeanAbsoluteError"},
    main_metrics=("rmse", "ccc"),
    item_metric="rmse",
    evaluation="xval.training.evaluation.clips.evaluate_model",
    keras_metrics={
        "cosine_similarity": KerasMetric("CosineSimilarity", higher_is_better=True),
        "log_cosh_error": KerasMetric("LogCoshError", higher_is_better=False),
        "mean_absolute_error": KerasMetric("MeanAbsoluteError", higher_is_better=False),
        "mean_absolute_percentage_error": KerasMetric("MeanAbsolutePercentageError", higher_is_better=False),
        "mean_squared_error": KerasMetric("MeanSquaredError", higher_is_better=False),
        "mean_squared_logarithmic_error": KerasMetric("MeanSquaredLogarithmicError", higher_is_better=False),
        "poisson": KerasMetric("Poisson", higher_is_better=False),
        "r2_score": KerasMetric("R2Score", higher_is_better=True),
        "root_mean_squared_error": KerasMetric("RootMeanSquaredError", higher_is_better=False),
    },
)

REPRESENTATION = Task(
    name="representation",
    target="input",
    has_classes=False,
    activation="linear",
    losses={"mean_squared_error": "input", "mean_absolute_error": "input", "huber": "input", "log_cosh": "input"},
    training_metric="mse",
    training_metric_classes={"input": "MeanSquaredError"},
    main_metrics=("explained_variance", "mse"),
    item_metric="mse",
    evaluation="xval.training.evaluation.reconstruction.evaluate_reconstruction",
    relative_metrics=("explained_variance",),
    loss_depends_on="features",  # errors are in their units
    loss_metrics=("loss", "mse"),
)

_MULTI_CLASS_FRAMES = Task(
    name="frame_classification",
    target="frame",
    has_classes=True,
    activation="softmax",
    losses={"sparse_categorical_crossentropy": "frames"},
    training_metric="accuracy",
    training_metric_classes={"frames": "SparseCategoricalAccuracy"},
    main_metrics=("macro_f1", "event_f1"),
    item_metric="macro_f1",
    evaluation="xval.training.evaluation.frames.evaluate_frames",
    final_metrics=EVENT_METRICS | SCORE_METRICS,
    loss_depends_on="frame_labels",  # others are other questions
    unit="frames",
    clip_word="recording",
    answer_word="event",
)
_MULTI_LABEL_FRAMES = replace(
    _MULTI_CLASS_FRAMES,
    activation="sigmoid",
    losses={"binary_crossentropy": "frames", "binary_focal_crossentropy": "frames"},
    training_metric_classes={"frames": "BinaryAccuracy"},
)
FRAME_CLASSIFICATION = replace(_MULTI_CLASS_FRAMES, variants={"multi_label": _MULTI_LABEL_FRAMES})

TASKS: Mapping[str, Task] = {
    task.name: task for task in (CLASSIFICATION, MULTILABEL_CLASSIFICATION, REGRESSION, REPRESENTATION, FRAME_CLASSIFICATION)
}


def find_task(name: str, label_form: str = "multi_class") -> Task:
    """Return a task.

    Args:
        name: The task_type.
        label_form: The label_form; only frame_classification has more than one.

    Raises:
        SettingsError: There is no such task.
    """
    if name not in TASKS:
        raise SettingsError(f"unknown task_type '{name}'. {suggestion(name, TASKS)}")
    return TASKS[name].variants.get(label_form, TASKS[name])
