"""A rich console that shows control characters in names instead of obeying them.

Texts pass `xval.base.terminal.visible`; the colours and the movements of progress bars are rich's own and stay.
"""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from xval.base.terminal import visible, write_line


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


class LastingConsole(VisibleConsole):
    """The console of a run, which continues where nothing can be printed: on a full disk, or into a pipe that is closed."""

    def print(self, *objects: Any, **arguments: Any) -> None:
        """Print as rich does; what cannot be written is named once on the standard error."""
        try:
            super().print(*objects, **arguments)
        except OSError as error:
            self._end_output(error.strerror or str(error))

    def on_broken_pipe(self) -> None:
        """Print nothing more; rich would end the program."""
        self._end_output("the pipe is closed")

    def _end_output(self, reason: str) -> None:
        self.quiet = True
        with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), self.file.fileno())  # what is still in the buffer would be an error at the end
        write_line(f"Nothing more can be printed ({reason}). The run continues without output.", sys.stderr)
