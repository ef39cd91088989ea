"""The names of the scores of segments and events, and whether higher is better; other modules compute them."""

EVENT_METRICS = {
    f"{unit}_{name}": not name.endswith("_rate")
    for unit in ("segment", "event")
    for name in (
        "f1", "precision", "recall", "error_rate", "substitution_rate", "deletion_rate", "insertion_rate",
        "macro_f1", "macro_precision", "macro_recall", "macro_error_rate",
    )
}  # fmt: skip
"""The metrics of segments and events, and whether higher is better; xval/measures/events/metrics.py computes them."""
SCORE_METRICS = {"psds1": True, "psds2": True}
"""The metrics of events at all thresholds, and whether higher is better; xval/measures/events/psds.py computes them."""
# The rates that error_rate is the sum of, and the means over classes of others, are skipped: the workbook has to be read.
EVENT_FIGURES = {
    f"{unit}_{name}": EVENT_METRICS[f"{unit}_{name}"]
    for unit in ("event", "segment")
    for name in ("f1", "precision", "recall", "error_rate", "macro_f1")
} | SCORE_METRICS
"""The metrics of a record."""
