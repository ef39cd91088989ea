"""The settings of [execution] in config.ini."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xval.base.setting_fields import (
    Later,
    NonNegativeFloat,
    NonNegativeInt,
    OptionalText,
    PositiveFloat,
    PositiveInt,
    SettingsModel,
)
from xval.base.setting_scope import RUN, RUN_TIME, Scope
from xval.settings.validators import check_executor, read_gpu


class ExecutionSettings(SettingsModel):
    """Where and how jobs run."""

    gpu_ID: Annotated[str, BeforeValidator(read_gpu), RUN] = Field(  # noqa: N815 - scripts use this name
        "0", description="Device: a GPU number, several (0,1,2) or cpu. On a machine without a GPU the CPU is used."
    )
    backend: Literal["tensorflow", "torch", "jax"] = Field(
        "auto",  # type: ignore[arg-type] # `xval.settings.resolve` replaces it by an installed one
        description=(
            "tensorflow | torch | jax | auto (the first of these that is installed). The environment variable "
            "KERAS_BACKEND overrides this line."
        ),
    )
    executor: Annotated[str, AfterValidator(check_executor), RUN] = Field(
        "auto",
        description=(
            "inline (one job after the other in this process) | processes (a warm process for each worker) | auto "
            "(processes; debug mode is always inline) | command (print a shell line for each job, run nothing) | slurm "
            "(job arrays) | ray (a Ray cluster)"
        ),
    )
    workers: Annotated[NonNegativeInt, RUN] = Field(
        0, description="Worker processes on the CPU; 0: as many as cores / threads_per_job and memory (3 GiB each) allow."
    )
    workers_per_gpu: Annotated[PositiveInt, RUN] = Field(
        1,
        description=(
            "Worker processes on each GPU. They share its memory equally, and its time by CUDA's Multi-Process Service if "
            "the driver has it. Small models leave most of a GPU idle: docs/speed.md."
        ),
    )
    threads_per_job: Annotated[PositiveInt, Scope.EXPERIMENT] = Field(
        1, description="CPU threads of each job. It changes the last digits of sums, so it is one of the settings of a result."
    )
    max_worker_memory_mb: Annotated[PositiveInt, RUN] = Field(
        4000, description="A worker that uses more memory than this after a job is replaced by a new one (MB)."
    )
    in_memory_mb: Annotated[NonNegativeInt, RUN] = Field(
        1000,
        description=(
            "A worker keeps a feature store up to this size (MB) in memory for all folds and instances that use it, and "
            "reads the next one in advance. A larger store is read from disk batch by batch, as with generator = true. "
            "The results are the same."
        ),
    )
    data_on_device: Annotated[bool, RUN, Later()] = Field(
        True,
        description=(
            "true: a GPU keeps a feature store that fits, once per process, and trains whole epochs without waiting for "
            "the CPU; false: the CPU puts batches together. Only the last digits of sums differ."
        ),
    )
    search_storage: Annotated[OptionalText, RUN_TIME, Later()] = Field(
        None,
        description=(
            "A database that gets a copy of each running search, for Optuna's dashboard: sqlite:///search.db, "
            "postgresql://me:${PASSWORD}@host/db (${NAME} is an environment variable, so that no password is written "
            "down); none."
        ),
    )
    checkpoint_minutes: Annotated[NonNegativeFloat, RUN_TIME, Later()] = Field(
        5,
        description=(
            "How often the state of a training is saved (minutes, at the end of an epoch), and when SIGTERM or SIGUSR1 "
            "arrives, so that an interrupted fold continues there; 0: never. It changes no result. See docs/progress.md."
        ),
    )
    lock: Annotated[Literal["flock", "lease"], RUN, Later()] = Field(
        "flock",
        description=(
            "How processes of an experiment avoid training one fold twice. flock: locks of the system | lease: files with "
            "heartbeats, for machines that share the results by a file system with unreliable locks (NFS, some clusters). "
            "See docs/clusters.md."
        ),
    )
    lease_s: Annotated[PositiveFloat, Field(ge=1, le=3600), RUN, Later()] = Field(
        60,
        description=("lease only: a fold whose process gives no sign for this long goes to another process (s), at most 3600."),
    )
    slurm_cluster: Annotated[Literal["slurm", "local"], RUN | Scope.CLUSTER] = Field(
        "slurm",
        description=(
            "slurm: submit jobs with sbatch | local: run them as processes of this machine, to try an experiment without "
            "a cluster."
        ),
    )
    slurm_partition: Annotated[OptionalText, RUN | Scope.CLUSTER] = Field(
        None, description="Partition of the jobs; none: the cluster's default."
    )
    slurm_time_limit_min: Annotated[PositiveInt, RUN | Scope.CLUSTER] = Field(
        60,
        description=(
            "Time limit of a job (minutes). A job that reaches it is requeued and continues inside its fold, unless it "
            "made no progress three times."
        ),
    )
    slurm_cpus_per_job: Annotated[NonNegativeInt, RUN | Scope.CLUSTER] = Field(
        0, description="CPU cores of a job; 0: as many as threads_per_job."
    )
    slurm_memory_gb: Annotated[PositiveFloat, RUN | Scope.CLUSTER] = Field(8, description="Memory of a job (GB).")
    slurm_gpus_per_job: Annotated[NonNegativeInt, RUN | Scope.CLUSTER] = Field(
        0, description="GPUs of a job, which uses the first one. 0: the CPU."
    )
    slurm_max_running: Annotated[NonNegativeInt, RUN | Scope.CLUSTER] = Field(
        0, description="Jobs that run at the same time; 0: as many as the cluster (with local: the cores) allows."
    )
    ray_address: Annotated[str, Field(min_length=1), RUN | Scope.CLUSTER] = Field(
        "auto",
        description=(
            "Ray cluster: auto (the one running on this machine or named by RAY_ADDRESS) | local (started for the run) | "
            "HOST:PORT"
        ),
    )
    ray_gpus_per_job: Annotated[NonNegativeFloat, RUN | Scope.CLUSTER] = Field(
        0, description="GPUs of a job on Ray: a number or a fraction (0.25: four jobs share a GPU); 0: the CPU."
    )
