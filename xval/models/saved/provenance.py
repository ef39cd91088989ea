"""The training data of a saved model, and whether a fold tests them: the check for leakage from earlier models.

Items and audio count that trained a model or chose its epoch, including those of models that it was made from. Audio is
compared by `preprocessing.audio.read.audio_hash` and by fingerprint, regardless of the names of dataset and file. The items are
in model.json, the rest is in .npy files next to it.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from preprocessing.clips.fingerprints import (
    Fingerprints,
    find_alike,
    from_array,
    join,
    read_fingerprints,
    short_hashes,
    to_array,
)
from preprocessing.clips.index_file import INDEX_NAME, read_clip_hashes
from preprocessing.corpus_folder import names_of
from xval.base.errors import CorpusError, ResultsError, counted, first_of
from xval.base.json_files import JsonObject, read_json
from xval.folds.plan import Fold
from xval.models.saved.array_header import read_array
from xval.models.saved.embedder import is_foreign
from xval.settings.architectures import may_load_weights

if TYPE_CHECKING:
    import pandas as pd

    from xval.data.fold import FoldData

SEEN_AUDIO_NAME = "seen_audio.npy"
"""The file of hashes of the clips that trained a model or chose its epoch, including those of its earlier models."""
TRAINED_AUDIO_NAME = "trained_audio.npy"
"""The file of hashes of the training clips only."""
FINGERPRINTS_NAME = "seen_fingerprints.npy"
"""The file of fingerprints of the clips, which recognise them at another level, in another encoding and by another name."""

_MOST_NAMED = 3
_MOST_LISTED = 20
WHAT_TO_DO = (
    "Put {fold} in its path and give both experiments the same folds (num_folds, fold_strategy, fold_seed, fold_repeats, "
    "validation), so that each fold uses the model that was not trained on its test items; or use a model of other "
    "recordings."
)

State = Literal["clean", "leaked", "unknown"]


@dataclass(frozen=True)
class Leakage:
    """The leakage verdict on a model and a fold.

    Attributes:
        state: clean: it has not seen test data and was not trained on validation data; leaked: it has; unknown: its training
            data are not completely known.
        reason: The reason, as a text that follows the name of the model; empty if it is clean.
    """

    state: State
    reason: str = ""


class SeenClips(NamedTuple):
    """For some clips, whether a model has seen them.

    Attributes:
        by_item: bool (n_clips,), whether their item of the same dataset was seen.
        by_audio: bool (n_clips,), whether identical audio was seen; None: not known.
        perhaps: bool (n_clips,), whether an item of another dataset with the same name was seen.
    """

    by_item: NDArray[np.bool_]
    by_audio: NDArray[np.bool_] | None
    perhaps: NDArray[np.bool_]

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

    def keep(self, kept: NDArray[np.bool_]) -> "SeenClips":
        """Return the same for some of the clips."""
        return SeenClips(self.by_item[kept], None if self.by_audio is None else self.by_audio[kept], self.perhaps[kept])


@dataclass(frozen=True)
class Provenance:
    """The data that trained a saved model or chose its epoch, including those of models that it was made from.

    All of its files may be missing. Each is read at its first use; a damaged one raises a `ResultsError`.

    Attributes:
        model: The path of the model.
    """

    model: Path

    @cached_property
    def described(self) -> JsonObject:
        """The content of its model.json; empty if there is none."""
        return read_json(self.model.with_suffix(".json")) or {}

    @cached_property
    def items(self) -> dict[str, frozenset[str]]:
        """The items, by the name of their dataset."""
        return self._items("seen_items")

    @cached_property
    def trained_items(self) -> dict[str, frozenset[str]]:
        """The training items, by the name of their dataset."""
        return self._items("trained_items")

    @cached_property
    def audio(self) -> NDArray[np.uint64] | None:
        """The `short_hashes` of the clips, uint64 (n_clips,); None: not known."""
        return self._hashes(SEEN_AUDIO_NAME)

    @cached_property
    def trained_audio(self) -> NDArray[np.uint64] | None:
        """The `short_hashes` of the training clips, uint64 (n_clips,); None: not known."""
        return self._hashes(TRAINED_AUDIO_NAME)

    @cached_property
    def fingerprints(self) -> Fingerprints | None:
        """The fingerprints of the clips; None: not known."""
        path = self.model.with_name(FINGERPRINTS_NAME)
        array = read_array(path)
        try:
            return None if array is None else from_array(array)
        except ValueError as error:
            raise ResultsError(f"{path}: {error}.") from error

    @property
    def is_complete(self) -> bool:
        """Whether the items are complete: xval made this model, the one that it was made from, and so on."""
        return bool(self.items and self.trained_items) and not self.unknown_parts

    @property
    def unknown_parts(self) -> list[str]:
        """The parts of the model with unknown training data."""
        described = self.described
        parts = [str(part) for part in described.get("unknown_parts") or ()]
        if described.get("initial_model_items") == "unknown":
            parts.append("its initial model")
        if "unknown_parts" not in described:  # an earlier version wrote it
            embedder = str((described.get("embedder") or {}).get("name", ""))
            parts += [embedder] if is_foreign(embedder) else []
            architecture = str(described.get("architecture") or "")
            parts += [f"the network {architecture}"] if architecture and may_load_weights(architecture) else []
        return parts

    def find(self, clips: "pd.DataFrame", corpora: Collection[str], *, trained: bool = False) -> SeenClips:
        """Return the clips that the model has seen, or with `trained` was trained on.

        Args:
            clips: Table with the columns item and, if audio is known, audio_hash.
            corpora: Present and former names of their dataset; empty without dataset.
            trained: Compare only with training data.
        """
        listed, audio = (self.trained_items, self.trained_audio) if trained else (self.items, self.audio)
        items = clips["item"].astype(str)
        own = [item for name in listed if name in corpora for item in listed[name]]
        others = [item for name in listed if name not in corpora for item in listed[name]]
        by_audio = None
        if audio is not None and "audio_hash" in clips:
            by_audio = np.isin(short_hashes(clips["audio_hash"]), audio)
        by_item = items.isin(own).to_numpy()
        return SeenClips(by_item, by_audio, items.isin(others).to_numpy() & ~by_item)

    def verdict(
        self,
        fold: Fold,
        dataset: str,
        corpus_folder: Path,
        chosen: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> Leakage:
        """Compare the model with the test and validation sides of a fold, by item, by audio and by fingerprint.

        Test scores on its training data would be optimistic, and validation scores on them would win the selection. It is
        allowed that the same validation items chose its epoch, as in models of the same folds.

        Args:
            fold: The fold.
            dataset: The name of its dataset.
            corpus_folder: data/<dataset>, or what it was renamed to.
            chosen: The clips that conditions choose, by side; all clips of a side that is missing.
        """
        import pandas as pd

        _ = self.fingerprints  # damage is named before anything is trained
        clips, perhaps = read_clips(corpus_folder), set[str]()
        others, lacking = self.audio_elsewhere(clips), ""
        names = {dataset, *names_of(corpus_folder)}
        for name, verb, done_with in (("test", "tests", "has seen"), ("validation", "validates with", "was trained on")):
            items, trained = getattr(fold, name), name == "validation"
            side = pd.DataFrame({"item": items, "clip": ""}) if clips is None else clips[clips["item"].isin(items)]
            if clips is not None and name in chosen:
                side = side[side["clip"].isin(chosen[name])]
            matches = self.find(side, names, trained=trained)
            leaked = _describe(side, matches)
            if not leaked:
                audio = self.trained_audio if trained else self.audio
                here = others if audio is None else np.intersect1d(others, audio)
                alike, reason = self._clips_alike(side, here, corpus_folder)
                leaked, lacking = _describe_alike(alike, side, name), lacking or reason
            if leaked:
                return Leakage("leaked", f"{done_with} what fold {fold.number} {verb}: {leaked}")
            perhaps |= set(side["item"][matches.perhaps])
        reason = self._what_is_unknown(perhaps, lacking, has_hashes=clips is not None)
        return Leakage("unknown", reason) if reason else Leakage("clean")

    def audio_elsewhere(self, clips: "pd.DataFrame | None") -> NDArray[np.uint64]:
        """Return the `short_hashes` of the clips of other datasets that the model has seen: uint64 (n_clips,).

        Near-duplicates within a dataset are found when it is prepared.
        """
        if self.audio is None or clips is None:
            return np.zeros(0, np.uint64)
        return np.setdiff1d(self.audio, short_hashes(clips["audio_hash"]))

    def other_versions(self, side: "pd.DataFrame", audio: NDArray[np.uint64], corpus_folder: Path) -> NDArray[np.bool_] | str:
        """Return the clips of a side that were seen at another level, in another encoding or with noise, by fingerprint.

        Args:
            side: Clips with the columns clip and audio_hash.
            audio: The `short_hashes` of the seen clips to compare with.
            corpus_folder: data/<dataset>, with the fingerprints of the clips.

        Returns:
            bool (n_clips,); or why they cannot be compared.
        """
        if self.fingerprints is None or (values := self.fingerprints.of(audio)) is None:
            return "it has no fingerprints of its training clips (an earlier version made it, or its dataset has none)"
        corpus_prints = read_fingerprints(corpus_folder)
        side_prints = None if corpus_prints is None else corpus_prints.of(short_hashes(side["audio_hash"]))
        if side_prints is None:
            return "the dataset of the fold has no fingerprints to compare (run xval prepare on it again)"
        return find_alike(side_prints, values)

    def _clips_alike(self, side: "pd.DataFrame", audio: NDArray[np.uint64], corpus_folder: Path) -> tuple[list[str], str]:
        """Return which clips of a side are other versions of seen ones, and why that cannot be told; either is empty."""
        if not len(audio) or side.empty:
            return [], ""
        alike = self.other_versions(side, audio, corpus_folder)
        return ([], alike) if isinstance(alike, str) else (side["clip"][alike].astype(str).tolist(), "")

    def _what_is_unknown(self, perhaps: Collection[str], lacking: str, *, has_hashes: bool) -> str:
        """Return why a model without known leakage may still have leaked; empty: it has not."""
        if not self.is_complete:
            return "the training data of it, or of a model that it was made from, are not fully known"
        if self.audio is None or self.trained_audio is None:
            return "seen_audio.npy or trained_audio.npy is missing next to it, so its audio cannot be compared"
        if not has_hashes:
            return "the dataset of the fold has no audio hashes to compare"
        if perhaps and not lacking:
            return f"it was trained on items of another dataset with the same names ({first_of(sorted(perhaps), _MOST_NAMED)})"
        return lacking

    def _items(self, name: str) -> dict[str, frozenset[str]]:
        return {corpus: frozenset(items) for corpus, items in (self.described.get(name) or {}).items()}

    def _hashes(self, name: str) -> NDArray[np.uint64] | None:
        path = self.model.with_name(name)
        hashes = read_array(path)
        if hashes is not None and (hashes.dtype != np.uint64 or hashes.ndim != 1):
            raise ResultsError(f"{path}: holds {hashes.dtype} {hashes.shape}; expected uint64 (n_clips,).")
        return hashes


def find_seen(models: Sequence[Path], clips: "pd.DataFrame", corpora: Collection[str]) -> SeenClips:
    """Return the clips that any of some models has seen, see `Provenance.find`; by audio only if that of all is known."""
    matches = [Provenance(model).find(clips, corpora) for model in models]
    by_audio = [model_match.by_audio for model_match in matches if model_match.by_audio is not None]
    by_item = np.logical_or.reduce([model_match.by_item for model_match in matches])
    perhaps = np.logical_or.reduce([model_match.perhaps for model_match in matches]) & ~by_item
    return SeenClips(by_item, np.logical_or.reduce(by_audio) if len(by_audio) == len(matches) else None, perhaps)


def describe_training(
    fold: Fold, dataset: str, earlier: Sequence[Provenance], unknown_parts: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the entries of model.json on the training data of a model.

    Args:
        fold: The fold on which it was trained.
        dataset: The name of its dataset.
        earlier: The provenance of the saved models that it was made from.
        unknown_parts: Its parts with unknown training data.
    """
    is_known = all(provenance.is_complete for provenance in earlier)
    return {
        "seen_items": _join(dataset, (*fold.training, *fold.validation), [provenance.items for provenance in earlier]),
        "trained_items": _join(dataset, fold.training, [provenance.trained_items for provenance in earlier]),
        "unknown_parts": [*unknown_parts, *([] if is_known else ["a model that it was made from"])],
    }


