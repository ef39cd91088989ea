"""Statistics of cross-validated scores: intervals, comparisons, nested selection, variance components, planning.

Functions only use numbers per item, fold and repeat; they are independent of experiments, files and metrics.
"""
