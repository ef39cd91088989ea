"""The backend as a job wants it: its seeds, precision, determinism and threads."""

from xval.backend import on_device
from xval.backend.prepare_backend import prepare_backend
from xval.jobs.job import Job


def prepare_for(job: Job, *, keep_kernels: bool = False) -> None:
    """Set the backend of this process up for a job, and drop what the last job left in it; see `prepare_backend`."""
    settings = job.settings
    on_device.allow(allowed=settings.data_on_device)
    prepare_backend(
        seed=job.seed,
        precision=settings.precision,
        deterministic=settings.deterministic,
        threads=settings.threads_per_job,
        keep_kernels=keep_kernels,
    )
