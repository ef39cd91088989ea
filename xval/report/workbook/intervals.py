"""The sheet *intervals*: a row per instance and test metric, with every kind of value by its name.

These are the mean over folds, the mean over items, the pooled value, the interval over items, and chance with its strategy.
"""

from xval.answers.score_text import interval_clause
from xval.answers.summary import direction, metric_words, side_name, test_side
from xval.report.looks import describe_looks
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.folding import describe_folded, fold_equal
from xval.report.workbook.sheet import Sheet

POSITION = 3

_HEADER = (
    "instance", "name", "of", "metric", "--metric", "mean over folds", "std over folds", "folds", "mean over items", "items",
    "pooled", "95 % low", "95 % high", "interval of", "method", "chance", "strategy of chance",
)  # fmt: skip
_WIDTHS = {"name": 24, "metric": 28, "--metric": 20, "method": 22, "strategy of chance": 44}
_NUMBERS = ("mean over folds", "std over folds", "mean over items", "pooled", "95 % low", "95 % high", "chance")
_SHOWN = (*_NUMBERS, "instance", "metric", "--metric")
_NOTES = (
    "Mean over folds: each fold has the same weight. Mean over items: each test item has. Pooled: each test example has.",
    "Interval and chance belong to the value named in the column interval of.",
    "--metric: the name that the commands take, for example xval compare EXPERIMENT --metric auc.",
    "There is no interval with fewer than 3 items, if some item has no value, or if it would take too long (many clips).",
    "Pooled AUC and EER compare probabilities of the models of several folds, so these must be calibrated alike.",
)


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per instance and metric, those of the main test metrics first; fold what is equal in all rows."""
    instances = contents.instances
    main = test_side(instances)
    pairs = sorted((pair for pair in contents.columns if pair[0].endswith("test")), key=lambda pair: pair[0] != main)
    sheet.put_header(_HEADER)
    row = 1
    for side, metric in pairs:
        number_format = cells.metric_format(direction(instances, metric))
        for instance in instances:
            item_score = instance.item_score(side, metric)
            if item_score is None or instance.over_items is None:
                continue
            row += 1
            folds = instance.over_folds(side, metric)
            n_items = instance.over_items["n_items"]
            named = side_name(side, [instance]), metric_words(metric, [instance]), metric
            identity = (instance.number, contents.names[instance.number], *named)
            values = (
                *identity, folds["mean"], folds["std"], folds["n"], item_score["items"], n_items, item_score["pooled"],
                item_score["low"], item_score["high"], item_score["of"] if item_score["low"] is not None else None,
                item_score["method"], item_score["chance"], item_score["strategy"],
            )  # fmt: skip
            for column, (name, value) in enumerate(zip(_HEADER, values, strict=True), start=1):
                sheet.put(row, column, value, number_format if name in _NUMBERS else "")
    for column, name in enumerate(_HEADER, start=1):
        sheet.set_width(column, _WIDTHS.get(name, 11))
    may_fold = [place for place, name in enumerate(_HEADER, start=1) if name not in _SHOWN]
    folded = fold_equal(sheet, range(2, row + 1), [range(place, place + 1) for place in may_fold if len(instances) > 1])
    clause = interval_clause(contents.instances)
    intervals = [f"95 %: confidence interval {clause}."] if clause else []
    notes = (
        (*intervals, *_NOTES, *describe_folded(folded), describe_looks(instances))
        if row > 1
        else ("There are no predictions of a finished fold.",)
    )
    sheet.put_notes(row + 2, notes)
    sheet.made.freeze_panes("E2")
    sheet.add_filter(1, row, len(_HEADER))
    sheet.set_up_page(header_rows=1)
