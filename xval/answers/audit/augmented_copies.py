"""The rule that augmented copies are only used for training, and only where the original clip is used for training."""

from xval.answers.audit.evidence import Evidence
from xval.answers.audit.identical_audio import SHARED, find_shared
from xval.answers.audit.verdict import NOTE, Findings, quoted
from xval.base.findings import Finding, Rule

AUGMENTED_COPIES = Finding(
    "no augmented copy is in validation or test, or on another side than its source", slug="augmented copies"
)
EVALUATED = Finding("the augmented copy {copies} is in the {side} predictions")
NO_COPIES = Finding("the dataset has no augmented copies", level=NOTE)


@Rule(8, AUGMENTED_COPIES, SHARED, EVALUATED, NO_COPIES)
def _check(evidence: Evidence, findings: Findings) -> None:
    copies: set[str] = set()
    with findings.looking_at(""):
        index = evidence.corpus.index
        copies = set(index.loc[index["augmented"].astype(bool), "clip"].astype(str))
        findings.add(*find_shared(evidence, copies=True))
        if not copies:
            findings.add(NO_COPIES)
    if findings.not_checkable:
        return
    known: dict[bytes, list[Finding]] = {}
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            if (content_hash := evidence.predictions_hash(job)) not in known:
                predictions = job.predictions()
                evaluated = predictions[predictions["clip"].isin(copies)].groupby("side")["clip"]
                known[content_hash] = [EVALUATED.fill(copies=quoted(set(clips)), side=side) for side, clips in evaluated]
            findings.add(*known[content_hash], what=job.name)
