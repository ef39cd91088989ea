"""Test all parts of Keras, or for Keras, that an instance names, before training."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.base import keras_objects
from xval.base.errors import SettingsError, one_line
from xval.base.user_code import definitions
from xval.base.user_code.modules import describe_place
from xval.engine.worker.check_metrics import made_up_answers
from xval.measures.task import Task
from xval.models.losses import loss_function
from xval.settings.schema import Settings
from xval.training import optimizer
from xval.training.layer_rates import prepare_layer_rates
from xval.training.own_callbacks import own_parts


def check_parts(settings: Settings, n_outputs: int) -> None:
    """Load and test the loss, optimizer, schedule and callbacks of an instance before training.

    `n_outputs` is the number of classes, or of values to predict.

    Raises:
        SettingsError: A user's part does not have the required form.
        Exception: Any error of a user's part.
    """
    prepare_layer_rates(optimizer.make_optimizer(settings), settings)
    own_parts(settings)
    optimizer.check_schedule(settings)
    loss = settings.task.loss_name(settings.loss)
    if definitions.is_dotted(loss) or keras_objects.is_object(loss):
        _check_loss(loss, settings.task, n_outputs)


def _check_loss(loss: str, task: Task, n_outputs: int) -> None:
    """Raise an error for a loss that is not one value per example, is lower for wrong predictions, or expects logits.

    It is tested on predictions: a loss of logits does not change if 1 is added to all logits, or if their sign changes with the
    target, while this would change probabilities.
    """
    targets, predictions = made_up_answers(task, n_outputs)
    one_hot = np.eye(n_outputs, dtype=np.float32)[targets] if task.has_classes and targets.ndim == 1 else targets
    wanted = one_hot if task.target_form(loss) == "one_hot" else targets

    def values(answers: NDArray[Any], of: NDArray[Any] = wanted) -> NDArray[np.float64]:
        given = (keras.ops.convert_to_tensor(array) for array in (of, answers.astype(np.float32)))
        return np.asarray(keras.ops.convert_to_numpy(loss_function(loss)(*given)), np.float64)

    try:
        shape = values(predictions).shape
    except Exception as error:
        raise SettingsError(
            f"loss '{loss}': {describe_place(error)}{one_line(error)}. It received y_true of shape {wanted.shape} "
            f"({wanted.dtype}) and y_pred of shape {predictions.shape}."
        ) from error
    if shape != (len(targets),):
        raise SettingsError(
            f"loss '{loss}' returned shape {shape} for {len(targets)} examples; expected one value per example."
        )
    if task.has_classes:
        even = 1 / one_hot.shape[-1] if targets.ndim == 1 else 0.5
        right = 0.8 * one_hot + 0.2 * even
        wrong = 0.8 * np.roll(one_hot, 1, axis=-1) + 0.2 * even if targets.ndim == 1 else 1 - right
    elif task.target == "input":  # the answer is the residual
        wanted = np.zeros_like(targets)
        right, wrong = 0.1 * predictions, predictions + 1
    else:
        right, wrong = targets + 0.1 * predictions, targets + predictions + 1
    if_right, if_wrong = (float(values(answers, wanted).mean()) for answers in (right, wrong))
    if not if_right < if_wrong:
        raise SettingsError(
            f"loss '{loss}' gave {if_right:.4g} for right predictions and {if_wrong:.4g} for wrong ones; expected a lower "
            "value for right ones, because training minimises a loss. Change its sign, or check how it uses y_true and "
            "y_pred."
        )
    if task.has_classes and _takes_logits(values, targets, one_hot, predictions):
        raise SettingsError(
            f"loss '{loss}' treats y_pred as logits (from_logits=True), but xval passes probabilities, so {task.activation} "
            "would be applied twice. Set from_logits=False."
        )


def _takes_logits(
    values: Callable[..., NDArray[np.float64]],
    targets: NDArray[Any],
    one_hot: NDArray[np.float32],
    predictions: NDArray[np.float32],
) -> bool:
    """Return whether a loss expects logits.

    A softmax ignores a constant that is added to all logits, and sigmoid(-x) = 1 - sigmoid(x). A loss of probabilities with
    this property, such as a margin, does not decrease for predictions above 1.
    """
    if targets.ndim == 1:
        pair = values(predictions), values(predictions + 1)
    else:
        pair = values(predictions, targets), values(-predictions, 1 - targets)
    sides = one_hot if targets.ndim == 1 else 2 * one_hot - 1
    certain, *beyond = (float(values(scale * sides).mean()) for scale in (1, 2, 4, 8))
    return bool(np.allclose(*pair, rtol=1e-4, atol=1e-6)) and min(beyond) < certain - 1e-3
