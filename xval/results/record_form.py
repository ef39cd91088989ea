"""The form of a record.json on which its readers rely, because anyone may have edited it; further entries are allowed."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_LARGEST = 2**53  # the whole numbers that a float tells apart
_MOST_NAMED = 3

Whole = Annotated[int, Field(ge=0, le=_LARGEST)]
Number = Annotated[float, Field(allow_inf_nan=False)]
MetricValues = dict[str, Number | None]
"""Metrics by name; None: undefined."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Items(_Part):
    training: list[str]
    validation: list[str]
    test: list[str]


class _Record(_Part):
    """The entries of every record."""

    status: str
    instance: Whole
    fold: Whole
    repeat: Whole
    settings_hash: str
    code_hash: str
    folds_hash: str
    store: str
    seed: Whole
    items: _Items
    seconds: Number
    fitted_to: list[Literal["training", "validation"]] = []
    models: list[dict[str, Any]] = []
    own_code: dict[str, str] | None = None
    model_sha256: dict[str, str] = {}


class _Failed(_Record):
    status: Literal["failed"]
    error: str


class _Counts(_Part):
    training: Whole
    validation: Whole
    test: Whole


class _Confusion(_Part):
    test: list[list[Whole]]


class _Diverged(_Part):
    epoch: Whole
    reason: str


class _Done(_Record):
    status: Literal["done"]
    n_examples: _Counts
    n_parameters: Whole | None
    class_names: list[str] = []
    target_names: list[str] = []
    further_metrics: dict[str, bool] = {}
    class_metrics: dict[str, dict[str, MetricValues]] = {}
    confusion_matrix: _Confusion = _Confusion(test=[])  # only of classes; not null
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}  # only of several labels, as untuned_labels
    untuned_labels: list[str] = []
    best_epoch: Whole | None = None
    epochs: Whole | None = None
    diverged: _Diverged | None = None
    failed_parts: dict[str, str] = {}
    versions: dict[str, str] = {}


def find_faults(content: Mapping[str, Any]) -> str:
    """Return the faults of the content of a record.json, such as ``no class_names``; empty: none."""
    form = _Failed if content.get("status") == "failed" else _Done
    try:
        record = form.model_validate(dict(content))
    except ValidationError as error:
        return ", ".join(dict.fromkeys(_describe(fault) for fault in error.errors()[:_MOST_NAMED]))
    if not isinstance(record, _Done):
        return ""
    if record.thresholds and set(record.thresholds) != set(record.class_names):
        return "thresholds for labels other than its class_names"
    if "confusion_matrix" not in content:
        return ""
    names, counts = record.class_names, record.confusion_matrix.test
    if not names:
        return "a confusion_matrix, but no class_names"
    if len(counts) != len(names) or any(len(row) != len(names) for row in counts):
        return f"a confusion_matrix that is not {len(names)} x {len(names)} as its class_names require"
    return ""


def _describe(fault: Mapping[str, Any]) -> str:
    """Return a fault of pydantic as ``metrics.test.accuracy='x'`` or ``no class_names``."""
    name = ".".join(map(str, fault["loc"]))
    return f"no {name}" if fault["type"] == "missing" else f"{name}={fault['input']!r:.40}"
