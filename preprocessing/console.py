"""From a command to what it prints (a console, a bar or a few lines of progress) and to how it ends.

It ends by 0 done, 1 failed, 2 wrong usage or input, 130 interrupted (143 by SIGTERM, 129 by SIGHUP).
"""

import atexit
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from preprocessing.interrupts import ended_where_stuck, interrupts_noted
from xval.base.errors import FirstJobError, UsageError, XvalError
from xval.base.json_files import final_name
from xval.base.operating_system import ENDING_SIGNALS, SECONDS_TO_END, refusal
from xval.base.terminal import EXIT_FAILED as EXIT_FAILED
from xval.base.terminal import EXIT_INTERRUPTED as EXIT_INTERRUPTED
from xval.base.terminal import EXIT_USAGE as EXIT_USAGE
from xval.base.terminal import allow_any_text, write_line

if TYPE_CHECKING:
    from rich.console import Console

GOES_ON = "Finished work is kept; the same command continues from there."
_CLEARED_UP = "The same command removes what is incomplete and makes it again."
_NOTHING_LEFT = "Nothing incomplete is left; run the same command again."
_N_LINES = 5


def carry_out(command: Callable[[], int | None], *, kept: str = "") -> int:
    """Run a command, print in one line what stops it, and return the exit code: what it returns, or 0.

    SIGTERM and SIGHUP stop it as Ctrl-C does; the exit code is 128 and the number of the signal, as shells have it. An error
    that one of them led to, as where a library catches the KeyboardInterrupt, is an interruption too. A command that none of
    them stops, since a model computes in C without end, ends by force (see `ended_where_stuck`).

    Args:
        command: What is carried out.
        kept: What is said of what was done before it was stopped by a signal or a disk; empty: what the KeyboardInterrupt
            says, or that nothing is left.

    Raises:
        SystemExit: After ``--help``.
        FirstJobError: In debug mode, where the traceback is what is wanted.
    """
    allow_any_text()
    _end_without_search()
    stuck = f"Interrupted by force: the computation did not stop within {SECONDS_TO_END:.0f} s. {kept or _CLEARED_UP}"
    stopped_by_force = ended_where_stuck(lambda: write_line(stuck, sys.stderr))
    with _signals_as_ctrl_c(), interrupts_noted() as received, stopped_by_force:
        try:
            return command() or 0
        except FirstJobError:
            raise
        except KeyboardInterrupt as stopped:
            kept = kept or str(stopped)
            line, code = f"Interrupted. {kept or _NOTHING_LEFT}", EXIT_INTERRUPTED
        except XvalError as error:
            line, code = _prefixed(str(error)), EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
        except OSError as error:
            line, code = f"error: {describe_refusal(error)} {kept}".rstrip(), EXIT_FAILED
        except Exception:
            if not received:
                raise
        if received:  # whatever it led to: workers that ended with it, a library that raises its own error
            line, code = f"Interrupted. {kept or _NOTHING_LEFT}", 128 + received[0]
        write_line(line, sys.stderr)
        return code


def describe_refusal(error: OSError) -> str:
    """Return what the system refused, and for which file: ``results.xlsx: No space left on device``."""
    name = error.filename2 or error.filename  # of a file that is copied or renamed, where to
    return f"{final_name(Path(os.fsdecode(name))) if isinstance(name, str | bytes) else 'a file'}: {refusal(error)}."


def program(main: Callable[[Sequence[str]], int | None]) -> Callable[[Sequence[str]], int]:
    """Wrap a function of arguments into the main function of a program, which ends as `carry_out` does."""

    @wraps(main)
    def run(arguments: Sequence[str]) -> int:
        return carry_out(lambda: main(arguments))

    return run


def _end_without_search() -> None:
    """Let this process end without a search for garbage in all that it has loaded: 0.3 s and more where pandas is."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def make_console(*, is_error: bool = False, least_width: int = 0) -> "Console":
    """Return a console that prints text as it is and leaves long lines whole.

    Args:
        is_error: Print to the standard error.
        least_width: Of a file, which has no width.
    """
    from preprocessing.visible_console import VisibleConsole

    console = VisibleConsole(soft_wrap=True, stderr=is_error)
    if least_width and not console.is_terminal:
        console.width = max(console.width, least_width)
    return console


@contextmanager
def progress_bar(console: "Console", title: str, noun: str = "clips") -> Iterator[Callable[[int, int], None]]:
    """Show progress: a bar in a terminal, a line for every fifth elsewhere.

    Args:
        console: Where to show it.
        title: What is done.
        noun: What is counted; ``bytes``: those of a file, whose total may be 0, not known.

    Yields:
        A function to be called with (done, total).
    """
    from rich import progress

    in_bytes, before = noun == "bytes", 0

    def print_fifths(done: int, total: int) -> None:
        nonlocal before
        begun = before if before < done else done - 1  # of another pass
        if total and done * _N_LINES // total > begun * _N_LINES // total:
            amount = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if in_bytes else f"{done} of {total} {noun}"
            console.print(f"{title}: {amount}")
        before = done

    if not console.is_terminal:
        yield print_fifths
        return
    counts = (progress.DownloadColumn(), progress.TransferSpeedColumn()) if in_bytes else (progress.MofNCompleteColumn(),)
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), *counts, progress.TimeRemainingColumn())
    with progress.Progress(*columns, console=console) as bars:
        bar = bars.add_task(title, total=None, visible=in_bytes)
        yield lambda done, total: bars.update(bar, completed=done, total=total or None, visible=True)


@contextmanager
def _signals_as_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt on the first SIGTERM or SIGHUP within the block.

    Later ones are ignored: a terminal that is closed and a scheduler send several, which would disturb the clearing up. A
    signal that is ignored (nohup) or that a script listens to itself stays so.
    """
    has_come = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()
    ours = [number for number in ENDING_SIGNALS if is_main and signal.getsignal(number) is signal.SIG_DFL]

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if not has_come.is_set():
            has_come.set()
            raise KeyboardInterrupt

    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_IGN if has_come.is_set() else signal.SIG_DFL)


def _prefixed(text: str) -> str:
    return "\n".join(line if line.startswith(" ") else f"error: {line}" for line in text.split("\n"))
