"""Hyperparameter search inside the folds: the trials of each fold, their order, pruning, and the choice."""
