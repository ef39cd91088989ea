"""What a finding is: something that has to be said beside the figures of some instances."""

from typing import Literal, NamedTuple

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
