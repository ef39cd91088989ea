"""The tasks, one file each: what a model answers, and the metrics of it."""
