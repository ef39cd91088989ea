"""The rule that items have several clips; otherwise the folds are a random split of the clips.

Comes in: evidence. Goes out: findings.
"""

from xval.audit.evidence import Evidence
from xval.audit.verdict import Findings, Rule


def _check(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        index = evidence.corpus.index
        originals = index[~index["augmented"].astype(bool)]
        if originals["item"].nunique() == len(originals):
            findings.warnings.append(
                f"every clip is an item of its own ({len(originals)} clips): a random split. Clips of one speaker, session or "
                "recording are on all sides, and the figures say nothing of unseen ones"
            )


RANDOM_SPLIT = Rule("random split", "an item has several clips, which the folds keep on one side", _check)
