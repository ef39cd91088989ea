"""The sheet *folds*: a row per job with its test items, scores and error."""

from collections.abc import Mapping

from xval.answers.pretrained import explain, judge_record
from xval.answers.summary import direction, score_name
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.folding import describe_folded, fold_equal
from xval.report.workbook.sheet import MOST_LINKS, Sheet
from xval.results.job_key import JobKey
from xval.results.read import Record

POSITION = 4

_FIRST = (
    "instance", "name", "fold", "repeat", "status", "test items", "validation items", "n test", "n validation",
    "n training",
)  # fmt: skip
_LAST = ("best_epoch", "epochs", "seconds", "peak_memory_mb", "seed", "device", "error")
_EARLIER = "earlier models"
_WIDTHS = {
    "name": 24, "test items": 24, "validation items": 24, "n validation": 12, "best_epoch": 12, "peak_memory_mb": 17,
    "seed": 13, "device": 16, "error": 90,
    _EARLIER: 60,
}  # fmt: skip


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per job, failed ones in red; fold what is equal in all rows."""
    instances = contents.instances
    pairs = contents.columns
    values = [{key: value for instance in instances for key, value in instance.values(*pair).items()} for pair in pairs]
    jobs = [job for instance in instances for job in instance.jobs.items()]
    said_of = {
        key: _earlier_models(record, instance.parameters) for instance in instances for key, record in instance.jobs.items()
    }
    earlier = [_EARLIER] if any(said_of.values()) else []
    named = [score_name(side, metric, instances) for side, metric in pairs]
    header = [*_FIRST, *named, *_LAST, *earlier]
    sheet.put_header(header, height=48)
    for column, (side, _) in enumerate(pairs, start=len(_FIRST) + 1):
        sheet.style(1, column, cells.side_header(side))
        sheet.set_width(column, cells.header_width(header[column - 1], lowest=9))
    for column, name in enumerate(header, start=1):
        if name in _FIRST or name in _LAST or name in earlier:
            sheet.set_width(column, _WIDTHS.get(name, 10))
    formats = [cells.metric_format(direction(instances, metric)) for _, metric in pairs]
    for row, (key, record) in enumerate(jobs, start=2):
        first, last = _first_values(key, contents.names[key.instance], record), [record.get(name) for name in _LAST]
        scores = [pair_scores.get(key) for pair_scores in values]
        number_formats = [*("" for _ in _FIRST), *formats, "0", "0", cells.COUNT_FORMAT, cells.COUNT_FORMAT]
        said = [said_of[key]] if earlier else []
        for column, value in enumerate([*first, *scores, *last, *said], start=1):
            number_format = number_formats[column - 1] if column <= len(number_formats) else ""
            sheet.put(row, column, value, number_format)
        if 2 * len(jobs) <= MOST_LINKS:
            sheet.link(row, 1, f"instance_{key.instance}")
            sheet.link(row, 3, f"instance_{key.instance}/{key.folder_name}")
        if record["status"] == "failed":
            sheet.redden(row, len(header))
    shown = {"instance", "fold", "status", _EARLIER, *named}
    may_fold = [place for place, name in enumerate(header, start=1) if name not in shown and len(instances) > 1]
    folded = fold_equal(sheet, range(2, len(jobs) + 2), [range(place, place + 1) for place in may_fold])
    for note in describe_folded(folded):
        sheet.comment(1, 1, note)
    sheet.made.freeze_panes("E2")
    sheet.add_filter(1, len(jobs) + 1, len(header))
    sheet.set_up_page(header_rows=1)
    blocks = cells.side_blocks(pairs, range(len(_FIRST) + 1, len(header)))
    breaks = range(len(_FIRST) + 1, len(header) + 1)
    sheet.split_pages(blocks, len(jobs) + 1, len(header), title_columns=4, breaks=breaks)


def _first_values(key: JobKey, name: str, record: Record) -> list[object]:
    n_examples = record.get("n_examples", {})
    return [
        key.instance,
        name,
        key.fold,
        key.repeat,
        record["status"],
        ", ".join(record["items"]["test"]),
        ", ".join(record["items"]["validation"]),
        *(n_examples.get(side) for side in ("test", "validation", "training")),
    ]


def _earlier_models(record: Record, parameters: Mapping[str, object]) -> str:
    """Return whether what a fold is made of has seen what it tests: unseen, leaked or unknown and why; empty: nothing is."""
    origin = judge_record(record, parameters)
    has_earlier = "initial_model_items" in record or record.get("models") or "embedder_leakage" in record
    reason = (record.get("embedder_leakage") or {}).get("reason")
    said = explain(origin) or (("unseen" + (f": {reason}" if reason else "")) if has_earlier else "")
    copied, new = record.get("layers_copied", ()), record.get("layers_new", ())
    return f"{said}; {len(copied)} of {len(copied) + len(new)} layers copied, new: {', '.join(new)}" if new else said
