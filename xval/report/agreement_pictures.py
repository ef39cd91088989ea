"""Draw ROC, precision-recall and DET curves and Bland-Altman plots as SVG with captions."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from scipy.special import ndtri

from xval.answers.agreement import Agreement
from xval.answers.operating_points import OperatingPoints
from xval.measures.operating_points import Curves
from xval.report import svg

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 330, 316, 48, 290, 12, 318
_MOST_POINTS = 300  # of a curve
_MOST_DOTS = 3000
_RATES = (0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_LOWEST, _HIGHEST = 0.005, 0.9  # rates that a DET plot shows

_Points = Iterable[tuple[float, float]]


class _Axis(NamedTuple):
    """A scale, the values of its grid lines, and a transformation of values."""

    scale: svg.Scale
    ticks: Sequence[float]
    transform: Callable[[float], float] = float

    def __call__(self, value: float) -> float:
        return self.scale(float(self.transform(value)))


def draw_operating_points(found: OperatingPoints) -> list[tuple[str, Markup]]:
    """Draw the ROC, precision-recall and DET curve of each training, and the operating points as dots."""
    points = [(1 - point.specificity.value, point.sensitivity.value) for point in found.points]
    missed = [(false_alarms, 1 - sensitivity) for false_alarms, sensitivity in points]
    roc, precision_recall, det = ([getattr(run_curves, name) for run_curves in found.curves] for name in Curves._fields)
    share = float(precision_recall[0][1][0])  # of positive clips: the precision where all are taken for positive
    sides = (_LEFT, _RIGHT), (_BOTTOM, _TOP)
    shares = [_Axis(svg.Scale(0, 1, *ends), (0, 0.2, 0.4, 0.6, 0.8, 1)) for ends in sides]
    rates = [_Axis(svg.Scale(float(ndtri(_LOWEST)), float(ndtri(_HIGHEST)), *ends), _RATES, ndtri) for ends in sides]
    diagonal = [(_LOWEST, _LOWEST), (_HIGHEST, _HIGHEST)]
    drawn = {
        "ROC: sensitivity over 1 - specificity": (shares, roc, points, [(0.0, 0.0), (1.0, 1.0)]),
        "Precision-recall: precision over sensitivity": (shares, precision_recall, [], [(0.0, share), (1.0, share)]),
        "DET: misses over false alarms, on normal deviate scales": (rates, det, missed, diagonal),
    }
    return [(caption, _draw(caption, *parts)) for caption, parts in drawn.items()]


def draw_agreement(agreement: Agreement) -> Markup:
    """Draw the Bland-Altman plot of a target: the difference over the mean of true and predicted, bias and limits as lines."""
    step = -(-len(agreement.means) // _MOST_DOTS) or 1
    lines = {"bias": agreement.bias.value, "+1.96 SD": agreement.high.value, "-1.96 SD": agreement.low.value}
    across = svg.spanning(agreement.means, _LEFT + 8, _RIGHT)
    up = svg.spanning([0.0, *agreement.differences, *lines.values()], _BOTTOM, _TOP)
    parts = []
    for tick in svg.ticks(across):
        parts.append(svg.line(across(tick), _TOP, across(tick), _BOTTOM, "grid"))
        parts.append(svg.text(across(tick), _BOTTOM + 16, f"{round(tick, 9):zg}", "middle axis"))
    for tick in svg.ticks(up):
        parts.append(svg.line(_LEFT + 8, up(tick), _RIGHT, up(tick), "grid"))
        parts.append(svg.text(_LEFT, up(tick) + 4, f"{round(tick, 9):zg}", "end axis"))
    points = zip(agreement.means[::step].tolist(), agreement.differences[::step].tolist(), strict=True)
    parts.append(svg.dots([(across(x), up(y)) for x, y in points], "dots faint"))
    for name, value in lines.items():
        if math.isfinite(value):
            parts.append(svg.line(_LEFT + 8, up(value), _RIGHT, up(value), "curve validation" if name == "bias" else "chance"))
            parts.append(svg.text(_RIGHT, up(value) - 4, name, "end axis"))
    return svg.picture(_WIDTH, _HEIGHT, f"Bland-Altman plot{agreement.name and f' of {agreement.name}'}", parts)


def _draw(caption: str, axes: Sequence[_Axis], curves: Iterable[NDArray[np.float64]], dots: _Points, chance: _Points) -> Markup:
    across, up = axes
    parts = []
    for tick in across.ticks:
        parts.append(svg.line(across(tick), _TOP, across(tick), _BOTTOM, "grid"))
        parts.append(svg.line(_LEFT, up(tick), _RIGHT, up(tick), "grid"))
        parts.append(svg.text(across(tick), _BOTTOM + 16, f"{tick:g}", "middle axis"))
        parts.append(svg.text(_LEFT - 6, up(tick) + 4, f"{tick:g}", "end axis"))
    parts.append(svg.curve([(across(x), up(y)) for x, y in chance], "chance"))
    for curve in curves:
        kept = np.unique(np.linspace(0, curve.shape[1] - 1, _MOST_POINTS).round().astype(int))
        parts.append(svg.curve([(across(x), up(y)) for x, y in curve[:, kept].T.tolist()], "curve training"))
    parts.append(svg.dots([(across(x), up(y)) for x, y in dots], "dots validation"))
    return svg.picture(_WIDTH, _HEIGHT, caption, parts)
