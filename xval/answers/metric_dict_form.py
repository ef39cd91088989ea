"""The form of a metrics.json, which anyone may have edited.

Comes in: its content. Goes out: whether all that is read of it is there, and of its kind.
"""

from collections.abc import Mapping
from typing import Any

from xval.answers.item_figures import has_numbers, is_over_items
from xval.answers.summary import Figure, MetricDict
from xval.results.record_form import find_faults
from xval.settings.parameters import settings_faults


def is_metric_dict(content: Mapping[str, Any]) -> bool:
    """Return whether the content of a metrics.json has all entries that are read, each of its kind."""
    parameters, summary, folds = content.get("parameters"), content.get("summary"), content.get("folds")
    has_figures = "over_items" not in content or is_over_items(content["over_items"])
    is_whole = has_figures and MetricDict.__required_keys__ <= content.keys()
    if not is_whole or not isinstance(summary, dict) or not isinstance(parameters, dict) or settings_faults(parameters):
        return False
    records = content.get("repeats") or (list(folds.values()) if isinstance(folds, dict) else [None])
    if not isinstance(records, list) or any(not isinstance(each, dict) or find_faults(each) for each in records):
        return False
    figures = [each for side in summary.values() for each in (side.values() if isinstance(side, dict) else [None])]
    return all(has_numbers(each, Figure.__required_keys__) and each["n"] is not None for each in figures)
