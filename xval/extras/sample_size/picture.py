"""The picture of a plan: the difference that a study can show over its number of items, as a .png, .svg or .pdf file."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from preprocessing.quality.pictures import BLUE, GREY, RED, new_figure, plain_axes, write_figure, write_title
from xval.base.errors import plural_of

if TYPE_CHECKING:
    from xval.extras.sample_size.extrapolated_curve import ItemCurve

_LINE_STYLES = {"value ±": (GREY, "-"), "difference ±": (BLUE, "--"), "least difference": (BLUE, "-")}


def write_picture(
    path: Path,
    table: pd.DataFrame,
    *,
    item: str,
    difference: float,
    needed: int | None,
    title: str,
    curve: "ItemCurve | None",
) -> None:
    """Draw the columns of a plan over the number of items, with the requested difference and the number of items it needs.

    Args:
        path: The file to write, which ends in .png, .svg or .pdf.
        table: A row per number of items (n_items), with the columns of a plan.
        item: The word for an item of this dataset, such as speaker.
        difference: The requested difference, in the unit of the metric.
        needed: The number of items that shows the difference; None if no number does.
        title: The title of the picture.
        curve: The learning curve over training items, drawn to the right; None if it is unknown.
    """
    figure = new_figure(11 if curve else 6.4, 4.2)
    axes, *right = figure.subplots(1, 2 if curve else 1, squeeze=False)[0]
    if curve:
        _draw_curve(right[0], curve, table["n_items"].max() * curve.share, item)
    for column, (colour, dashes) in _LINE_STYLES.items():
        if column in table:
            axes.plot(table["n_items"], table[column], color=colour, linestyle=dashes, label=column)
    axes.axhline(difference, color=RED, linewidth=1, linestyle=":", label=f"asked for: {difference:g}")
    if needed is not None and needed <= table["n_items"].max():
        axes.axvline(needed, color=RED, linewidth=1, linestyle=":")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"Number of {plural_of(item)}", parse_math=False)
    axes.legend(frameon=False, fontsize="small")
    write_title(axes, title)
    plain_axes(axes)
    write_figure(figure, path)


def _draw_curve(axes: Axes, curve: "ItemCurve", most: float, item: str) -> None:
    sizes = np.linspace(curve.sizes[0], max(most, curve.sizes[-1]), 100)
    values, low, high, *_ = curve.at(sizes)
    axes.fill_between(sizes, low, high, color=BLUE, alpha=0.15, linewidth=0, label="95 % interval")
    axes.plot(sizes, values, color=BLUE, label="power law")
    axes.plot(curve.sizes, curve.values.mean(axis=(0, 1)), "o", color=RED, label="measured")
    axes.set_xlabel(f"Number of training {plural_of(item)}", parse_math=False)
    axes.legend(frameon=False, fontsize="small", loc="lower right" if curve.is_rising else "upper right")
    write_title(axes, "Score expected of a larger study")
    plain_axes(axes)
