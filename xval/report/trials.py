"""The search of an instance on the page: each fold's choice, importance of settings, and trials as parallel coordinates."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from xval.answers.score_text import rounded
from xval.answers.trials import FoldTrials, value_text
from xval.base.errors import shortened
from xval.report import svg

MOST_PICTURED = 6
"""Folds whose trials are drawn."""

_WIDTH, _HEIGHT, _TOP, _SIDE = 620, 250, 34, 70
_LOG_FROM = 30.0  # times the smallest value: a range so wide is drawn over the logarithm


def draw_trials(search: FoldTrials) -> Markup:
    """Draw the trials of a fold as lines through an axis for each setting and one for the score (Inselberg, 1985).

    The better a trial, the stronger its line; the chosen one is set off. A trial that was stopped early or diverged has a
    dashed line, which ends before the score.
    """
    names = list(search.values)
    axes = [_Axis([trial["values"][name] for trial in search.trials]) for name in names]
    scores = _Axis([trial["score"] for trial in search.trials if trial["score"] is not None])
    places = [_SIDE + place * (_WIDTH - 2 * _SIDE) / len(names) for place in range(len(names) + 1)]
    parts = []
    for place, (name, axis) in enumerate(zip([*names, search.score_name], [*axes, scores], strict=True)):
        x = places[place]
        parts += [svg.line(x, _TOP, x, _HEIGHT - 12, "grid"), svg.text(x, 14, shortened(name, 20), "middle")]
        parts += [svg.text(x - 5, y + 4, shortened(text, 9), "end axis") for y, text in axis.marks()]
    ranked = sorted(
        (trial for trial in search.trials if trial["score"] is not None),
        key=lambda trial: trial["score"] * (search.maximised or -1),
    )
    strength = {trial["number"]: (rank + 1) / len(ranked) for rank, trial in enumerate(ranked)}
    for trial in sorted(search.trials, key=lambda trial: (trial["number"] == search.chosen, strength.get(trial["number"], 0))):
        points = [(x, axis(trial["values"][name])) for x, name, axis in zip(places, names, axes, strict=False)]
        has_score = trial["score"] is not None
        points += [(places[-1], scores(trial["score"]))] if has_score else []
        kind = " chosen" if trial["number"] == search.chosen else "" if has_score else " ended"
        parts.append(_line(points, f"trial{kind}", _describe(trial), 0.12 + 0.6 * strength.get(trial["number"], 0.3)))
    return svg.picture(_WIDTH, _HEIGHT, f"trials of fold {search.fold}", parts)


class _Axis:
    """An axis of numbers, over their logarithm where they span much, or of other values, side by side."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        numbers = [float(value) for value in values] if self._is_number else []
        self._has_log = bool(numbers) and min(numbers) > 0 and max(numbers) / min(numbers) > _LOG_FROM
        self._texts = sorted({value_text(value) for value in values}) if not self._is_number else []
        ends = (
            (min(map(self._number, numbers)), max(map(self._number, numbers)))
            if numbers
            else (0.0, max(len(self._texts) - 1, 0))
        )
        low, high = ends if ends[0] < ends[1] else (ends[0] - 0.5, ends[1] + 0.5)
        self._scale = svg.Scale(low, high, _HEIGHT - 14, _TOP + 2)

    def __call__(self, value: Any) -> float:
        return self._scale(self._number(value) if self._is_number else float(self._texts.index(value_text(value))))

    def marks(self) -> list[tuple[float, str]]:
        """Return places with what is there: the ends of the numbers, or each other value."""
        if not self._is_number:
            return [(self._scale(float(place)), text) for place, text in enumerate(self._texts)]
        ends = (self._scale.low, self._scale.high)
        return [(self._scale(end), f"{math.exp(end) if self._has_log else end:z.3g}") for end in ends]

    def _number(self, value: float) -> float:
        return math.log(value) if self._has_log else float(value)


def _line(points: Sequence[tuple[float, float]], class_: str, hint: str, opacity: float) -> Markup:
    path = "".join(f"{'L' if place else 'M'}{x:.0f} {y:.1f}" for place, (x, y) in enumerate(points))
    return svg.element("path", svg.element("title", hint), d=path, class_=class_, style=f"opacity: {opacity:.2f}")


def _describe(trial: Mapping[str, Any]) -> str:
    listed = ", ".join(f"{name} {value_text(value)}" for name, value in trial["values"].items())
    return f"trial {trial['number']}, {trial['state']}: {listed}" + (
        "" if trial["score"] is None else f": {rounded(trial['score'])[0]}"
    )
