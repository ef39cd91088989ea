"""The charts of the quality report: distributions of durations, sample rates, channels, levels, classes and items."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from preprocessing.clips.label_sets import MULTI_LABEL
from preprocessing.clips.table import label_columns, natural_key
from preprocessing.quality.pictures import BLUE, GREY, RED, new_figure, plain_axes, png, write_title
from preprocessing.quality.rules import TASKS_WITH_CLASSES, one_label_per_row
from xval.base.errors import counted, shortened
from xval.base.item_word import ITEM, call_items

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_N_BARS = 40

_SIZE_INCHES = (5.2, 3.0)
_N_BINS = 40
# Above this ratio of the longest to the shortest duration, the axis is logarithmic.
_WIDE_RATIO = 50


def draw_charts(facts: pd.DataFrame, task_type: str, item_word: str = "") -> dict[str, bytes]:
    """Draw the charts of a dataset.

    Args:
        facts: One row per clip, as `faults.find_faults` returns them; facts that were not measured are not drawn.
        task_type: Task of the dataset; classification: the number of clips per class is drawn, regression: the targets.
        item_word: The dataset's word for an item, such as speaker; empty: not known.

    Returns:
        PNG images by name: durations, sample_rates, channels, levels, classes (or targets), items.
    """
    read = facts[facts["duration_s"].notna()]
    original = facts[~facts["augmented"]]
    charts: dict[str, bytes] = {}
    if len(read):
        charts["durations"] = _durations(read["duration_s"].to_numpy(dtype=float))
        charts["sample_rates"] = _categories("Sample rates", "Sample rate (kHz)", read["sample_rate_hz"], 1000)
        charts["channels"] = _categories("Channels", "Channels of a file", read["n_channels"], 1)
    if "peak_dbfs" in facts and np.isfinite(facts["rms_dbfs"]).any():
        charts["levels"] = _levels(facts)
    if original.empty:
        return charts
    if task_type in TASKS_WITH_CLASSES:
        charts["classes"] = _classes(one_label_per_row(original)["label"] if task_type == MULTI_LABEL else original["label"])
    elif task_type == "regression" and original[label_columns(facts.columns)].notna().any(axis=None):
        charts["targets"] = _targets(original)
    return charts | {"items": _items(original["item"], item_word or ITEM)}


def _durations(durations_s: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> bytes:
    lowest, highest = float(durations_s.min()), float(durations_s.max())
    is_wide = lowest > 0 and highest > _WIDE_RATIO * lowest
    bins = np.geomspace(lowest, highest, _N_BINS + 1) if is_wide else _bins(lowest, highest)
    figure, axes = _chart(
        f"Durations: {lowest:.3g} to {highest:.3g} s, median (red) {np.median(durations_s):.3g} s", "Duration (s)"
    )
    axes.hist(durations_s, bins=bins.tolist(), color=BLUE)
    axes.axvline(float(np.median(durations_s)), color=RED, linewidth=1)
    if is_wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
        axes.minorticks_off()
    return png(figure)


def _categories(title: str, label: str, values: "pd.Series[int]", divisor: int) -> bytes:
    """Draw how often each value occurs."""
    counts = values.value_counts().sort_index()
    figure, axes = _chart(f"{title}: {len(counts)} different" if len(counts) > 1 else f"{title}: all alike", label)
    _draw_bars(axes, [f"{value / divisor:g}" for value in counts.index], counts.tolist())
    return png(figure)


def _draw_bars(axes: "Axes", names: Sequence[str], counts: Sequence[int]) -> None:
    """Draw bars with their names below and their heights above; the margins keep a single bar narrow."""
    bars = axes.bar(list(names), list(counts), color=BLUE, width=0.6)
    axes.bar_label(bars, fontsize="small")
    axes.margins(x=max(0.05, 1.2 / len(counts)), y=0.15)


def _levels(facts: pd.DataFrame) -> bytes:
    figure, axes = _chart("Levels of the clips that are not silent", "Level (dBFS)")
    rms, peak = (facts.loc[np.isfinite(facts[column]), column].to_numpy(dtype=float) for column in ("rms_dbfs", "peak_dbfs"))
    bins = _bins(min(rms.min(), peak.min()), max(rms.max(), peak.max())).tolist()
    axes.hist(rms, bins=bins, color=GREY, label="RMS")
    axes.hist(peak, bins=bins, color=BLUE, alpha=0.75, label="peak")
    axes.legend(frameon=False, fontsize="small", loc="upper left")
    return png(figure)


def _classes(labels: "pd.Series[str]") -> bytes:
    counts = labels.value_counts()
    shown = counts.iloc[:LARGEST_N_BARS]
    if len(counts) <= LARGEST_N_BARS:
        shown = shown.loc[sorted(shown.index, key=natural_key)]
    more = f", the largest {LARGEST_N_BARS} shown" if len(counts) > LARGEST_N_BARS else ""
    title = f"{counted(len(counts), 'class')}, {_range(counts.min(), counts.max())} clips each{more}"
    figure, axes = _chart(title, "Class", height=max(_SIZE_INCHES[1], 0.16 * len(shown) + 0.8))
    positions = np.arange(len(shown))
    axes.barh(positions, shown.tolist(), color=BLUE)
    axes.set_yticks(positions, [shortened(name, 24) for name in shown.index], parse_math=False)
    axes.invert_yaxis()
    axes.set_ylabel("Class", fontsize="small")
    axes.set_xlabel("Clips", fontsize="small")
    return png(figure)


def _targets(facts: pd.DataFrame) -> bytes:
    facts = facts[label_columns(facts.columns)].dropna(axis=1, how="all")
    columns = facts.columns[:6]
    figure = new_figure(_SIZE_INCHES[0], _SIZE_INCHES[1] * len(columns))
    for axes, column in zip(figure.subplots(len(columns), 1, squeeze=False).flat, columns, strict=True):
        values = facts[column].dropna().to_numpy(dtype=float)
        axes.hist(values, bins=_bins(values.min(), values.max()).tolist(), color=BLUE)
        write_title(axes, f"Target {column.removeprefix('label:')}: {values.min():.4g} to {values.max():.4g}")
        axes.set_xlabel("Target", fontsize="small")
        axes.set_ylabel("Clips", fontsize="small")
        plain_axes(axes)
    return png(figure)


def _items(items: "pd.Series[str]", item_word: str) -> bytes:
    counts = items.value_counts().to_numpy()
    title = f"{counted(len(counts), item_word)}, {_range(counts.min(), counts.max())} clips each"
    figure, axes = _chart(title, call_items("Clips per item", item_word), counted=call_items("Items", item_word))
    first, last = int(counts.min()), int(counts.max())
    if first == last:
        _draw_bars(axes, [f"{first}"], [len(counts)])
        return png(figure)
    step = -(-(last - first + 1) // _N_BINS)
    axes.hist(counts, bins=(np.arange(first, last + step + 1, step) - 0.5).tolist(), color=BLUE, rwidth=0.9)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    return png(figure)


def _chart(title: str, label: str, counted: str = "Clips", height: float = _SIZE_INCHES[1]) -> "tuple[Figure, Axes]":
    figure = new_figure(_SIZE_INCHES[0], height)
    axes = figure.subplots()
    write_title(axes, title)
    axes.set_xlabel(label, fontsize="small")
    axes.set_ylabel(counted, fontsize="small")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    plain_axes(axes)
    return figure, axes


def _bins(lowest: float, highest: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return the edges of bins of equal width; if all values are equal, they are in the middle bin."""
    if highest - lowest <= 1e-9 * max(1, abs(highest)):
        half = 0.5 * max(abs(lowest), 1e-3)
        return np.linspace(lowest - half, lowest + half, _N_BINS + 2)
    return np.linspace(lowest, highest, _N_BINS + 1)


def _range(lowest: int, highest: int) -> str:
    return f"{lowest}" if lowest == highest else f"{lowest} to {highest}"
