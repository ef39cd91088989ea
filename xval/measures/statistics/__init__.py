"""Statistics of cross-validated scores: intervals, comparisons, nested selection, variance components, planning.

Functions take and return only numbers, per item, fold and repeat; they know nothing of experiments, files or metrics.
"""
