"""Find the clips that a model has seen: that trained it or chose its epoch, or did so for a model that it started from.

Comes in: clips with their audio hashes and items, and the members of a saved model. Goes out: a `Seen`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import counted, verb_of
from xval.models.saved.description import ModelDescription
from xval.models.saved.heard_audio import SEEN_AUDIO_NAME, read_audio_hashes
from xval.models.saved.seen import Heard
from xval.reuse.new_data.labelled_clips import LabelledClips

_N_SHOWN = 3


class Seen(NamedTuple):
    """Which clips a model, or any member of an ensemble, has seen.

    Attributes:
        by_audio: bool (n_clips,), identical audio was seen; None: the hashes of the seen audio are not known.
        by_item: bool (n_clips,), the item of the same corpus was seen.
        perhaps: Items with the name of a seen item of another corpus.
    """

    by_audio: NDArray[np.bool_] | None
    by_item: NDArray[np.bool_]
    perhaps: tuple[str, ...]

    @property
    def either(self) -> NDArray[np.bool_]:
        """Whether each clip was seen by audio or item, bool (n_clips,)."""
        return self.by_item if self.by_audio is None else self.by_audio | self.by_item

    @property
    def words(self) -> list[str]:
        """For each clip ``audio``, ``item``, ``no``, or ``unknown`` if audio cannot be compared."""
        rest = "unknown" if self.by_audio is None else "no"
        words = np.where(self.by_item, "item", rest)
        return [str(word) for word in (words if self.by_audio is None else np.where(self.by_audio, "audio", words))]

    def keep(self, kept: NDArray[np.bool_]) -> "Seen":
        """Return the same for some of the clips."""
        return Seen(None if self.by_audio is None else self.by_audio[kept], self.by_item[kept], self.perhaps)


def find_seen(clips: LabelledClips, members: Sequence[Path], descriptions: Sequence[ModelDescription]) -> Seen:
    """Compare hashed clips with the items and audio that a model has seen; seen_audio.npy lies beside each member."""
    matches = [
        Heard(
            {corpus: frozenset(items) for corpus, items in description.seen_items.items()},
            read_audio_hashes(member.with_name(SEEN_AUDIO_NAME)),
        ).find(clips.table, clips.corpus_names)
        for member, description in zip(members, descriptions, strict=True)
    ]
    by_audio = [member_matches.by_audio for member_matches in matches if member_matches.by_audio is not None]
    by_item = np.logical_or.reduce([member_matches.by_item for member_matches in matches])
    perhaps = np.logical_or.reduce([member_matches.perhaps for member_matches in matches]) & ~by_item
    return Seen(
        np.logical_or.reduce(by_audio) if len(by_audio) == len(matches) else None,
        by_item,
        tuple(sorted(set(clips.table["item"][perhaps]))),
    )


def describe_seen(clips: LabelledClips, seen: Seen, *, n_members: int, left_out: bool) -> list[str]:
    """Return warnings about seen clips, which are left out of the figures or make them too good."""
    lines = []
    n_seen = int(seen.either.sum())
    if n_seen:
        n_audio = 0 if seen.by_audio is None else int(seen.by_audio.sum())
        counts = {"audio": n_audio, "item": int(seen.by_item.sum())}
        ways = [f"{count} by their {way}" for way, count in counts.items() if count]
        examples = clips.table["clip"][seen.either].head(_N_SHOWN).tolist()
        shown = ", ".join(examples) + (", ..." if n_seen > len(examples) else "")
        model = "this model" if n_members == 1 else f"at least one of the {n_members} models"
        end = "excluded" if left_out else "the scores are optimistically biased. --leave-out-seen excludes them"
        lines.append(
            f"{n_seen} of {counted(len(clips), 'clip')} {verb_of(n_seen)} in the training data of {model} "
            f"({', '.join(ways)}; {shown}): {end}."
        )
    if seen.by_audio is None:
        lines.append("Cannot check whether the model was trained on these clips: seen_audio.npy is missing.")
    if seen.perhaps:
        shown = ", ".join(seen.perhaps[:_N_SHOWN]) + (", ..." if len(seen.perhaps) > _N_SHOWN else "")
        lines.append(
            f"{counted(len(seen.perhaps), 'item')} with the same name as a training item of the model ({shown}), perhaps the "
            "same."
        )
    return lines
