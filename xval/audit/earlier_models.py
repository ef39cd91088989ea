"""The rule that neither a model nor any that it was made of has seen items that its fold tests.

Comes in: evidence. Goes out: findings. model.json lists the items that a model and its earlier models have seen; the record
says if that is unknown for one of them.
"""

from xval.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.audit.verdict import Findings, Rule, quoted


def _check(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            by_corpus = job.description().get("seen_items")
            if not isinstance(by_corpus, dict) or not by_corpus:
                raise NotCheckableError("its model.json does not say which items it has seen")
            seen, sides = set(by_corpus.get(job.settings.dataset, ())), job.sides
            if tested := seen & sides["test"]:
                findings.faults.append(
                    f"{job.name}: its model, or one that it was made of, has seen the tested {quoted(tested)}"
                )
            if missing := (sides["training"] | sides["validation"]) - seen:
                findings.faults.append(f"{job.name}: model.json does not say that its model has seen {quoted(missing)}")
            _check_earlier(job, findings)


def _check_earlier(job: JobEvidence, findings: Findings) -> None:
    """Note what the record says of the models that this one was made of.

    Raises:
        NotCheckableError: It is not known what one of them has seen.
    """
    stated = job.record.get("initial_model_items")
    if stated == "unknown" or (stated != "unseen" and job.settings.initial_model is not None):
        raise NotCheckableError("nothing says what its initial model was trained on")
    for model in job.record.get("models", ()):
        if model.get("leakage") not in ("clean", "validation"):
            raise NotCheckableError(f"{model.get('path')}: {model.get('leakage_reason') or 'nothing says what it has seen'}")
        if model.get("leakage") == "validation":
            findings.warnings.append(f"{job.name}: {model.get('path')}: {model.get('leakage_reason')}")


EARLIER_MODELS = Rule(
    "earlier models", "neither a model nor any that it was made of has seen an item that its fold tests", _check
)
