"""The rule that thresholds of labels and the temperature of a network are those that the validation clips choose.

Both are computed again from the stored predictions of the validation clips.
"""

import math
from typing import Any

import numpy as np

from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import NOT_CHECKABLE, NOTE, Findings
from xval.base.errors import ResultsError
from xval.base.findings import Finding, Rule
from xval.measures.calibration import TEMPERATURES, temperature_of_clips
from xval.measures.statistics.thresholds import find_thresholds
from xval.results.tested_examples import TestedExamples, read_examples

_TOLERANCE = 1e-6
_RELATIVE = 0.02  # of a temperature, which is found again from probabilities in float32


THRESHOLDS = Finding(
    "the thresholds of labels and the calibration of networks are based only on validation clips", slug="thresholds"
)
NO_LABELS = Finding("no clip has several labels", level=NOTE)
THRESHOLD = Finding(
    "{file} has the threshold {written} for '{label}'; its validation clips give {wanted:.6g} ({n} of {n_labels} labels differ)"
)
TEMPERATURE = Finding("record.json has the temperature {written:.4g}; its validation clips give {wanted:.4g}")
UNREADABLE = Finding("its predictions.parquet cannot be read ({error})", level=NOT_CHECKABLE)


@Rule(18, THRESHOLDS, NO_LABELS, THRESHOLD, TEMPERATURE, UNREADABLE)
def _check(evidence: Evidence, findings: Findings) -> None:
    with_thresholds = [job for job in evidence.jobs if "thresholds" in job.record]
    if not with_thresholds:
        findings.add(NO_LABELS)
    for job in with_thresholds:
        with findings.looking_at(job.name):
            names = job.record["class_names"]
            clips = _validation(job, job.settings.averaging)
            wanted = dict(zip(names, find_thresholds(clips.targets, clips.predictions).tolist(), strict=True))
            written = {"record.json": job.record["thresholds"], "model.json": job.description().get("thresholds", {})}
            for file, chosen in written.items():
                if odd := [name for name in names if not np.isclose(chosen.get(name, np.nan), wanted[name], atol=_TOLERANCE)]:
                    label, counts = odd[0], {"n": len(odd), "n_labels": len(names)}
                    fields = {"file": file, "written": chosen.get(label), "label": label, "wanted": wanted[label]}
                    findings.add(THRESHOLD.fill(**fields, **counts), what=job.name)
    for job in (job for job in evidence.jobs if job.record.get("temperature") and not job.is_estimator):
        with findings.looking_at(job.name):
            _check_temperature(job, findings)


def _check_temperature(job: JobEvidence, findings: Findings) -> None:
    written, examples = float(job.record["temperature"]), _validation(job, None)
    items = np.array(examples.names)[examples.items]
    factor = temperature_of_clips(
        examples.predictions, examples.targets, examples.clips.astype(str), items, job.settings.clip_average
    )
    # The stored probabilities have it already, so that nothing is left to be made of them.
    wanted = float(np.clip(written * factor, *TEMPERATURES))
    if not math.isclose(written, wanted, rel_tol=_RELATIVE):
        findings.add(TEMPERATURE.fill(written=written, wanted=wanted), what=job.name)


def _validation(job: JobEvidence, averaging: Any) -> TestedExamples:
    """Return the validation examples or clips of a job."""
    try:
        paths = {job.key.fold: job.folder / "predictions.parquet"}
        return read_examples(job.settings.task, paths, job.record["class_names"], averaging, "validation")
    except (ResultsError, FileNotFoundError) as error:
        raise NotCheckableError(UNREADABLE.fill(error=error).message) from error
