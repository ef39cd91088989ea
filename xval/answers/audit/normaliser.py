"""The rule that each saved model normalises only by the statistics of its training items, features and targets.

The statistics of the saved model are compared with those that are computed again from the sums, or the targets, that the
feature store has for each item.
"""

from collections.abc import Callable, Collection

import numpy as np

from preprocessing.store import FeatureStore
from preprocessing.store.moments import Moments
from preprocessing.store.waveforms import waveform_moments
from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.saved_scaling import Scaling, read_scaling, read_target_scaling
from xval.answers.audit.verdict import Findings
from xval.base.errors import CorpusError
from xval.base.findings import Finding, Rule
from xval.data.target_scaling import target_scaling

TRANSDUCTIVE = "each item, of any side, is scaled by its own clips without their labels (transductive)"
ENROLLED = "each validated and tested item is scaled by its first clips without their labels, and these are not tested"
_WITHOUT_STATISTICS = {
    "per_clip": "each example is scaled by itself, so there are no statistics",
    "none": "nothing is scaled, so there are no statistics",
    "per_item": TRANSDUCTIVE,
}
# Statistics are saved as float32, and sums of a store that was made again may differ in the last digits.
_TOLERANCE = 1e-5


@Rule(9, Finding("every model is normalised only by the training items of its fold", slug="normaliser"))
def _check(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            if job.is_estimator:
                if job.settings.scales_items:
                    findings.notes.append(_note(job, TRANSDUCTIVE))
                raise NotCheckableError("the statistics of an estimator are in model.skops, which the audit does not read")
            if job.is_ensemble:
                findings.notes.append(f"instance {job.record['instance']}: an ensemble scales nothing; its members do")
                continue
            if note := _WITHOUT_STATISTICS.get(job.settings.normalization):
                findings.notes.append(_note(job, note))
            for fault in (_target_fault(job, evidence), _feature_fault(job, evidence)):
                findings.faults += [f"{job.name}: {fault}"] if fault else []


def _note(job: JobEvidence, note: str) -> str:
    return f"instance {job.record['instance']}: {note if job.settings.enrolment_s is None else ENROLLED}"


def _target_fault(job: JobEvidence, evidence: Evidence) -> str:
    """Return what is wrong with the scale of the numbers that a model predicts, or an empty text."""
    saved = read_target_scaling(job.model_path)
    if (saved is not None) is not job.settings.scales_targets:
        return (
            f"target_scaling={job.settings.target_scaling}, but its model has {'no' if saved is None else 'a'} scale of targets"
        )
    if saved is None:
        return ""
    store = evidence.store(job)

    def scaling(items: Collection[str], clips: Collection[str] | None = None) -> Scaling:
        statistics = target_scaling(store, items, clips)
        return statistics.mean.astype(np.float64), statistics.deviation.astype(np.float64) ** 2

    return _fault(saved, scaling, job, store, "target statistics")


def _feature_fault(job: JobEvidence, evidence: Evidence) -> str:
    """Return what is wrong with the statistics by which a model normalises features, or an empty text.

    Not checkable where the training items have the statistics of all items.
    """
    normalization, saved = job.settings.normalization, read_scaling(job.model_path)
    if (saved is None) is not (normalization in _WITHOUT_STATISTICS):
        return f"normalization={normalization}, but its model has {'no statistics' if saved is None else 'statistics'}"
    if saved is None:
        return ""
    store = evidence.store(job)

    def scaling(items: Collection[str], clips: Collection[str] | None = None) -> Scaling:
        return _moments(job, store, items, clips).scaling(normalization)

    fault = _fault(saved, scaling, job, store, "statistics")
    if not fault and _are_equal(saved, scaling(set().union(*_sides(job, store).values()))):
        raise NotCheckableError("its training items and all items have the same statistics")
    return fault


def _sides(job: JobEvidence, store: FeatureStore) -> dict[str, set[str]]:
    """Return the items of each side that a store has; not checkable where it has none of the training items."""
    sides = {side: set(items) & set(store.items) for side, items in job.sides.items()}
    if not sides["training"]:
        raise NotCheckableError("its feature store has none of its training items")
    return sides


def _fault(
    saved: Scaling,
    scaling: Callable[..., Scaling],
    job: JobEvidence,
    store: FeatureStore,
    what: str,
) -> str:
    """Return what is wrong with the statistics of a model, or an empty text.

    Args:
        saved: Of the model.
        scaling: Returns those of some items, or of some of their clips.
        job: Its items trained the model.
        store: Of the job.
        what: Name of the statistics in messages.
    """
    sides = _sides(job, store)
    training = sides["training"]
    wanted = scaling(training, job.chosen_clips(store.folder.parents[1]).get("training"))
    if _are_equal(saved, wanted):
        return ""
    wrong = {
        "those of all items": set().union(*sides.values()),
        "those of training and validation items": training | sides["validation"],
        "those of training and test items": training | sides["test"],
        "those of the whole dataset": set(store.items),
    }
    for whose, items in wrong.items():
        if _are_equal(saved, scaling(items)):
            return f"the {what} of its model are {whose}, not those of its training items"
    if saved[0].shape != wanted[0].shape:
        return f"the {what} of its model are of {saved[0].size} values, those of its feature store of {wanted[0].size}"
    return (
        f"the {what} of its model are not those of its training items: means differ by up to "
        f"{np.abs(saved[0] - wanted[0]).max():.3g}, variances by up to {np.abs(saved[1] - wanted[1]).max():.3g}"
    )


def _moments(job: JobEvidence, store: FeatureStore, items: Collection[str], clips: Collection[str] | None = None) -> Moments:
    try:
        if store.is_waveform:
            return waveform_moments(store, job.feature_settings(), items, clips)
        return store.moments(items, clips, settings=job.feature_settings())
    except CorpusError as error:
        raise NotCheckableError(str(error)) from error


def _are_equal(saved: Scaling, wanted: Scaling) -> bool:
    """Return whether two means and variances are the same up to rounding."""
    if saved[0].shape != wanted[0].shape:
        return False
    deviation = np.sqrt(wanted[1])
    close = np.abs(saved[0] - wanted[0]) <= _TOLERANCE * (np.abs(wanted[0]) + deviation)
    return bool(close.all() and np.allclose(saved[1], wanted[1], rtol=_TOLERANCE, atol=np.finfo(np.float32).tiny))
