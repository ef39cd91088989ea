"""The rule that augmented copies only train, and on the side of the clip that they were made of."""

from xval.answers.audit.evidence import Evidence
from xval.answers.audit.identical_audio import shared_faults
from xval.answers.audit.verdict import Findings, quoted
from xval.base.findings import Finding, Rule


@Rule(8, Finding("no augmented copy is in validation or test, or on another side than its source", slug="augmented copies"))
def _check(evidence: Evidence, findings: Findings) -> None:
    copies: set[str] = set()
    with findings.looking_at(""):
        index = evidence.corpus.index
        copies = set(index.loc[index["augmented"].astype(bool), "clip"].astype(str))
        findings.faults += shared_faults(evidence, copies=True)
        if not copies:
            findings.notes.append("the dataset has no augmented copies")
    if findings.not_checkable:
        return
    known: dict[bytes, list[str]] = {}
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            if (content_hash := evidence.predictions_hash(job)) not in known:
                predictions = job.predictions()
                evaluated = predictions[predictions["clip"].isin(copies)].groupby("side")["clip"]
                known[content_hash] = [
                    f"the augmented copy {quoted(set(clips))} is in the {side} predictions" for side, clips in evaluated
                ]
            findings.add_faults(job.name, known[content_hash])
