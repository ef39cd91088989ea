"""The results folder of one experiment: its files, atomic writes, and how to find it; job_locks.py has the locks.

    <experiment_folder>/<dataset>/experiment_<n>/
        description.txt  folds.json  phases.csv  results.xlsx  code/<hash>/  (added_metrics.json)  summary.json
        cells/cell_<hash>.py                                 what a notebook itself defines
        .script_<process>.json                               while a script is at work
        .new                                                 while the run that made the folder is alone in it
        nested_estimates.json
        instance_<i>/settings.json  metrics.json  estimates.json
                     fold_<k>/record.json  scores.parquet  model.keras  history.csv  predictions.parquet
                     fold_<k>_repeat_<r>/ the same, from the second repeat on
                     refit/ the same;  search/fold_<k>_trial_<n>/record.json  history.csv
                     .fold_<k>.checkpoint.npz            while it is not done: see checkpoint_note.py
        tensorboard/instance_<i>/fold_<k>/       where tensorboard = true

A fold folder is written under a temporary name, and renamed when it is complete.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from xval.base.errors import ResultsError, UsageError
from xval.base.json_files import (
    JsonObject,
    flush_all,
    hash_text,
    is_alive,
    part_path,
    read_json,
    remove_stale_parts,
    write_atomically,
    write_if_changed,
)
from xval.base.operating_system import remove_tree
from xval.results.job_key import SEARCH, JobKey
from xval.results.job_locks import JobLocks

ALL_ITEMS = 0
"""The fold number of the job that trains on all items; its folder is named refit."""

FileState = tuple[int, int, int]
_INSTANCE = re.compile(r"instance_(\d+)")
_SCRIPT_NOTE = re.compile(r"\.script.*\.json")
_WITH_NUMBER = re.compile(r"(.+):(\d+)")  # as compare has it
_BEGUN = "begun"
_LOCK = ".rebuild.lock"
_NEW = ".new"
_UNSEEN_COUNTS_S = 600.0  # a run renews its note each minute
_LEVELS = 3  # a lab's folder has results/, this has corpora, and these have experiments
_BEFORE_ANY_JOB = {"description.txt", "folds.json", "phases.csv", "code", "cells", "leases.json", _LOCK, _NEW}


KERAS_NAME, ESTIMATOR_NAME, ENSEMBLE_NAME = "model.keras", "model.skops", "model.ensemble"
"""The names of model files in fold folders: for networks, estimators, and ensembles of either."""
MODEL_NAMES = (ESTIMATOR_NAME, ENSEMBLE_NAME, KERAS_NAME)
"""All of these names; if a folder has several, the first one is its model."""


def find_model_file(folder: Path) -> Path | None:
    """Return the model file in the folder of a fold; for an estimator model.skops, for an ensemble the list of members."""
    return next((folder / name for name in MODEL_NAMES if (folder / name).is_file()), None)


class AtWork(NamedTuple):
    """A run in progress.

    Attributes:
        script: The script of the run.
        process: Its process, as from `process_name`.
        since: Start time (Unix time, s).
    """

    script: str
    process: str
    since: float


class ExperimentFolder(JobLocks):
    """The folder of one experiment.

    Attributes:
        path: ``<experiment_folder>/<dataset>/experiment_<n>``, which may not exist yet.
        opened: Its reader, from `xval.results.open.open_results`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.opened: object = None
        self._undo: list[Callable[[], None]] = []

    def prepare(self, description: str, *, keeps_earlier: bool = False) -> None:
        """Make the folder, write the description, and remove temporary files of killed writers.

        With `keeps_earlier` a description that is there already stays.
        """
        with self.refusing_unwritable():
            self.path.mkdir(parents=True, exist_ok=True)
            self.remove_stale_parts()
            path = self.path / "description.txt"
            if not (keeps_earlier and path.exists()):
                write_atomically(path, f"{description}\n".encode())

    def make(self) -> None:
        """Make the folder if it does not exist."""
        with self.refusing_unwritable():
            self.path.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def removed_if_refused(self) -> Iterator[None]:
        """Make the folder, and remove it with its new parents if the run raises an error before it writes a job.

        It stays if another run has started in it meanwhile.
        """
        new = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        mark = self.path / _NEW
        self.make()
        with self.refusing_unwritable(), self.lock():
            self.make()  # another run may have removed it before this one had the lock
            if new and self._has_only({_LOCK}):
                mark.touch()
            else:
                new = []
                mark.unlink(missing_ok=True)
        try:
            yield
        except UsageError:
            if new:
                self._remove_unused(new)
            raise
        finally:
            if new:
                with suppress(OSError):
                    mark.unlink(missing_ok=True)

    @contextmanager
    def restored_if_refused(self) -> Iterator[None]:
        """Undo `replace` and `write_settings` if the run raises an error before a job of these instances has ended.

        Nothing is undone while another process works on a job of the experiment.
        """
        self._undo.clear()
        try:
            yield
        except UsageError:
            with suppress(OSError):  # the refusal is what the user has to know
                if self.path.is_dir() and self.is_in_use() is False:
                    self._undo_all()
            raise

    def _undo_all(self) -> None:
        with self.lock():
            for undo in reversed(self._undo):
                undo()
            if (self.path / _NEW).exists() and not self.instances():
                self.folds_file.unlink(missing_ok=True)  # nothing is derived of it

    def write_settings(self, instance: int, content: Mapping[str, Any]) -> None:
        """Write settings.json of an instance unless an equal one exists."""
        path = self.instance_folder(instance) / "settings.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else None
        self._undo.append(partial(self._restore_settings, instance, before, set(self.jobs(instance))))
        write_if_changed(path, content)

    def _restore_settings(self, instance: int, before: bytes | None, jobs: set[JobKey]) -> None:
        if set(self.jobs(instance)) - jobs:
            return  # of the new settings
        path = self.instance_folder(instance) / "settings.json"
        if before is not None:
            write_atomically(path, before)
            return
        path.unlink(missing_ok=True)
        with suppress(OSError):  # another run may have begun a job in it
            path.parent.rmdir()

    def _put_back(self, instance: int) -> None:
        """Move replaced results back unless one of them has a successor."""
        replaced, search = self.replaced_folder(instance), self.instance_folder(instance) / SEARCH
        if search.exists() or any(self.is_replacement(*key) for key in self.jobs(instance)):
            return
        for key in self.replaced_jobs(instance):
            (replaced / self.fold_folder(*key).name).rename(self.fold_folder(*key))
        for old in replaced.glob(f".{SEARCH}.*"):
            old.rename(search)
        remove_tree(replaced)

    def _remove_unused(self, new: Sequence[Path]) -> None:
        """Remove a folder without jobs in which no other run has begun, and those above it; the first of `new` is its own."""
        if not self.path.is_dir():
            return  # it was moved, and the lock would make another in its place
        with suppress(OSError), self.lock():
            if (self.path / _NEW).exists() and self._has_only(_BEFORE_ANY_JOB):
                for name in _BEFORE_ANY_JOB:
                    path = self.path / name
                    remove_tree(path) if path.is_dir() else path.unlink(missing_ok=True)
                for folder in new:
                    folder.rmdir()

    def _has_only(self, names: Collection[str]) -> bool:
        return {path.name for path in self.path.iterdir()} <= set(names)

    @contextmanager
    def refusing_unwritable(self) -> Iterator[None]:
        """Turn an error of writing into a `ResultsError` that names the folder and the fix."""
        try:
            yield
        except OSError as error:
            raise ResultsError(
                f"{self.path}: the results folder cannot be written ({error.strerror}). "
                "Choose another with Experiment(experiment_folder=...) or --set experiment_folder=...."
            ) from error

    def remove_stale_parts(self) -> None:
        """Remove temporary files of killed writers; `claim` removes temporary folders of jobs."""
        for folder in (self.path, self.path / "jobs", *map(self.instance_folder, self.instances())):
            remove_stale_parts(folder, folders=False)
        for path in self._script_notes():
            with suppress(OSError, ResultsError):
                if not _is_at_work(str((read_json(path) or {}).get("process", "")), path.stat().st_mtime):
                    path.unlink()

    @property
    def folds_file(self) -> Path:
        """Path of folds.json."""
        return self.path / "folds.json"

    @property
    def cells(self) -> Path:
        """The folder of modules with the definitions in notebook cells; see `xval.base.user_code.cells`."""
        return self.path / "cells"

    @property
    def workbook(self) -> Path:
        """Path of results.xlsx."""
        return self.path / "results.xlsx"

    @property
    def added_metrics(self) -> Path:
        """Path of added_metrics.json: the metrics that were requested after training."""
        return self.path / "added_metrics.json"

    @property
    def summary_file(self) -> Path:
        """Path of summary.json, which has the values for lists of experiments, and the sources of the derived files."""
        return self.path / "summary.json"

    def script_note(self, process: str) -> Path:
        """Return the path of the note in which a running process names its script."""
        return self.path / f".script_{hash_text(process.encode())}.json"

    def at_work(self) -> list[AtWork]:
        """Return the runs of this experiment that have begun and not ended, the earliest first.

        One whose process cannot be seen from here, as on another machine, counts for some minutes after it renewed its note.
        """
        found = []
        for path in self._script_notes():
            with suppress(OSError, ResultsError):
                note, renewed = read_json(path) or {}, path.stat().st_mtime
                process = str(note.get("process", ""))
                if _is_at_work(process, renewed):
                    since = note.get("since")
                    began = since if isinstance(since, int | float) else renewed
                    found.append(AtWork(str(note.get("script", "")), process, began))
        return sorted(found, key=lambda run: run.since)

    def _script_notes(self) -> list[Path]:
        return sorted(self.path.glob(".script*.json"))  # .script.json: of an earlier version

    @property
    def page(self) -> Path:
        """Path of report.html."""
        return self.path / "report.html"

    def instance_folder(self, instance: int) -> Path:
        """Return the folder of an instance."""
        return self.path / f"instance_{instance}"

    def estimates_file(self, instance: int) -> Path:
        """Return the path of estimates.json: the scores from the predictions of an instance."""
        return self.instance_folder(instance) / "estimates.json"

    @property
    def nested_estimates_file(self) -> Path:
        """Path of nested_estimates.json: the scores from the predictions of the jobs that the folds choose."""
        return self.path / "nested_estimates.json"

    def metrics_file(self, instance: int) -> Path:
        """Return the path of metrics.json, the metrics of an instance for the user."""
        return self.instance_folder(instance) / "metrics.json"

    def replaced_folder(self, instance: int) -> Path:
        """Return the folder of the old results of an instance while new ones replace them."""
        return self.path / f"instance_{instance}.replaced"

    def fold_folder(self, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> Path:
        """Return the folder of one job."""
        key = JobKey.from_numbers(instance, fold, repeat, trial)
        return self.instance_folder(instance) / ("refit" if fold == ALL_ITEMS and not trial else key.folder_name)

    def tensorboard_folder(self, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> Path:
        """Return the TensorBoard folder of a job, outside of its own folder, which is written after each epoch."""
        return self.path / "tensorboard" / self.fold_folder(instance, fold, repeat, trial).relative_to(self.path)

    def instances(self) -> list[int]:
        """Return the numbers of the instances that have a folder."""
        return sorted(int(match.group(1)) for name in _names(self.path) if (match := _INSTANCE.fullmatch(name)))

    def has_begun(self, instance: int) -> bool:
        """Return whether an instance has settings or a job; with neither, a run is about to start it, or was killed then."""
        return (self.instance_folder(instance) / "settings.json").exists() or bool(self.jobs(instance))

    def jobs(self, instance: int) -> list[JobKey]:
        """Return the jobs of an instance that have a folder, by fold and repeat."""
        return _jobs(self.instance_folder(instance), instance)

    def state(self, instance: int) -> tuple[tuple[str, FileState | None], ...]:
        """Return a value that changes if settings, records, scores, predictions or added metrics do, without reading them."""
        folder = self.instance_folder(instance)
        names = ["settings.json"]
        for key in self.jobs(instance):
            names += [f"{key.folder_name}/{name}" for name in ("record.json", "scores.parquet", "predictions.parquet")]
        shared = [(path.name, file_state(path)) for path in (self.folds_file, self.added_metrics)]
        return (*shared, *((name, file_state(f"{folder}/{name}")) for name in names))

    def record(self, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> JsonObject | None:
        """Return the record of a job, or None if the job has not ended."""
        return read_json(self.fold_folder(instance, fold, repeat, trial) / "record.json")

    def settings(self, instance: int) -> JsonObject | None:
        """Return settings.json of an instance, or None."""
        return read_json(self.instance_folder(instance) / "settings.json")

    def begin_fold(self, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> Path:
        """Make and return a temporary folder to write a job into; `publish` names it."""
        (folder := part_path(self.fold_folder(instance, fold, repeat, trial))).mkdir(parents=True)
        return folder

    def publish(self, temporary: Path, instance: int, fold: int, repeat: int = 1, trial: int = 0) -> None:
        """Flush a complete job folder to the disk and give it its name; it replaces a record of a failure.

        The caller holds the claim of the job.

        Raises:
            OSError: The disk is full or missing; the temporary folder is not renamed, and an old record stays.
            ResultsError: Another process has taken the job over.
        """
        flush_all([*temporary.rglob("*"), temporary])
        final = self.fold_folder(instance, fold, repeat, trial)
        if not self.keeps(instance, fold, repeat, trial):
            raise ResultsError(f"{final}: another process has taken over this fold; the result of this process is discarded.")
        if final.exists():
            aside = temporary.with_name(f"{temporary.name}.old.part")
            final.rename(aside)
            try:
                temporary.rename(final)
            except OSError:
                aside.rename(final)
                raise
            remove_tree(aside)  # the job is done, whatever becomes of it
        else:
            temporary.rename(final)
        os.utime(final)  # derived files that were begun before now may lack it
        flush_all([final, final.parent])

    def replace(self, instance: int, jobs: Collection[JobKey]) -> None:
        """Move results away so that their jobs run again; no other process may run them. Later results stay.

        A replacement starts with the first call and ends with `end_replacing`, even if runs are interrupted in between.
        """
        for key in jobs:
            with self.claim(*key) as ours:
                if not ours:
                    raise ResultsError(
                        f"{self.fold_folder(*key)}: another process is running it. Overwrite it when it is done."
                    )
        replaced = self.replaced_folder(instance)
        replaced.mkdir(exist_ok=True)
        if not (replaced / _BEGUN).exists():
            self._undo.append(partial(self._put_back, instance))
            with suppress(FileNotFoundError):
                (self.instance_folder(instance) / SEARCH).rename(part_path(replaced / SEARCH))
            write_atomically(replaced / _BEGUN, b"")
        for key in jobs:
            old = self.fold_folder(*key)
            if old.exists() and not self.is_replacement(*key):
                shutil.rmtree(replaced / old.name, ignore_errors=True)
                old.rename(replaced / old.name)

    def is_replacement(self, instance: int, fold: int, repeat: int = 1) -> bool:
        """Return whether a job has ended since the replacement of its instance started."""
        try:
            begun = (self.replaced_folder(instance) / _BEGUN).stat().st_mtime_ns
            return (self.fold_folder(instance, fold, repeat) / "record.json").stat().st_mtime_ns > begun
        except FileNotFoundError:
            return False

    def replaced_jobs(self, instance: int) -> list[JobKey]:
        """Return the jobs whose old results still exist."""
        return _jobs(self.replaced_folder(instance), instance)

    def end_replacing(self, instance: int, done: Collection[JobKey], available: Collection[JobKey]) -> None:
        """Delete the old results of an instance as soon as each of them has a new one.

        `done` are the jobs with a finished result of the present settings; jobs that are not `available` need no new result.
        """
        if set(self.replaced_jobs(instance)) & set(available) <= set(done):
            shutil.rmtree(self.replaced_folder(instance), ignore_errors=True)


def _is_at_work(process: str, renewed: float) -> bool:
    """Return whether a process is alive; where that cannot be seen, whether it renewed its note (Unix time, s) lately."""
    if (known := is_alive(process)) is not None:
        return known
    return bool(process) and abs(time.time() - renewed) < _UNSEEN_COUNTS_S


def find_experiment(path: Path, *, may_be_starting: bool = False) -> ExperimentFolder:
    """Return the results folder ``results/<dataset>/experiment_<n>`` that a path is or is in.

    Args:
        path: A folder or file.
        may_be_starting: Also return one whose first run has begun and not written its folds yet.

    Raises:
        ResultsError: The path does not exist, or is in no results folder.
    """
    if not path.exists():
        if (match := _WITH_NUMBER.fullmatch(str(path))) and Path(match[1]).is_dir():
            raise ResultsError(f"{path}: no such folder. This is about the whole experiment; leave :{match[2]} out: {match[1]}")
        above = next((folder for folder in list(path.parents)[:2] if folder.name and folder.is_dir()), None)
        nearby = _nearby(above) if above else ""
        raise ResultsError(f"{path}: no such folder. Expected results/<dataset>/experiment_<n>.{nearby}")
    for folder in (path, *path.resolve().parents):
        if (folder / "folds.json").is_file():
            return ExperimentFolder(folder)
    if starting := ExperimentFolder(path).at_work():
        if may_be_starting:
            return ExperimentFolder(path)
        raise ResultsError(f"{path}: has no results yet, because {starting[0].script} is starting. Wait for its first fold.")
    raise ResultsError(
        f"{path}: has no results of an experiment (no folds.json). Expected results/<dataset>/experiment_<n>.{_nearby(path)}"
    )


def neighbour_folder(model: Path) -> Path:
    """Return the experiment folder of a model, or else the folder in which the model is.

    Args:
        model: A .keras file, or a fold, instance or experiment folder.
    """
    try:
        folder = find_experiment(model).path
    except ResultsError:
        folder = model if model.is_dir() else model.parent
    here = Path.cwd()
    whole = folder.resolve()
    return whole.relative_to(here) if whole.is_relative_to(here) else folder


def find_experiments(folder: Path, levels: int = _LEVELS, *, may_be_starting: bool = False) -> list[Path]:
    """Return the folders of experiments in a folder or up to some levels below it, experiment_2 before experiment_10.

    Within an experiment is no other. Hidden folders, and those that may not be read, are left out; and so are those whose
    first run has not written its folds yet, but for `may_be_starting`.
    """
    return sorted(_walk(str(folder), levels, may_be_starting=may_be_starting), key=_natural)


def _nearby(path: Path) -> str:
    experiments = find_experiments(path, levels=2)
    return f" Available: {', '.join(map(str, experiments[:5]))}." if experiments else ""


def file_state(path: Path | str) -> FileState | None:
    """Return a value that changes when a file is written: time (ns), size (bytes) and inode number; None: no file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - Path.stat takes twice as long
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _jobs(folder: Path, instance: int) -> list[JobKey]:
    return sorted(key for name in _names(folder) if (key := JobKey.from_folder(instance, name)))


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _walk(folder: str, levels: int, *, may_be_starting: bool) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            inside = list(entries)
        if any(entry.name == "folds.json" and entry.is_file() for entry in inside):
            return [Path(folder)]
        if may_be_starting and any(map(_SCRIPT_NOTE.fullmatch, (entry.name for entry in inside))):
            return [Path(folder)] * bool(ExperimentFolder(Path(folder)).at_work())
        below = [entry.path for entry in inside if levels and not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        return []
    return [experiment for path in below for experiment in _walk(path, levels - 1, may_be_starting=may_be_starting)]


def _natural(path: Path) -> tuple[Any, ...]:
    parts = re.split(r"(\d+)", str(path))
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
