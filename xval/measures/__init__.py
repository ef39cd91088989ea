"""Compute scores from predictions: tasks, metrics, statistics, events, all independent of experiments and files."""
