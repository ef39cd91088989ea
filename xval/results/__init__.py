"""The folder of an experiment: names, locks, one reader, the table of scores, the status of its jobs."""
