"""The folder of an experiment: names, locks, one reader, the table of figures, the status of its jobs."""
