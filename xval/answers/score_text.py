"""Format scores for all tables: means with standard deviations and intervals, chance, durations, counts of folds."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from xval.answers.item_words import call_items_of, items_word
from xval.answers.names import name_numbers
from xval.answers.summary import ChanceLevel, chance_level
from xval.results.instance import FoldSummary, InstanceResults
from xval.results.item_scores import ItemScore

ROUNDING = 1e-15
"""The largest difference that rounding errors leave between equal means."""
LEAST_SHOWN, MOST_SHOWN = 0.0005, 1e6
"""The range that three decimals can show: smaller numbers become 0.000, larger ones get too many digits."""
OVER_FOLDS = "mean over folds"
_OF = {"items": "mean over items", "pooled": "pooled over all test examples", "decisions": "pooled over all test items"}
"""The words for a score by its kind in `ItemScore`, or pooled over items with one decision each; with the word for an item."""


class Estimate(NamedTuple):
    """A test metric of an instance.

    Attributes:
        value: The score; None: undefined or not there yet.
        low: Lower end of its 95 % interval over items; None: there is none.
        high: Upper end.
        of: How the score is computed: ``mean over speakers``, ``pooled over all test examples``, ``pooled over all test
            speakers`` with one decision per speaker, or ``mean over folds``.
        chance: The score of the best strategy that ignores the audio; None: not known.
        folds: The values of all folds and repeats that have one.
    """

    value: float | None
    low: float | None
    high: float | None
    of: str
    chance: float | None
    folds: tuple[float, ...]

    @property
    def text(self) -> str:
        """``0.842 [0.766, 0.901]``, ``0.842`` or ``–``."""
        return self.written(in_column([self.value, self.low, self.high]))

    def written(self, write: Callable[[float], str]) -> str:
        """Return the text with numbers in the format of a column, see `in_column`."""
        if self.value is None:
            return "–"
        has_interval = self.low is not None and self.high is not None
        return write(self.value) + (f" [{write(self.low)}, {write(self.high)}]" if has_interval else "")  # type: ignore[arg-type]


def estimate(instance: InstanceResults, side: str, metric: str) -> Estimate:
    """Return a test metric of an instance: the score with an interval, or else the mean over folds."""
    folds = tuple(instance.fold_values(side, metric).values())
    level = chance_level([instance], metric, side)
    chance = level.lowest if level else None
    over_items = instance.item_score(side, metric)
    if over_items is None or over_items[over_items["of"]] is None:
        return Estimate(instance.over_folds(side, metric)["mean"], None, None, OVER_FOLDS, chance, folds)
    is_of_decisions = over_items["of"] == "pooled" and side == "clip_test" and instance.decides_items
    of = call_items_of([instance], _OF["decisions" if is_of_decisions else over_items["of"]])
    return Estimate(over_items[over_items["of"]], over_items["low"], over_items["high"], of, chance, folds)


def format_score(score: FoldSummary, folds_total: int) -> str:
    """Return ``0.612 ± 0.051``, with the number of folds if some have no value."""
    if score["mean"] is None:
        return "-"
    mean, *deviations = rounded(score["mean"], score["std"])
    deviation = "".join(f" ± {text}" for text in deviations)
    folds = "" if score["n"] == folds_total else f" ({score['n']} of {folds_total} folds)"
    return f"{mean}{deviation}{folds}"


def format_test(instance: InstanceResults, side: str, metric: str) -> str:
    """Return ``0.612 ± 0.051 [0.480, 0.730]``: mean and standard deviation over folds, and the 95 % interval over items.

    An interval of another score follows that score; see `format_interval`.
    """
    over_folds, over_items = instance.over_folds(side, metric), instance.item_score(side, metric)
    folds = format_score(over_folds, instance.n_folds)
    return folds if over_items is None else f"{folds}{format_interval(over_items, over_folds['mean'])}"


def format_interval(score: ItemScore, mean: float | None) -> str:
    """Return `` [0.480, 0.730]``, or ``, pooled 0.663 [0.512, 0.787]``, ``, over items 0.614 [0.480, 0.730]``.

    Args:
        score: The score over items.
        mean: The mean over folds that precedes the text; the score of the interval is named unless it has the same three
            decimals.
    """
    value = score[score["of"]]
    if value is None:
        return "" if score["of"] == "items" else ", pooled NaN"
    has_interval = score["low"] is not None and score["high"] is not None
    shown, *ends = rounded(value, *((score["low"], score["high"]) if has_interval else ()))
    interval = f" [{', '.join(ends)}]" if ends else ""
    if (mean is not None and rounded(mean) == rounded(value)) or (score["of"] == "items" and not interval):
        return interval
    return f", {'over items' if score['of'] == 'items' else 'pooled'} {shown}{interval}"


def interval_clause(instances: Iterable[InstanceResults]) -> str:
    """Return what the 95 % intervals of instances cover, for one note per table; empty if there are no intervals.

    ``over speakers, repeats of the cross-validation and seeds`` (with one repeat ``over speakers and seeds``), or, with one
    training per fold, ``over speakers, for these trained models; training again would widen it``, with the word for an item.
    Instances that differ in this are named. `Variants.interval_words` adds the interval of the line Result.
    """
    instances = list(instances)
    numbers: dict[str, list[int]] = {}
    for instance, clause in zip(instances, interval_clauses(instances), strict=True):
        if clause:
            numbers.setdefault(clause, []).append(instance.number)
    if len(numbers) < 2:
        return "".join(numbers)
    return "; ".join(f"of instance{'s' * (len(which) > 1)} {name_numbers(which)} {clause}" for clause, which in numbers.items())


def interval_clauses(instances: Sequence[InstanceResults]) -> list[str]:
    """Return the clause of `interval_clause` of each instance; empty if it has no intervals."""
    items, clauses = items_word(instances), []
    for instance in instances:
        sides = instance.over_items["figures"].values() if instance.over_items else ()
        all_scores = [score for scores in sides for score in scores.values()]
        covers, methods = {score["covers"] for score in all_scores}, {str(score.get("method")) for score in all_scores}
        if "method" in covers:
            times = ", repeats of the cross-validation" if instance.n_fold_repeats > 1 else ""
            clause = f"over {items}{times} and seeds"
        else:
            clause = f"over {items}, for these trained models; training again would widen it"
        if drawn := sorted(method for method in methods if method.endswith("bootstrap")):
            exact = "; of a score at its bound, the exact limit" if "exact limit" in methods else ""
            clause += f" ({' and '.join(drawn)}{exact})"
        clauses.append(clause if covers - {None} else "")
    return clauses


def format_chance(chance: ChanceLevel | None) -> str:
    """Return ``chance 0.100``; ``chance 0.098 to 0.102`` if instances differ, ``chance NaN`` if it is undefined.

    If groups of items have different classes: ``chance 0.250, 0.500 with one prediction for all items of the same classes``.
    """
    if chance is None:
        return "chance NaN"
    lowest, highest, *group_levels = rounded(chance.lowest, chance.highest, chance.group_level)
    by_group = "".join(f", {text} with one prediction for all items of the same classes" for text in group_levels)
    return (f"chance {lowest}" if lowest == highest else f"chance {lowest} to {highest}") + by_group


def format_time(seconds: float) -> str:
    """Return a duration as ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def format_folds(instance: InstanceResults) -> str:
    """Return ``5/6``, or ``4/6, 1 failed``; with repeats ``5/6, 16/18 jobs``."""
    failed = f", {len(instance.failed_folds)} failed" if instance.failed_folds else ""
    jobs = f", {len(instance.done)}/{instance.n_jobs} jobs" if instance.n_repeats > 1 else ""
    return f"{len(instance.folds)}/{instance.n_folds}{jobs}{failed}"


