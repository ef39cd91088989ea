"""The settings of [training] in config.ini."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from xval.base.setting_fields import (
    Factor,
    Later,
    NonNegativeFloat,
    NonNegativeInt,
    OptionalFactor,
    OptionalPositiveFloat,
    OptionalText,
    PositiveFloat,
    PositiveInt,
    SettingsModel,
    Share,
)
from xval.base.setting_scope import NETWORK_MODEL, Scope
from xval.data.class_weights import read_class_weights
from xval.settings.part_arguments import join_arguments
from xval.settings.validators import join_names, reading


class TrainingSettings(SettingsModel):
    """Optimizer, loss, epochs and stopping of a training."""

    generator: Annotated[bool, Scope.UNHASHED | Scope.RUNTIME | Scope.NETWORK] = Field(
        False,
        description=(
            "true: read each batch from disk; false: from memory if the feature store fits (in_memory_mb). The metrics "
            "are the same."
        ),
    )
    seed: Annotated[NonNegativeInt, Scope.RUNTIME] = Field(
        1, description="Seed of weights, dropout and shuffling; each fold derives its own from it."
    )
    batch_size: PositiveInt = Field(32, description="Training examples per step.")
    num_epochs: Annotated[PositiveInt, Scope.RUNTIME | Scope.NETWORK] = Field(
        50, description="Epochs (passes over the training examples), at most; early_stopping may end a training earlier."
    )
    optimizer: Annotated[str, NETWORK_MODEL] = Field(
        "adam",
        description=(
            "Names as in Keras: adam, adamw, sgd, rmsprop ...; or the dotted path of your own keras.Optimizer class, or "
            "of a function that makes one: my_package.my_module.my_function(learning_rate)."
        ),
    )
    learning_rate: Annotated[PositiveFloat, Scope.RUNTIME | Scope.NETWORK] = Field(
        0.001, description="Learning rate of the optimizer, at which the schedule starts."
    )
    momentum: Annotated[OptionalFactor, NETWORK_MODEL] = Field(
        None,
        description=(
            "sgd, rmsprop and muon: momentum, the share of the last step that is added to the next (0 to below 1); none: "
            "Keras's default."
        ),
    )
    weight_decay: Annotated[OptionalFactor, NETWORK_MODEL] = Field(
        None,
        description=(
            "Decoupled weight decay as in AdamW: each step reduces the weights by this share times learning_rate (0 to "
            "below 1); none: Keras's default."
        ),
    )
    optimizer_arguments: Annotated[
        OptionalText, reading(lambda text: join_arguments("optimizer", text, {})), NETWORK_MODEL, Later()
    ] = Field(
        None,
        description=(
            "Other arguments of the optimizer, such as beta_1=0.95, epsilon=1e-6. Each can also be set separately: "
            "optimizer_beta_1 = 0.95."
        ),
    )
    schedule: Annotated[str, Scope.RUNTIME | NETWORK_MODEL] = Field(
        "constant",
        description=(
            "constant | cosine (to 0 over all epochs) | exponential (times schedule_decay each epoch) | inverse_time "
            "(divided by 1 + schedule_decay times epochs) | linear, logarithmic (to final_learning_rate in the last "
            "epoch, in equal steps or factors) | plateau (times schedule_decay after schedule_patience epochs without "
            "improvement); Keras's names for these; or the dotted path of my_function(epoch, learning_rate), which gets "
            "the epoch from 0 and the setting learning_rate, and returns the rate of that epoch."
        ),
    )
    schedule_arguments: Annotated[
        OptionalText, reading(lambda text: join_arguments("schedule", text, {})), Scope.RUNTIME | NETWORK_MODEL, Later()
    ] = Field(
        None,
        description=(
            "Other arguments of your own function, such as every=10, factor=0.5. Each can also be set separately: "
            "schedule_every = 10."
        ),
    )
    schedule_unit: Annotated[Literal["epoch", "batch"], Scope.RUNTIME | Scope.NETWORK, Later()] = Field(
        "epoch",
        description=(
            "epoch: the learning rate changes between epochs; batch: with every batch, linearly within each epoch, and a "
            "warm-up starts at 0 (not for plateau or a function). The history has the rate at the end of each epoch."
        ),
    )
    schedule_decay: Annotated[Share, Scope.RUNTIME | Scope.NETWORK] = Field(
        0.5, description="Factor of exponential and plateau, rate of inverse_time (0 to 1)."
    )
    schedule_patience: Annotated[PositiveInt, Scope.RUNTIME | Scope.NETWORK] = Field(
        5, description="plateau: epochs without improvement."
    )
    final_learning_rate: Annotated[OptionalPositiveFloat, Scope.RUNTIME | Scope.NETWORK] = Field(
        None, description="linear, logarithmic: learning rate of the last epoch; none for the others."
    )
    loss: Annotated[str, Scope.MODEL | Scope.LOSS] = Field(
        "auto",
        description=(
            "auto: sparse_categorical_crossentropy for classes (binary_crossentropy for several labels), "
            "mean_squared_error for regression and representation; or a Keras name; or the dotted path of "
            "my_function(y_true, y_pred), one value per example (or frame); y_true are class numbers (int), labels of 0 "
            "and 1 or the numbers to predict; for representation 0, and y_pred the residual."
        ),
    )
    class_weights: Annotated[str, BeforeValidator(read_class_weights), Scope.RUNTIME | Scope.LOSS] = Field(
        "none",
        description=(
            "none | balanced (classes are weighted inversely to their number of training examples; not with several "
            "labels) | a weight for each class, such as angry: 3, calm: 1 (in a script a dict); other classes have 1. The "
            "loss of each training example is multiplied by its weight."
        ),
    )
    weight_column: Annotated[OptionalText, NETWORK_MODEL | Scope.LOSS, Later()] = Field(
        None,
        description=(
            "Sample weights: a column of the dataset's table with the weight of each clip in the training loss of a "
            "network, numbers above 0; none. They are scaled to a mean of 1 over the training examples, and multiplied "
            "with class_weights. Tests are never weighted."
        ),
    )
    sampling: Annotated[Literal["none", "balanced"], Scope.RUNTIME | Scope.NETWORK | Scope.LOSS, Later()] = Field(
        "none",
        description=(
            "none: each epoch has every training example once | balanced: it draws all classes equally often, with the "
            "same number of examples. Examples of rare classes are repeated, and some of frequent classes are skipped in "
            "each epoch. Not together with class_weights."
        ),
    )
    clip_norm: Annotated[OptionalPositiveFloat, NETWORK_MODEL] = Field(
        None, description="Clip the norm of the gradient of all weights together; none: off."
    )
    weight_average: Annotated[OptionalFactor, NETWORK_MODEL, Later()] = Field(
        None,
        description=(
            "Exponential moving average (EMA) of the weights: its decay (0 to below 1; 0.99 to 0.999 is usual). The "
            "averaged weights are validated, tested and saved. none: off."
        ),
    )
    warmup_epochs: Annotated[NonNegativeInt, Scope.RUNTIME | Scope.NETWORK, Later()] = Field(
        0,
        description=(
            "The learning rate rises to learning_rate over this many epochs, in equal steps; then the schedule begins "
            "(not plateau). 0: off."
        ),
    )
    label_smoothing: Annotated[Factor, NETWORK_MODEL, Later()] = Field(
        0.0,
        description=(
            "Share of each training target that is spread over all classes (0 to below 1; 0.1 is usual). Validation "
            "losses are without it."
        ),
    )
    monitor: Annotated[str, Scope.RUNTIME | Scope.MODEL] = Field(
        "val_loss",
        description=(
            "The metric that chooses the best epoch: val_loss, val_<metric>, loss ... (not metrics of segments and "
            "events). rank_by ranks instances."
        ),
    )
    early_stopping: Annotated[bool, Scope.RUNTIME | Scope.NETWORK] = Field(
        True,
        description=(
            "true: stop a training after patience epochs without improvement of the monitored value; false: train num_epochs."
        ),
    )
    patience: Annotated[PositiveInt, Scope.RUNTIME | Scope.NETWORK] = Field(
        10, description="early_stopping: epochs without improvement before the training stops."
    )
    min_delta: Annotated[NonNegativeFloat, Scope.RUNTIME | Scope.NETWORK, Later()] = Field(
        0.0,
        description=(
            "early_stopping: a value that is better by no more than this does not count as an improvement, neither for "
            "stopping nor for the best epoch. 0: any does."
        ),
    )
    start_from_epoch: Annotated[NonNegativeInt, Scope.RUNTIME | Scope.NETWORK, Later()] = Field(
        0, description="early_stopping: this many epochs at the beginning are neither counted nor chosen as the best one."
    )
    restore_best_weights: Annotated[bool, Scope.RUNTIME | Scope.NETWORK, Later()] = Field(
        True,
        description=(
            "true: the weights of the best epoch are kept; false: those of the last one, as is usual with a learning rate "
            "that falls to 0."
        ),
    )
    precision: Annotated[Literal["float32", "tensorfloat32", "mixed_bfloat16", "mixed_float16"], NETWORK_MODEL] = Field(
        "float32",
        description=(
            "float32 | tensorfloat32 (GPUs from Ampere on: products of matrices and convolutions with 10 bits of "
            "mantissa; elsewhere float32) | mixed_bfloat16 (GPUs, and processors with AVX512-BF16 or AMX) | mixed_float16"
        ),
    )
    deterministic: bool = Field(
        True, description="true: reproducible arithmetic (exactly the same on the CPU; slower on a GPU)"
    )
    tensorboard: Annotated[bool, Scope.UNHASHED | Scope.RUNTIME | Scope.NETWORK] = Field(
        False,
        description="Write every epoch into tensorboard/ of the experiment's folder when it ends, for tensorboard --logdir.",
    )
    tensorboard_batches: Annotated[bool, Scope.UNHASHED | Scope.NETWORK, Later()] = Field(
        False, description="With tensorboard: also the loss of every batch. Epochs then do not stay on a GPU and take longer."
    )
    callbacks: Annotated[OptionalText, BeforeValidator(join_names), NETWORK_MODEL, Later()] = Field(
        None,
        description=(
            "Dotted paths of your own keras.callbacks.Callback classes, of observers (docs/own_parts.md), or of functions "
            "without arguments that make one; none."
        ),
    )
