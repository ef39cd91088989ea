"""Draw the confusion matrix and the reliability diagram of an evaluation as PNG."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from preprocessing.quality.pictures import BLUE, GREY, RED, new_figure, plain_axes, png, write_title
from xval.base.errors import shortened
from xval.measures.calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# With more classes, counts would be too small to read; confusion_matrix.csv has them.
MOST_WITH_COUNTS = 30

_LONGEST_NAME = 18
_LARGEST_INCHES = 13.0
_SMALLEST_ROW_INCHES = 0.13
_FEW_EXAMPLES = 10


def draw_confusion(matrix: Sequence[Sequence[int]], class_names: Sequence[str], unit: str) -> bytes:
    """Return `confusion_figure` as PNG."""
    return png(confusion_figure(matrix, class_names, f"{sum(map(sum, matrix))} {unit}"))


def confusion_figure(matrix: Sequence[Sequence[int]], class_names: Sequence[str], title: str) -> "Figure":
    """Draw a confusion matrix: colours are shares of the true class, numbers are counts.

    `matrix` has a row of counts per true class and a column per predicted class; `title` names what is counted.
    """
    from matplotlib.colors import PowerNorm

    counts = np.asarray(matrix)
    n_classes = len(counts)
    totals = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # a class that does not occur has no shares
        shares = counts / totals
    side_inches = min(max(min(0.6 * n_classes, 9.0), 0.19 * n_classes, 1.8), _LARGEST_INCHES)
    cell_inches = side_inches / n_classes
    figure = new_figure(side_inches + 2.4, side_inches + 1.6)
    axes = figure.subplots()
    axes.set_facecolor("#e8e8e8")
    scale = PowerNorm(0.6, vmin=0, vmax=1)  # so that small shares show
    image = axes.imshow(np.ma.masked_invalid(shares), cmap="Blues", norm=scale, aspect="equal")
    font_size = min(9.0, max(5.5, 36 * cell_inches))
    named = range(0, n_classes, math.ceil(_SMALLEST_ROW_INCHES / cell_inches))  # all of them, while there is room
    names = [shortened(class_names[number], _LONGEST_NAME) for number in named]
    axes.set_xticks(named, names, rotation=90, fontsize=font_size, parse_math=False)
    axes.set_yticks(named, names, fontsize=font_size, parse_math=False)
    axes.set_xlabel("Predicted class", fontsize="small")
    axes.set_ylabel("True class", fontsize="small")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if n_classes <= MOST_WITH_COUNTS:
        _write_counts(axes, counts, shares, font_size, cell_inches)
    if cell_inches > _SMALLEST_ROW_INCHES:
        axes.set_xticks(np.arange(-0.5, n_classes), minor=True)
        axes.set_yticks(np.arange(-0.5, n_classes), minor=True)
        axes.grid(which="minor", color="white", linewidth=0.6)
        axes.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=25, pad=0.02)
    bar.set_label("Share of the true class", fontsize="small")
    bar.ax.tick_params(labelsize="small")
    empty = " (grey: does not occur)" if (totals == 0).any() else ""
    write_title(axes, f"{title}{empty}")
    return figure


def draw_reliability(calibration: Calibration, unit: str) -> bytes:
    """Draw the accuracy of a classifier over its confidence, and the number of examples in each bin; small bins are pale."""
    figure = new_figure(4.6, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    centres = (calibration.edges[:-1] + calibration.edges[1:]) / 2
    width = float(calibration.edges[1] - calibration.edges[0]) * 0.92
    filled = calibration.counts > 0
    few = calibration.counts < _FEW_EXAMPLES
    for chosen, alpha, label in (
        (filled & ~few, 1.0, "accuracy of the bin"),
        (filled & few, 0.3, f"... with fewer than {_FEW_EXAMPLES} {unit}"),
    ):
        if chosen.any():
            upper.bar(centres[chosen], calibration.accuracy[chosen], width=width, color=BLUE, alpha=alpha, label=label)
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfect")
    upper.scatter(
        calibration.confidence[filled],
        calibration.confidence[filled],
        color=RED,
        s=14,
        zorder=3,
        label="mean confidence of the bin",
    )
    upper.set(xlim=(0, 1), ylim=(0, 1.02))
    upper.set_ylabel("Accuracy", fontsize="small")
    title = f"ECE {calibration.ece:.3f}, MCE {calibration.mce:.3f}, Brier {calibration.brier:.3f}"
    write_title(upper, f"{title} ({int(calibration.counts.sum())} {unit})")
    lower.bar(centres, calibration.counts, width=width, color=GREY)
    lower.set_ylabel(unit.capitalize(), fontsize="small")
    lower.set_xlabel("Confidence (probability of the predicted class)", fontsize="small")
    for axes in (upper, lower):
        plain_axes(axes)
    figure.legend(*upper.get_legend_handles_labels(), frameon=False, fontsize="x-small", loc="outside lower center", ncols=2)
    return png(figure)


def _write_counts(axes: "Axes", counts: "np.ndarray", shares: "np.ndarray", font_size: float, cell_inches: float) -> None:
    """Write every count that is not 0 into its cell, as large as possible."""
    widest = len(str(int(counts.max())))
    size = min(font_size, 72 * cell_inches / (0.75 * max(widest, 2)))
    for true, predicted in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[true, predicted] > 0.45 else "black"
        axes.text(predicted, true, str(counts[true, predicted]), ha="center", va="center", fontsize=size, color=colour)
