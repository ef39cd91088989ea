"""Compare instances of finished experiments with a baseline, on the same folds: reading, computing, wording."""
