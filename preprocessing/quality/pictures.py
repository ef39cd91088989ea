"""The paper that pictures are drawn on, and their files.

Figures are drawn without pyplot, so that no window system and no state of the process is needed.
"""

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
PICTURE_ENDINGS = (".png", ".svg", ".pdf")  # of `write_figure`


def new_figure(width_inches: float, height_inches: float) -> "Figure":
    """Return an empty figure whose parts make room for each other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def png(figure: "Figure") -> bytes:
    """Return a figure as a PNG file."""
    with warnings.catch_warnings():
        # Names in scripts that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as .png, .svg or .pdf, by the ending of the path; the same figure gives the same bytes."""
    kind = path.suffix[1:].lower()
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # such names are drawn as boxes
        replace_file(path, lambda temporary: figure.savefig(temporary, format=kind, dpi=_FILE_DPI, metadata=undated))


def write_title(axes: "Axes", text: str) -> None:
    """Write the title of axes as it is: ``$`` in a name is no formula."""
    axes.set_title(text, fontsize="small", loc="left", parse_math=False)


def plain_axes(axes: "Axes") -> None:
    """Leave of the frame what carries a scale."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize="small")
