"""What a finding is: something that has to be said beside the figures of some instances."""

from collections.abc import Collection
from typing import Literal, NamedTuple

from xval.base.errors import first_of

Kind = Literal[
    "pretrained",
    "random split", "folds missing", "repeats missing", "few items", "few validation items", "folds lacking classes", "seeds",
    "not above chance", "item known", "too sure", "tie", "nested", "no pooled figures", "other clips", "corpus", "thresholds",
    "fitted validation", "last epoch", "edge of the search", "below an estimator",
]  # fmt: skip


class Finding(NamedTuple):
    """Something that has to be known to read the figures.

    Attributes:
        kind: What it is about.
        text: A sentence or two, with what to do.
        instances: Those that it is about; empty: all.
    """

    kind: Kind
    text: str
    instances: tuple[int, ...] = ()


def name_instances(numbers: Collection[int]) -> str:
    """Return ``instance 3`` or ``instances 3, 4 and 7 more``."""
    return f"instance{'s' * (len(numbers) > 1)} {first_of(numbers)}"