def write_seen_audio(folder: Path, data: "FoldData", earlier: Sequence[Provenance] = ()) -> None:
    """Write the .npy files of a model that was trained on a fold into its folder, each only if it is completely known.

    seen_audio.npy and trained_audio.npy are sorted, uint64 (n_clips,). The index of the dataset is above the feature store.
    """
    fold, corpus_folder = data.fold, data.store.folder.parents[1]
    clips = read_clips(corpus_folder)
    fingerprints = None
    with suppress(CorpusError):  # damage of that file must not cost the work of the job
        fingerprints = read_fingerprints(corpus_folder)
    if clips is None:
        return
    items_by_part = {
        SEEN_AUDIO_NAME: ((*fold.training, *fold.validation), [provenance.audio for provenance in earlier]),
        TRAINED_AUDIO_NAME: (fold.training, [provenance.trained_audio for provenance in earlier]),
    }
    hashes = {name: short_hashes(clips["audio_hash"][clips["item"].isin(items)]) for name, (items, _) in items_by_part.items()}
    for name, (_, audio_before) in items_by_part.items():
        known = [audio for audio in audio_before if audio is not None]
        if len(known) == len(audio_before):
            np.save(folder / name, np.unique(np.concatenate([hashes[name], *known])), allow_pickle=False)
    seen = np.unique(hashes[SEEN_AUDIO_NAME])
    values = None if fingerprints is None else fingerprints.of(seen)
    known_before = [provenance.fingerprints for provenance in earlier if provenance.fingerprints is not None]
    if values is not None and len(known_before) == len(earlier):
        joined = join([Fingerprints(seen, values), *known_before])
        np.save(folder / FINGERPRINTS_NAME, to_array(joined), allow_pickle=False)


