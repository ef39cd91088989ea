"""The rules that no audio is on two sides of a fold: by the hashes and stretches of the corpus, and by what models have seen.

Comes in: evidence. Goes out: findings. Augmented copies have a rule of their own.
"""

import numpy as np

from xval.audit.evidence import Evidence, NotCheckableError
from xval.audit.verdict import Findings, Rule, quoted
from xval.errors import ResultsError
from xval.folds.shared_audio import find_shared_audio
from xval.folds.split import SIDES, Fold
from xval.saved_models.description import SEEN_AUDIO_NAME, read_seen_audio, short_hash

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
                seen = read_seen_audio(job.model_path)
            except ResultsError as error:
                findings.faults.append(f"{job.name}: {error}")
                continue
            if seen is None:
                raise NotCheckableError(
                    f"no {SEEN_AUDIO_NAME} beside its model: the corpus, or a model that it was made of, had no audio hashes"
                )
            index = evidence.corpus.index
            index = index[index["audio_hash"].fillna("") != ""]
            is_seen = np.isin(np.array([short_hash(each) for each in index["audio_hash"]], np.uint64), seen)
            sides = job.sides
            leaked = index.loc[is_seen & index["item"].isin(sides["test"]), "clip"]
            if len(leaked):
                findings.faults.append(f"{job.name}: its model has seen the audio of the tested clip {quoted(set(leaked))}")
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
    "no model has seen the audio of a clip that its fold tests; what it has seen is written beside it",
    _check_seen,
)
