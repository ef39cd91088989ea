"""The trackers: MLflow, with a store of files or a server; and Weights & Biases, online or offline.

Comes in: entries, from observer.py. Goes out: runs of the tracker. Without an address (MLFLOW_TRACKING_URI)
MLflow writes into <experiment_folder>/mlflow; Weights & Biases keeps what it sends in <experiment_folder>/wandb.
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

_MOST_METRICS, _MOST_PARAMETERS = 1000, 100  # of a request to MLflow
_INSTANCE, _HASH = "xval.instance", "xval.settings_hash"


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker calls a run.

    Attributes:
        name: ``instance 1, fold 2``, ``instance 1`` or ``results``.
        kind: ``fold``, ``instance`` or ``experiment``.
        instance: The number of the instance; 0: of none.
        settings_hash: Of the parameters of the instance.
        figures: By name, as ``test_accuracy``; of an instance their means and standard deviations over folds.
        history: The epochs, a list per value.
        pictures: PNG files by name.
        paths: Files and folders to keep with it.
        error: Why the fold failed; empty: it did not.
        seconds: How long it took.
    """

    name: str
    kind: str
    instance: int = 0
    settings_hash: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    history: Curves = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    paths: Sequence[Path] = ()
    error: str = ""
    seconds: float = 0.0


class Tracker(Protocol):
    """What takes entries, each of which may be the first of its instance."""

    def log(self, entry: TrackedRun) -> None:
        """Write an entry. One of an instance or experiment that is there already is completed."""


def find_tracker(settings: Settings) -> Callable[[], Tracker]:
    """Return what makes the tracker of an experiment; its library is loaded then, but for Weights & Biases, to find the key."""
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
    """Writes runs of MLflow: those of folds are children of that of their instance."""

    def __init__(self, settings: Settings) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        address = os.environ.get("MLFLOW_TRACKING_URI")
        if not address:
            # MLflow would rather have a database, which mlflow-skinny does not bring.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            address = (Path(settings.experiment_folder).resolve() / "mlflow").as_uri()
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self._client: Any = MlflowClient(tracking_uri=address)
        name = f"{settings.dataset}/experiment_{settings.num_experiment}"
        if self._client.get_experiment_by_name(name) is None:
            with suppress(MlflowException):  # another process of the same experiment has just made it
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
        """Write an entry as a run; one of an instance or the experiment goes into the run that it has already."""
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
        tags = {"mlflow.parentRunId": self._shared_run(entry)}
        if entry.error:
            tags["xval.error"] = entry.error
        return self._begin(entry, entry.name, tags)

    def _shared_run(self, entry: TrackedRun) -> str:
        """Return the run of an instance, or of the experiment, which is begun with the first entry that belongs to it."""
        key = str(entry.instance), entry.settings_hash
        if key not in self._shared:
            name = f"instance {entry.instance}" if entry.instance else entry.name
            self._shared[key] = self._begin(entry, name, dict(zip((_INSTANCE, _HASH), key, strict=True)))
        return self._shared[key]

    def _begin(self, entry: TrackedRun, name: str, tags: dict[str, str]) -> str:
        from mlflow.entities import Param

        begun_ms = int(1000 * (time.time() - entry.seconds))
        run: str = self._client.create_run(self._experiment, begun_ms, tags=tags, run_name=name).info.run_id
        parameters = [Param(name, str(value)) for name, value in entry.parameters.items()]
        for first in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(run, params=parameters[first : first + _MOST_PARAMETERS])
        return run

    def _log_values(self, run: str, entry: TrackedRun) -> None:
        from mlflow.entities import Metric

        now_ms = int(1000 * time.time())
        values = [Metric(name, value, now_ms, 0) for name, value in entry.figures.items()]
        for name, column in entry.history.items():
            epochs = zip(entry.history["epoch"], column, strict=True)
            values += [Metric(name, value, now_ms, int(epoch)) for epoch, value in epochs if name != "epoch"]
        for first in range(0, len(values), _MOST_METRICS):
            self._client.log_batch(run, metrics=values[first : first + _MOST_METRICS])


class WandbTracker:
    """Writes runs of Weights & Biases: those of an instance are a group."""

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.experiment_folder).resolve()
        os.environ.setdefault("WANDB_DATA_DIR", str(self._folder / "wandb"))  # not below the home folder
        self._project = f"{settings.dataset}-experiment_{settings.num_experiment}"

    def log(self, entry: TrackedRun) -> None:
        """Write an entry as a run; one of an instance or the experiment is resumed, if it is there."""
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
            run.summary.update({**entry.figures, **({"error": entry.error} if entry.error else {})})
            self._keep_files(run, entry)
        finally:
            run.finish(exit_code=1 if entry.error else 0)

    def _keep_files(self, run: Any, entry: TrackedRun) -> None:
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
