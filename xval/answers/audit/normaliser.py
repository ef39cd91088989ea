"""The rule that each saved model normalises features and targets only by the statistics of its training items.

The statistics are computed again from the sums or targets that the feature store has for each item, and compared with those of
the saved model.
"""

from collections.abc import Callable, Collection

import numpy as np

from preprocessing.store import FeatureStore
from preprocessing.store.moments import Moments
from preprocessing.store.waveforms import waveform_moments
from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.saved_scaling import Scaling, read_scaling, read_target_scaling
from xval.answers.audit.verdict import NOT_CHECKABLE, NOTE, Findings
from xval.base.findings import Finding, Rule
from xval.data.target_scaling import target_scaling

TRANSDUCTIVE = Finding(
    "instance {instance}: each item, of any side, is scaled by its own clips without their labels (transductive)",
    slug="transductive",
    level=NOTE,
)
ENROLLED = Finding(
    "instance {instance}: each validated and tested item is scaled by its first clips without their labels, and these are not "
    "tested",
    slug="enrolled",
    level=NOTE,
)
PER_CLIP = Finding("instance {instance}: each example is scaled by itself, so there are no statistics", level=NOTE)
UNSCALED = Finding("instance {instance}: nothing is scaled, so there are no statistics", level=NOTE)
_WITHOUT_STATISTICS = {"per_clip": PER_CLIP, "none": UNSCALED, "per_item": TRANSDUCTIVE}
ENSEMBLE = Finding("instance {instance}: an ensemble scales nothing; its members do", level=NOTE)
ESTIMATOR = Finding("the statistics of an estimator are in model.skops, which the audit does not read", level=NOT_CHECKABLE)
TARGET_SCALE = Finding("target_scaling={target_scaling}, but its model has {is_missing:no|a} scale of targets")
FEATURE_SCALE = Finding("normalization={normalization}, but its model has {is_missing:no statistics|statistics}")
OTHERS = Finding("the {what} of its model are {whose}, not those of its training items")
OTHER_LENGTH = Finding("the {what} of its model are of {n_saved} values, those of its feature store of {n_wanted}")
OTHER_NUMBERS = Finding(
    "the {what} of its model are not those of its training items: means differ by up to {means:.3g}, variances by up to "
    "{variances:.3g}"
)
SAME = Finding("its training items and all items have the same statistics", level=NOT_CHECKABLE)
NO_ITEMS = Finding("its feature store has none of its training items", level=NOT_CHECKABLE)
# Statistics are saved as float32, and sums of a store that was made again may differ in the last digits.
_TOLERANCE = 1e-5
NORMALISER = Finding("every model is normalised only by the training items of its fold", slug="normaliser")


