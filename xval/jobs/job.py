"""`Job`: one fold of one instance with one seed, as plain values."""

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
    """The plan for training on all items.

    Attributes:
        epochs: Number of epochs; the model has the weights of the last one.
        learning_rates: The learning rate of each epoch if the schedule depends on validation scores; None: from the schedule.
        facts: Further entries of the record: the origin of the number of epochs, and the expected scores.
    """

    epochs: int
    learning_rates: tuple[float, ...] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


COMPLETE, PRUNED, DIVERGED, FAILED = "complete", "pruned", "diverged", "failed"
"""States of trials: complete; stopped early by a limit; with a loss that is NaN or infinite; with an error."""


@dataclass(frozen=True)
class Trial:
    """A trial of a search, which is scored on validation items and not tested.

    Attributes:
        number: Number of the trial, from 1.
        values: The tried values by the names of the settings.
        limits: The monitored value that the best epoch so far must reach in each epoch, otherwise training ends; None: no
            limit.
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
        experiment_folder: The folder of its experiment's results.
        code_folder: The snapshot of the code that it belongs to.
        store_folder: The feature store that it reads.
        settings: Every setting of its instance.
        options: Every option of the architecture.
        settings_hash: Hash of the parameters that can change a result.
        folds_hash: Hash of all folds of its repeat, or of all folds for a model of all items.
        seed: Seed of weights, dropout and shuffling, the same for a fold and repeat in all instances.
        refit: The plan for training on all items, without validation and test; None: a normal fold.
        repeat: Number of the training of the fold, from 1; for a trial the number of the inner fold.
        trial: The trial; None: the job is not a trial.
        chosen: The choice and the trials of the search of the fold, for the record; None: no search.
        own_code: The hashes of the user's code of its instance; None: not known.
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
        """The key of the job."""
        return JobKey.from_numbers(self.instance, self.fold.number, self.repeat, self.trial.number if self.trial else 0)

    @property
    def folder(self) -> ExperimentFolder:
        """The folder of its results."""
        return ExperimentFolder(Path(self.experiment_folder))

    @property
    def code_hash(self) -> str:
        """The hash that names the code snapshot."""
        return Path(self.code_folder).name

    @property
    def identity(self) -> JobIdentity:
        """The identity with which a record of this job must agree."""
        return JobIdentity(self.settings_hash, self.folds_hash, self.own_code)

    @cached_property
    def parameters(self) -> dict[str, object]:
        """All settings and options with their values for JSON."""
        return to_parameters(self.settings, self.options)

    def to_dict(self) -> dict[str, Any]:
        """Return the job as plain values for JSON."""
        left_out = {"settings", "options", *(name for name in _OPTIONAL_FIELDS if getattr(self, name) is None)}
        plain = form_of(Job).dump_python(self, exclude=left_out, warnings=False)
        return {**plain, "parameters": self.parameters, "option_names": tuple(self.options)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Job":
        """Return the job that `to_dict` was called on; the dict may come from JSON.

        Raises:
            KeyError: The parameters are missing.
            pydantic.ValidationError: An entry is missing, unknown, or of the wrong type.
        """
        others = dict(values)
        settings, options = from_parameters(others.pop("parameters"), others.pop("option_names"))
        return form_of(Job).validate_python({**others, "settings": settings, "options": options})


def job_seed(seed: int, fold: int, repeat: int = 1) -> int:
    """Derive the seed of a job from that of the settings: a number that all backends and NumPy accept.

    The first repeat has the same seed as a fold without repeats; fold 0 has all items.
    """
    text = f"{seed}/{fold}" if repeat == 1 else f"{seed}/{fold}/{repeat}"
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big") % (2**31)


def model_identity(job: Job) -> str:
    """Return a text of everything that the structure of a job's model depends on."""
    return json.dumps([job.store_folder, *(job.parameters[name] for name in (*names_of(Scope.MODEL), *job.options))])
