"""The codes of what is said beside results, by which findings are looked up in docs/ and silenced.

Comes in: the setting ``silence``. Goes out: `Code`s. XV1 stands for the data, XV2 for the training, XV3 for the answer. A code
that was given away once keeps its meaning; new ones are added behind the last of their family.
"""

from collections.abc import Iterable
from enum import StrEnum

from xval.settings.further_metrics import split_names


class Code(StrEnum):
    """What a finding is about. `xval.answers.finding_table` has the texts, docs/reference/findings.md explains each."""

    HEARD_BEFORE = "XV101"
    RANDOM_SPLIT = "XV102"
    CORPUS = "XV103"
    FEW_ITEMS = "XV104"
    FEW_VALIDATION_ITEMS = "XV105"
    FOLDS_LACKING_CLASSES = "XV106"
    UNTUNED_LABELS = "XV107"
    OTHER_CLIPS = "XV108"
    SHARED_COLUMN = "XV109"
    FOLDS_MISSING = "XV201"
    REPEATS_MISSING = "XV202"
    LAST_EPOCH = "XV203"
    EDGE_OF_SEARCH = "XV204"
    BELOW_ESTIMATOR = "XV205"
    TOO_SURE = "XV206"
    DIVERGED = "XV207"
    FAILED_PARTS = "XV208"
    NOT_ABOVE_CHANCE = "XV301"
    ITEM_KNOWN = "XV302"
    TIE = "XV303"
    NESTED = "XV304"
    SEEDS = "XV305"
    FITTED_VALIDATION = "XV306"
    NO_POOLED_VALUES = "XV307"
    COPIES = "XV308"


def join_codes(text: str) -> str:
    """Return the codes of a setting in their order, joined by commas.

    Raises:
        ValueError: One is unknown.
    """
    codes = {name.strip().upper() for name in split_names(text)}
    if unknown := sorted(codes - set(Code)):
        raise ValueError(f"there is no finding with the code {', '.join(unknown)}; expected none, or some of {', '.join(Code)}")
    return ", ".join(sorted(codes))


def silenced(values: Iterable[object]) -> frozenset[str]:
    """Return the codes that all of some values of the setting have; one that is no text silences nothing."""
    codes = [frozenset(split_names(value)) if isinstance(value, str) else frozenset[str]() for value in values]
    return frozenset.intersection(*codes) if codes else frozenset()
