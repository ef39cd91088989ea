"""Which ensembles have validation figures that do not rank them: those of items that their members were chosen or weighed by.

Comes in: metric dicts. Goes out: those whose validation figures compare, and the numbers of the others. A fold with several
validation items leaves each of them out of the fit (`cross_predict` of xval/reuse/ensembles/combine.py); one with a single item
cannot.
"""

from collections.abc import Sequence

from xval.answers.metric_dict import MetricDict
from xval.answers.summary import done_records

_FITTED = ("choose", "stack")


def comparable(metric_dicts: Sequence[MetricDict], side: str = "validation") -> Sequence[MetricDict]:
    """Return the instances whose figures of a side can be compared; all of them if that is true of none.

    Figures of other sides than validation always compare.
    """
    left_out = set(fitted_to_own_items(metric_dicts)) if side.endswith("validation") else set()
    return [metric_dict for metric_dict in metric_dicts if metric_dict["instance"] not in left_out] or metric_dicts


def fitted_to_own_items(metric_dicts: Sequence[MetricDict]) -> tuple[int, ...]:
    """Return the numbers of ensembles that were fitted, in some fold, to the one item that they are validated with."""
    return tuple(
        metric_dict["instance"]
        for metric_dict in metric_dicts
        if any(
            record.get("method") in _FITTED and len(record["items"]["validation"]) < 2 for record in done_records(metric_dict)
        )
    )
