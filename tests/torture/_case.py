"""What a case is, and what comes of it.

Every kind of trouble is a module with

    SUMMARY                                     a line for the table
    NEEDS_KERAS                                 whether its commands load Keras
    prepare(base: Path) -> None                 make once, in an empty folder, what its cases copy
    n_cases(base: Path) -> int                  how many there are
    run_case(case: Case) -> Outcome             carry one out, in a separate folder

A case depends on its kind and its seed alone, so that each can be repeated by itself.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One trial.

    Attributes:
        kind: Name of its module.
        seed: That of the run times `SEEDS_PER_RUN`, plus its number.
        base: What `prepare` has made.
        folder: Not there yet; it is removed afterwards.
    """

    kind: str
    seed: int
    base: Path
    folder: Path

    @property
    def number(self) -> int:
        """Which of the cases of its kind it is, from 0."""
        return self.seed % SEEDS_PER_RUN

    def rng(self) -> random.Random:
        """Return what draws everything in it."""
        return random.Random(f"{self.kind}:{self.seed}")


@dataclass
class Outcome:
    """What came of a case.

    Attributes:
        description: What was done.
        faults: What must not be; none: it went well.
        seconds: Figures by name (s), of which the table shows median and maximum.
    """

    description: str
    faults: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


SEEDS_PER_RUN = 1_000_000
is_light = False
"""Whether commands that load Keras are left out, and of the others all but a few; set before the kinds are imported."""
