"""The rules on seeds: a job has the seed that follows from the settings, and no seed of a fold is a copy of another one."""

import hashlib

from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import NOT_CHECKABLE, WARNING, Findings
from xval.base.findings import Finding, Rule
from xval.base.operating_system import open_regular
from xval.jobs.job import job_seed
from xval.results.folder import KERAS_NAME
from xval.results.job_key import JobKey

_WITH_SEED = (KERAS_NAME, "predictions.parquet")  # never the same with two seeds


SEEDS = Finding("every job has the same seed in all instances, derived from the setting seed", slug="seeds")
OTHER_SEED = Finding("has the seed {seed}; with seed={setting} this job must have {wanted}")
SEVERAL_SEEDS = Finding("instances have different seeds, so they also differ by chance ({listed})", level=WARNING)


@Rule(16, SEEDS, OTHER_SEED, SEVERAL_SEEDS)
def _check_seeds(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            seed, wanted = job.record["seed"], job_seed(job.settings.seed, job.key.fold, job.key.repeat)
            if seed != wanted:
                findings.add(OTHER_SEED.fill(seed=seed, setting=job.settings.seed, wanted=wanted), what=job.name)
    chosen = {number: written.settings.seed for number, written in evidence.instances.items()}
    if len(set(chosen.values())) > 1:
        listed = ", ".join(f"instance {number}: {seed}" for number, seed in chosen.items())
        findings.add(SEVERAL_SEEDS.fill(listed=listed))


REPEATS = Finding("every model belongs to its job, and no seed of a fold is a copy of another", slug="repeats")
OTHER_JOB = Finding("its model.json belongs to {job}")
COPY = Finding("its {file} belongs to {job}, which was trained with another seed")
NO_KEY = Finding("its model.json has no {key}", level=NOT_CHECKABLE)


@Rule(17, REPEATS, OTHER_JOB, COPY, NO_KEY)
def _check_repeats(evidence: Evidence, findings: Findings) -> None:
    by_fold: dict[tuple[int, int], list[JobEvidence]] = {}
    for job in evidence.jobs:
        by_fold.setdefault(job.key[:2], []).append(job)
        with findings.looking_at(job.name):
            try:
                described = JobKey.of(job.description())
            except KeyError as error:
                raise NotCheckableError(NO_KEY.fill(key=error).message) from error
            if described != job.key:
                findings.add(OTHER_JOB.fill(job=described), what=job.name)
    for jobs in by_fold.values():
        networks = [
            job for job in jobs if not job.is_estimator and not job.is_ensemble
        ]  # a classifier need not depend on its seed
        for name in _WITH_SEED if len(networks) > 1 else ():
            owners: dict[bytes, str] = {}
            for job in networks:
                if (path := job.folder / name).is_file():
                    with open_regular(path) as file:
                        owner = owners.setdefault(hashlib.file_digest(file, "sha256").digest(), job.name)
                    if owner != job.name:
                        findings.add(COPY.fill(file=name, job=owner), what=job.name)
