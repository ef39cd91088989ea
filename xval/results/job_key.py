"""The key of a job: instance, fold and repeat, from which its name in messages and its folder name follow."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

SEARCH = "search"
"""The folder of an instance that holds the trials of its search."""
_FOLDER = re.compile(r"fold_(\d+)(?:_repeat_([2-9]|[1-9]\d+))?")


class JobKey(NamedTuple):
    """One training of one fold of one instance; as text, its name in messages.

    Attributes:
        fold: Number of the fold; 0: training on all items.
        repeat: From 1; each trains the fold with another seed. The first one has the same names as a job without repeats.
    """

    instance: int
    fold: int
    repeat: int = 1

    def __str__(self) -> str:
        return f"instance {self.instance}, {self.fold_name}"

    @property
    def fold_name(self) -> str:
        """What messages call it that have named the instance."""
        return f"fold {self.fold}" + (f", repeat {self.repeat}" if self.repeat > 1 else "")

    @property
    def folder_name(self) -> str:
        """The name of its folder."""
        return f"fold_{self.fold}" + (f"_repeat_{self.repeat}" if self.repeat > 1 else "")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "JobKey":
        """Return the key in a record, an event or a model.json; a missing repeat is 1."""
        return cls.from_numbers(values["instance"], values["fold"], values.get("repeat", 1), values.get("trial", 0))

    @classmethod
    def from_numbers(cls, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> "JobKey":
        """Return the key of a job, or a `TrialKey` if the number of the trial is above 0."""
        return TrialKey(instance, fold, repeat, trial) if trial else cls(instance, fold, repeat)

    @classmethod
    def from_folder(cls, instance: int, name: str) -> "JobKey | None":
        """Return the key of a folder of an instance, or None if its name is not that of a job."""
        match = _FOLDER.fullmatch(name)
        return cls(instance, int(match.group(1)), int(match.group(2) or 1)) if match else None


class TrialKey(JobKey):
    """One training of a trial of a search, in the search of one fold; `repeat` is the inner fold, from 1.

    Attributes:
        trial: Number of the trial, from 1.
    """

    _fields = ("instance", "fold", "repeat", "trial")  # type: ignore[assignment]

    def __new__(cls, instance: int, fold: int, repeat: int, trial: int) -> Self:
        """Return the key."""
        return tuple.__new__(cls, (instance, fold, repeat, trial))

    def __getnewargs__(self) -> Any:
        """Return what `__new__` gets from a copy."""
        return tuple(self)

    @property
    def trial(self) -> int:
        """Number of the trial."""
        return int(tuple(self)[3])

    @property
    def fold_name(self) -> str:
        """What messages call it that have named the instance."""
        return f"fold {self.fold}, trial {self.trial}" + (f", inner fold {self.repeat}" if self.repeat > 1 else "")

    @property
    def folder_name(self) -> str:
        """The name of its folder, with that of the folder that holds the trials of an instance."""
        return f"{SEARCH}/fold_{self.fold}_trial_{self.trial}" + (f"_inner_{self.repeat}" if self.repeat > 1 else "")


def job_keys(instance: int, folds: Iterable[int], repeats: int) -> list[JobKey]:
    """Return the jobs of an instance: all folds with the first seed, then all with the next one."""
    numbers = list(folds)
    return [JobKey(instance, fold, repeat) for repeat in range(1, repeats + 1) for fold in numbers]
