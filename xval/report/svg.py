"""Draw pictures as SVG inside a page: elements, scales and ticks; text is escaped.

Colours are classes of the page's style sheet, so that a picture follows its light or dark mode.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup, escape

_STEPS = (1, 2, 2.5, 5, 10)


class Scale(NamedTuple):
    """A linear scale.

    Attributes:
        low: The value at `start`.
        high: The value at `end`.
        start: Position in the picture (px).
        end: Position in the picture (px).
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the position of a value (px); values outside the scale are placed at its ends."""
        low, high, start, end = self
        inside = low if value < low else high if value > high else value
        return start + (inside - low) / (high - low) * (end - start)


def spanning(values: Iterable[float], start: float, end: float) -> Scale:
    """Return a scale with round ends that includes all values; 0 to 1 if none is finite."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if low == high:
        low, high = (0.0, 1.0) if 0 <= low <= 1 else (low - 0.5, high + 0.5)
    step = _step(low, high)
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, start, end)


def ticks(scale: Scale) -> list[float]:
    """Return some round values within a scale."""
    step = _step(scale.low, scale.high)
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def element(name: str, content: str = "", /, **attributes: object) -> Markup:
    """Return an element; ``_`` in the name of an attribute stands for ``-``, a trailing one is removed (``class_``).

    Markup stays unchanged; text and attributes are escaped; numbers are rounded to a tenth of a pixel.
    """
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    # What is put together here is escaped in `_value` and `escape`.
    return Markup(f"<{name}{given}>{escape(content)}</{name}>")  # noqa: S704


def picture(width: float, height: float, label: str, parts: Iterable[Markup], **attributes: object) -> Markup:
    """Return an SVG picture of this size (px), which shrinks to its column; its label is for screen readers."""
    shape = {"viewBox": f"0 0 {width:g} {height:g}", "width": width, "height": height, "role": "img", "aria_label": label}
    return element("svg", Markup("").join(parts), **shape, **attributes)


def text(x: float, y: float, content: object, class_: str = "") -> Markup:
    """Return a line of text."""
    return element("text", str(content), x=x, y=y, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a straight line."""
    return element("path", d=f"M{_value(x1)} {_value(y1)}L{_value(x2)} {_value(y2)}", class_=class_)


def curve(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Return a line through points, interrupted where a point is not finite."""
    parts, pen_is_up = [], True
    for x, y in points:
        if not math.isfinite(y):
            pen_is_up = True
            continue
        parts.append(f"{'M' if pen_is_up else 'L'}{x:.0f} {y:.1f}")
        pen_is_up = False
    return element("path", d="".join(parts), class_=class_)


def dots(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Return many dots as one path, whose round ends the style sheet draws."""
    return element("path", d="".join(f"M{_value(x)} {_value(y)}h0" for x, y in points), class_=class_)


def _value(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:z.1f}".removesuffix(".0")
    return str(escape(value))


def _step(low: float, high: float) -> float:
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    return next(step * power for step in _STEPS if step * power >= raw * 0.999)
