"""The rule that no model, nor a model it was made from, has seen its test items or was trained on its validation items.

model.json lists the items that a model and its earlier models have seen. The record says what is known about an initial model,
about the model that made the features, and about weights that the build() of a network loads.
"""

from dataclasses import replace

from preprocessing.corpus_folder import names_of
from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import FAULT, NOT_CHECKABLE, WARNING, Findings, quoted
from xval.answers.pretrained import Origin, explain, judge_record
from xval.base.findings import Finding, Rule
from xval.results.read import fitted_sides

EARLIER_MODELS = Finding(
    "no model, nor any that it was made from, has seen an item that its fold tests, or was trained on a validation item",
    slug="earlier models",
)
SEEN = Finding("its model, or one that it was made from, has seen the tested {items}")
TRAINED = Finding("its model, or one that it was made from, was trained on {items}, which is in validation")
NOT_LISTED = Finding("model.json does not list as {how}: {items}")
FROM_ELSEWHERE = Finding("{origin}")
NO_LIST = Finding("its model.json does not list the items it has seen and those it was trained on", level=NOT_CHECKABLE)


def _corpus_names(evidence: Evidence) -> tuple[str, ...]:
    """Return the present and former names of the corpus; none if the corpus cannot be read."""
    if isinstance(corpus := evidence.written_corpus, NotCheckableError):
        return ()
    return names_of(corpus.folder)


@Rule(10, EARLIER_MODELS, SEEN, TRAINED, NOT_LISTED, FROM_ELSEWHERE, NO_LIST)
def _check(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            names = {job.settings.dataset, *_corpus_names(evidence)}
            provenance = job.provenance()
            by_corpus = provenance.items, provenance.trained_items
            if not all(by_corpus):
                raise NotCheckableError(NO_LIST.message)
            seen, trained = ({item for name in names for item in items.get(name, ())} for items in by_corpus)
            sides = job.sides
            if tested := seen & sides["test"]:
                findings.add(SEEN.fill(items=quoted(tested)), what=job.name)
            is_fitted_to_all = "validation" in fitted_sides(job.record)  # its validation scores are out of fold
            if (validated := trained & sides["validation"]) and not is_fitted_to_all:
                findings.add(TRAINED.fill(items=quoted(validated)), what=job.name)
            if is_fitted_to_all and (unfitted := (sides["training"] | sides["validation"]) - trained):
                findings.add(NOT_LISTED.fill(how="trained on", items=quoted(unfitted)), what=job.name)
            if missing := (sides["training"] | sides["validation"]) - seen:
                findings.add(NOT_LISTED.fill(how="seen", items=quoted(missing)), what=job.name)
            _check_origin(job, findings)


def judge_origin(job: JobEvidence) -> Origin:
    """Return what is known about the pretrained parts of a model; near-duplicates have a separate rule."""
    parameters = job.written.parameters if job.written else {}
    return judge_record({**job.record, "near_duplicates": 0}, parameters)


def _check_origin(job: JobEvidence, findings: Findings) -> None:
    """Add what the pretrained parts of a model were trained on; raise a `NotCheckableError` if this is unknown for a part."""
    origin = judge_origin(job)
    if origin.state == "unknown" and not origin.vouched:
        raise NotCheckableError(explain(origin))
    if origin.state != "clean":
        level = FAULT if origin.state == "leaked" else WARNING
        findings.add(replace(FROM_ELSEWHERE.fill(origin=explain(origin)), level=level), what=job.name)
