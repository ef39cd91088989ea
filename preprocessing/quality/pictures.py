"""Pictures as PNG: the paper they are drawn on.

Comes in: a size. Goes out: a figure to draw in, and its PNG.

Figures are drawn without pyplot, so that no window system and no state of the process is needed.
"""

import warnings
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREY = "#2a6f97", "#c0392b", "#8a8f98"

_DPI = 110


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


def write_title(axes: "Axes", text: str) -> None:
    """Write the title of axes as it is: ``$`` in a name is no formula."""
    axes.set_title(text, fontsize="small", loc="left", parse_math=False)


def plain_axes(axes: "Axes") -> None:
    """Leave of the frame what carries a scale."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize="small")
