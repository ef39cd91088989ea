"""The rows of gpu.py as a table with ratios, as csv and as a picture."""

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        backend: tensorflow, torch or jax.
        network: The architecture.
        precision: As the setting.
        way: One of the ways of gpu.py.
        seconds: Of ten folds (s).
        warm_up_s: Until every process had trained a fold of one epoch: compiling (s).
        utilisation: Of the GPU (percent).
        memory_mb: Of the GPU, largest (MB).
        accuracy: Mean over the folds, on the test examples.
        n_folds: How many were timed.
    """

    backend: str
    network: str
    precision: str
    way: str
    seconds: float
    warm_up_s: float
    utilisation: float
    memory_mb: float
    accuracy: float
    n_folds: int


def print_table(rows: list[Row], size: dict[str, Any]) -> None:
    """Print the rows; in the last line the ratios, of ten folds one by one and of the own loop to each other way."""
    print(f"\n{'':44}{size['n_folds']} folds (s)  warm-up (s)  GPU (%)  memory (MB)  accuracy")
    for row in rows:
        print(
            f"{row.backend:11}{row.network:11}{row.precision:15}{row.way:7}{row.seconds:10.2f}{row.warm_up_s:12.2f}"
            f"{row.utilisation:10.0f}{row.memory_mb:12.0f}{row.accuracy:11.3f}"
        )
    seconds = {(row.backend, row.network, row.precision, row.way): row.seconds for row in rows}
    ratios = []
    for (*cell, way), value in seconds.items():
        against = [(other, seconds.get((*cell, other))) for other in ("1", "own") if other != way]  # type: ignore[call-overload]
        ratios += [f"{' '.join(cell)} {other} / {way}: {known / value:.2f}" for other, known in against if known]
    print("\nratios of seconds\n" + "\n".join(ratios[:-1]))
    print(f"ratio {ratios[-1] if ratios else 'nan'}")


def write_files(rows: list[Row], table: Path | None, picture: Path | None) -> None:
    """Write the rows as csv, and a bar for each."""
    if table:
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Row)])
            writer.writeheader()
            writer.writerows(map(asdict, rows))
    if picture:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        groups = list(dict.fromkeys((row.network, row.precision) for row in rows))
        figure = Figure(figsize=(4.2 * len(groups), 4), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, group in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
            chosen = [row for row in rows if (row.network, row.precision) == group][::-1]
            bars = axes.barh([f"{row.backend} {row.way}" for row in chosen], [row.seconds for row in chosen])
            axes.bar_label(bars, fmt="%.1f", padding=2)
            axes.set(title=" ".join(group), xlabel="ten folds (s)")
            axes.margins(x=0.15)
        figure.savefig(picture, dpi=110)
