"""Which jobs one worker runs together.

Comes in: the jobs of a run. Goes out: the same jobs in groups, in their order. Next: executors.
"""

from collections.abc import Sequence

from xval.plan import Job


def group_jobs(jobs: Sequence[Job], *, n_slots: int = 1) -> list[tuple[Job, ...]]:  # noqa: ARG001 - every job is alone
    """Return jobs in groups, each of which one worker runs together.

    Args:
        jobs: The jobs, in the order in which they are to begin.
        n_slots: How many groups run at a time.
    """
    return [(job,) for job in jobs]
