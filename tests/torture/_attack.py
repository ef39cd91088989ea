"""What an attack is: a hostile file, the commands that meet it, and how they may end."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

Step = tuple[str, ...] | Callable[[Path], object]
"""What follows ``python`` on a command line; or a function that changes the project between two commands."""

TABLE = ("-m", "preprocessing", "table")
END = ("--workers", "1", "--dataset", "other")


class Attack(NamedTuple):
    """A hostile file, and what meets it.

    Attributes:
        description: What it is.
        steps: The commands, one after the other.
        codes: The exit codes that the last one may have; 0 alone where its result must be sound.
        ends_after_s: When it gets SIGTERM (s); None: it ends by itself.
        fault: Looks at the project when all have ended; returns what is wrong, or nothing.
    """

    description: str
    steps: Sequence[Step]
    codes: tuple[int, ...] = (1, 2)
    ends_after_s: float | None = None
    fault: Callable[[Path], str] = lambda _: ""
