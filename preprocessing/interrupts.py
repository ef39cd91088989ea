"""Handle signals that end a program, even if a library ignores them or Python cannot process them."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeAlias

from xval.base.operating_system import ENDING_SIGNALS, IS_WINDOWS, SECONDS_TO_END

SIGNALS = (signal.SIGINT, *ENDING_SIGNALS)
_SECONDS_UNTIL_AGAIN = 0.1

_Handler: TypeAlias = Callable[[int, FrameType | None], Any]
_rescues: list[Callable[[], object]] = []
_noted: list[list[int]] = []


@contextmanager
def interrupts_noted() -> Iterator[list[int]]:
    """Note signals that raise KeyboardInterrupt: a library may swallow what is raised within a callback or an import.

    One that Python drops, since it came in a ``__del__`` or a callback of C code, is raised again.
    """
    noted: list[int] = []
    dropped: list[int] = []
    handlers = _handlers()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if number in dropped:
            dropped.remove(number)
            raise KeyboardInterrupt
        try:
            handlers[number](number, frame)
        except KeyboardInterrupt:
            noted.append(number)
            raise

    def send_again() -> None:
        if noted:  # else none of a signal
            dropped.append(noted[-1])
            _send_to_main_thread(noted[-1])

    _noted.append(noted)
    try:
        with _handling(handlers, interrupt), _called_after_drops(send_again if handlers else None):
            yield noted
    finally:
        _noted[:] = [other for other in _noted if other is not noted]  # equal ones may be noted around


@contextmanager
def _called_after_drops(call: Callable[[], object] | None) -> Iterator[None]:
    """Within the block, call a function in another thread shortly after Python has dropped a KeyboardInterrupt; None: nothing.

    A signal that was sent at once would come in the hook, and be dropped as well.
    """
    if call is None:
        yield
        return
    earlier = sys.unraisablehook
    timers: list[threading.Timer] = []

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            earlier(unraisable)
            return
        timers.append(threading.Timer(_SECONDS_UNTIL_AGAIN, call))
        timers[-1].daemon = True
        timers[-1].start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = earlier
        for timer in timers:
            timer.cancel()


def _send_to_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)  # wakes it where it sleeps
    else:
        _thread.interrupt_main(signal.Signals(number))


def take_back_noted() -> None:
    """Forget the signals that `interrupts_noted` has noted: the caller has raised them itself, and they are dealt with."""
    for noted in _noted:
        noted.clear()


@contextmanager
def interrupts_postponed() -> Iterator[None]:
    """Handle signals after the block: KeyboardInterrupt would be printed and lost in a function that C code calls."""
    received: list[tuple[int, FrameType | None]] = []
    handlers = _handlers()
    try:
        with _handling(handlers, lambda number, frame: received.append((number, frame))):
            yield
    finally:
        for number, frame in received:
            handlers[number](number, frame)


@contextmanager
def ended_where_stuck(say: Callable[[], object]) -> Iterator[None]:
    """End this process if Python does not process a signal within `SECONDS_TO_END`, because code in C may never return.

    Not on Windows, where the main thread also waits for other threads and processes in C.

    Args:
        say: Called before that end, after `rescue`.
    """
    handlers = {} if IS_WINDOWS else _handlers()
    if not handlers:
        yield
        return
    has_reached_python = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        has_reached_python.set()
        handlers[number](number, frame)

    def watch() -> None:
        while number := os.read(reading, 1):
            if number[0] in handlers and not has_reached_python.wait(SECONDS_TO_END):
                try:
                    rescue()
                    say()
                finally:
                    os._exit(128 + number[0])
        os.close(reading)

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with _handling(handlers, interrupt):
        earlier = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)  # written to as a signal comes, by C
        threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        finally:
            has_reached_python.set()
            signal.set_wakeup_fd(earlier)
            os.close(writing)


@contextmanager
def rescued_by(save: Callable[[], object]) -> Iterator[None]:
    """Within the block, make `rescue` call a function that saves the state in memory."""
    _rescues.append(save)
    try:
        yield
    finally:
        _rescues.remove(save)


def rescue() -> None:
    """Save the state that this process would lose; for threads that are about to end it."""
    for save in _rescues:
        save()


@contextmanager
def blocked(numbers: Iterable[int]) -> Iterator[None]:
    """Block signals for this thread and its children within the block."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _handlers() -> dict[int, _Handler]:
    """Return the handler of each interrupting signal; empty except in the main thread, which receives all signals."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    return {number: handler for number, handler in handlers.items() if callable(handler)}


@contextmanager
def _handling(numbers: Mapping[int, _Handler], handler: _Handler) -> Iterator[None]:
    """Replace the handlers of signals within the block."""
    for number in numbers:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, own in numbers.items():
            signal.signal(number, own)
