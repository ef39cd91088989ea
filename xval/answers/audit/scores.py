"""The rule that scores follow from the predictions: a record may have been edited, or its predictions replaced.

The main metrics of examples, clips and items, and the confusion matrix, are computed again from predictions.parquet. The folds
behind the scores over items must exist. predictions.parquet; the folds that the scores over items are of have to be there.
"""

from collections.abc import Callable, Iterator, Mapping
from math import isclose, isfinite, nan
from typing import Any

from numpy.typing import NDArray

from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import NOT_CHECKABLE, Findings
from xval.answers.estimates import kept_jobs
from xval.base.errors import XvalError
from xval.base.findings import Finding, Rule
from xval.measures import metrics
from xval.measures.confusion import confusion_matrix
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.results.scores import SCORES_FILE, Scores
from xval.results.tested_examples import TestedExamples, read_fold

_TOLERANCE = 1e-6
_Measure = Callable[[NDArray[Any], NDArray[Any]], dict[str, float]]

SCORES = Finding("the main scores of every job are those of its predictions, and no fold with scores is missing", slug="scores")
OTHER_SCORE = Finding(
    f"{SCORES_FILE} has {{whose}} {{name}} {{known:.6g}}; its predictions give {{value:.6g}}{{more:? ({{more}} scores differ)}}"
)
OTHER_MATRIX = Finding(
    "record.json has the confusion matrix {written}; its predictions give {counts}{more:? ({more} scores differ)}"
)
MISSING = Finding("{job}: metrics.json has its scores, but {folder} is missing. Restore it, or run the experiment again")
NO_SCORES = Finding("no scores can be computed from its predictions.parquet ({error})", level=NOT_CHECKABLE)


@Rule(2, SCORES, OTHER_SCORE, OTHER_MATRIX, MISSING, NO_SCORES)
def _check_scores(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            try:
                differing = [*_differing(job)]
            except (XvalError, OSError) as error:
                raise NotCheckableError(NO_SCORES.fill(error=error).message) from error
            if differing:
                finding, fields = differing[0]
                n_differing = len(differing) if len(differing) > 1 else 0
                findings.add(finding.fill(**fields, more=n_differing), what=job.name)
    results = open_results(evidence.folder)
    for instance in evidence.numbers:
        replaced = {key.folder_name for key in evidence.folder.replaced_jobs(instance)}
        for name in kept_jobs(results, instance):
            place = evidence.folder.instance_folder(instance) / name
            if name not in replaced and not place.exists():
                key = JobKey.from_folder(instance, name)
                findings.add(MISSING.fill(job=key, folder=place))


def _differing(job: JobEvidence) -> Iterator[tuple[Finding, dict[str, object]]]:
    """Yield the scores of a record that differ from those of its predictions, with both values."""
    record, scores, task = job.record, job.scores, job.settings.task
    main = {*task.main_metrics, task.item_metric}.intersection(metrics.metric_names(task.name)) - {*task.relative_metrics}
    chosen = {name: metrics.find(task.name, name) for name in sorted(main)}

    def measure(targets: NDArray[Any], predictions: NDArray[Any]) -> dict[str, float]:
        return metrics.measure(task.name, targets, predictions, chosen)

    path, names = job.folder / "predictions.parquet", record.get("class_names", [])
    sides = read_fold(task, job.key.fold, path, names, job.settings.averaging)
    known: dict[bytes, dict[str, float]] = {}  # of clips with one example each
    for side, examples in sides.items():
        if side in scores.sides:
            digest = examples.targets.tobytes() + examples.predictions.tobytes()
            if digest not in known:
                known[digest] = measure(examples.targets, examples.predictions)
            side_words, _, which = side.rpartition("_")
            yield from _compare(f"the {which} {side_words}".rstrip(), scores.sides[side], known[digest])
    yield from _compare_items(record, scores, sides["clip_test"], measure)


def _compare_items(
    record: Mapping[str, Any], scores: Scores, clips: TestedExamples, measure: _Measure
) -> Iterator[tuple[Finding, dict[str, object]]]:
    for item, rows in zip(clips.names, clips.rows, strict=True):
        item_scores = measure(clips.targets[rows], clips.predictions[rows])
        yield from _compare(f"for the test item '{item}' the", scores.items.get(item, {}), item_scores)
    if "confusion_matrix" in record:
        written, counts = record["confusion_matrix"]["test"], confusion_matrix(clips.targets, clips.predictions)
        if written != counts:
            yield OTHER_MATRIX, {"written": written, "counts": counts}


def _compare(
    whose: str, written: Mapping[str, float], measured: Mapping[str, float]
) -> Iterator[tuple[Finding, dict[str, object]]]:
    for name, value in measured.items():
        known = written.get(name, nan)
        are_undefined = not isfinite(known) and not isfinite(value)
        if not are_undefined and not isclose(known, value, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
            yield OTHER_SCORE, {"whose": whose, "name": name, "known": known, "value": value}
