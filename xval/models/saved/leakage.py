"""Has a model heard what a fold tests, or been trained on what the fold validates with?

Comes in: what a saved model has heard, a fold and the folder of its corpus. Goes out: a `Leakage`. One check serves the model
that a fold starts from and the models whose features it combines. Figures of what trained them would be too good, and those of
validation items would win the selection. That the same validation items chose its epoch is allowed, as in models of the same
folds.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from preprocessing.clips.fingerprints import find_alike, read_fingerprints, short_hashes
from preprocessing.corpus_folder import names_of
from xval.base.errors import counted, first_of, plural_of
from xval.folds.plan import Fold
from xval.models.saved.seen import Found, Heard, Seen, read_clips

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMED = 3
_MOST_LISTED = 20
_WHAT_TO_DO = (
    "Put {fold} in its path and give both experiments the same folds (num_folds, fold_strategy, fold_seed, fold_repeats, "
    "validation), so that each fold uses the model that was not trained on its test items; or use a model of other "
    "recordings."
)


State = Literal["clean", "leaked", "unknown"]


@dataclass(frozen=True)
class Leakage:
    """What is known of a model and a fold.

    Attributes:
        state: clean: it has neither heard what is tested nor been trained on what validates; leaked: it has; unknown: not all
            that it has heard is known.
        reason: For a person, to follow the name of the model; empty where it is clean.
    """

    state: State
    reason: str = ""


def judge(
    seen: Seen, fold: Fold, dataset: str, corpus_folder: Path, counted: Mapping[str, Collection[str]] = MappingProxyType({})
) -> Leakage:
    """Compare what a model has heard with the test and validation sides of a fold, by item, by audio and by fingerprint.

    corpus_folder is data/<dataset>, or what it was renamed to. `counted` are the clips that count, by side, of conditions on
    them; of a side that is missing all do.
    """
    import pandas as pd

    clips, perhaps = read_clips(corpus_folder), set[str]()
    others, lacking = heard_elsewhere(seen, clips), ""
    names = {dataset, *names_of(corpus_folder)}
    for name, verb, done_with, heard in (
        ("test", "tests", "has heard", seen.all),
        ("validation", "validates with", "was trained on", seen.training),
    ):
        items = getattr(fold, name)
        side = pd.DataFrame({"item": items, "clip": ""}) if clips is None else clips[clips["item"].isin(items)]
        if clips is not None and name in counted:
            side = side[side["clip"].isin(counted[name])]
        matches = (heard if clips is not None else Heard(heard.items, None)).find(side, names)
        heard_clips = _describe(side, matches)
        if heard_clips:
            return Leakage("leaked", f"{done_with} what fold {fold.number} {verb}: {heard_clips}. {_WHAT_TO_DO}")
        here = others if heard.audio is None else np.intersect1d(others, heard.audio)
        alike, reason = _clips_alike(side, seen, here, corpus_folder)
        lacking = lacking or reason
        if alike:
            known = f"{len(alike)} of its {len(side)} {plural_of('clip', len(side))} by their fingerprints, in another version"
            setting = "test_where" if name == "test" else "train_where"
            condition = f"{setting}='clip not in ({', '.join(map(json.dumps, alike[:_MOST_LISTED]))}"
            condition += ")'" if len(alike) <= _MOST_LISTED else ", ...)'"
            return Leakage(
                "leaked",
                f"{done_with} what fold {fold.number} {verb}: {known} ({first_of(alike, _MOST_NAMED)}). {_WHAT_TO_DO} If "
                f"they are different recordings that sound alike, exclude them: {condition}.",
            )
        perhaps |= set(side["item"][matches.perhaps])
    return _judge_unknown(seen, perhaps, lacking, has_hashes=clips is not None)


def known_again(side: "pd.DataFrame", seen: Seen, heard: NDArray[np.uint64], corpus_folder: Path) -> NDArray[np.bool_] | str:
    """Return which clips of a side were heard at another level, in another encoding or with noise, by their fingerprints.

    Args:
        side: Clips with the columns clip and audio_hash.
        seen: What the model has heard.
        heard: The `short_hashes` of the clips that it heard which count here.
        corpus_folder: data/<dataset>, with the fingerprints of the clips.

    Returns:
        bool (n_clips,); or why they cannot be compared.
    """
    if seen.fingerprints is None or (values := seen.fingerprints.of(heard)) is None:
        return "it has no fingerprints of its training clips (an earlier version made it, or its dataset has none)"
    of_corpus = read_fingerprints(corpus_folder)
    of_side = None if of_corpus is None else of_corpus.of(short_hashes(side["audio_hash"]))
    if of_side is None:
        return "the dataset of the fold has no fingerprints to compare (run xval prepare on it again)"
    return find_alike(of_side, values)


def heard_elsewhere(seen: Seen, clips: "pd.DataFrame | None") -> NDArray[np.uint64]:
    """Return the clips that a model has heard and that are not of this corpus: uint64 (n_clips,), `short_hashes`.

    Near-duplicates within a corpus are found when it is prepared.
    """
    if seen.all.audio is None or clips is None:
        return np.zeros(0, np.uint64)
    return np.setdiff1d(seen.all.audio, short_hashes(clips["audio_hash"]))


def _clips_alike(side: "pd.DataFrame", seen: Seen, heard: NDArray[np.uint64], corpus_folder: Path) -> tuple[list[str], str]:
    """Return which clips of a side are known again by their fingerprints, and why that cannot be told; either is empty."""
    if not len(heard) or side.empty:
        return [], ""
    alike = known_again(side, seen, heard, corpus_folder)
    return ([], alike) if isinstance(alike, str) else (side["clip"][alike].astype(str).tolist(), "")


def _describe(side: "pd.DataFrame", matches: Found) -> str:
    """Return which items and clips were heard; empty where none were."""
    parts = []
    if matches.by_item.any():
        parts.append(f"item {first_of(side['item'][matches.by_item].unique().tolist(), _MOST_NAMED)}")
    by_audio = matches.by_audio
    if by_audio is not None and by_audio.any():
        clips = first_of(side["clip"][by_audio].tolist(), _MOST_NAMED)
        parts.append(f"{int(by_audio.sum())} of its {counted(len(side), 'clip')} by their audio ({clips})")
    return " and ".join(parts)


def _judge_unknown(seen: Seen, perhaps: set[str], lacking: str, *, has_hashes: bool) -> Leakage:
    """Return the verdict on a model of which nothing is known against it."""
    if not seen.is_complete:
        reason = "the training data of it, or of a model that it was made from, are not fully known"
    elif seen.all.audio is None or seen.training.audio is None:
        reason = "seen_audio.npy or trained_audio.npy is missing next to it, so its audio cannot be compared"
    elif not has_hashes:
        reason = "the dataset of the fold has no audio hashes to compare"
    elif lacking:
        reason = lacking
    elif perhaps:
        reason = f"it was trained on items of another dataset with the same names ({first_of(sorted(perhaps), _MOST_NAMED)})"
    else:
        return Leakage("clean")
    return Leakage("unknown", reason)
