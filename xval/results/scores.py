"""The scores of a job: a row for each side, item and metric, in scores.parquet next to its predictions.

A job writes the file once. All views of an experiment are computed from these rows, which `InstanceResults` groups.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from xval.base.errors import REMEDY, ResultsError, brief
from xval.base.json_files import part_of
from xval.base.operating_system import flush, read_regular, replace
from xval.base.size_limits import LARGEST_TEXT_BYTES

if TYPE_CHECKING:
    import pyarrow

SCORES_FILE = "scores.parquet"
SIDES = ("training", "validation", "test", "clip_validation", "clip_test", "chance")
"""The sides of a table of scores: of examples, of clips, and of a prediction for test examples that ignores the audio."""
N_CLIPS = "n_clips"
"""The name of the number of tested clips of an item, next to its metrics."""
_ADDED = "xval_added"  # a note in the file
_BEFORE = {
    "training": ("metrics", "training"),
    "validation": ("metrics", "validation"),
    "test": ("metrics", "test"),
    "clip_validation": ("clip_metrics", "validation"),
    "clip_test": ("clip_metrics", "test"),
    "chance": ("chance", "test"),
}  # their places in a record.json of an earlier version


class Added(NamedTuple):
    """The facts about a metric that was requested after training.

    Attributes:
        version: Version of the code that computed its scores.
        higher_is_better: Whether a higher value is better.
    """

    version: str
    higher_is_better: bool


class ScoreRow(NamedTuple):
    """One score.

    Attributes:
        side: One of `SIDES`.
        item: A tested item; empty: the whole side.
        metric: Name of the metric.
        value: The score; NaN: undefined.
    """

    side: str
    item: str
    metric: str
    value: float


@dataclass(frozen=True)
class Scores:
    """The scores of one job.

    Attributes:
        sides: The metrics of each of `SIDES` that the job has; NaN: undefined.
        items: The metrics of each tested item, and `N_CLIPS`.
        added: The metrics among them that were requested after training, by name.
    """

    sides: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    items: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    added: Mapping[str, Added] = field(default_factory=dict)

    def side(self, name: str) -> Mapping[str, float]:
        """Return the metrics of a side; empty if the job has no such side."""
        return self.sides.get(name, {})

    def rows(self) -> Iterator[ScoreRow]:
        """Yield a row for each score: sides in the order of `SIDES`, then items."""
        for side in SIDES:
            yield from (ScoreRow(side, "", metric, value) for metric, value in self.side(side).items())
        for item, metrics in self.items.items():
            yield from (ScoreRow("test", item, metric, value) for metric, value in metrics.items())

    def without(self, metrics: Collection[str]) -> "Scores":
        """Return these scores without some metrics, or these scores if they have none of them."""
        if not metrics:
            return self
        added = {name: facts for name, facts in self.added.items() if name not in metrics}
        return collect((row for row in self.rows() if row.metric not in metrics), added)


def collect(rows: Iterable[tuple[str, str, str, float]], added: Mapping[str, Added] | None = None) -> Scores:
    """Return rows as the scores of a job."""
    groups: dict[tuple[str, str], dict[str, float]] = {}
    for side, item, metric, value in rows:
        groups.setdefault((side, item), {})[metric] = value
    sides = {side: metrics for (side, item), metrics in groups.items() if not item}
    items = {item: metrics for (_, item), metrics in groups.items() if item}
    return Scores(sides, items, added or {})


def write_scores(folder: Path, scores: Scores, *, flushed: bool = False) -> None:
    """Write scores.parquet of a job, completely or not at all: the columns of `ScoreRow`, value as float64.

    With `flushed` it is on the disk before it replaces an earlier one; the folder of a running job is flushed as a whole.
    """
    import pyarrow as pa
    from pyarrow import parquet

    rows = list(scores.rows())
    columns = {name: [getattr(row, name) for row in rows] for name in ScoreRow._fields}
    added = {_ADDED: json.dumps({name: facts._asdict() for name, facts in scores.added.items()})} if scores.added else None
    table = pa.table(columns, _schema()).replace_schema_metadata(added)
    with part_of(folder / SCORES_FILE) as temporary:
        # Without compression and ranges, which make such a small file slower to read.
        parquet.write_table(table, temporary, compression="none", write_statistics=False)
        if flushed:
            flush(temporary)
        replace(temporary, folder / SCORES_FILE)


def scores_to_json(scores: Scores) -> dict[str, Any]:
    """Return scores as `scores_from_json` reads them."""
    added = {name: facts._asdict() for name, facts in scores.added.items()}
    return {"sides": scores.sides, "items": scores.items, "added": added}


def scores_from_json(content: Mapping[str, Mapping[str, Any]]) -> Scores:
    """Return scores that were written as JSON; null: undefined."""
    sides, items = ({name: _numbers(metrics) for name, metrics in content[part].items()} for part in ("sides", "items"))
    return Scores(sides, items, {name: Added(**facts) for name, facts in content["added"].items()})


def read_scores(folder: Path, record: Mapping[str, Any]) -> Scores:
    """Return the scores of a finished job; records of earlier versions contain them.

    Raises:
        ResultsError: scores.parquet is missing or damaged.
    """
    path = folder / SCORES_FILE
    remedy = "Delete it; record.json has the scores." if "metrics" in record else REMEDY
    try:
        content = read_regular(path, LARGEST_TEXT_BYTES)
    except FileNotFoundError as error:
        if "metrics" in record:
            return scores_of_record(record)
        raise ResultsError(f"{path}: missing. {REMEDY}") from error
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({brief(error)}). {remedy}") from error
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(pa.BufferReader(content), pre_buffer=False).read(use_threads=False)
        noted = json.loads((table.schema.metadata or {}).get(_ADDED.encode(), b"{}"))
        added = {name: Added(**facts) for name, facts in noted.items()}
        if not table.schema.equals(_schema()):  # of other writers, as pandas
            table = table.select(ScoreRow._fields).cast(_schema())
        *names, values = table.columns
        # In Python, because NumPy's way through pyarrow loads pandas.
        numbers = [value if value is not None and isfinite(value) else nan for value in values.to_pylist()]
        scores = collect(zip(*(column.to_pylist() for column in names), numbers, strict=True), added)
        if "trial" not in record:  # which scores validation items only
            _check_complete(scores)
    except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise ResultsError(f"{path}: damaged ({brief(error)}). {remedy}") from error
    return scores


def _check_complete(scores: Scores) -> None:
    if not scores.side("test"):
        raise ValueError("it has no score of the side 'test'")
    for item, metrics in scores.items.items():
        if N_CLIPS not in metrics:
            raise ValueError(f"it has no {N_CLIPS} of '{item}'")


def scores_of_record(record: Mapping[str, Any]) -> Scores:
    """Return the scores in the record of an earlier version, which has them in dicts.

    Raises:
        ResultsError: One of them is not a number.
    """
    try:
        sides = {
            side: _numbers(record[part][part_key])
            for side, (part, part_key) in _BEFORE.items()
            if part_key in record.get(part, {})
        }
        items = {item: _numbers(metrics) for item, metrics in record.get("item_metrics", {}).get("test", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"record.json of {record.get('instance')}: damaged scores ({brief(error)}). {REMEDY}") from error
    return Scores(sides, items)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: nan if value is None else float(value) for name, value in metrics.items()}


@cache
def _schema() -> "pyarrow.Schema":
    import pyarrow as pa

    return pa.schema([*((name, pa.string()) for name in ScoreRow._fields[:-1]), ("value", pa.float64())])
