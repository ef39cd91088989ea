"""Draw the charts of the page as SVG: scores of instances, learning curves, predicted over true values, events over time."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from xval.answers.score_text import Estimate
from xval.answers.summary import metric_words
from xval.base.errors import shortened
from xval.report import svg
from xval.results.job_key import JobKey
from xval.results.read import Curves

_ROW, _LEFT, _WIDTH = 26, 250, 780
_NAME_ROW, _NARROW = 16, 360  # of a telephone, where names are above
SMALL_WIDTH, SMALL_HEIGHT = 380, 230
_MOST_EPOCHS = 60  # of a curve; of more epochs some are drawn
_MOST_DOTS = 3000
_LANE = 16
_N_COLOURS = 6  # of events, in the style sheet


class IntervalRow(NamedTuple):
    """An instance in the picture of all instances; `is_selected`: validation selects it."""

    number: int
    name: str
    estimate: Estimate
    is_selected: bool


def draw_instances(rows: Sequence[IntervalRow], title: str, *, is_narrow: bool = False) -> Markup:
    """Draw a row per instance: its value, the interval, the values of the folds (rings) and the chance level (dashes).

    Names are on the left, or above if `is_narrow` (for a phone).
    """
    left, width, above = (12, _NARROW, _NAME_ROW) if is_narrow else (_LEFT, _WIDTH, 0)
    height = _ROW + above
    values = [
        value
        for row in rows
        for value in (row.estimate.value, row.estimate.low, row.estimate.high, row.estimate.chance, *row.estimate.folds)
        if value is not None
    ]
    scale = svg.spanning(values, left, width - 20)
    bottom = 30 + height * len(rows)
    parts = [grid(scale, 26, bottom)]
    for place, row in enumerate(rows):
        y = 26 + height * place + above + _ROW / 2
        estimate = row.estimate
        mark = " selected" if row.is_selected else ""
        name = shortened(f"{row.number}  {row.name}", 48 if is_narrow else 36)
        where = (left, y - above, f"begin{mark}") if is_narrow else (left - 12, y + 4, f"end{mark}")
        parts.append(svg.text(*where[:2], name, where[2]))
        if estimate.chance is not None:
            parts.append(svg.line(scale(estimate.chance), y - _ROW / 2, scale(estimate.chance), y + _ROW / 2, "chance"))
        parts += [svg.element("circle", cx=scale(value), cy=y, r=3, class_="fold") for value in estimate.folds]
        if estimate.low is not None and estimate.high is not None:
            parts.append(svg.line(scale(estimate.low), y, scale(estimate.high), y, f"interval{mark}"))
        if estimate.value is not None:
            hint = svg.element("title", f"instance {row.number}: {estimate.text}, {estimate.of}")
            parts.append(svg.element("circle", hint, cx=scale(estimate.value), cy=y, r=5, class_=f"mean{mark}"))
    return svg.picture(width, bottom + 24, title, parts, class_="narrow" if is_narrow else "wide")


def draw_learning_curve(points: Sequence[tuple[float, IntervalRow]], title: str, unit: str) -> Markup:
    """Draw a metric over training items or seconds: its interval, the values of the folds (rings), chance (dashes).

    `points` has the x value and the instance of each point, the smallest first; `unit` is the name of the x axis.
    """
    estimates = [row.estimate for _, row in points]
    values = [
        value
        for estimate in estimates
        for value in (estimate.value, estimate.low, estimate.high, estimate.chance, *estimate.folds)
        if value is not None
    ]
    across = svg.Scale(0, max(place for place, _ in points), 48, SMALL_WIDTH - 14)
    up = svg.spanning(values, SMALL_HEIGHT - 30, 12)
    parts = [grid(across, 12, SMALL_HEIGHT - 30, whole=True), side_axis(up, 48, SMALL_WIDTH - 14)]
    if (chance := estimates[0].chance) is not None:
        parts.append(svg.line(48, up(chance), SMALL_WIDTH - 14, up(chance), "chance"))
    line = [(across(place), up(row.estimate.value)) for place, row in points if row.estimate.value is not None]
    parts.append(svg.curve(line, "curve training"))
    for place, row in points:
        estimate, x = row.estimate, across(place)
        parts += [svg.element("circle", cx=x, cy=up(value), r=3, class_="fold") for value in estimate.folds]
        if estimate.low is not None and estimate.high is not None:
            parts.append(svg.line(x, up(estimate.low), x, up(estimate.high), "interval"))
        if estimate.value is not None:
            hint = svg.element("title", f"instance {row.number}, {place:g} {unit}: {estimate.text}, {estimate.of}")
            parts.append(svg.element("circle", hint, cx=x, cy=up(estimate.value), r=5, class_="mean"))
    return svg.picture(SMALL_WIDTH, SMALL_HEIGHT, title, parts)


def draw_curves(
    histories: Mapping[JobKey, Curves], metric: str, best_epochs: Mapping[JobKey, int], limits: svg.Scale
) -> Markup:
    """Draw the training and validation curves of all folds in one picture, with a dot at the best epoch of each.

    `metric` is the column of the training side; the column of validation begins with ``val_``. All instances have the same
    limits.
    """
    last = max((history["epoch"][-1] for history in histories.values() if len(history["epoch"])), default=1.0)
    across = svg.Scale(0, max(last, 1.0), 48, SMALL_WIDTH - 10)
    up = svg.Scale(limits.low, limits.high, SMALL_HEIGHT - 30, 12)
    parts = [grid(across, 12, SMALL_HEIGHT - 30, whole=True), side_axis(up, 48, SMALL_WIDTH - 10)]
    best = []
    for key, history in histories.items():
        chosen = _evenly(len(history["epoch"]))
        for column, class_ in ((metric, "training"), (f"val_{metric}", "validation")):
            if column in history:
                points = [(across(history["epoch"][place]), _place(up, history[column][place])) for place in chosen]
                parts.append(svg.curve(points, f"curve {class_}"))
        epoch = best_epochs.get(key)
        if epoch and f"val_{metric}" in history and epoch <= len(history["epoch"]):
            value = history[f"val_{metric}"][epoch - 1]
            best += [(across(epoch), up(value))] if math.isfinite(value) else []
    parts.append(svg.dots(best, "dots validation"))
    return svg.picture(SMALL_WIDTH, SMALL_HEIGHT, f"{metric_words(metric)} over epochs", parts)


def draw_predicted(answers: pd.DataFrame, name: str) -> Markup:
    """Draw predicted over true values of one target, and the line where they are equal."""
    true, predicted = (answers[f"{kind}_{name}"].to_numpy() for kind in ("target", "predicted"))
    step = -(-len(true) // _MOST_DOTS) or 1
    limits = svg.spanning([*true, *predicted], 0, 1)
    across = svg.Scale(limits.low, limits.high, 56, 376)
    up = svg.Scale(limits.low, limits.high, 332, 12)
    parts = [
        grid(across, 12, 332),
        side_axis(up, 56, 376),
        svg.line(across(limits.low), up(limits.low), across(limits.high), up(limits.high), "chance"),
        svg.dots([(across(x), up(y)) for x, y in zip(true[::step], predicted[::step], strict=True)], "dots faint"),
        svg.text(376, 374, "true", "end axis"),
        svg.text(56, 8, f"predicted {name}" if name != "0" else "predicted", "axis"),
    ]
    return svg.picture(390, 380, f"predicted against true {name}", parts)


def draw_events(lanes: Mapping[str, pd.DataFrame], labels: Sequence[str], duration_s: float) -> Markup:
    """Draw the events of a recording on a time line, with a lane for annotated events and one for each instance.

    `lanes` has start_s, end_s and label of each event, by lane name; `labels`, all classes of events, determines the colours.
    """
    left, height = 4, _NAME_ROW + _LANE + 6
    bottom = 8 + height * len(lanes)
    across = svg.Scale(0, max(duration_s, 1e-3), left, _NARROW - 10)
    parts = [grid(across, 4, bottom)]
    for place, (lane, events) in enumerate(lanes.items()):
        y = 8 + height * place + _NAME_ROW
        parts.append(svg.text(left, y - 4, shortened(lane, 40), "axis"))
        for start_s, end_s, label in zip(events["start_s"], events["end_s"], events["label"], strict=True):
            hint = svg.element("title", f"{label}, {start_s:.2f} to {end_s:.2f} s")
            shape = {"x": across(start_s), "y": y, "width": max(across(end_s) - across(start_s), 1.0), "height": _LANE}
            parts.append(svg.element("rect", hint, class_=f"event{event_colour(labels, label)}", **shape))
    return svg.picture(_NARROW, bottom + 22, "annotated and detected events over time (s)", parts)


def event_colour(labels: Sequence[str], label: str) -> int:
    """Return the colour number of a class of events."""
    return (labels.index(label) if label in labels else 0) % _N_COLOURS


def curve_limits(histories: Iterable[Mapping[JobKey, Curves]], metric: str) -> svg.Scale:
    """Return a common scale for the curves of all instances, which ignores losses far above the others."""
    values = [
        value
        for fold_histories in histories
        for history in fold_histories.values()
        for column in (metric, f"val_{metric}")
        for value in history.get(column, ())
        if math.isfinite(value)
    ]
    values.sort()
    return svg.spanning([values[0], values[min(len(values) - 1, int(0.98 * len(values)))]] if values else [], 0, 1)


def grid(scale: svg.Scale, top: float, bottom: float, *, whole: bool = False) -> Markup:
    """Return vertical grid lines with their values below; `whole`: only at whole numbers."""
    parts = []
    for value in svg.ticks(scale):
        if whole and not float(value).is_integer():
            continue
        parts.append(svg.line(scale(value), top, scale(value), bottom, "grid"))
        parts.append(svg.text(scale(value), bottom + 16, f"{round(value, 9):zg}", "middle axis"))
    return Markup("").join(parts)


def side_axis(scale: svg.Scale, left: float, right: float) -> Markup:
    """Return the vertical axis with its values and a grid line at each."""
    parts = []
    for value in svg.ticks(scale):
        parts.append(svg.line(left, scale(value), right, scale(value), "grid"))
        parts.append(svg.text(left - 6, scale(value) + 4, f"{round(value, 9):zg}", "end axis"))
    return Markup("").join(parts)


def _place(scale: svg.Scale, value: float) -> float:
    """Return the position of a value; NaN if it is not finite."""
    return scale(value) if math.isfinite(value) else math.nan


def _evenly(number: int) -> list[int]:
    """Return at most this number of evenly spaced indices of a curve, including the first and the last."""
    step = max(1, (number - 1) / (_MOST_EPOCHS - 1))
    return sorted({min(round(place * step), number - 1) for place in range(min(number, _MOST_EPOCHS))})
