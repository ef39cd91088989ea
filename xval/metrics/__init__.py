"""The metrics of each task, one file per task type.

Comes in: targets and predictions. Goes out: ``{name: value}``, the figures of each class, the confusion matrix. A new metric is
one function in the file of its task, under `@metric`.
"""

from xval.metrics.classification import class_metrics, confusion_matrix
from xval.metrics.registry import (
    Metric,
    canonical_name,
    compute,
    find,
    higher_is_better,
    least_outputs,
    measure,
    metric,
    metric_names,
    task_types,
)  # fmt: skip

__all__ = [
    "Metric", "canonical_name", "class_metrics", "compute", "confusion_matrix", "find", "higher_is_better", "least_outputs",
    "measure", "metric", "metric_names", "task_types",
]  # fmt: skip