@Rule(
    9,
    NORMALISER,
    TARGET_SCALE,
    FEATURE_SCALE,
    OTHERS,
    OTHER_LENGTH,
    OTHER_NUMBERS,
    ESTIMATOR,
    SAME,
    NO_ITEMS,
    *_WITHOUT_STATISTICS.values(),
    ENROLLED,
    ENSEMBLE,
)
def _check(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            if job.is_estimator:
                if job.settings.scales_items:
                    findings.add(_note(job, TRANSDUCTIVE))
                raise NotCheckableError(ESTIMATOR.message)
            if job.is_ensemble:
                findings.add(ENSEMBLE.fill(instance=job.record["instance"]))
                continue
            if note := _WITHOUT_STATISTICS.get(job.settings.normalization):
                findings.add(_note(job, note))
            faults = _target_fault(job, evidence), _feature_fault(job, evidence)
            findings.add(*filter(None, faults), what=job.name)


def _note(job: JobEvidence, note: Finding) -> Finding:
    return (note if job.settings.enrolment_s is None else ENROLLED).fill(instance=job.record["instance"])


def _target_fault(job: JobEvidence, evidence: Evidence) -> Finding | None:
    """Return a fault of the scale of the numbers that a model predicts; None: it is right."""
    saved = read_target_scaling(job.model_path)
    if (saved is not None) is not job.settings.scales_targets:
        return TARGET_SCALE.fill(target_scaling=job.settings.target_scaling, is_missing=saved is None)
    if saved is None:
        return None
    store = evidence.store(job)

    def scaling(items: Collection[str], clips: Collection[str] | None = None) -> Scaling:
        statistics = target_scaling(store, items, clips)
        return statistics.mean.astype(np.float64), statistics.deviation.astype(np.float64) ** 2

    return _fault(saved, scaling, job, store, "target statistics")


def _feature_fault(job: JobEvidence, evidence: Evidence) -> Finding | None:
    """Return a fault of the statistics by which a model normalises features; None: they are right.

    Raises a `NotCheckableError` if the training items have the same statistics as all items.
    """
    normalization, saved = job.settings.normalization, read_scaling(job.model_path)
    if (saved is None) is not (normalization in _WITHOUT_STATISTICS):
        return FEATURE_SCALE.fill(normalization=normalization, is_missing=saved is None)
    if saved is None:
        return None
    store = evidence.store(job)

    def scaling(items: Collection[str], clips: Collection[str] | None = None) -> Scaling:
        return _moments(job, store, items, clips).scaling(normalization)

    fault = _fault(saved, scaling, job, store, "statistics")
    if not fault and _are_equal(saved, scaling(set().union(*_sides(job, store).values()))):
        raise NotCheckableError(SAME.message)
    return fault


def _sides(job: JobEvidence, store: FeatureStore) -> dict[str, set[str]]:
    """Return the items of each side that a store has; `NotCheckableError` if it has no training item."""
    sides = {side: set(items) & set(store.items) for side, items in job.sides.items()}
    if not sides["training"]:
        raise NotCheckableError(NO_ITEMS.message)
    return sides


def _fault(
    saved: Scaling,
    scaling: Callable[..., Scaling],
    job: JobEvidence,
    store: FeatureStore,
    what: str,
) -> Finding | None:
    """Return a fault of the statistics of a model; None: they are those of its training items.

    Args:
        saved: The statistics of the saved model.
        scaling: Returns the statistics of some items, or of some of their clips.
        job: The job that trained the model.
        store: The feature store of the job.
        what: Name of the statistics in messages.
    """
    sides = _sides(job, store)
    training = sides["training"]
    wanted = scaling(training, job.chosen_clips(store.folder.parents[1]).get("training"))
    if _are_equal(saved, wanted):
        return None
    wrong = {
        "those of all items": set().union(*sides.values()),
        "those of training and validation items": training | sides["validation"],
        "those of training and test items": training | sides["test"],
        "those of the whole dataset": set(store.items),
    }
    for whose, items in wrong.items():
        if _are_equal(saved, scaling(items)):
            return OTHERS.fill(what=what, whose=whose)
    if saved[0].shape != wanted[0].shape:
        return OTHER_LENGTH.fill(what=what, n_saved=saved[0].size, n_wanted=wanted[0].size)
    means, variances = (np.abs(saved[at] - wanted[at]).max() for at in (0, 1))
    return OTHER_NUMBERS.fill(what=what, means=means, variances=variances)


def _moments(job: JobEvidence, store: FeatureStore, items: Collection[str], clips: Collection[str] | None = None) -> Moments:
    if store.is_waveform:
        return waveform_moments(store, job.feature_settings(), items, clips)
    return store.moments(items, clips, settings=job.feature_settings())


def _are_equal(saved: Scaling, wanted: Scaling) -> bool:
    """Return whether two means and variances are the same up to rounding."""
    if saved[0].shape != wanted[0].shape:
        return False
    deviation = np.sqrt(wanted[1])
    close = np.abs(saved[0] - wanted[0]) <= _TOLERANCE * (np.abs(wanted[0]) + deviation)
    return bool(close.all() and np.allclose(saved[1], wanted[1], rtol=_TOLERANCE, atol=np.finfo(np.float32).tiny))
