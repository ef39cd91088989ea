"""Fit the model of a fold."""
