"""Figures of further metrics beside those that a record has.

Comes in: a record, and figures of metrics that were added after the training, as estimates.json keeps them. Goes out: the
record with both.
"""

from collections.abc import Mapping
from typing import Any

from xval.results.read import Record

PARTS = ("metrics", "clip_metrics")
"""What a record has by side, besides the metrics of items."""


def with_further(record: Record, further: Mapping[str, Mapping[str, Any]]) -> Record:
    """Return a record with further figures beside its own.

    `further` are those of the same job, by metric: see `xval.results.estimates_file.Estimates`.
    """
    if not further or record["status"] != "done":
        return record
    merged = record | {
        part: {
            side: figures | {name: added[part][side] for name, added in further.items() if side in added[part]}
            for side, figures in record[part].items()
        }
        for part in PARTS
    }
    items = {
        item: figures | {name: added["item_metrics"][item] for name, added in further.items() if item in added["item_metrics"]}
        for item, figures in record["item_metrics"]["test"].items()
    }
    directions = {name: added["higher_is_better"] for name, added in further.items()}
    return merged | {
        "item_metrics": record["item_metrics"] | {"test": items},
        "further_metrics": record.get("further_metrics", {}) | directions,
        "added_metrics": {name: added["version"] for name, added in further.items()},
    }
