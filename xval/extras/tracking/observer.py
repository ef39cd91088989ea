"""Send the folds of a run to MLflow or Weights & Biases as they end.

The tracker gets a run for each fold (parameters, metrics, learning curves, a confusion matrix, the files of its folder), one
for each instance (metrics over its folds, metrics.json), and one for the experiment (workbook and page). A thread writes them.
The first error of a tracker is printed and ends the tracking of the run, because its library has already tried again for
minutes. An error of a tracker does not affect the results.
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
from xval.results.read import read_history
from xval.results.scores import SIDES
from xval.settings.schema import Settings

_SIDES = {side: side for side in SIDES} | {"clip_validation": "validation_clip", "clip_test": "test_clip"}
_SECONDS_TO_WAIT = 5.0  # for a tracker that is still writing: at the end until a message, after an interrupt at most


class Tracking(Observer):
    """Sends all jobs of a run to a tracker from a thread, so that the run does not wait for the tracker.

    Args:
        folder: The folder of the experiment.
        make_tracker: Makes the tracker. It is called in the thread, because the library takes seconds to load.
        console: Where errors of the tracker are printed.
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
        """Send a job that has ended in this process; jobs of other processes are sent by them."""
        if outcome.status == "done" or outcome.status in FAILED:
            self._waiting.put(lambda: read_fold(self._folder, outcome.key))

    def close(self, instances: Sequence[int]) -> None:
        """Send the instances of the run and the experiment, whose derived files are complete, and wait until all is written."""
        self._waiting.put(lambda: read_summaries(self._folder, instances))
        self._waiting.put(None)
        self._thread.join(_SECONDS_TO_WAIT)
        if self._thread.is_alive():
            self._console.print("Waiting for the tracker. All results are saved; Ctrl-C stops sending the rest to it.")
            self._thread.join()

    def stop(self) -> None:
        """Stop sending after an interrupt; jobs that wait are not sent."""
        self._has_stopped = True
        self._waiting.put(None)
        self._thread.join(_SECONDS_TO_WAIT)

    def _work(self) -> None:
        """Send queued jobs until None comes; the first error ends the sending."""
        tracker = None
        while (read_entries := self._waiting.get()) is not None:
            if self._has_stopped:
                continue
            try:
                tracker = tracker or self._make_tracker()
                for entry in read_entries():
                    tracker.log(entry)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - no error of a tracker may end the run
                self._has_stopped = True
                _print_stopped(error, self._folder, self._console)


@contextmanager
def observe(
    folder: ExperimentFolder, settings: Settings, instances: Sequence[int], console: Console
) -> Iterator[Tracking | None]:
    """Track the jobs that run in the block, if the setting ``tracking`` is not none.

    Args:
        folder: The folder of the experiment, whose derived files must be up to date at the end of the block.
        settings: The settings of the experiment.
        instances: The numbers of the instances of the run.
        console: Where errors of the tracker are printed.

    Yields:
        The observer of the jobs; None if nothing is tracked.

    Raises:
        SettingsError: The library of the tracker is not installed, or it has no API key.
    """
    if settings.tracking == "none":
        yield None
        return
    try:
        make_tracker = find_tracker(settings)
    except SettingsError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of the library; the run continues
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
    """Yield the tracked run of a job that has ended; none if the job has no record."""
    record = open_results(folder).record(key)
    if record is None:
        return  # its failure could not be recorded
    written, path = open_results(folder).settings(key.instance), folder.fold_folder(*key)
    metrics = {"seconds": record["seconds"], "best_epoch": record.get("best_epoch"), "n_parameters": record.get("n_parameters")}
    scores = open_results(folder).scores(key, record)
    for side in SIDES:
        metrics |= {f"{_SIDES[side]}_{name}": value for name, value in scores.side(side).items()}
    try:
        history = read_history(path / "history.csv")
    except FileNotFoundError:
        history = {}  # an ensemble has no epochs
    yield TrackedRun(
        str(key),
        "fold",
        key.instance,
        written.settings_hash,
        {**written.parameters, "fold": key.fold, "repeat": key.repeat, "job_seed": record["seed"]},
        {name: number for name, value in metrics.items() if (number := finite_or_none(value)) is not None},
        history,
        _draw(record, written.settings),
        [path],
        str(record.get("error", "")),
        float(record["seconds"]),
    )


def _draw(record: Mapping[str, Any], settings: Settings) -> dict[str, bytes]:
    """Return PNG pictures of a fold by name: the test confusion matrix of a classification."""
    matrix = (record.get("confusion_matrix") or {}).get("test")
    if not matrix:
        return {}
    from xval.report.new_data.pictures import draw_confusion

    return {"confusion_matrix": draw_confusion(matrix, record["class_names"], settings.task.unit)}


def read_summaries(folder: ExperimentFolder, instances: Sequence[int]) -> Iterator[TrackedRun]:
    """Yield the tracked runs of instances and of the experiment, with their derived files."""
    for number in instances:
        for instance in read_instances(folder, [number]):
            written = open_results(folder).settings(number)
            paths = [folder.metrics_file(number)]
            metrics = _metrics_over_folds(instance)
            yield TrackedRun(
                f"instance {number}", "instance", number, written.settings_hash, written.parameters, metrics, paths=paths
            )
    yield TrackedRun("results", "experiment", paths=[path for path in (folder.workbook, folder.page) if path.exists()])


def _metrics_over_folds(instance: InstanceResults) -> dict[str, float]:
    """Return mean and standard deviation over folds of each metric of an instance, and its numbers of folds."""
    metrics: dict[str, float] = {"folds_done": len(instance.folds), "folds_failed": len(instance.failed_folds)}
    for side in SIDES:
        for name in instance.metrics(side):
            summary = instance.over_folds(side, name)
            values = {f"{_SIDES[side]}_{name}": summary["mean"], f"{_SIDES[side]}_{name}_std": summary["std"]}
            metrics |= {key: value for key, value in values.items() if value is not None}
    return metrics
