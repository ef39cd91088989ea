"""The rule that a fold has the same seed in every instance, so that instances differ only by their settings.

Comes in: evidence. Goes out: findings.
"""

from xval.audit.evidence import Evidence
from xval.audit.verdict import Findings, Rule
from xval.jobs.job import job_seed


def _check(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            seed, wanted = job.record["seed"], job_seed(job.settings.seed, job.record["fold"])
            if seed != wanted:
                findings.faults.append(f"{job.name}: has the seed {seed}; seed={job.settings.seed} gives this fold {wanted}")
    chosen = {number: written.settings.seed for number, written in evidence.instances.items()}
    if len(set(chosen.values())) > 1:
        listed = ", ".join(f"instance {number}: {seed}" for number, seed in chosen.items())
        findings.warnings.append(f"instances set other seeds, so that they differ by chance too ({listed})")


SEEDS = Rule("seeds", "every fold has the same seed in all instances: the one that follows from the setting seed", _check)
