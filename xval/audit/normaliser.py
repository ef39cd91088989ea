"""The rule that each saved model normalises by the statistics of its training items alone.

Comes in: evidence. Goes out: findings. The statistics of the saved model are compared with those that are computed again from
the sums that the feature store has for each item.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore
from preprocessing.store.moments import Moments
from preprocessing.store.waveforms import waveform_moments
from xval.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.audit.saved_scaling import read_scaling
from xval.audit.verdict import Findings, Rule
from xval.errors import CorpusError

Scaling = tuple[NDArray[np.float64], NDArray[np.float64]]

_WITHOUT_STATISTICS = {
    "per_clip": "each example is scaled by itself, so there are no statistics",
    "none": "nothing is scaled, so there are no statistics",
}
# Statistics are saved as float32, and sums of a store that was made again may differ in the last digits.
_TOLERANCE = 1e-5


def _check(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            if job.is_combination:
                raise NotCheckableError("the statistics of a combination are in model.skops, which is not read")
            normalization = job.settings.normalization
            if normalization in _WITHOUT_STATISTICS:
                findings.notes.append(f"instance {job.record['instance']}: {_WITHOUT_STATISTICS[normalization]}")
                if read_scaling(job.model_path) is not None:
                    findings.faults.append(f"{job.name}: normalization={normalization}, but its model has statistics")
                continue
            saved = read_scaling(job.model_path)
            if saved is None:
                findings.faults.append(f"{job.name}: normalization={normalization}, but its model has no statistics")
            elif fault := _fault(saved, job, evidence.store(job), normalization):
                findings.faults.append(f"{job.name}: {fault}")


def _fault(saved: Scaling, job: JobEvidence, store: FeatureStore, normalization: str) -> str:
    """Return what is wrong with the statistics of a model, or an empty text.

    Raises:
        NotCheckableError: The statistics are not known, or the same for training items and for all items.
    """
    training = job.sides["training"] & set(store.items)
    if not training:
        raise NotCheckableError("its feature store has none of its training items")
    wanted = _moments(job, store, training, job.chosen_clips(store).get("training")).scaling(normalization)
    everyone = set().union(*job.sides.values()) & set(store.items)
    if _are_equal(saved, wanted):
        if _are_equal(saved, _moments(job, store, everyone).scaling(normalization)):
            raise NotCheckableError("its training items and all items have the same statistics")
        return ""
    wrong = {
        "those of all items": everyone,
        "those of training and validation items": training | (job.sides["validation"] & set(store.items)),
        "those of training and test items": training | (job.sides["test"] & set(store.items)),
        "those of the whole corpus": set(store.items),
    }
    for whose, items in wrong.items():
        if _are_equal(saved, _moments(job, store, items).scaling(normalization)):
            return f"the statistics of its model are {whose}, not those of its training items"
    if saved[0].shape != wanted[0].shape:
        return f"the statistics of its model have {saved[0].size} bins, its feature store has {wanted[0].size}"
    return (
        f"the statistics of its model are not those of its training items: means differ by up to "
        f"{np.abs(saved[0] - wanted[0]).max():.3g}, variances by up to {np.abs(saved[1] - wanted[1]).max():.3g}"
    )


def _moments(job: JobEvidence, store: FeatureStore, items: Collection[str], clips: Collection[str] | None = None) -> Moments:
    try:
        if store.is_waveform:
            return waveform_moments(store, job.feature_settings(), items, clips)
        return store.moments(items, clips)
    except CorpusError as error:
        raise NotCheckableError(str(error)) from error


def _are_equal(saved: Scaling, wanted: Scaling) -> bool:
    """Return whether two means and variances are the same up to rounding."""
    if saved[0].shape != wanted[0].shape:
        return False
    deviation = np.sqrt(wanted[1])
    close = np.abs(saved[0] - wanted[0]) <= _TOLERANCE * (np.abs(wanted[0]) + deviation)
    return bool(close.all() and np.allclose(saved[1], wanted[1], rtol=_TOLERANCE, atol=np.finfo(np.float32).tiny))


NORMALISER = Rule("normaliser", "every model normalises by the statistics of the training items of its fold alone", _check)
