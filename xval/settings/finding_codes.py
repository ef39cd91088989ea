"""The codes of findings, by which findings are looked up in docs/ and silenced.

XV1 findings are about the data, XV2 about the training, XV3 about the result. A code that was used once keeps its meaning; new
codes follow the last one of their family.
"""

from collections.abc import Iterable
from enum import StrEnum

from xval.settings.further_metrics import split_names


class Code(StrEnum):
    """The code of a finding. `xval.answers.finding_table` has the texts, docs/reference/findings.md explains each."""

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
    """Return the codes that all of some values of the setting ``silence`` have; a value that is not text has none."""
    codes = [frozenset(split_names(value)) if isinstance(value, str) else frozenset[str]() for value in values]
    return frozenset.intersection(*codes) if codes else frozenset()
