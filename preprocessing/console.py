"""Where commands print, and how they end: a console, a progress bar that is a few lines outside a terminal, exit codes.

Comes in: a title and numbers; a command. Goes out: text, and 0 done, 1 failed, 2 wrong usage or input, 130 interrupted.
"""

import atexit
import gc
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import TYPE_CHECKING

from xval.errors import UsageError, XvalError
from xval.operating_system import allow_any_text

if TYPE_CHECKING:
    from rich.console import Console

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_N_LINES = 5


def carry_out(command: Callable[[], int | None]) -> int:
    """Run a command, print in one line what stops it, and return the exit code: what it returns, or 0.

    Raises:
        SystemExit: After ``--help``.
    """
    allow_any_text()
    end_without_search()
    try:
        return command() or 0
    except XvalError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or 'a file'}: {error.strerror or error}.\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. Nothing half made is left; run the same command again.\n")
        return EXIT_INTERRUPTED


def program(main: Callable[[Sequence[str]], int | None]) -> Callable[[Sequence[str]], int]:
    """Make the main function of a program of one that takes arguments: it ends as `carry_out` does."""

    @wraps(main)
    def run(arguments: Sequence[str]) -> int:
        return carry_out(lambda: main(arguments))

    return run


def end_without_search() -> None:
    """Let this process end without a search for garbage in all that it has loaded: 0.3 s and more where pandas is."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def end_as_ctrl_c_does() -> None:
    """Let SIGTERM end this process as Ctrl-C does: workers end, and nothing half-written stays."""
    signal.signal(signal.SIGTERM, _interrupt)


def make_console(*, is_error: bool = False) -> "Console":
    """Return a console that prints text as it is and leaves long lines whole.

    Args:
        is_error: Print to the standard error.
    """
    from rich.console import Console

    return Console(highlight=False, emoji=False, markup=False, soft_wrap=True, stderr=is_error)


@contextmanager
def progress_bar(console: "Console", title: str, noun: str = "clips") -> Iterator[Callable[[int, int], None]]:
    """Show progress: a bar in a terminal, a few lines elsewhere.

    Args:
        console: Where to print.
        title: What is going on.
        noun: What is counted.

    Yields:
        A function to be called with (done, total).
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not console.is_terminal:
        yield lambda done, total: _print_fifths(console, title, noun, done, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task(title, visible=False)
        yield lambda done, total: bars.update(bar, completed=done, total=total, visible=True)


def _interrupt(_signal_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print_fifths(console: "Console", title: str, noun: str, done: int, total: int) -> None:
    """Print a line for every fifth of the work."""
    if done * _N_LINES // total > (done - 1) * _N_LINES // total:
        console.print(f"{title}: {done} of {total} {noun}")
