"""What a job is: one fold of one instance with one seed, as plain values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from xval.base.file_forms import form_of
from xval.base.setting_scope import Scope
from xval.folds.plan import Fold
from xval.results.folder import ExperimentFolder
from xval.results.identity import JobIdentity
from xval.results.job_key import JobKey
from xval.settings.parameters import from_parameters, to_parameters
from xval.settings.schema import Settings, names_of


@dataclass(frozen=True)
class Refit:
    """How to train on all items.

    Attributes:
        epochs: How many; the weights of the last one stay.
        learning_rates: Of each epoch, where the schedule followed validation scores; None: the schedule says.
        facts: What the record of the model says besides: who chose the epochs, and what is expected of it.
    """

    epochs: int
    learning_rates: tuple[float, ...] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


COMPLETE, PRUNED, DIVERGED, FAILED = "complete", "pruned", "diverged", "failed"
"""How a trial ends: in full; stopped early by a limit; with a loss that is NaN or infinite; with an error."""


@dataclass(frozen=True)
class Trial:
    """What makes a job a trial of a search: it is scored by the items that validate, and nothing is tested.

    Attributes:
        number: From 1.
        values: What is tried, by the names of the settings.
        limits: For each epoch the monitored value that the best epoch so far has to reach, or training ends; None: no limit.
    """

    number: int
    values: Mapping[str, object]
    limits: tuple[float | None, ...] = ()


_OPTIONAL_FIELDS = ("trial", "chosen", "own_code")
"""Fields that a job file lacks if they are None."""


@dataclass(frozen=True)
class Job:
    """One fold of one instance with one seed, as plain values: it can be written to a file and run anywhere.

    Attributes:
        experiment_folder: Where its results go.
        code_folder: The snapshot of the code that it belongs to.
        store_folder: The feature store that it reads.
        settings: Every setting of its instance.
        options: Every option of the architecture.
        settings_hash: Of the parameters that can change a result.
        folds_hash: Of all folds of its repeat; of a model of all items, of all folds.
        seed: Of weights, dropout and shuffling; the same for a fold and repeat in every instance.
        refit: How to train on all items, without validation and test; None: as the fold says.
        repeat: Which training of the fold, from 1; of a trial the inner fold.
        trial: What is tried; None: the job is no trial.
        chosen: What the search of the fold has chosen and tried, for the record; None: nothing was searched.
        own_code: What the user's own parts of its instance are made of; None: not known.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    experiment_folder: str
    code_folder: str
    store_folder: str
    instance: int
    fold: Fold
    settings: Settings
    options: Mapping[str, object]
    settings_hash: str
    folds_hash: str
    seed: int
    refit: Refit | None = None
    repeat: int = 1
    trial: Trial | None = None
    chosen: Mapping[str, Any] | None = None
    own_code: Mapping[str, str] | None = None

    @property
    def key(self) -> JobKey:
        """What names it."""
        return JobKey.from_numbers(self.instance, self.fold.number, self.repeat, self.trial.number if self.trial else 0)

    @property
    def folder(self) -> ExperimentFolder:
        """Where its results go."""
        return ExperimentFolder(Path(self.experiment_folder))

    @property
    def code_hash(self) -> str:
        """The hash that names the code snapshot."""
        return Path(self.code_folder).name

    @property
    def identity(self) -> JobIdentity:
        """What a record has to agree with to be the one of this job."""
        return JobIdentity(self.settings_hash, self.folds_hash, self.own_code)

    @cached_property
    def parameters(self) -> dict[str, object]:
        """Every setting and option with its value, as JSON can hold it."""
        return to_parameters(self.settings, self.options)

    def to_dict(self) -> dict[str, Any]:
        """Return the job as plain values, which JSON can hold."""
        left_out = {"settings", "options", *(name for name in _OPTIONAL_FIELDS if getattr(self, name) is None)}
        plain = form_of(Job).dump_python(self, exclude=left_out, warnings=False)
        return {**plain, "parameters": self.parameters, "option_names": tuple(self.options)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Job":
        """Return the job that `to_dict` was called on; the dict may come from JSON.

        Raises:
            KeyError: The parameters are missing.
            pydantic.ValidationError: Something is missing, unknown, or of the wrong type.
        """
        others = dict(values)
        settings, options = from_parameters(others.pop("parameters"), others.pop("option_names"))
        return form_of(Job).validate_python({**others, "settings": settings, "options": options})


def job_seed(seed: int, fold: int, repeat: int = 1) -> int:
    """Derive the seed of a job from that of the settings; a number that every backend and NumPy take.

    The first repeat has the seed of a fold without repeats; fold 0 is of all items.
    """
    text = f"{seed}/{fold}" if repeat == 1 else f"{seed}/{fold}/{repeat}"
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big") % (2**31)


def model_identity(job: Job) -> str:
    """Return all that the form of the model of a job depends on, as a text."""
    return json.dumps([job.store_folder, *(job.parameters[name] for name in (*names_of(Scope.MODEL), *job.options))])
