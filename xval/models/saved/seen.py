"""What a saved model has heard: items and audio that trained it or chose its epoch, or did so for a model that it was made of.

Comes in: the path of a saved model; clips with their items and audio hashes. Goes out: a `Seen`, which tells which of the clips
are among what the model has heard.

Audio is compared by `preprocessing.audio.read.audio_hash`, and by its fingerprint, whatever the corpus or the clip is called.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from preprocessing.clips.fingerprints import Fingerprints, short_hashes
from xval.base.json_files import JsonObject, read_json
from xval.models.saved.embedder import is_foreign
from xval.models.saved.heard_audio import (
    FINGERPRINTS_NAME,
    SEEN_AUDIO_NAME,
    TRAINED_AUDIO_NAME,
    read_audio_hashes,
    read_seen_fingerprints,
)
from xval.settings.architectures import may_load_weights

if TYPE_CHECKING:
    import pandas as pd


class Found(NamedTuple):
    """Which of some clips were heard.

    Attributes:
        by_item: bool (n_clips,), their item of the same corpus was heard.
        by_audio: bool (n_clips,), identical audio was heard; None: not known.
        perhaps: bool (n_clips,), an item of another corpus that has the same name was heard.
    """

    by_item: NDArray[np.bool_]
    by_audio: NDArray[np.bool_] | None
    perhaps: NDArray[np.bool_]


@dataclass(frozen=True)
class Heard:
    """Items and audio.

    Attributes:
        items: By the name of their corpus.
        audio: uint64 (n_clips,), the `short_hashes` of their clips; None: not known.
    """

    items: Mapping[str, frozenset[str]]
    audio: NDArray[np.uint64] | None

    def find(self, clips: "pd.DataFrame", corpora: Collection[str]) -> Found:
        """Return which clips were heard.

        Args:
            clips: With the columns item and, where audio is known, audio_hash.
            corpora: The names that their corpus has or had; empty where they are of none.
        """
        items = clips["item"].astype(str)
        own = [item for name, listed in self.items.items() if name in corpora for item in listed]
        others = [item for name, listed in self.items.items() if name not in corpora for item in listed]
        by_audio = None if self.audio is None else np.isin(short_hashes(clips["audio_hash"]), self.audio)
        by_item = items.isin(own).to_numpy()
        return Found(by_item, by_audio, items.isin(others).to_numpy() & ~by_item)


@dataclass(frozen=True)
class Seen:
    """What a model has heard.

    Attributes:
        all: What trained it or chose its epoch, or did so for a model that it started from.
        training: The part of it that trained.
        is_complete: The items are all: xval made this model, the one that it started from, and so on.
        fingerprints: Of all clips; None: not known.
    """

    all: Heard
    training: Heard
    is_complete: bool
    fingerprints: Fingerprints | None = None


def read_seen(model: Path) -> Seen:
    """Return what is known of a saved model by its .json file and the .npy files beside it; none need be there."""
    described = read_json(model.with_suffix(".json")) or {}
    everything, training = _items(described, "seen_items"), _items(described, "trained_items")
    return Seen(
        Heard(everything, read_audio_hashes(model.with_name(SEEN_AUDIO_NAME))),
        Heard(training, read_audio_hashes(model.with_name(TRAINED_AUDIO_NAME))),
        is_complete=bool(everything and training) and not parts_of_unknown_origin(described),
        fingerprints=read_seen_fingerprints(model.with_name(FINGERPRINTS_NAME)),
    )


def parts_of_unknown_origin(described: JsonObject) -> list[str]:
    """Return the parts of a model of which nothing says what trained them, by its model.json."""
    parts = [str(part) for part in described.get("unknown_parts") or ()]
    if described.get("initial_model_items") == "unknown":
        parts.append("its initial model")
    if "unknown_parts" not in described:  # an earlier version wrote it
        embedder = str((described.get("embedder") or {}).get("name", ""))
        parts += [embedder] if is_foreign(embedder) else []
        architecture = str(described.get("architecture") or "")
        parts += [f"the network {architecture}"] if architecture and may_load_weights(architecture) else []
    return parts


def read_clips(corpus_folder: Path) -> "pd.DataFrame | None":
    """Return item, clip and audio_hash of all clips of a corpus, augmented copies included; None without index or hashes.

    The index of data/<dataset> is read once for as long as it does not change; leave the table as it is.
    """
    from preprocessing.clips.index_file import INDEX_NAME

    path = corpus_folder / INDEX_NAME
    if not path.is_file():
        return None
    state = path.stat()
    return _read_clips(corpus_folder.resolve(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _read_clips(corpus_folder: Path, _changed_ns: int, _size: int) -> "pd.DataFrame | None":
    from preprocessing.clips.index_file import read_clip_hashes

    return read_clip_hashes(corpus_folder)


def _items(described: JsonObject, name: str) -> dict[str, frozenset[str]]:
    return {corpus: frozenset(items) for corpus, items in (described.get(name) or {}).items()}
