"""The rule that neither a model nor any that it was made of has seen its test items, or was trained on its validation items.

Comes in: evidence. Goes out: findings. model.json lists the items that a model and its earlier models have seen; the record
says if that is unknown for one of them.
"""

from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import Findings, Rule, quoted


def _check(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            by_corpus, trained_by_corpus = (job.description().get(name) for name in ("seen_items", "trained_items"))
            if not by_corpus or not trained_by_corpus:
                raise NotCheckableError("its model.json does not say which items it has seen and which of them trained it")
            seen, trained = (
                set(items_by_corpus.get(job.settings.dataset, ())) for items_by_corpus in (by_corpus, trained_by_corpus)
            )
            sides = job.sides
            if tested := seen & sides["test"]:
                findings.faults.append(
                    f"{job.name}: its model, or one that it was made of, has seen the tested {quoted(tested)}"
                )
            if validated := trained & sides["validation"]:
                findings.faults.append(
                    f"{job.name}: its model, or one that it was made of, was trained on {quoted(validated)}, which validates"
                )
            if missing := (sides["training"] | sides["validation"]) - seen:
                findings.faults.append(f"{job.name}: model.json does not say that its model has seen {quoted(missing)}")
            _check_earlier(job)


def _check_earlier(job: JobEvidence) -> None:
    """Raise a `NotCheckableError` if the record does not say what one of the models that this one was made of has seen."""
    stated = job.record.get("initial_model_items")
    if stated == "unknown" or (stated != "unseen" and job.settings.initial_model is not None):
        reason = job.record.get("initial_model_reason") or "nothing says what it was trained on"
        raise NotCheckableError(f"its initial model: {reason}")
    for model in job.record.get("models", ()):
        if model.get("leakage") != "clean":
            raise NotCheckableError(f"{model.get('path')}: {model.get('leakage_reason') or 'nothing says what it has seen'}")


EARLIER_MODELS = Rule(
    "earlier models",
    "neither a model nor any that it was made of has seen an item that its fold tests, or was trained on one that validates",
    _check,
)