def read_clips(corpus_folder: Path) -> "pd.DataFrame | None":
    """Return item, clip and audio_hash of all clips of a dataset, including augmented copies; None without index or hashes.

    The index of data/<dataset> is only read again if it changes; do not modify the table.
    """
    path = corpus_folder / INDEX_NAME
    if not path.is_file():
        return None
    state = path.stat()
    return _read_clips(corpus_folder.resolve(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _read_clips(corpus_folder: Path, _changed_ns: int, _size: int) -> "pd.DataFrame | None":
    return read_clip_hashes(corpus_folder)


def _join(dataset: str, items: Iterable[str], earlier: Iterable[Mapping[str, Iterable[str]]]) -> dict[str, list[str]]:
    """Return items of a dataset and those of earlier models, by dataset."""
    joined = {dataset: set(items)}
    for earlier_items in earlier:
        for corpus, known in earlier_items.items():
            joined.setdefault(corpus, set()).update(known)
    return {corpus: sorted(known) for corpus, known in joined.items()}


def _describe(side: "pd.DataFrame", matches: SeenClips) -> str:
    """Return a text on the seen items and clips with advice; empty if there are none."""
    parts = []
    if matches.by_item.any():
        parts.append(f"item {first_of(side['item'][matches.by_item].unique().tolist(), _MOST_NAMED)}")
    by_audio = matches.by_audio
    if by_audio is not None and by_audio.any():
        clips = first_of(side["clip"][by_audio].tolist(), _MOST_NAMED)
        parts.append(f"{int(by_audio.sum())} of its {counted(len(side), 'clip')} by their audio ({clips})")
    return f"{' and '.join(parts)}. {WHAT_TO_DO}" if parts else ""


def _describe_alike(alike: Sequence[str], side: "pd.DataFrame", name: str) -> str:
    """Return a text on test or validation clips that are other versions of seen ones, with advice; empty: none."""
    if not alike:
        return ""
    known = f"{len(alike)} of its {counted(len(side), 'clip')} by their fingerprints, in another version"
    listed = ", ".join(map(json.dumps, alike[:_MOST_LISTED])) + ", ..." * (len(alike) > _MOST_LISTED)
    condition = f"{'test_where' if name == 'test' else 'train_where'}='clip not in ({listed})'"
    return (
        f"{known} ({first_of(alike, _MOST_NAMED)}). {WHAT_TO_DO} If they are different recordings that sound alike, exclude "
        f"them: {condition}."
    )
