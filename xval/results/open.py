"""The one reader of an experiment: its folds, its settings, and the record and scores of each job.

A file is read when it is needed, and again only if it was written since, so that a command shows consistent values.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from xval.base.errors import REMEDY, ResultsError
from xval.base.json_files import JsonObject
from xval.results.estimates_file import Estimates, is_of, read_estimates, source_of
from xval.results.folder import ExperimentFolder, file_state, find_experiment
from xval.results.identity import JobIdentity
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey, job_keys
from xval.results.read import (
    Curves,
    Record,
    WrittenFolds,
    WrittenInstance,
    own_folders_in,
    read_folds,
    read_history,
    read_record,
    read_settings,
    requested_metrics,
)
from xval.results.scores import SCORES_FILE, Scores, read_scores
from xval.settings.randomness import count_repeats, has_randomness

_Content = TypeVar("_Content")


class OpenResults:
    """The results of an experiment. Reading a missing or damaged file, or one of a newer format, raises a `ResultsError`.

    Args:
        folder: Folder of the experiment.
        remembers: Whether to keep records in memory; False if nothing is read twice and there may be thousands.
    """

    def __init__(self, folder: ExperimentFolder, *, remembers: bool = True) -> None:
        self.folder = folder
        self._remembers = remembers
        self._root = str(folder.path)
        self._known: dict[object, tuple[object, Any]] = {}

    def once(self, name: object, state: object, make: Callable[[], _Content]) -> _Content:
        """Return a value made from some files, which is made again only if they have changed; raise a `ResultsError` each time.

        `state` is the state of the files, as from `file_state`; `make` reads them.
        """
        known_state, content = self._known.get(name, (None, None))
        if known_state != state:
            try:
                content = make()
            except ResultsError as error:
                content = error
            if self._remembers or isinstance(name, Path):  # settings and folds are few
                self._known[name] = state, content
        if isinstance(content, ResultsError):
            raise content.with_traceback(None)
        return content  # type: ignore[no-any-return]

    @property
    def folds(self) -> WrittenFolds:
        """The folds, as from `read_folds`."""
        return self._read(self.folder.folds_file, partial(read_folds, self.folder))

    def settings(self, instance: int) -> WrittenInstance:
        """Return settings.json of an instance."""
        path = self.folder.instance_folder(instance) / "settings.json"
        return self._read(path, partial(read_settings, self.folder, instance))

    def own_folders(self, instance: int) -> list[str]:
        """Return the folders of the user's modules: of an instance, then of others, because their metrics may be needed."""
        numbers = (number for number in self.folder.instances() if number != instance)
        others = (own_folders_in(self.folder.settings(number), self.folder) for number in numbers)
        return [*dict.fromkeys([*self.settings(instance).own_folders, *chain.from_iterable(others)])]

    def record(self, key: JobKey) -> Record | None:
        """Return the record of a job, or None if the job has not ended."""
        return self._hashed_record(key)[0]

    def scores(self, key: JobKey, record: Record) -> Scores:
        """Return the scores of an ended job, given its record; none for a failed job."""
        if record["status"] != "done":
            return Scores()
        path, record_hash = self._place(key, SCORES_FILE), self._hashed_record(key)[1]
        state = file_state(path)

        def read() -> Scores:
            estimates = self.estimates(self.folder.estimates_file(key.instance)) if state else None
            kept = estimates and estimates.scores_of(key.folder_name, record_hash, path)
            return kept or read_scores(self.folder.fold_folder(*key), record)

        return self.once(("scores", key), (state, record_hash), read)

    def history(self, key: JobKey) -> Curves:
        """Return the epochs of a job as arrays, which take little memory; nothing for a job without epochs, as a combination.

        Raises:
            OSError: history.csv cannot be read.
            ResultsError: It is damaged.
        """
        path = self._place(key, "history.csv")
        return self._read(path, partial(_read_curves, Path(path)))

    def source(self, key: JobKey) -> JsonObject:
        """Return the identity of the record and predictions of a job; see `source_of`."""
        return source_of(self._place(key), self._hashed_record(key)[1])

    def is_source(self, known: Mapping[str, Any], key: JobKey) -> bool:
        """Return whether `source` would return a known identity, ignoring deleted files; see `is_of`."""
        return is_of(known, self._place(key), self._hashed_record(key)[1])

    def estimates(self, path: Path) -> Estimates | None:
        """Return what was computed from predictions; see `read_estimates`."""
        return self._read(path, partial(read_estimates, path))

    @property
    def requested_metrics(self) -> list[str]:
        """The metrics that were requested after training: names of metrics of the task, and dotted paths."""
        return self._read(self.folder.added_metrics, partial(requested_metrics, self.folder))

    def records(self, instance: int, jobs: Iterable[JobKey] | None = None) -> tuple[dict[JobKey, Record], dict[JobKey, str]]:
        """Return the records of an instance's jobs (None: of all jobs), and the reasons why others cannot be read."""
        records, damaged = {}, {}
        for key in self.folder.jobs(instance) if jobs is None else jobs:
            try:
                record = self.record(key)
            except (ResultsError, OSError) as error:
                damaged[key] = str(error)
            else:
                if record is not None:
                    records[key] = record
        return records, damaged

    def done(self, jobs: Iterable[JobKey]) -> dict[JobKey, Record]:
        """Return the records of the finished jobs."""
        records = {key: self.record(key) for key in jobs}
        return {key: record for key, record in records.items() if record and record["status"] == "done"}

    def all_scores(self, records: Mapping[JobKey, Record]) -> dict[JobKey, Scores]:
        """Return the scores of finished jobs, with added metrics only if they are still requested."""
        wanted = {path.rpartition(".")[2] for path in self.requested_metrics}
        scores = {key: self.scores(key, record) for key, record in records.items() if record["status"] == "done"}
        return {key: job_scores.without(job_scores.added.keys() - wanted) for key, job_scores in scores.items()}

    def current(self, instance: int, records: Mapping[JobKey, Record]) -> dict[JobKey, Record]:
        """Return the records of an instance that count: those with its present settings and folds."""
        folds, settings_hash = self.folds, self.settings(instance).settings_hash
        identities = {key: JobIdentity(settings_hash, folds.hash_of(key.fold)) for key in records}
        return {key: record for key, record in records.items() if not identities[key].changes(record)}

    def instance(self, number: int, chosen: JobKey | None = None, damaged: list[str] | None = None) -> InstanceResults:
        """Return an instance with its jobs, or with one of them.

        Args:
            number: Number of the instance.
            chosen: Read only this job.
            damaged: Receives a line for each file that cannot be read; None: the first one raises a `ResultsError`.
        """
        folds, written = self.folds, self.settings(number)
        wanted = {chosen} if chosen else set(job_keys(number, folds.numbers, count_repeats(written.parameters)))
        has_seeds = has_randomness(written.parameters)  # else later repeats are copies, which an earlier version trained
        present = [key for key in self.folder.jobs(number) if has_seeds or key.repeat == 1]
        jobs = [key for key in present if key in wanted or (not chosen and key.fold in folds.numbers)]
        records, faults = self.records(number, jobs)
        current = self.current(number, records)
        scores: dict[JobKey, Scores] = {}
        for key, record in list(current.items()):
            try:
                scores |= self.all_scores({key: record})
            except ResultsError as error:
                faults[key] = str(error)
                del current[key]
        if damaged is not None:
            damaged += faults.values()
        elif faults:
            raise ResultsError(next(iter(faults.values())))
        elif lacking := [key for key in jobs if key not in records]:
            raise ResultsError(f"{self.folder.fold_folder(*lacking[0])}: has no record.json. {REMEDY}")
        return InstanceResults(
            self.folder,
            written,
            dict(sorted(current.items())),
            len(folds.numbers),
            folds.plan.n_fold_repeats,
            tuple(sorted(wanted)),
            scores,
            requested_metrics=self.requested_metrics,
        )

    def _hashed_record(self, key: JobKey) -> tuple[Record | None, str]:
        return self._read(self._place(key, "record.json"), partial(read_record, self.folder, key))

    def _place(self, key: JobKey, name: str = "") -> str:
        """Return the path of a file of a job as text, because pathlib takes ten times as long."""
        return f"{self._root}/instance_{key.instance}/{key.folder_name}/{name}"

    def _read(self, path: Path | str, read: Callable[[], _Content]) -> _Content:
        return self.once(path, (file_state(path),), read)


def _read_curves(path: Path) -> Curves:
    try:
        return {name: array("d", column) for name, column in read_history(path).items()}
    except FileNotFoundError:
        return {}


def open_results(place: ExperimentFolder | Path) -> OpenResults:
    """Return the reader of the experiment that a path is, or is in; each `ExperimentFolder` has one reader."""
    folder = place if isinstance(place, ExperimentFolder) else find_experiment(place)
    if not isinstance(folder.opened, OpenResults):
        folder.opened = OpenResults(folder)
    return folder.opened
