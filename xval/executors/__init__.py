"""Run jobs somewhere: one file per executor, each with ``run(jobs, slots, report) -> Iterator[JobOutcome]``."""
