"""Hand runs to MLflow or Weights & Biases as their folds end.

Comes in: the jobs of a run that have ended, and in the end the derived files. Goes out: an entry for each fold (parameters,
figures, curves, a confusion matrix, the files of its folder), one for each instance (figures over its folds, metrics.json), and
one for the experiment (workbook and page), written by a thread. What is wrong with the tracker is said once and costs no
result: the first error ends the tracking of the run, since the libraries have tried again for minutes by then.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from xval.answers.read import read_instances
from xval.base.errors import SettingsError, one_line
from xval.base.numbers import finite_or_none
from xval.extras.tracking.trackers import TrackedRun, Tracker, find_tracker
from xval.jobs.observers import Observer
from xval.jobs.outcome import FAILED, JobOutcome
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.results.read import FIGURE_PLACES, read_history
from xval.settings.schema import Settings

_SIDES = {side: side for side in FIGURE_PLACES} | {"clip_validation": "validation_clip", "clip_test": "test_clip"}
_SECONDS_TO_WAIT = 5.0  # for a tracker that is still writing: silently at the end, at all when the run is interrupted


class Tracking(Observer):
    """Hands the jobs of a run, all of which it watches, to a tracker without keeping the run waiting.

    `make_tracker` is called in the thread that uses the tracker, since its library takes seconds to load.
    """

    def __init__(self, folder: ExperimentFolder, make_tracker: Callable[[], Tracker], console: Console) -> None:
        self._folder = folder
        self._make_tracker = make_tracker
        self._console = console
        self._waiting: queue.SimpleQueue[Callable[[], Iterator[TrackedRun]] | None] = queue.SimpleQueue()
        self._has_stopped = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self, outcome: JobOutcome) -> None:
        """Track a job that has ended and is recorded; jobs of other processes are left to them."""
        if outcome.status == "done" or outcome.status in FAILED:
            self._waiting.put(lambda: read_fold(self._folder, outcome.key))

    def close(self, instances: Sequence[int]) -> None:
        """Take the instances of the run, whose derived files are complete, and wait until all is written."""
        self._waiting.put(lambda: read_summaries(self._folder, instances))
        self._waiting.put(None)
        self._thread.join(_SECONDS_TO_WAIT)
        if self._thread.is_alive():
            self._console.print("Waiting for the tracker. All results are saved; Ctrl-C stops sending the rest to it.")
            self._thread.join()

    def stop(self) -> None:
        """Leave what waits, as of an interrupted run."""
        self._has_stopped = True
        self._waiting.put(None)
        self._thread.join(_SECONDS_TO_WAIT)

    def _work(self) -> None:
        tracker = None
        while (read_entries := self._waiting.get()) is not None:
            if self._has_stopped:
                continue
            try:
                tracker = tracker or self._make_tracker()
                for entry in read_entries():
                    tracker.log(entry)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever is wrong with it, the results are there
                self._has_stopped = True
                _print_stopped(error, self._folder, self._console)


@contextmanager
def observe(
    folder: ExperimentFolder, settings: Settings, instances: Sequence[int], console: Console
) -> Iterator[Tracking | None]:
    """Track what happens in the block, if the settings say so; it has to leave the derived files up to date."""
    if settings.tracking == "none":
        yield None
        return
    try:
        make_tracker = find_tracker(settings)
    except SettingsError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - of its library, and no fold waits for that
        _print_stopped(error, folder, console)
        yield None
        return
    tracking = Tracking(folder, make_tracker, console)
    try:
        yield tracking
    except BaseException:
        tracking.stop()
        raise
    tracking.close(instances)


def _print_stopped(error: BaseException, folder: ExperimentFolder, console: Console) -> None:
    message = f"tracking has stopped: {one_line(error)}. The run continues; its results are in {folder.path}."
    console.print(message, style="red", soft_wrap=True, markup=False)


def read_fold(folder: ExperimentFolder, key: JobKey) -> Iterator[TrackedRun]:
    """Yield the entry of a job that has ended."""
    record = open_results(folder).record(key)
    if record is None:
        return  # its failure could not be recorded
    written, path = open_results(folder).settings(key.instance), folder.fold_folder(*key)
    figures = {"seconds": record["seconds"], "best_epoch": record.get("best_epoch"), "n_parameters": record.get("n_parameters")}
    for side, (part, of_part) in FIGURE_PLACES.items():
        figures |= {f"{_SIDES[side]}_{name}": value for name, value in record.get(part, {}).get(of_part, {}).items()}
    try:
        history = read_history(path / "history.csv")
    except FileNotFoundError:
        history = {}  # a combination has no epochs
    yield TrackedRun(
        str(key),
        "fold",
        key.instance,
        written.settings_hash,
        {**written.parameters, "fold": key.fold, "repeat": key.repeat, "job_seed": record["seed"]},
        {name: number for name, value in figures.items() if (number := finite_or_none(value)) is not None},
        history,
        _draw(record, written.settings),
        [path],
        str(record.get("error", "")),
        float(record["seconds"]),
    )


def _draw(record: Mapping[str, Any], settings: Settings) -> dict[str, bytes]:
    """Return the pictures of a fold: the confusion matrix of its test."""
    matrix = (record.get("confusion_matrix") or {}).get("test")
    if not matrix:
        return {}
    from xval.report.new_data.pictures import draw_confusion

    return {"confusion_matrix": draw_confusion(matrix, record["class_names"], settings.task.unit)}


def read_summaries(folder: ExperimentFolder, instances: Sequence[int]) -> Iterator[TrackedRun]:
    """Yield the entries of instances and of the experiment, with the derived files."""
    for number in instances:
        for instance in read_instances(folder, [number]):
            written = open_results(folder).settings(number)
            paths = [folder.metrics_file(number)]
            figures = _over_folds(instance)
            yield TrackedRun(
                f"instance {number}", "instance", number, written.settings_hash, written.parameters, figures, paths=paths
            )
    yield TrackedRun("results", "experiment", paths=[path for path in (folder.workbook, folder.page) if path.exists()])


def _over_folds(instance: InstanceResults) -> dict[str, float]:
    figures: dict[str, float] = {"folds_done": len(instance.folds), "folds_failed": len(instance.failed_folds)}
    for side in FIGURE_PLACES:
        for name in instance.metrics(side):
            figure = instance.over_folds(side, name)
            values = {f"{_SIDES[side]}_{name}": figure["mean"], f"{_SIDES[side]}_{name}_std": figure["std"]}
            figures |= {key: value for key, value in values.items() if value is not None}
    return figures
