"""Compare instances of finished experiments with a baseline, on the same folds: read, compute and describe."""
