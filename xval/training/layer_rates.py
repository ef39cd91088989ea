"""Learning rates of the blocks of a network: lower for blocks nearer to the input, and gradual unfreezing of frozen blocks.

The optimizer applies a share of the update of each variable, which is set in each epoch. Sources: Howard & Ruder 2018,
"Universal language model fine-tuning for text classification" (discriminative rates, gradual unfreezing); as a factor per
layer: Clark et al. 2020, "ELECTRA".
"""

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend.keras_optimizers import ScaledUpdates, mix_in
from xval.base.errors import SettingsError
from xval.models.transfer import blocks_to_freeze, network_blocks
from xval.settings.schema import Settings


def has_layer_rates(settings: Settings) -> bool:
    """Return whether a block has another learning rate than that of the settings in some epoch."""
    return settings.layer_learning_rate_decay < 1 or settings.unfreeze_every > 0


def prepare_layer_rates(optimizer: "keras.optimizers.Optimizer", settings: Settings) -> None:
    """Add the shares of updates to an optimizer that is not built yet, if the settings need them.

    Raises:
        SettingsError: The optimizer is of the user's own, with its own apply().
    """
    if not has_layer_rates(settings):
        return
    if type(optimizer).apply is not keras.optimizers.Optimizer.apply:
        name = "unfreeze_every" if settings.unfreeze_every else "layer_learning_rate_decay"
        raise SettingsError(
            f"{name}: optimizer '{settings.optimizer}' has its own apply(), which cannot be scaled by layer. Remove {name}, or "
            "use an optimizer without its own apply()."
        )
    mix_in(ScaledUpdates, optimizer)


def set_layer_rates(model: keras.Model, fitted: keras.Model, settings: Settings, epoch: int) -> None:
    """Set the shares of updates for an epoch, if the settings need them.

    Args:
        model: The whole model, whose network has the blocks.
        fitted: The model that is trained, compiled with an optimizer from `prepare_layer_rates`.
        settings: The settings layer_learning_rate_decay, frozen_layers, frozen and unfreeze_every are used.
        epoch: Number of the epoch, from 0.
    """
    if has_layer_rates(settings):
        optimizer = getattr(fitted.optimizer, "inner_optimizer", fitted.optimizer)  # mixed_float16 wraps it
        optimizer.shares.assign(layer_shares(model, fitted, settings, epoch))


def layer_shares(model: keras.Model, fitted: keras.Model, settings: Settings, epoch: int) -> NDArray[np.float32]:
    """Return the share of the update of each trainable variable of ``fitted``, float32 (n_variables,), 0 to 1.

    The arguments are those of `set_layer_rates`.
    """
    blocks = network_blocks(model)
    shares = [settings.layer_learning_rate_decay**number for number in reversed(range(len(blocks)))]
    if settings.unfreeze_every:
        for number, block in enumerate(reversed(blocks_to_freeze(blocks, settings)), start=1):
            if epoch < number * settings.unfreeze_every:
                shares[next(place for place, other in enumerate(blocks) if other is block)] = 0.0
    share_of_variable = {
        id(variable): share
        for share, block in zip(shares, blocks, strict=True)
        for layer in block
        for variable in layer.trainable_variables
    }
    return np.array([share_of_variable.get(id(variable), 1.0) for variable in fitted.trainable_variables], np.float32)
