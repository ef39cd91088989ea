"""What fits the model of a job: a file per kind of model, found by its name.

Each has ``fit(job, folder, observers)``, a context that yields what it has fitted, as long as that can be tested and saved.
`xval.engine.worker.run.run_fold` does the rest, the same for all kinds. A file whose models are neither networks of
architectures/ nor estimators of xval/settings/classical.py assigns ARCHITECTURES, a literal that is read without running it:
by name the ``task_types``, and ``options`` with their types and defaults.
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
    """What a job has fitted; each kind of model has its own.

    Attributes:
        data: The examples that it was fitted to, and those that it is tested on.
        earlier: What the saved models that it was made of have been trained on.
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
        """Write its files, and return what model.json says of its kind only; `tested` is what its record says of the test."""

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """Return what the record says of it, besides its scores."""


Fit: TypeAlias = Callable[[Job, Path, Observers], AbstractContextManager[Fitted]]
"""Fits the model of a job, which may write into a folder; observers are told of what progresses."""


def find_learner(architecture: str) -> Fit:
    """Return what fits the models of an architecture."""
    return cast("Fit", import_module(f"{__name__}.{find_learner_name(architecture)}").fit)
