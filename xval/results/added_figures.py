"""The figures of metrics that were added after the training, computed from each fold's stored predictions.

Comes in: records and predictions.parquet. Goes out: added_metrics.json in the folder of an instance, with the hash of the
record and of the metric's source that each figure is of; and records with these figures beside their own. Fold folders are
not written.
"""

from collections.abc import Mapping
from hashlib import blake2b
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xval.base.errors import ResultsError, XvalError
from xval.base.json_files import FORMAT_VERSION, read_json, write_if_changed
from xval.base.numbers import finite_or_none
from xval.measures import metrics
from xval.measures.metrics import Metric
from xval.measures.task import find_task
from xval.results.added_metrics import AddedMetric, load_metric, requested
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.read import Record, WrittenInstance

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PARTS = ("metrics", "clip_metrics")
_Figures = dict[str, Any]
"""version, higher_is_better, metrics and clip_metrics by side, item_metrics by item; of one metric of one job."""


def merge_added(folder: ExperimentFolder, instance: int, records: Mapping[JobKey, Record]) -> dict[JobKey, Record]:
    """Return records with the added figures that are stored and of these very records.

    Args:
        folder: The results folder.
        instance: Number of the instance.
        records: Of its jobs.

    Raises:
        ResultsError: An added_metrics.json is damaged.
    """
    names = {path.rpartition(".")[2] for path in requested(folder)}
    path = _path(folder, instance)
    if not names or not path.exists():
        return dict(records)
    stored = _read(path)
    return {
        key: _merge(record, {name: of for name, of in _of_job(stored, key, record).items() if name in names})
        for key, record in records.items()
    }


def update_added(
    folder: ExperimentFolder, instance: WrittenInstance, records: Mapping[JobKey, Record], damaged: list[str]
) -> dict[str, Metric]:
    """Compute the added figures that are not stored, or of another record or source, and store them.

    Args:
        folder: The results folder.
        instance: Its settings.
        records: Of its jobs, as they were written.
        damaged: Is given a line for what cannot be computed.

    Returns:
        The metrics, by name.

    Raises:
        ResultsError: The added_metrics.json of the experiment is damaged.
        OSError: The disk is full or not writable.
    """
    task_type = instance.settings.task_type
    done = {key: record for key, record in records.items() if record["status"] == "done"}
    loaded: dict[str, AddedMetric | None] = {}
    for written in requested(folder) if done else ():
        name = written.rpartition(".")[2]
        try:
            loaded[name] = load_metric(task_type, written)
        except XvalError as error:
            loaded[name] = None  # what is stored of it stays
            damaged.append(f"{error} New figures of {name} of instance {instance.instance} are missing.")
    if not loaded:
        return {}
    path = _path(folder, instance.instance)
    try:
        stored = _read(path)
    except ResultsError:
        stored = {}  # it is written anew
    jobs = {}
    for key, record in done.items():
        old, figures = _of_job(stored, key, record), dict[str, _Figures]()
        for name, added in loaded.items():
            if name in record["metrics"].get("test", {}):
                continue
            if name in old and (added is None or old[name]["version"] == added.version):
                figures[name] = old[name]
            elif added:
                predictions = folder.fold_folder(*key) / "predictions.parquet"
                try:
                    figures[name] = _measure(instance, record, predictions, added)
                except FileNotFoundError:
                    damaged.append(f"{predictions}: missing, so that {name} of this fold is missing, too.")
                except XvalError as error:
                    damaged.append(f"{error} {name} of {key} is missing.")
        jobs[key.folder_name] = {"record": _hash(record), "figures": figures}
    write_if_changed(path, {"format_version": FORMAT_VERSION, "jobs": jobs})
    return {name: added.metric for name, added in loaded.items() if added}


def _measure(instance: WrittenInstance, record: Record, path: Path, added: AddedMetric) -> _Figures:
    """Return the figures of a job: of examples, of clips, of the clips of each test item; None: undefined."""
    from xval.results.tested_examples import read_fold  # here, because it loads pandas

    task = find_task(instance.settings.task_type, str(instance.parameters.get("label_form", "multi_class")))

    def measure(targets: "NDArray[Any]", predictions: "NDArray[Any]") -> float | None:
        return finite_or_none(metrics.measure(task.name, targets, predictions, {added.name: added.metric})[added.name])

    clip_average = None if task.target == "frame" else instance.settings.clip_average
    parts = read_fold(task, record["fold"], path, record.get("class_names", []), clip_average)
    clips = parts["clip_metrics"]["test"]
    by_item = zip(clips.names, clips.rows, strict=True)
    return {
        "version": added.version,
        "higher_is_better": added.metric.higher_is_better,
        **{
            part: {side: measure(examples.targets, examples.predictions) for side, examples in sides.items()}
            for part, sides in parts.items()
        },
        "item_metrics": {item: measure(clips.targets[rows], clips.predictions[rows]) for item, rows in by_item},
    }


def _merge(record: Record, added: Mapping[str, _Figures]) -> Record:
    """Return a record with further figures beside its own."""
    if not added or record["status"] != "done":
        return record
    merged = record | {
        part: {
            side: figures | {name: of[part][side] for name, of in added.items() if side in of[part]}
            for side, figures in record[part].items()
        }
        for part in _PARTS
    }
    items = {
        item: figures | {name: of["item_metrics"][item] for name, of in added.items() if item in of["item_metrics"]}
        for item, figures in record["item_metrics"]["test"].items()
    }
    directions = {name: of["higher_is_better"] for name, of in added.items()}
    return merged | {
        "item_metrics": record["item_metrics"] | {"test": items},
        "further_metrics": record.get("further_metrics", {}) | directions,
        "added_metrics": {name: of["version"] for name, of in added.items()},
    }


def _path(folder: ExperimentFolder, instance: int) -> Path:
    return folder.instance_folder(instance) / "added_metrics.json"


def _read(path: Path) -> dict[str, Any]:
    """Return what is stored of each job, by the name of its folder: the hash of its record, and its figures by metric.

    Raises:
        ResultsError: The file is damaged.
    """
    try:
        jobs: dict[str, Any] = (read_json(path) or {"jobs": {}})["jobs"]
        figures = [of for job in jobs.values() if job["record"] for of in job["figures"].values()]
        is_whole = all(of["version"] and isinstance(of[part], dict) for of in figures for part in (*_PARTS, "item_metrics"))
    except (ResultsError, KeyError, TypeError, AttributeError):
        is_whole = False
    if not is_whole:
        raise ResultsError(f"{path}: damaged. Delete it; python -m xval rebuild writes it again.")
    return jobs


def _of_job(stored: Mapping[str, Any], key: JobKey, record: Record) -> dict[str, _Figures]:
    """Return the stored figures of a job if they are of this record."""
    found = stored.get(key.folder_name)
    return found["figures"] if found and found["record"] == _hash(record) else {}


def _hash(record: Record) -> str:
    return blake2b(dumps(record, sort_keys=True).encode(), digest_size=8).hexdigest()
