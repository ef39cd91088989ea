"""Numbers of files, which hold null for what is undefined."""

from math import isfinite, nan


def finite_or_none(number: object) -> float | None:
    """Return a number as float; None where it is undefined: null, NaN, infinite, or no number."""
    return float(number) if isinstance(number, int | float) and isfinite(number) else None


def finite_or_nan(number: object) -> float:
    """Return a number as float; NaN where `finite_or_none` has none."""
    value = finite_or_none(number)
    return nan if value is None else value
