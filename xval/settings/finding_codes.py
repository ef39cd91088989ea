"""The setting ``silence``: the codes of findings that are not shown."""

from collections.abc import Iterable

from xval.base.findings import coded_files
from xval.settings.further_metrics import split_names


def join_codes(text: str) -> str:
    """Return the codes of a setting in their order, joined by commas.

    Raises:
        ValueError: One is unknown.
    """
    codes, known = {name.strip().upper() for name in split_names(text)}, coded_files()
    if unknown := sorted(codes - known.keys()):
        raise ValueError(
            f"there is no finding with the code {', '.join(unknown)}; expected none, or some of {', '.join(known)}"
        )
    return ", ".join(sorted(codes))


def silenced(values: Iterable[object]) -> frozenset[str]:
    """Return the codes that all of some values of the setting ``silence`` have; a value that is not text has none."""
    codes = [frozenset(split_names(value)) if isinstance(value, str) else frozenset[str]() for value in values]
    return frozenset.intersection(*codes) if codes else frozenset()