def rounded(*numbers: float | None) -> list[str]:
    """Return numbers for one line, all with three decimals, or all with three digits where three decimals do not fit.

    Three decimals do not fit if even the largest number would read 0.000, or if one has more than six digits before the point,
    as errors of targets of 1e-9 or 1e30. None values are skipped.
    """
    return [in_column(numbers)(number) for number in numbers if number is not None]


def in_column(numbers: Iterable[float | None]) -> Callable[[float], str]:
    """Return a function that formats the numbers of a column with the same decimals, as `rounded`, and never as ``-0.000``."""
    largest = max((abs(number) for number in numbers if number is not None and math.isfinite(number)), default=0.0)
    is_readable = largest < ROUNDING or LEAST_SHOWN <= largest < MOST_SHOWN
    return (lambda number: f"{number:z.3f}") if is_readable else (lambda number: f"{number:z.2e}")


def texts_of(estimates: Sequence[Estimate]) -> list[str]:
    """Return the texts of a column of estimates, all with the same decimals."""
    write = in_column(number for one in estimates for number in (one.value, one.low, one.high))
    return [one.written(write) for one in estimates]


def decimals(number: float) -> str:
    """Return a number with three decimals, or with three digits where three decimals do not fit."""
    if abs(number) < ROUNDING:
        return "0.000"
    return f"{number:.3f}" if 0.001 <= abs(number) < 100 else f"{number:.3g}"


def p_text(p: float) -> str:
    """Return a p value for tables: ``0.040``, ``<0.001``, ``-`` without a test."""
    return "-" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def fixed(number: float | None) -> str:
    """Return a number with three decimals, or with three digits where three decimals do not fit; ``–`` for None."""
    return "–" if number is None else decimals(number)
