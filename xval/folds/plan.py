"""The folds of an experiment as values: a fold, all of them with a hash, and the settings that made them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import blake2b
from json import dumps
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticKnownError

from xval.base.setting_fields import Later, NonNegativeInt, PositiveInt, SettingsModel, Share
from xval.base.setting_scope import RUN, Scope
from xval.base.user_code import definitions

Strategy = Literal["balanced", "leave_one_out", "predefined", "holdout"]
"""The built-in strategies; any other strategy is a dotted path."""
DottedPath = Annotated[str, Field(pattern=r"\.")]
_NAMES_OF_SCIKIT_LEARN = {
    "leaveonegroupout": "leave_one_out", "stratifiedgroup": "balanced", "stratifiedgroupkfold": "balanced",
    "predefinedsplit": "predefined", "groupshufflesplit": "holdout",
}  # fmt: skip


def _read_strategy(value: object) -> object:
    """Return the name of a strategy, also for scikit-learn's name; raise an error for an unknown name."""
    name = value if isinstance(value, str) else ""
    name = _NAMES_OF_SCIKIT_LEARN.get(name.replace("_", "").lower(), name)
    if name not in get_args(Strategy) and not definitions.is_dotted(name):
        listed = [f"'{strategy}'" for strategy in get_args(Strategy)]
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(listed[:-1])} or {listed[-1]}"})
    return name


@dataclass(frozen=True)
class Fold:
    """One split of the items.

    Attributes:
        number: Number of the fold, from 1.
        training: Training items, sorted.
        validation: Validation items, which choose the best epoch, sorted.
        test: Test items, sorted.
    """

    number: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


class FoldSettings(SettingsModel):
    """The settings of assigning the items of a corpus to folds."""

    num_folds: Annotated[PositiveInt, RUN | Scope.FOLDS] = Field(
        5, description="Number of folds (ignored by leave_one_out, holdout, predefined and your own strategy)."
    )
    fold_strategy: Annotated[Strategy | DottedPath, BeforeValidator(_read_strategy), RUN | Scope.FOLDS] = Field(
        "balanced",
        description=(
            "balanced (stratified by label over whole items) | leave_one_out (one fold per item; for speakers "
            "leave-one-speaker-out, LOSO) | predefined (column fold or phase) | holdout (one fold); scikit-learn's names "
            "for these (leave_one_group_out, stratified_group, predefined_split, group_shuffle_split); or the dotted path "
            "of your own my_function(items) -> folds, where items is a table with a row per item, or of an object with "
            "split(X, y, groups), such as scikit-learn's."
        ),
    )
    fold_seed: Annotated[NonNegativeInt, RUN | Scope.FOLDS] = Field(
        1, description="Seed of every random choice when folds are made."
    )
    validation: Annotated[Literal["fraction", "next_fold"], RUN | Scope.FOLDS] = Field(
        "fraction",
        description=(
            "fraction (validation_fraction of the training items, first those that are in validation in the fewest other "
            "folds) | next_fold (the test items of the next fold; at least three folds)"
        ),
    )
    validation_fraction: Annotated[Share, RUN | Scope.FOLDS] = Field(
        0.2, description="Share of the training items used for validation, rounded, at least one item."
    )
    test_fraction: Annotated[Share, RUN | Scope.FOLDS] = Field(
        0.2, description="holdout only: share of the items used for the test, rounded, at least one item."
    )
    fold_repeats: Annotated[PositiveInt, RUN | Scope.FOLDS, Later(1)] = Field(  # type: ignore[assignment]
        "auto",  # `xval.settings.resolve` replaces it by a number
        description=(
            "balanced only: number of repeats of the cross-validation, each with a different partition of the items: a "
            "number, or auto: 3 if each instance trains on at most 20,000 clips per fold (clips of the dataset times "
            "num_epochs; estimators count as 1 epoch) without search or repeats, otherwise 1; an experiment with results "
            "keeps its number. The folds of the second repeat have the numbers from num_folds + 1. Raising it later "
            "trains only the folds of the new repeats."
        ),
    )

    def as_written(self, task_type: str) -> dict[str, object]:
        """Return these settings for folds.json, with the task, which determines how labels are counted.

        A single repeat is not written, so that folds.json is the same as in versions without repeats.
        """
        named = {name: value for name, value in self.model_dump().items() if name != "fold_repeats" or value != 1}
        return named | {"task_type": task_type}


@dataclass(frozen=True)
class FoldPlan:
    """All folds of an experiment, for one or several repeats of the cross-validation.

    Attributes:
        folds: In the order of their numbers; the second repeat continues with the number after the last fold of the first.
        settings: The fold settings that made them.
        index_hash: The content hash of the corpus index that they were made from.
    """

    folds: tuple[Fold, ...]
    settings: Mapping[str, object]
    index_hash: str

    @property
    def n_fold_repeats(self) -> int:
        """The number of repeats of the cross-validation."""
        return int(self.settings.get("fold_repeats", 1))  # type: ignore[call-overload, no-any-return]

    @property
    def folds_by_repeat(self) -> tuple[tuple[Fold, ...], ...]:
        """The folds of each repeat; all repeats have the same number."""
        size = -(-len(self.folds) // self.n_fold_repeats)
        return tuple(self.folds[start : start + size] for start in range(0, len(self.folds), size))

    def fold_repeat_of(self, number: int) -> int:
        """Return the repeat, from 1, that a fold belongs to; 0: there is no such fold."""
        return self._repeat_by_fold.get(number, 0)

    @cached_property
    def _repeat_by_fold(self) -> dict[int, int]:
        return {fold.number: fold_repeat for fold_repeat, folds in enumerate(self.folds_by_repeat, start=1) for fold in folds}

    @cached_property
    def repeat_hashes(self) -> tuple[str, ...]:
        """The hash of each repeat, which its records have; further repeats do not change it."""
        return tuple(self._hash(folds) for folds in self.folds_by_repeat)

    @cached_property
    def hash(self) -> str:
        """The hash (sixteen hex digits) of all folds and the corpus index; with a single repeat, the hash of that repeat."""
        return self._hash(self.folds)

    def hash_of(self, number: int) -> str:
        """Return the hash of the repeat of a fold; empty: there is no such fold."""
        fold_repeat = self.fold_repeat_of(number)
        return self.repeat_hashes[fold_repeat - 1] if fold_repeat else ""

    def _hash(self, folds: Sequence[Fold]) -> str:
        content = dumps([[asdict(fold) for fold in folds], self.index_hash], sort_keys=True)
        return blake2b(content.encode(), digest_size=8).hexdigest()
