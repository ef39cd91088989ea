"""What belongs to a task: the losses that fit it, the form of its targets, what can choose the best epoch."""

from collections.abc import Iterable
from typing import Literal

from xval import metrics
from xval.errors import SettingsError, suggestion
from xval.settings import keras_names, user_code

TargetForm = Literal["class", "one_hot", "number", "input", "frames"]


# For each task the losses that fit it and the form of the targets that they want; the first is `auto`.
LOSSES: dict[str, dict[str, TargetForm]] = {
    "classification": {
        "sparse_categorical_crossentropy": "class",
        "categorical_crossentropy": "one_hot",
        "categorical_focal_crossentropy": "one_hot",
        "categorical_hinge": "one_hot",
        "kl_divergence": "one_hot",
        "binary_crossentropy": "one_hot",
        "binary_focal_crossentropy": "one_hot",
        "mean_squared_error": "one_hot",
    },
    "regression": {
        "mean_squared_error": "number",
        "mean_absolute_error": "number",
        "huber": "number",
        "log_cosh": "number",
        "mean_absolute_percentage_error": "number",
        "mean_squared_logarithmic_error": "number",
        "poisson": "number",
        "cosine_similarity": "number",
    },
    "representation": {
        "mean_squared_error": "input",
        "mean_absolute_error": "input",
        "huber": "input",
        "log_cosh": "input",
    },
    "frame_classification": {"sparse_categorical_crossentropy": "frames"},
    "frame_classification, multi_label": {"binary_crossentropy": "frames", "binary_focal_crossentropy": "frames"},
}


# The metric that Keras follows in training besides the loss.
TRAINING_METRIC = {
    "classification": "accuracy", "regression": "mae", "representation": "mse", "frame_classification": "accuracy",
}  # fmt: skip


def monitors(task_type: str, further: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what can choose the best epoch of a task: the loss, the training metric and every validation metric.

    Args:
        task_type: The task.
        further: Metrics beside those of the task.
    """
    followed = TRAINING_METRIC[task_type]
    if task_type == "representation":  # its metrics need the features besides
        return ("val_loss", "loss", followed, f"val_{followed}")
    return ("val_loss", "loss", followed, *(f"val_{name}" for name in (*metrics.metric_names(task_type), *further)))


def loss_name(task_type: str, name: str, label_form: str = "multi_class") -> str:
    """Return the Keras name of a loss, with `auto` resolved, or the dotted path of a loss of the user's own.

    Args:
        task_type: The task.
        name: A Keras name, or `auto`.
        label_form: Of frame classification.

    Raises:
        SettingsError: The loss does not fit the task; or there is no such function of two arguments.
    """
    is_multi_label = task_type == "frame_classification" and label_form == "multi_label"
    fitting = LOSSES["frame_classification, multi_label" if is_multi_label else task_type]
    if name == "auto":
        return next(iter(fitting))
    if user_code.is_dotted(name):
        user_code.find_definition(name).check_signature(2, "loss(y_true, y_pred)")
        return name
    found = keras_names.match(name, fitting)
    if found is None:
        raise SettingsError(
            f"unknown loss '{name}' for {task_type}. {suggestion(name, ['auto', *fitting])} {user_code.HOW_TO_NAME}"
        )
    return found


def target_form(task_type: str, loss: str) -> TargetForm:
    """Return the form of the targets that a loss of `loss_name` wants; one of the user's own, that of the task's first loss."""
    fitting = LOSSES[task_type]
    return fitting.get(loss, next(iter(fitting.values())))
