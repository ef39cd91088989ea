"""Learners, which fit the model of a job: one file per kind of model, found by its name.

Each has ``fit(job, folder, observers)``, a context manager that yields the fitted model to test and save.
`xval.engine.worker.run.run_fold` does the rest for all kinds. A file whose models are neither networks of architectures/ nor
estimators of xval/settings/classical.py assigns ARCHITECTURES, a literal that is read without running it: by name the
``task_types``, and ``options`` with their types and defaults.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.models.saved.provenance import Provenance
from xval.settings.architectures import find_learner_name

if TYPE_CHECKING:
    from xval.data.fold import FoldData
    from xval.training.evaluation.fold import Evaluation
    from xval.training.evaluation.novelty import Embed


@dataclass(frozen=True)
class Fitted(ABC):
    """A fitted model; each kind of model has a separate class.

    Attributes:
        data: The examples for fitting and testing.
        earlier: The provenance of the saved models that it was made from.
    """

    job: Job
    data: "FoldData"
    earlier: Sequence[Provenance]

    def embedder(self) -> "Embed | None":
        """Return the function that embeds examples; None: there is no embedding."""
        return None

    @abstractmethod
    def evaluate(self, observers: Observers) -> "Evaluation":
        """Predict the sides of the fold, and compute all metrics."""

    @abstractmethod
    def save(self, folder: Path, tested: Mapping[str, Any]) -> dict[str, Any]:
        """Write its files, and return the entries of model.json for its kind.

        `tested` has the entries of its record on the test.
        """

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """Return the entries of its record other than scores."""


Fit: TypeAlias = Callable[[Job, Path, Observers], AbstractContextManager[Fitted]]
"""A function that fits the model of a job, which may write into a folder and reports progress to observers."""


def find_learner(architecture: str) -> Fit:
    """Return the learner of an architecture."""
    return cast("Fit", import_module(f"{__name__}.{find_learner_name(architecture)}").fit)
