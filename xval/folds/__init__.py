"""Folds: the items of training, validation and test."""
