"""The rule that each clip of a validation or test item has one prediction, on its side, and that no other clip has one.

Augmented copies have a separate rule.
"""

import pandas as pd

from preprocessing.annotations.labels import count_frame_samples, resolve_recordings
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import FeatureStore
from preprocessing.store.moments import DAMAGE
from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import DAMAGED, NOT_CHECKABLE, Findings, quoted
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


CLIPS = Finding(
    "every clip of a validation or test item is predicted exactly once, on that side of its fold, and no other clip",
    slug="clips",
)
OTHER_SIDE = Finding("predictions.parquet has rows of the side {sides}")
ON_BOTH_SIDES = Finding("clip {clips} is validated and tested")
FOREIGN = Finding("{side} has clip {clips} of {items}, no {side} item")
TWICE = Finding("clip {clips} is in the {side} predictions twice", level=DAMAGED)
OTHER_ITEM = Finding("predictions.parquet names other items than the feature store for clip {clips}")
EXCLUDED = Finding("clip {clips} is in the {side} predictions despite the condition of the instance")
MISSING = Finding("clip {clips} is missing from the {side} predictions", level=DAMAGED)
CUT_SHORT = Finding("examples of {clips} are missing from the {side} predictions", level=DAMAGED)
DAMAGED_STORE = Finding("its feature store {folder} is damaged ({error})", level=NOT_CHECKABLE)


@Rule(4, CLIPS, OTHER_SIDE, ON_BOTH_SIDES, FOREIGN, TWICE, OTHER_ITEM, EXCLUDED, MISSING, CUT_SHORT, DAMAGED_STORE)
def _check(evidence: Evidence, findings: Findings) -> None:
    # The jobs of a fold test the same clips in all instances, so most of them are like one that has been looked at.
    known: dict[tuple[object, ...], list[Finding]] = {}
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            rows = evidence.predictions_hash(job), *job.sides.values()
            if rows not in known:
                known[rows] = _faults_of_rows(job, job.predictions())
            findings.add(*known[rows], what=job.name)
            store = evidence.store(job)
            combined, settings = job.record.get("combined"), job.settings
            compared = *rows, store.folder, combined, *(str(getattr(settings, name)) for name in _SETTINGS)
            if compared not in known:
                known[compared] = _faults_by_store(job, job.predictions(), store)
            findings.add(*known[compared], what=job.name)


def _faults_of_rows(job: JobEvidence, predictions: pd.DataFrame) -> list[Finding]:
    """Return the faults of the predictions, alone and compared with the items of the record."""
    faults: list[Finding] = []
    others = set(predictions["side"]) - set(_KEPT_SIDES)
    if others:
        faults.append(OTHER_SIDE.fill(sides=quoted(others)))
    clips = {side: set(predictions.loc[predictions["side"] == side, "clip"]) for side in _KEPT_SIDES}
    shared = clips["validation"] & clips["test"]
    if shared:
        faults.append(ON_BOTH_SIDES.fill(clips=quoted(shared)))
    for side in _KEPT_SIDES:
        side_rows = predictions[predictions["side"] == side]
        foreign = side_rows[~side_rows["item"].isin(job.sides[side])]
        if len(foreign):
            whose = {"clips": quoted(set(foreign["clip"])), "items": quoted(set(foreign["item"]))}
            faults.append(FOREIGN.fill(side=side, **whose))
        key = ["item", "row"] if "row" in side_rows else ["item", "clip", "start_s"]
        doubled = side_rows[side_rows.duplicated(key)]
        if len(doubled):
            faults.append(TWICE.fill(clips=quoted(set(doubled["clip"])), side=side))
    return faults


def _faults_by_store(job: JobEvidence, predictions: pd.DataFrame, store: FeatureStore) -> list[Finding]:
    """Return the differences between the predictions and the feature store, without augmented copies."""
    faults: list[Finding] = []
    examples = store.examples.astype({"item": str, "clip": str})
    copies = set(examples.loc[examples["augmented"], "clip"])
    originals = examples[~examples["augmented"]]
    owners = dict(zip(originals["clip"], originals["item"], strict=True))
    predictions = predictions[~predictions["clip"].isin(copies)]
    wrong = predictions[predictions["clip"].map(owners) != predictions["item"]]
    if len(wrong):
        whose = {f"{clip} of {owners.get(clip, 'nobody')}" for clip in wrong["clip"]}
        faults.append(OTHER_ITEM.fill(clips=quoted(whose)))
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
                faults.append(EXCLUDED.fill(clips=quoted(outside), side=side))
        predicted = predictions[predictions["side"] == side]
        missing = set(wanted["clip"]) - set(predicted["clip"])
        if missing:
            faults.append(MISSING.fill(clips=quoted(missing), side=side))
            continue
        if job.record.get("combined") == "clips":  # an ensemble of members with other windows has a row per clip
            continue
        cut = _cut_short(job, side, wanted, predicted, store)
        if cut:
            faults.append(CUT_SHORT.fill(clips=quoted(cut), side=side))
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
        raise NotCheckableError(DAMAGED_STORE.fill(folder=store.folder, error=brief(error, 300)).message) from error


def _annotated(job: JobEvidence, store: FeatureStore) -> set[str]:
    """Return the recordings that are annotated, by the annotation policy of the instance."""
    return set(resolve_recordings(store.annotations.rename(columns={"clip": "path"}), job.settings.annotation_policy))
