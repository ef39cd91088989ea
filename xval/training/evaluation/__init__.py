"""Scores of a fitted model, independent of its training."""
