"""Predictions in, scores out: tasks, metrics, statistics, events; nothing here knows of experiments or files."""
