"""Modules that are not found while others are imported."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def hidden(names: Iterable[str]) -> Iterator[None]:
    """Let imports of these modules fail as if they were not installed, but for those that are loaded already."""
    names = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None: what an import takes for a missing module
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
