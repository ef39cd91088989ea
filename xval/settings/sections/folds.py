"""The settings of [folds] in config.ini."""

from typing import Annotated

from pydantic import Field

from xval.base.setting_fields import Later, OptionalText, PositiveFloat, PositiveInt
from xval.base.setting_scope import RUN, Scope
from xval.folds.condition import Condition
from xval.folds.plan import FoldSettings
from xval.settings.validators import reading

_CONDITION = reading(lambda text: Condition(text).text)


class FoldSection(FoldSettings):
    """The folds, the seeds of each fold, and the items and clips that are used of it."""

    repeats: Annotated[PositiveInt, RUN, Later()] = Field(
        1,
        description=(
            "Number of seeds with which each fold is trained. Scores are first averaged over the seeds of a fold, and the "
            "variance between folds and between seeds is reported separately. Raising it later trains only the new seeds."
        ),
    )
    train_fraction: Annotated[PositiveFloat, Field(le=1), Later(1.0)] = Field(
        1,
        description=(
            "Share of the training items of each fold that are used (above 0, at most 1), chosen by the seed; a larger "
            "share includes the items of a smaller one. Validation and test items are not reduced. With "
            "grid(train_fraction=[0.25, 0.5, 1]) this gives a learning curve."
        ),
    )
    train_where: Annotated[OptionalText, _CONDITION, Scope.LOSS, Later()] = Field(
        None,
        description=(
            'Train and validate only on clips that satisfy this condition on columns of the dataset: language == "de" and '
            "age >= 60; none: all clips. The folds stay the same; items without such a clip are excluded."
        ),
    )
    test_where: Annotated[OptionalText, _CONDITION, Later()] = Field(
        None, description="Test only on clips that satisfy this condition."
    )
