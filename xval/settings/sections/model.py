"""The settings of [model] in config.ini."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xval.base.setting_fields import Later, NonNegativeFloat, OptionalPositiveFloat, SettingsModel
from xval.base.setting_scope import NETWORK_MODEL, Scope
from xval.settings import architectures
from xval.settings.recipes import RecipeName
from xval.settings.validators import none_unless_regression, rename_reshaping


class ModelSettings(SettingsModel):
    """The model, and the scaling of its inputs and targets."""

    recipe: Annotated[RecipeName, Scope.UNHASHED | Scope.RUNTIME, Later()] = Field(
        "none",
        description=(
            "A set of settings under one name: none | speech | sounds (docs/recipe.md lists the settings of speech, and "
            "why sounds is not recommended). They override this file; an experiment, an instance or --set overrides them."
        ),
    )
    architecture: Annotated[str, BeforeValidator(architectures.known_name), Scope.MODEL] = Field(
        "cnn_small",
        description=(
            "A file of architectures/, or the dotted path of your own module with build(). Every keyword-only option of "
            "its build() can be set in an instance too. Without a network: constant, svm, logistic, forest, boosting, "
            "knn, linear, ridge, svr (docs/baselines.md), and feature_combination (docs/reference/architectures.md has "
            "its options)."
        ),
    )
    reshaping_type: Annotated[Literal["auto", "conv", "rnn", "none"], BeforeValidator(rename_reshaping), NETWORK_MODEL] = Field(
        "auto",
        description=(
            "conv (frames, bins, 1) | rnn (frames, bins) | none (as stored) | auto: as the architecture needs. cnn and "
            "lstm mean conv and rnn."
        ),
    )
    normalization: Annotated[
        Literal["per_bin", "global", "per_clip", "per_item", "none"], NETWORK_MODEL | Scope.FEATURE_LOSS
    ] = Field(
        "per_bin",
        description=(
            "Scaling of the features inside the model: per_bin or global (statistics of the training items) | per_clip "
            "(each example by itself) | none; or before the model, also for estimators: per_item (each speaker by its own "
            "clips, without labels; docs/speakers.md)"
        ),
    )
    enrolment_s: Annotated[OptionalPositiveFloat, Scope.LOSS, Later()] = Field(
        None,
        description=(
            "per_item: seconds of a validation or test speaker used for its scaling: the first clips up to at least this "
            "length, which are then not validated or tested; training speakers are scaled by all their clips. none: all "
            "clips of every speaker (docs/speakers.md)."
        ),
    )
    target_scaling: Annotated[
        Literal["standard", "none"], AfterValidator(none_unless_regression), Scope.NUMBERS | Scope.LOSS, Later("none")
    ] = Field(
        "standard",
        description=(
            "regression: standard: the network learns targets in standard deviations from the mean of the training "
            "targets, and the model predicts in their unit | none: the network has to learn the scale. With standard, "
            "losses of differences (mean_squared_error, mean_absolute_error, huber, log_cosh) are in standard deviations "
            "too."
        ),
    )
    regularization_lambda: Annotated[NonNegativeFloat, Scope.NETWORK] = Field(
        0.0, description="L2 penalty: lambda times the sum of squared kernel weights is added to the loss; 0: off."
    )
