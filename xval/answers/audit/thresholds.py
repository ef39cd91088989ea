"""The rule on thresholds: validation clips alone choose from which probability on each of several labels is predicted.

Comes in: evidence. Goes out: findings. The thresholds are computed again from the stored predictions of the validation clips.
"""

import numpy as np

from xval.answers.audit.evidence import Evidence, NotCheckableError
from xval.answers.audit.verdict import Findings, Rule
from xval.base.errors import ResultsError
from xval.measures.statistics.thresholds import find_thresholds
from xval.results.tested_examples import read_examples

_TOLERANCE = 1e-6


def _check_thresholds(evidence: Evidence, findings: Findings) -> None:
    jobs = [job for job in evidence.jobs if "thresholds" in job.record]
    if not jobs:
        findings.notes.append("no clip has several labels")
    for job in jobs:
        with findings.looking_at(job.name):
            names = job.record["class_names"]
            try:
                paths = {job.key.fold: job.folder / "predictions.parquet"}
                clips = read_examples(job.settings.task, paths, names, job.settings.averaging, "validation")
            except (ResultsError, FileNotFoundError) as error:
                raise NotCheckableError(f"its predictions.parquet cannot be read ({error})") from error
            wanted = dict(zip(names, find_thresholds(clips.targets, clips.predictions).tolist(), strict=True))
            written = {"record.json": job.record["thresholds"], "model.json": job.description().get("thresholds", {})}
            for file, chosen in written.items():
                if odd := [name for name in names if not np.isclose(chosen.get(name, np.nan), wanted[name], atol=_TOLERANCE)]:
                    findings.faults.append(
                        f"{job.name}: {file} has the threshold {chosen.get(odd[0])} for '{odd[0]}'; its validation clips give "
                        f"{wanted[odd[0]]:.6g} ({len(odd)} of {len(names)} labels differ)"
                    )


THRESHOLDS = Rule(
    "thresholds", "validation clips alone chose from which probability on a label is predicted", _check_thresholds
)
