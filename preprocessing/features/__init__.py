"""Samples into features, and the settings that decide them."""
