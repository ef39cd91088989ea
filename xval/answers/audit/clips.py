"""The rule that every clip of a validation or test item is predicted once, on its side, and no other clip.

Augmented copies have a separate rule.
"""

import pandas as pd

from preprocessing.annotations.labels import count_frame_samples, resolve_recordings
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import FeatureStore
from preprocessing.store.moments import DAMAGE
from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import Damage, Findings, quoted
from xval.base.errors import XvalError, brief
from xval.base.findings import Finding, Rule
from xval.data.examples import WaveformExamples
from xval.measures.task import find_task
from xval.settings.schema import FRAME_KEYS

_KEPT_SIDES = ("validation", "test")
_SETTINGS = (
    *FeatureSettings.model_fields,
    *FRAME_KEYS,
    "train_where",
    "test_where",
    "enrolment_s",
)  # that decide what is predicted


@Rule(
    4,
    Finding(
        "every clip of a validation or test item is predicted exactly once, on that side of its fold, and no other clip",
        slug="clips",
    ),
)
def _check(evidence: Evidence, findings: Findings) -> None:
    # The jobs of a fold test the same clips in all instances, so most of them are like one that has been looked at.
    known: dict[tuple[object, ...], list[str]] = {}
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            rows = evidence.predictions_hash(job), *job.sides.values()
            if rows not in known:
                known[rows] = _faults_of_rows(job, job.predictions())
            findings.add_faults(job.name, known[rows])
            store = evidence.store(job)
            combined, settings = job.record.get("combined"), job.settings
            compared = *rows, store.folder, combined, *(str(getattr(settings, name)) for name in _SETTINGS)
            if compared not in known:
                known[compared] = _faults_by_store(job, job.predictions(), store)
            findings.add_faults(job.name, known[compared])


def _faults_of_rows(job: JobEvidence, predictions: pd.DataFrame) -> list[str]:
    """Return what is wrong with the predictions by themselves, and compared with the items of the record."""
    faults: list[str] = []
    others = set(predictions["side"]) - set(_KEPT_SIDES)
    if others:
        faults.append(f"predictions.parquet has rows of the side {quoted(others)}")
    clips = {side: set(predictions.loc[predictions["side"] == side, "clip"]) for side in _KEPT_SIDES}
    shared = clips["validation"] & clips["test"]
    if shared:
        faults.append(f"clip {quoted(shared)} is validated and tested")
    for side in _KEPT_SIDES:
        side_rows = predictions[predictions["side"] == side]
        foreign = side_rows[~side_rows["item"].isin(job.sides[side])]
        if len(foreign):
            faults.append(f"{side} has clip {quoted(set(foreign['clip']))} of {quoted(set(foreign['item']))}, no {side} item")
        key = ["item", "row"] if "row" in side_rows else ["item", "clip", "start_s"]
        doubled = side_rows[side_rows.duplicated(key)]
        if len(doubled):
            faults.append(Damage(f"clip {quoted(set(doubled['clip']))} is in the {side} predictions twice"))
    return faults


def _faults_by_store(job: JobEvidence, predictions: pd.DataFrame, store: FeatureStore) -> list[str]:
    """Return what is wrong with the predictions compared with the feature store, without augmented copies."""
    faults: list[str] = []
    examples = store.examples.astype({"item": str, "clip": str})
    copies = set(examples.loc[examples["augmented"], "clip"])
    originals = examples[~examples["augmented"]]
    owners = dict(zip(originals["clip"], originals["item"], strict=True))
    predictions = predictions[~predictions["clip"].isin(copies)]
    wrong = predictions[predictions["clip"].map(owners) != predictions["item"]]
    if len(wrong):
        whose = {f"{clip} of {owners.get(clip, 'nobody')}" for clip in wrong["clip"]}
        faults.append(f"predictions.parquet names other items than the feature store for clip {quoted(whose)}")
    expected = originals
    if find_task(store.task_type).target == "frame":
        expected = originals[originals["clip"].isin(_annotated(job, store))]
    chosen = job.chosen_clips(store.folder.parents[1])
    for side in _KEPT_SIDES:
        wanted = expected[expected["item"].isin(job.sides[side])]
        if side in chosen:
            wanted = wanted[wanted["clip"].isin(chosen[side])]
            outside = set(predictions.loc[predictions["side"] == side, "clip"]) - chosen[side]
            if outside:
                faults.append(f"clip {quoted(outside)} is in the {side} predictions despite the condition of the instance")
        predicted = predictions[predictions["side"] == side]
        missing = set(wanted["clip"]) - set(predicted["clip"])
        if missing:
            faults.append(Damage(f"clip {quoted(missing)} is missing from the {side} predictions"))
            continue
        if job.record.get("combined") == "clips":  # an ensemble of members with other windows has a row per clip
            continue
        cut = _cut_short(job, side, wanted, predicted, store)
        if cut:
            faults.append(Damage(f"examples of {quoted(cut)} are missing from the {side} predictions"))
    return faults


def _cut_short(job: JobEvidence, side: str, wanted: pd.DataFrame, stored: pd.DataFrame, store: FeatureStore) -> set[str]:
    """Return the clips of a side of which some examples are missing."""
    if find_task(store.task_type).target == "frame":
        size = count_frame_samples(job.settings.label_frame_s, job.settings.sample_rate_hz)
        n_frames = (wanted["stop_row"] - wanted["first_row"]) // size
        n_rows = wanted["clip"].map(stored["clip"].value_counts())
        return set(wanted.loc[n_frames.to_numpy() != n_rows.to_numpy(), "clip"])
    if store.is_waveform:  # its windows are cut when they are read
        wanted = _cut_from_waveforms(job, side, store)
    if "row" not in stored:
        return set(wanted["clip"])
    rows = set(zip(stored["item"], stored["row"], strict=True))
    lost = [row not in rows for row in zip(wanted["item"], wanted["row"], strict=True)]
    return set(wanted.loc[lost, "clip"])


def _cut_from_waveforms(job: JobEvidence, side: str, store: FeatureStore) -> pd.DataFrame:
    """Return the examples that the clips of a side are cut into."""
    try:
        return WaveformExamples(
            store,
            tuple(job.sides[side]),
            job.feature_settings(),
            augmented=False,
            clips=job.chosen_clips(store.folder.parents[1]).get(side),
        ).table
    except (XvalError, *DAMAGE) as error:
        raise NotCheckableError(f"its feature store {store.folder} is damaged ({brief(error, 300)})") from error


def _annotated(job: JobEvidence, store: FeatureStore) -> set[str]:
    """Return the recordings that are annotated, by the annotation policy of the instance."""
    try:
        return set(resolve_recordings(store.annotations.rename(columns={"clip": "path"}), job.settings.annotation_policy))
    except XvalError as error:
        raise NotCheckableError(str(error)) from error
