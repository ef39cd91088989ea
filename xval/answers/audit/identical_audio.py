"""The rules that no audio is on two sides of a fold, by the hashes and segments of the corpus and the audio that models saw.

Augmented copies have a separate rule.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.clips.fingerprints import short_hashes
from preprocessing.clips.near_pairs import FILE_NAME, read_across_items
from xval.answers.audit.earlier_models import judge_origin
from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import DAMAGED, NOT_CHECKABLE, WARNING, Findings, quoted
from xval.answers.pretrained import clause
from xval.base.errors import ResultsError
from xval.base.findings import Finding, Rule
from xval.folds.plan import Fold
from xval.folds.predefined import SIDES
from xval.folds.shared_audio import describe_shared_file, find_shared_audio, find_shared_files, find_tested
from xval.jobs.fold_part import Clips
from xval.models.saved.provenance import SEEN_AUDIO_NAME, TRAINED_AUDIO_NAME, Provenance
from xval.results.read import fitted_sides

COPIES = "copies of one source clip"
SHARED = Finding("fold {fold}: {what}: {where}")
SHARED_FILE = Finding(
    "fold {fold}: {file}, on two sides. Give the segments of a file one item, unless different people speak in them",
    level=WARNING,
)
NO_HASH = Finding("the dataset has no audio hash of clip {clips}", level=NOT_CHECKABLE)
ARRAYS = Finding(
    "not checked: its examples were given as arrays, so only equal arrays are found, not equal audio", level=NOT_CHECKABLE
)


def find_shared(evidence: Evidence, *, copies: bool) -> list[Finding]:
    """Return the clips of each fold whose audio is on several sides: augmented copies of one clip, or all other clips."""
    index, folds = evidence.corpus.index, evidence.folds.plan.folds
    faults = []
    for what, group in find_shared_audio(index):
        if (what == COPIES) is not copies:
            continue
        for fold in folds:
            sides = {item: side for side in SIDES for item in getattr(fold, side)}
            placed = group[group["item"].isin(sides)]
            by_side = placed.groupby(placed["item"].map(sides))["clip"].agg(sorted)
            if len(by_side) > 1:
                where = "; ".join(f"{side}: {quoted(set(clips))}" for side, clips in by_side.items())
                faults.append(SHARED.fill(fold=fold.number, what=what, where=where))
    return faults


def _files_on_two_sides(evidence: Evidence) -> Iterator[Finding]:
    """Yield the files of the corpus whose segments have several items and are on two sides of a fold."""
    for group in find_shared_files(evidence.corpus.index):
        items = set(group["item"])
        for fold in evidence.folds.plan.folds:
            if sum(not items.isdisjoint(getattr(fold, side)) for side in SIDES) > 1:
                yield SHARED_FILE.fill(fold=fold.number, file=describe_shared_file(group))
                break


IDENTICAL_AUDIO = Finding(
    "no two clips of the dataset share audio, or a segment of a file, across the sides of a fold", slug="identical audio"
)


@Rule(5, IDENTICAL_AUDIO, SHARED, SHARED_FILE, NO_HASH, ARRAYS)
def _check_corpus(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        findings.add(*find_shared(evidence, copies=False))
        findings.add(*_files_on_two_sides(evidence))
        hashes = evidence.corpus.index["audio_hash"].fillna("")
        without = evidence.corpus.index.loc[hashes == "", "clip"]
        if len(without):
            raise NotCheckableError(NO_HASH.fill(clips=quoted(set(without))).message)
        if evidence.corpus.is_custom:
            raise NotCheckableError(ARRAYS.message)


NEAR_DUPLICATES = Finding(
    "no tested clip nearly equals one in training or validation (another level or encoding, or added noise)",
    slug="near-duplicates",
)
NEARLY = Finding(
    "fold {fold}: {n} tested {n:clip|clips} nearly equal to one in training or validation: {clips}; "
    f"{FILE_NAME} of the dataset has the pairs"
)
ARRAYS_NOT_SEARCHED = Finding(
    "not checked: its examples are arrays, which are too many or too short to distinguish copies from similar ones",
    level=NOT_CHECKABLE,
)
NOT_SEARCHED = Finding(
    "not checked: its clips were not compared with each other. xval prepare compares up to 5,000 of them; xval prepare CORPUS "
    "... --check compares more and lists those that are nearly identical across items",
    level=NOT_CHECKABLE,
)


@Rule(6, NEAR_DUPLICATES, NEARLY, ARRAYS_NOT_SEARCHED, NOT_SEARCHED)
def _check_near(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        corpus = evidence.corpus
        pairs = read_across_items(corpus.folder, corpus.index_hash)
        if pairs is None:
            raise NotCheckableError((ARRAYS_NOT_SEARCHED if corpus.is_custom else NOT_SEARCHED).message)
        tested_of: dict[int, set[str]] = {}
        for fold, clips in _uses_of_folds(evidence) if len(pairs) else ():
            tested_of.setdefault(fold.number, set()).update(find_tested(pairs, fold, clips))
        for number, tested in sorted(tested_of.items()):
            if tested:
                findings.add(NEARLY.fill(fold=number, n=len(tested), clips=quoted(tested)))


def _uses_of_folds(evidence: Evidence) -> Iterator[tuple[Fold, Clips]]:
    """Yield the part of each fold that jobs use, with the chosen clips by side; the whole fold if no job has finished it."""
    uses: dict[tuple[object, ...], tuple[Fold, Clips]] = {}
    for job in evidence.jobs:
        sides, clips = job.sides, job.chosen_clips(evidence.corpus.folder)
        key = (job.key.fold, *sides.values(), *sorted(clips.items()))
        uses[key] = Fold(job.key.fold, *(tuple(sides[side]) for side in SIDES)), clips
    yield from uses.values()
    begun = {job.key.fold for job in evidence.jobs}
    yield from ((fold, {}) for fold in evidence.folds.plan.folds if fold.number not in begun)


SEEN_AUDIO = Finding(
    "no model has seen a clip that its fold tests, or was trained on a validation clip; the clips it has seen are stored "
    "next to it",
    slug="seen audio",
)
LOST_LIST = Finding("{error}", level=DAMAGED)
SEEN = Finding("its model has seen the audio of the tested clip {clips}")
TRAINED = Finding("its model was trained on the audio of clip {clips}, which is in validation")
NOT_LISTED = Finding(f"{SEEN_AUDIO_NAME} lacks clip {{clips}}, which was in training or validation", level=DAMAGED)
OTHER_VERSION = Finding("its model was trained on another version of the tested clip {clips}")
NO_LIST = Finding(
    f"no {SEEN_AUDIO_NAME} or {TRAINED_AUDIO_NAME} next to its model: it is lost, or the dataset, or a model that it was made "
    "from, had no audio hashes",
    level=NOT_CHECKABLE,
)


@Rule(7, SEEN_AUDIO, LOST_LIST, SEEN, TRAINED, NOT_LISTED, OTHER_VERSION, NO_LIST)
def _check_seen(evidence: Evidence, findings: Findings) -> None:
    known: dict[tuple[object, ...], list[Finding]] = {}  # the models of a fold have seen the same in most instances
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            provenance = Provenance(job.model_path)
            try:
                seen, trained = provenance.audio, provenance.trained_audio
            except ResultsError as error:
                findings.add(LOST_LIST.fill(error=error), what=job.name)
                continue
            if seen is None or trained is None:
                raise NotCheckableError(NO_LIST.message)
            sides = job.sides
            held_out = sides["validation"] - set().union(*(sides[side] for side in fitted_sides(job.record)))
            key = *(hashlib.sha256(hashes.tobytes()).digest() for hashes in (seen, trained)), *sides.values(), held_out
            if key not in known:
                known[key] = _faults_of_seen(evidence.corpus.index, seen, trained, sides, held_out)
            findings.add(*known[key], what=job.name)
            findings.add(*_other_versions(job, provenance, evidence, known), what=job.name)
            if (origin := judge_origin(job)).state == "unknown":
                raise NotCheckableError(clause(origin))


def _other_versions(
    job: JobEvidence, provenance: Provenance, evidence: Evidence, known: dict[tuple[object, ...], list[Finding]]
) -> list[Finding]:
    """Return the tested clips that a model, or one that it was made from, has seen in another encoding or at another level.

    Fingerprints are compared once for all models that have seen the same other audio and are tested on the same items.
    """
    index = evidence.corpus.index
    has_hash = index["audio_hash"].fillna("") != ""
    elsewhere = provenance.audio_elsewhere(index[has_hash])
    tested = index[has_hash & index["item"].isin(job.sides["test"])]
    if not len(elsewhere):
        return []
    chosen = job.chosen_clips(evidence.corpus.folder).get("test")
    tested = tested if chosen is None else tested[tested["clip"].isin(chosen)]
    if tested.empty:
        return []
    prints = None if provenance.fingerprints is None else provenance.fingerprints.of(elsewhere)
    key = elsewhere.tobytes(), None if prints is None else prints.tobytes(), job.sides["test"], chosen
    if key not in known:
        alike = provenance.other_versions(tested, elsewhere, evidence.corpus.folder)
        if isinstance(alike, str):
            raise NotCheckableError(alike)
        clips = tested["clip"][alike]
        known[key] = [OTHER_VERSION.fill(clips=quoted(set(clips)))] if len(clips) else []
    return known[key]


def _faults_of_seen(
    index: pd.DataFrame,
    seen: NDArray[np.uint64],
    trained: NDArray[np.uint64],
    sides: Mapping[str, Collection[str]],
    held_out: Collection[str],
) -> list[Finding]:
    """Return the faults of the lists of audio that a model has seen and was trained on; no item of `held_out` may occur."""
    index = index[index["audio_hash"].fillna("") != ""]
    hashes = short_hashes(index["audio_hash"])
    is_seen, has_trained = np.isin(hashes, seen), np.isin(hashes, trained)
    known = {*sides["training"], *sides["validation"]}
    faults: list[Finding] = []
    if len(leaked := index.loc[is_seen & index["item"].isin(sides["test"]), "clip"]):
        faults.append(SEEN.fill(clips=quoted(set(leaked))))
    if len(leaked := index.loc[has_trained & index["item"].isin(held_out), "clip"]):
        faults.append(TRAINED.fill(clips=quoted(set(leaked))))
    if len(missing := index.loc[~is_seen & index["item"].isin(known), "clip"]):
        faults.append(NOT_LISTED.fill(clips=quoted(set(missing))))
    return faults
