"""Statistics of cross-validated figures: intervals, comparisons, nested selection, variance components, planning.

Comes in: numbers alone, per item, per fold and per repeat. Goes out: numbers. Nothing here knows experiments, files or metrics.
"""
