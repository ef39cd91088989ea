"""The settings of [transfer] in config.ini."""

from typing import Annotated, Literal

from pydantic import Field

from xval.base.setting_fields import Later, NonNegativeInt, OptionalText, PositiveFloat, SettingsModel
from xval.base.setting_scope import DISPLAY, NETWORK_MODEL, Scope


class TransferSettings(SettingsModel):
    """Transfer learning: initial weights and frozen layers."""

    initial_model: Annotated[OptionalText, NETWORK_MODEL] = Field(
        None,
        description=(
            "Transfer learning: start from the weights of this .keras file (path, from the current folder); none: random "
            "weights. {fold} in it is replaced by the number of the fold, from 1. The output layer is new if the classes "
            "differ. A model that has seen what the fold tests, or was trained on what it validates, raises an error. "
            "Also the address of a file, https://...#sha256=<64 digits>, downloaded once."
        ),
    )
    initial_model_match: Annotated[Literal["all", "names", "shapes", "prefix"], NETWORK_MODEL, Later()] = Field(
        "all",
        description=(
            "Layers that take its weights: all (every layer before the output must match) | names (those with a layer of "
            "the same name and shapes) | shapes (each the next layer of the same kind and shapes) | prefix (from the "
            "input on, as long as both are alike)."
        ),
    )
    pretrained_on: Annotated[OptionalText, Scope.UNHASHED | DISPLAY, Later()] = Field(
        None,
        description=(
            "Training data of a pretrained part, in your words: AudioSet; no speakers of this dataset; none: not known. "
            "It is quoted next to the scores of an instance whose embedding_model, initial_model or own build() loads "
            "weights of unknown origin."
        ),
    )
    frozen_layers: Annotated[NonNegativeInt, NETWORK_MODEL] = Field(
        0,
        description=(
            "This many blocks at the beginning keep the copied weights. A block is a layer with a kernel (convolution, "
            "dense, recurrent) and all layers up to the next one, batch normalisation included. The output layer is never "
            "frozen."
        ),
    )
    frozen: Annotated[Literal["none", "convolutions"], NETWORK_MODEL] = Field(
        "none", description="none | convolutions (the blocks of all convolutions keep the copied weights)"
    )
    unfreeze_every: Annotated[NonNegativeInt, NETWORK_MODEL, Later()] = Field(
        0,
        description=(
            "Gradual unfreezing: after each period of this many epochs one more frozen block is trained, the last one "
            "first. Its batch normalisation stays frozen. 0: all blocks stay frozen."
        ),
    )
    layer_learning_rate_decay: Annotated[PositiveFloat, Field(le=1), NETWORK_MODEL, Later()] = Field(
        1.0,
        description=(
            "Layer-wise learning rate decay: each block has this share of the learning rate of the next block (above 0, "
            "at most 1). The output layer has learning_rate."
        ),
    )
