"""The folds of an experiment as values: a fold, all of them with a hash, and the settings that made them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import blake2b
from json import dumps
from typing import Literal

Strategy = Literal["balanced", "leave_one_out", "predefined", "holdout"]
"""What is built in; any other strategy is a dotted path."""


@dataclass(frozen=True)
class Fold:
    """One split of the items.

    Attributes:
        number: From 1.
        training: Items that train, sorted.
        validation: Items that choose the best epoch, sorted.
        test: Items that are tested, sorted.
    """

    number: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class FoldSettings:
    """How the items of a corpus are put into folds; config.ini has the meaning of each setting."""

    num_folds: int
    fold_strategy: str
    fold_seed: int
    validation: str
    validation_fraction: float
    test_fraction: float
    fold_repeats: int = 1

    def of_task(self, task_type: str) -> dict[str, object]:
        """Return these settings as folds.json has them, with the task, which decides how labels are counted.

        One deal is not named, so that folds.json is what it was before there were several.
        """
        named = {name: value for name, value in asdict(self).items() if name != "fold_repeats" or value != 1}
        return named | {"task_type": task_type}


@dataclass(frozen=True)
class FoldPlan:
    """All folds of an experiment, of one deal of the items or of several.

    Attributes:
        folds: In the order of their numbers; the second deal goes on with the number after the last fold of the first.
        settings: The fold settings that made them.
        index_hash: The content hash of the corpus index that they were made from.
    """

    folds: tuple[Fold, ...]
    settings: Mapping[str, object]
    index_hash: str

    @property
    def n_deals(self) -> int:
        """How many times the items are dealt into folds."""
        return int(self.settings.get("fold_repeats", 1))  # type: ignore[call-overload, no-any-return]

    @property
    def deals(self) -> tuple[tuple[Fold, ...], ...]:
        """The folds of each deal, which has as many as the others."""
        size = -(-len(self.folds) // self.n_deals)
        return tuple(self.folds[start : start + size] for start in range(0, len(self.folds), size))

    def deal_of(self, number: int) -> int:
        """Return the deal, from 1, that a fold belongs to; 0: there is no such fold."""
        return self._deal_of_folds.get(number, 0)

    @cached_property
    def _deal_of_folds(self) -> dict[int, int]:
        return {fold.number: deal for deal, folds in enumerate(self.deals, start=1) for fold in folds}

    @cached_property
    def deal_hashes(self) -> tuple[str, ...]:
        """The hash of each deal, as its records have it; further deals do not change it."""
        return tuple(self._hash(folds) for folds in self.deals)

    @cached_property
    def hash(self) -> str:
        """Sixteen hex digits of all folds and of the corpus index; with a single deal, the hash of that deal."""
        return self._hash(self.folds)

    def hash_of(self, number: int) -> str:
        """Return the hash of the deal of a fold; empty: there is no such fold."""
        deal = self.deal_of(number)
        return self.deal_hashes[deal - 1] if deal else ""

    def _hash(self, folds: Sequence[Fold]) -> str:
        content = dumps([[asdict(fold) for fold in folds], self.index_hash], sort_keys=True)
        return blake2b(content.encode(), digest_size=8).hexdigest()
