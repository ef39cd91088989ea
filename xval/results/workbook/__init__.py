"""Write results.xlsx: the figures of all instances, made to be looked at.

Comes in: metric dicts and the histories of finished folds. Goes out: a workbook with the sheets summary, folds, items,
confusion, curves and settings, one file each.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from xval.results.ranking import rank_instances
from xval.results.read import Curves
from xval.results.summary import MetricDict


def write_workbook(path: Path, metric_dicts: Sequence[MetricDict], histories: Mapping[tuple[int, int], Curves]) -> None:
    """Write the workbook of an experiment; the same content for the same figures.

    Args:
        path: The file, whatever its ending; it is overwritten. Links in it are relative to its folder, where the folders
            instance_<i>/fold_<k> are.
        metric_dicts: One per instance, at least one, in any order.
        histories: Columns of history.csv by (instance, fold): epoch, loss, val_loss ...

    Raises:
        OSError: The file cannot be written.
    """
    from openpyxl import Workbook

    from xval.results.workbook import confusion, curves, folds, items, settings, summary

    ordered = sorted(metric_dicts, key=lambda metric_dict: int(metric_dict["instance"]))
    ranking = rank_instances(ordered)
    workbook = Workbook()
    workbook.properties.creator = "xval"
    workbook.remove(workbook.active)
    summary.fill(workbook.create_sheet("summary"), ordered, ranking)
    folds.fill(workbook.create_sheet("folds"), ordered)
    items.fill(workbook.create_sheet("items"), ordered)
    confusion.fill(workbook.create_sheet("confusion"), ordered, ranking)
    curves.fill(workbook.create_sheet("curves"), ordered, ranking, histories)
    settings.fill(workbook.create_sheet("settings"), ordered)
    with path.open("wb") as file:
        workbook.save(file)
