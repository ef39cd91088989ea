"""Compute features from samples, and the feature settings."""
