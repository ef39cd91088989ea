"""Create matplotlib figures and write them to files, without pyplot, and so without a window system or global state."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.file_replacement import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREY = "#2a6f97", "#c0392b", "#8a8f98"

_DPI = 110
_FILE_DPI = 150
PICTURE_ENDINGS = (".png", ".svg", ".pdf")  # formats that `write_figure` writes


def new_figure(width_inches: float, height_inches: float) -> "Figure":
    """Return an empty figure with a layout in which parts do not overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def png(figure: "Figure") -> bytes:
    """Return the content of a PNG file of a figure."""
    with warnings.catch_warnings():
        # Characters that the font lacks, as in names, are drawn as boxes; that needs no warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as .png, .svg or .pdf, by the ending of the path; equal figures make equal files, without a date."""
    kind = path.suffix[1:].lower()
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # see `png`
        replace_file(path, lambda temporary: figure.savefig(temporary, format=kind, dpi=_FILE_DPI, metadata=undated))


def write_title(axes: "Axes", text: str) -> None:
    """Set the title of axes as plain text: a ``$`` in a name does not begin a formula."""
    axes.set_title(text, fontsize="small", loc="left", parse_math=False)


def plain_axes(axes: "Axes") -> None:
    """Remove the sides of the frame of axes that have no scale."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize="small")
