"""The tasks, one file each: the form of predictions, and their metrics."""
