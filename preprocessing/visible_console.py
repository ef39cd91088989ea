"""A console that shows control characters in names instead of obeying them.

Comes in: what rich prints. Goes out: the same, with the escapes of `xval.base.terminal.visible` in its text; colours and the
movements of progress bars are rich's own and stay.
"""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from xval.base.terminal import visible


class VisibleConsole(Console):
    """A console as the project uses it: text is printed as it is, without markup, emoji and highlighting."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(highlight=False, emoji=False, markup=False, **arguments)

    def render_str(self, text: str, **arguments: Any) -> Text:
        """Return the text that is printed for a string, with the control characters that rich would drop."""
        return super().render_str(visible(text), **arguments)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Make the segments of anything that is printed."""
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else visible(segment.text)
            yield segment if shown == segment.text else Segment(shown, segment.style)
