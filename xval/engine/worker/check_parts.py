"""Use every part of Keras, or for it, that an instance names once, before anything is trained.

Comes in: the settings of an instance and the number of outputs of its model. Goes out: nothing, or the error of a loss,
optimizer, schedule or callback that cannot be used.
"""

import keras
import numpy as np

from xval.base import keras_objects, user_code
from xval.base.errors import SettingsError
from xval.engine.worker.check_metrics import made_up_answers
from xval.models.losses import loss_function
from xval.settings.schema import Settings
from xval.training import optimizer
from xval.training.layer_rates import prepare_layer_rates
from xval.training.own_callbacks import own_parts


def check_parts(settings: Settings, n_outputs: int) -> None:
    """Load the loss, optimizer, schedule and callbacks of an instance and use them once, before anything is trained.

    The number of outputs is that of classes, or of values to predict.

    Raises:
        SettingsError: A part of the user's own is not what it is named for.
        Exception: Whatever a part of the user's own raises.
    """
    prepare_layer_rates(optimizer.make_optimizer(settings), settings)
    own_parts(settings)
    optimizer.check_schedule(settings)
    targets, predictions = made_up_answers(settings.task, n_outputs)
    loss = settings.task.loss_name(settings.loss)
    if user_code.is_dotted(loss) or keras_objects.is_object(loss):
        wanted = np.eye(n_outputs, dtype=np.float32)[targets] if settings.task.target_form(loss) == "one_hot" else targets
        shape = np.shape(keras.ops.convert_to_numpy(loss_function(loss)(wanted, predictions)))
        if shape != (len(targets),):
            raise SettingsError(
                f"loss '{loss}' gave shape {shape} for {len(targets)} examples; expected one value per example."
            )
