"""The rules that no audio is on two sides of a fold: by the hashes and stretches of the corpus, and by what models have seen.

Comes in: evidence. Goes out: findings. Augmented copies have a rule of their own.
"""

import numpy as np

from xval.audit.evidence import Evidence, NotCheckableError
from xval.audit.verdict import Findings, Rule, quoted
from xval.errors import ResultsError
from xval.folds.predefined import SIDES
from xval.folds.shared_audio import find_shared_audio
from xval.folds.split import Fold
from xval.saved_models.description import SEEN_AUDIO_NAME, TRAINED_AUDIO_NAME, read_audio_hashes
from xval.saved_models.seen import short_hashes

COPIES = "copies of one source clip"


def shared_faults(evidence: Evidence, *, copies: bool) -> list[str]:
    """Return the clips of each fold that share audio across its sides.

    Args:
        evidence: Of the experiment.
        copies: Return copies of one clip, or everything else that is shared.

    Raises:
        NotCheckableError: The corpus or the folds are missing.
    """
    index, folds = evidence.corpus.index, evidence.folds.plan.folds
    faults = []
    for what, group in find_shared_audio(index):
        if (what == COPIES) is not copies:
            continue
        for fold in folds:
            sides = _sides(fold)
            placed = group[group["item"].isin(sides)]
            by_side = placed.groupby(placed["item"].map(sides))["clip"].agg(sorted)
            if len(by_side) > 1:
                where = "; ".join(f"{side}: {quoted(set(clips))}" for side, clips in by_side.items())
                faults.append(f"fold {fold.number}: {what}: {where}")
    return faults


def _sides(fold: Fold) -> dict[str, str]:
    return {item: side for side in SIDES for item in getattr(fold, side)}


def _check_corpus(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        findings.faults += shared_faults(evidence, copies=False)
        hashes = evidence.corpus.index["audio_hash"].fillna("")
        without = evidence.corpus.index.loc[hashes == "", "clip"]
        if len(without):
            raise NotCheckableError(f"the corpus has no audio hash of clip {quoted(set(without))}")


def _check_seen(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            try:
                heard, trained = (read_audio_hashes(job.folder / name) for name in (SEEN_AUDIO_NAME, TRAINED_AUDIO_NAME))
            except ResultsError as error:
                findings.faults.append(f"{job.name}: {error}")
                continue
            if heard is None or trained is None:
                raise NotCheckableError(
                    f"no {SEEN_AUDIO_NAME} or {TRAINED_AUDIO_NAME} beside its model: the corpus, or a model that it was made "
                    "of, had no audio hashes"
                )
            index = evidence.corpus.index
            index = index[index["audio_hash"].fillna("") != ""]
            hashes, sides = short_hashes(index["audio_hash"]), job.sides
            is_seen, has_trained = np.isin(hashes, heard), np.isin(hashes, trained)
            leaked = index.loc[is_seen & index["item"].isin(sides["test"]), "clip"]
            if len(leaked):
                findings.faults.append(f"{job.name}: its model has seen the audio of the tested clip {quoted(set(leaked))}")
            leaked = index.loc[has_trained & index["item"].isin(sides["validation"]), "clip"]
            if len(leaked):
                findings.faults.append(
                    f"{job.name}: its model was trained on the audio of clip {quoted(set(leaked))}, which validates"
                )
            known = sides["training"] | sides["validation"]
            missing = index.loc[~is_seen & index["item"].isin(known), "clip"]
            if len(missing):
                findings.faults.append(
                    f"{job.name}: {SEEN_AUDIO_NAME} lacks clip {quoted(set(missing))}, which trained or validated"
                )


IDENTICAL_AUDIO = Rule(
    "identical audio",
    "no two clips of the corpus share audio, or a stretch of a file, across the sides of a fold",
    _check_corpus,
)
SEEN_AUDIO = Rule(
    "seen audio",
    "no model has heard a clip that its fold tests, or was trained on one that validates; what it heard is written beside it",
    _check_seen,
)
