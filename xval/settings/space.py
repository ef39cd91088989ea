"""What a search tries: a range or the options of each setting, the number of trials, and how they are scored and pruned.

An instance holds a `SearchPlan` as text (the setting `search`), so that files, hashes and the copy of a script hold it like any
other setting.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, product
from typing import Literal, get_args

from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import SettingsError, suggestion

Pruning = Literal["median", "hyperband", "none"]
_MOST_CORNERS = 32


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, both included.

    Attributes:
        log: Drawn evenly over the logarithm.
        whole: Only whole numbers.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def corners(self) -> tuple[object, ...]:
        """The lowest and the highest value."""
        return self.low, self.high


@dataclass(frozen=True)
class Choice:
    """One of several values, without an order."""

    options: tuple[object, ...]

    @property
    def corners(self) -> tuple[object, ...]:
        """All options."""
        return self.options


def uniform(low: float, high: float) -> Interval:
    """Return numbers from `low` to `high`, drawn evenly.

    Raises:
        SettingsError: They are no finite numbers, or `low` is not below `high`.
    """
    return _interval("uniform", low, high)


def log_uniform(low: float, high: float) -> Interval:
    """Return numbers from `low` to `high`, drawn evenly over their logarithm, as of learning rates.

    Raises:
        SettingsError: As `uniform`, or `low` is not above 0.
    """
    if isinstance(low, int | float) and low <= 0:
        raise SettingsError(f"log_uniform({low!r}, {high!r}): the lower end must be above 0. Use uniform() for ranges from 0.")
    return _interval("log_uniform", low, high, log=True)


def integers(low: int, high: int, *, log: bool = False) -> Interval:
    """Return whole numbers from `low` to `high`, both included; with `log` drawn evenly over their logarithm.

    Raises:
        SettingsError: They are no whole numbers, `low` is not below `high`, or below 1 with `log`.
    """
    if not all(isinstance(end, int) and not isinstance(end, bool) for end in (low, high)) or (log and low < 1):
        raise SettingsError(f"integers({low!r}, {high!r}): expected two whole numbers{', from 1 with log' * log}.")
    return _interval("integers", low, high, log=log, whole=True)


def choice(options: Sequence[object]) -> Choice:
    """Return one of several values: texts, numbers, True or False, None, or tuples of these.

    Raises:
        SettingsError: There are fewer than two, or two are the same.
    """
    is_list = isinstance(options, Sequence) and not isinstance(options, str)
    values = tuple(tuple(option) if isinstance(option, list) else option for option in options) if is_list else ()
    if len(values) < 2 or len(set(map(option_text, values))) < len(values):
        raise SettingsError(f"choice({options!r:.80}): expected a list of at least two different values.")
    return Choice(values)


@dataclass(frozen=True)
class SearchPlan:
    """What a search does in each fold.

    Attributes:
        space: What each setting is drawn from.
        n_trials: How many settings are tried in each fold.
        at_once: How many of them are suggested together; the next ones follow when all of these have ended.
        inner_folds: Folds of the items that are not tested, over which a trial is scored; 0: it is scored by the validation
            items of the fold.
        pruning: How trials are stopped early.
    """

    space: Mapping[str, Interval | Choice]
    n_trials: int
    at_once: int = 5
    inner_folds: int = 0
    pruning: Pruning = "median"

    def __post_init__(self) -> None:
        """Raise an error for wrong types and ranges."""
        if not isinstance(self.space, Mapping) or not self.space:
            raise SettingsError(
                f"the space is a dict such as {{'learning_rate': log_uniform(1e-4, 1e-2)}}; received {self.space!r:.60}."
            )
        for name, drawn in self.space.items():
            if not isinstance(name, str) or not isinstance(drawn, Interval | Choice):
                raise SettingsError(
                    f"{name}: received {drawn!r:.60}; expected uniform(low, high), log_uniform(low, high), integers(low, "
                    "high), choice([...]). Pass a value that all trials share as an argument of search()."
                )
        for name, least in (("n_trials", 1), ("at_once", 1), ("inner_folds", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SettingsError(f"{name}: received {value!r}; expected a whole number, {least} or more.")
        if self.inner_folds == 1:
            raise SettingsError("inner_folds: received 1; expected 0 (the validation items of the fold), or 2 or more.")
        if self.pruning not in get_args(Pruning):
            raise SettingsError(f"pruning: received {self.pruning!r}. {suggestion(str(self.pruning), get_args(Pruning))}")

    @classmethod
    def from_text(cls, text: str) -> "SearchPlan":
        """Return the plan that `to_text` has written.

        Raises:
            SettingsError: The text is no plan of a search.
        """
        try:
            values = json.loads(text)
            space = {
                name: Choice(tuple(map(_tuples, drawn["options"]))) if "options" in drawn else Interval(**drawn)
                for name, drawn in values.pop("space").items()
            }
            return cls(space, **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SettingsError(f"not the plan of a search ({error!r}); experiment.search(...) makes one") from error

    def to_text(self) -> str:
        """Return the plan as JSON, the same text for the same plan."""
        return json.dumps(asdict(self))

    def feature_choices(self) -> Iterator[dict[str, object]]:
        """Yield each combination of feature settings that is tried; each has a separate feature store."""
        searched = {name: drawn.corners for name, drawn in self.space.items() if name in FeatureSettings.model_fields}
        if searched:
            yield from (dict(zip(searched, values, strict=True)) for values in product(*searched.values()))

    def corners(self) -> Iterator[dict[str, object]]:
        """Yield settings at the ends of the space: each end and option with the first of the others, then combinations."""
        first = {name: drawn.corners[0] for name, drawn in self.space.items()}
        for name, drawn in self.space.items():
            yield from (first | {name: value} for value in drawn.corners)
        combined = product(*(drawn.corners for drawn in self.space.values()))
        yield from (dict(zip(self.space, values, strict=True)) for values in islice(combined, _MOST_CORNERS))


def option_text(value: object) -> str:
    """Return the name of an option of a choice in Optuna and in files."""
    try:
        return value if isinstance(value, str) else json.dumps(value)
    except TypeError:
        raise SettingsError(f"choice: {value!r:.60}; expected text, a number, True, False, None or a tuple of these.") from None


def _interval(name: str, low: object, high: object, *, log: bool = False, whole: bool = False) -> Interval:
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
            raise SettingsError(f"{name}({low!r}, {high!r}): expected two numbers.")
    if not low < high:  # type: ignore[operator]
        raise SettingsError(f"{name}({low!r}, {high!r}); expected the lower end first, and two different ends.")
    return Interval(low, high, log, whole)  # type: ignore[arg-type]


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
