"""The trackers: MLflow, with a store of files or a server; and Weights & Biases, online or offline.

MLflow writes to the address in the environment variable MLFLOW_TRACKING_URI, or to <experiment_folder>/mlflow if it is not set.
Weights & Biases stores its files in <experiment_folder>/wandb.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from xval.base.errors import SettingsError, how_to_install
from xval.results.read import Curves
from xval.settings.schema import Settings

_MOST_METRICS, _MOST_PARAMETERS = 1000, 100  # in a request to MLflow
_INSTANCE, _HASH = "xval.instance", "xval.settings_hash"


@dataclass(frozen=True)
class TrackedRun:
    """A run of a tracker: the results of a fold, an instance or an experiment.

    Attributes:
        name: ``instance 1, fold 2``, ``instance 1`` or ``results``.
        kind: ``fold``, ``instance`` or ``experiment``.
        instance: The number of the instance; 0 for an experiment.
        settings_hash: The hash of the parameters of the instance; empty for an experiment.
        parameters: The parameters of the instance by name; for a fold also its number, repeat and seed.
        metrics: Metrics by name, such as ``test_accuracy``; for an instance means and standard deviations over folds.
        history: The learning curves by name, one value per epoch, with the numbers of the epochs as ``epoch``.
        pictures: PNG files by name.
        paths: Files and folders to store with the run.
        error: The error of a failed fold; empty if it did not fail.
        seconds: The duration of the fold in seconds.
    """

    name: str
    kind: str
    instance: int = 0
    settings_hash: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: Curves = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    paths: Sequence[Path] = ()
    error: str = ""
    seconds: float = 0.0


class Tracker(Protocol):
    """The interface of trackers, which write runs; any run may be the first of its instance."""

    def log(self, entry: TrackedRun) -> None:
        """Write a run. The run of an instance or experiment that exists already is extended."""


def find_tracker(settings: Settings) -> Callable[[], Tracker]:
    """Return a function that makes the tracker of an experiment.

    The library of MLflow is loaded by that function, and that of Weights & Biases at once, to find the API key.

    Raises:
        SettingsError: The library is not installed, or Weights & Biases has no API key.
    """
    name = settings.tracking
    if find_spec(name) is None:
        raise SettingsError(f"tracking = {name}: {name} is not installed: {how_to_install('tracking')}.")
    if name == "mlflow":
        return partial(MlflowTracker, settings)
    if os.environ.get("WANDB_MODE", "online") == "online":
        import wandb

        if not wandb.login(prompt=False):
            raise SettingsError(
                "tracking = wandb: there is no API key. Run `wandb login` once, or set the environment variable "
                "WANDB_MODE=offline and send the runs later (wandb sync)."
            )
    return partial(WandbTracker, settings)


class MlflowTracker:
    """Writes runs to MLflow, with the runs of folds as children of the run of their instance.

    Args:
        settings: The settings of the experiment.
    """

    def __init__(self, settings: Settings) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        address = os.environ.get("MLFLOW_TRACKING_URI")
        if not address:
            # The default of MLflow is a database, which mlflow-skinny does not have.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            address = (Path(settings.experiment_folder).resolve() / "mlflow").as_uri()
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self._client: Any = MlflowClient(tracking_uri=address)
        name = f"{settings.dataset}/experiment_{settings.num_experiment}"
        if self._client.get_experiment_by_name(name) is None:
            with suppress(MlflowException):  # another process of the same experiment has just created it
                self._client.create_experiment(name)
        self._experiment = self._client.get_experiment_by_name(name).experiment_id
        self._shared: dict[tuple[str, str], str] = {}
        token = None
        while token != "":
            runs = self._client.search_runs([self._experiment], f"tags.`{_INSTANCE}` != ''", page_token=token)
            for run in runs:
                self._shared[run.data.tags[_INSTANCE], run.data.tags[_HASH]] = run.info.run_id
            token = runs.token or ""

    def log(self, entry: TrackedRun) -> None:
        """Write a run to MLflow; that of an instance or the experiment is written into its existing run."""
        run = self._fold_run(entry) if entry.kind == "fold" else self._shared_run(entry)
        self._log_values(run, entry)
        with TemporaryDirectory() as folder:
            for name, content in entry.pictures.items():
                picture = Path(folder) / f"{name}.png"
                picture.write_bytes(content)
                self._client.log_artifact(run, picture)
        for path in entry.paths:
            if path.is_dir():
                self._client.log_artifacts(run, path, path.name)
            else:
                self._client.log_artifact(run, path)
        self._client.set_terminated(run, "FAILED" if entry.error else "FINISHED")

    def _fold_run(self, entry: TrackedRun) -> str:
        """Begin the run of a fold, and return its id."""
        tags = {"mlflow.parentRunId": self._shared_run(entry)}
        if entry.error:
            tags["xval.error"] = entry.error
        return self._begin(entry, entry.name, tags)

    def _shared_run(self, entry: TrackedRun) -> str:
        """Return the id of the run of an instance or the experiment, which begins if it does not exist yet."""
        key = str(entry.instance), entry.settings_hash
        if key not in self._shared:
            name = f"instance {entry.instance}" if entry.instance else entry.name
            self._shared[key] = self._begin(entry, name, dict(zip((_INSTANCE, _HASH), key, strict=True)))
        return self._shared[key]

    def _begin(self, entry: TrackedRun, name: str, tags: dict[str, str]) -> str:
        """Begin a run of MLflow with the parameters of an entry, and return its id."""
        from mlflow.entities import Param

        begun_ms = int(1000 * (time.time() - entry.seconds))
        run: str = self._client.create_run(self._experiment, begun_ms, tags=tags, run_name=name).info.run_id
        parameters = [Param(name, str(value)) for name, value in entry.parameters.items()]
        for first in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(run, params=parameters[first : first + _MOST_PARAMETERS])
        return run

    def _log_values(self, run: str, entry: TrackedRun) -> None:
        """Write the metrics and learning curves of an entry."""
        from mlflow.entities import Metric

        now_ms = int(1000 * time.time())
        values = [Metric(name, value, now_ms, 0) for name, value in entry.metrics.items()]
        for name, column in entry.history.items():
            epochs = zip(entry.history["epoch"], column, strict=True)
            values += [Metric(name, value, now_ms, int(epoch)) for epoch, value in epochs if name != "epoch"]
        for first in range(0, len(values), _MOST_METRICS):
            self._client.log_batch(run, metrics=values[first : first + _MOST_METRICS])


class WandbTracker:
    """Writes runs to Weights & Biases, with the runs of an instance as a group.

    Args:
        settings: The settings of the experiment.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.experiment_folder).resolve()
        os.environ.setdefault("WANDB_DATA_DIR", str(self._folder / "wandb"))  # not below the home folder
        self._project = f"{settings.dataset}-experiment_{settings.num_experiment}"

    def log(self, entry: TrackedRun) -> None:
        """Write a run to Weights & Biases; that of an instance or the experiment is resumed if it exists."""
        import wandb

        shared = f"{self._folder} {self._project} {entry.name} {entry.settings_hash}"
        run = wandb.init(
            project=self._project,
            name=entry.name,
            id=None if entry.kind == "fold" else blake2b(shared.encode(), digest_size=8).hexdigest(),
            resume=None if entry.kind == "fold" else "allow",
            group=f"instance {entry.instance}" if entry.instance else None,
            job_type=entry.kind,
            config=dict(entry.parameters),
            dir=self._folder,
            reinit="create_new",
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True, x_disable_meta=True
            ),
        )
        try:
            for place, epoch in enumerate(entry.history.get("epoch", ())):
                run.log({name: column[place] for name, column in entry.history.items()}, step=int(epoch))
            run.summary.update({**entry.metrics, **({"error": entry.error} if entry.error else {})})
            self._store_files(run, entry)
        finally:
            run.finish(exit_code=1 if entry.error else 0)

    def _store_files(self, run: Any, entry: TrackedRun) -> None:
        """Store the pictures and files of an entry."""
        import wandb

        with TemporaryDirectory() as folder:
            for name, content in entry.pictures.items():
                picture = Path(folder) / f"{name}.png"
                picture.write_bytes(content)
                run.summary[name] = wandb.Image(str(picture))
            if not entry.paths:
                return
            files = wandb.Artifact(entry.name.replace(", ", "-").replace(" ", "_"), type=entry.kind)
            for path in entry.paths:
                for file in sorted(path.rglob("*")) if path.is_dir() else [path]:  # add_dir prints
                    files.add_file(str(file), name=str(file.relative_to(path)) if path.is_dir() else path.name)
            run.log_artifact(files)
