"""Make the feature store of a dataset: decode every clip, extract its features, write them item by item.

It is in data/<dataset>/features/<key>, and made only if it is not there.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from preprocessing.audio.read import decode, resample
from preprocessing.clips.label_sets import MULTI_LABEL, multi_hot
from preprocessing.corpus import CUSTOM, Corpus
from preprocessing.embeddings.compute import Work, embed_clips
from preprocessing.embeddings.embedder import EmbedderFacts, at_its_rate, identify
from preprocessing.embeddings.examples import Pieces, cut_pieces
from preprocessing.features.extract import FEATURES_VERSION, check_settings
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.voice import detector_version
from preprocessing.features.windows import ClipExamples, clip_samples, make_examples
from preprocessing.parallel import Progress, map_in_processes
from preprocessing.store import FeatureStore, open_store
from preprocessing.store.layout import LEFT_OUT_NAME
from preprocessing.store.writer import Example, StoreWriter
from xval.base.csv_text import read_csv
from xval.base.errors import AudioError, CorpusError

if TYPE_CHECKING:
    import pandas as pd


_KEY_VERSION = 2  # of what is hashed for the name of a store's folder, by which results name their store


class _Clip(NamedTuple):
    """A row of the index; the fields but the last are its columns."""

    clip: str
    path: str
    item: str
    start_s: float
    end_s: float
    augmented: bool
    audio_hash: str
    targets: tuple[Any, ...]


def store_folder(corpus: Corpus, settings: FeatureSettings) -> Path:
    """Return where the features of a corpus with these settings are, or would be.

    Args:
        corpus: The opened corpus.
        settings: What the features are; they do not matter to a custom corpus, which has one store.

    Returns:
        data/<dataset>/features/<key>; the key is a hash of settings, index and format versions, or ``custom``. Of an embedder
        its weights count, not its name; of a detector of voice its version counts, too.
    """
    if corpus.is_custom:
        return corpus.folder / "features" / CUSTOM
    made_of: list[Any] = [_KEY_VERSION, FEATURES_VERSION, corpus.index_hash, settings.stored()]
    if settings.features == "embedding":
        identity = identify(settings)
        stored = at_its_rate(settings, identity).stored()
        made_of[-1:] = [{name: value for name, value in stored.items() if name != "embedding_model"}, identity.hash]
    if settings.vad != "none":
        made_of.append(detector_version())
    return corpus.folder / "features" / hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def make_store(
    corpus: Corpus, settings: FeatureSettings, *, n_processes: int = 1, progress: Progress | None = None
) -> tuple[FeatureStore, "pd.DataFrame"]:
    """Open the feature store of a corpus with these settings, and make it first where it is not there.

    A complete store is never touched. A clip that cannot be read any more is left out; examples come in the order of
    the index, and their numbers do not depend on ``n_processes``.

    Args:
        corpus: The opened corpus.
        settings: What to compute.
        n_processes: Processes that decode audio and extract features.
        progress: Told how many clips are done.

    Returns:
        The store, and the clips left out (path, item, reason), which are in its left_out.csv too.
    """
    folder = store_folder(corpus, settings)
    if not corpus.is_custom and not folder.exists():
        _build(folder, corpus, settings, n_processes, progress)
    store = open_store(folder)
    if store.description.index_hash != corpus.index_hash:
        raise CorpusError(
            f"{folder}: the feature store was not made from {corpus.folder / 'corpus.parquet'}: it was interrupted, or one "
            "of the two was copied. Run the script that writes it with preprocessing.store.write again."
        )
    return store, _read_left_out(folder)


def _differences(corpus: Corpus, settings: FeatureSettings) -> list[str]:
    """Return how settings differ from those of the nearest prepared features; empty: there are none."""
    prepared = []
    for path in sorted((corpus.folder / "features").glob("[!.]*")):
        with suppress(CorpusError, OSError):
            description = open_store(path).description
            if description.index_hash == corpus.index_hash and description.feature_settings is not None:
                prepared.append(description.feature_settings)
    now = settings.stored()
    texts = [
        [f"{name} was {before.get(name)}, now {value}" for name, value in now.items() if before.get(name) != value]
        for before in prepared
    ]
    return min(texts, key=len, default=[])


def _build(folder: Path, corpus: Corpus, settings: FeatureSettings, n_processes: int, progress: Progress | None) -> None:
    """Write the store, unless another process does so while this one waits for its turn."""
    check_settings(settings)
    work, parts = Work(), folder.parent / f".{folder.name}.parts"
    is_embedding = settings.features == "embedding"
    if is_embedding:
        settings = at_its_rate(settings, identify(settings))
    if not corpus.audio_folder.is_dir():
        differing = _differences(corpus, settings)
        other = f", and the features that are prepared have other settings ({'; '.join(differing)})" if differing else ""
        fix = "Give these settings as before, in config.ini or the script. " if differing else ""
        raise CorpusError(
            f"{corpus.audio_folder}: the audio of dataset '{corpus.dataset}' is no longer there{other}. {fix}If the audio was "
            "moved, run xval prepare again with its new folder."
        )
    original = corpus.index.loc[~corpus.index["augmented"]]
    length = clip_samples(settings, float(original["duration_s"].max()))
    with StoreWriter(
        folder,
        task_type=corpus.task_type,
        class_names=corpus.class_names,
        feature_settings=settings,
        clip_samples=length,
        target_names=corpus.target_names,
        is_waveform=settings.features == "waveform",
        annotations=corpus.annotations() if corpus.task_type == "frame_classification" else None,
    ) as writer:
        if not folder.exists():
            columns = [corpus.index[column].tolist() for column in _Clip._fields[:-1]]
            targets = zip(*(corpus.index[column].tolist() for column in corpus.target_columns.values()), strict=True)
            clips = [_Clip(*row) for row in zip(*columns, targets, strict=True)]
            made: Generator[ClipExamples | str, None, None]
            if is_embedding:
                read = partial(_cut_clip, audio_folder=corpus.audio_folder, settings=settings)
                durations_s = corpus.index["duration_s"].tolist()
                shared: dict[str, Any] = {"n_processes": n_processes, "progress": progress}
                made = embed_clips(clips, durations_s, read, settings, length, parts, work, **shared)
            else:
                extract = partial(_extract_clip, audio_folder=corpus.audio_folder, settings=settings, n_samples=length)
                made = map_in_processes(extract, clips, n_processes=n_processes, progress=progress)
            with closing(made) as outcomes:
                _append_all(writer, clips, outcomes, _target_finder(corpus))
            embedder = _describe_embedder(settings, writer, work) if is_embedding else None
            writer.publish(index_hash=corpus.index_hash, embedder=embedder)
    shutil.rmtree(parts, ignore_errors=True)


def _target_finder(corpus: Corpus) -> Callable[[_Clip], Any]:
    """Return what gives the target of a clip in the form that its task has in a store."""
    codes = {name: code for code, name in enumerate(corpus.class_names)}
    finders: dict[str, Callable[[_Clip], Any]] = {
        "classification": lambda clip: codes[clip.targets[0]],
        MULTI_LABEL: lambda clip: multi_hot(clip.targets, corpus.class_names)[0],
        "regression": lambda clip: clip.targets,
    }
    return finders.get(corpus.task_type, lambda _: 0)


def _append_all(
    writer: StoreWriter,
    clips: Sequence[_Clip],
    outcomes: Iterable[ClipExamples | str],
    find_target: Callable[[_Clip], Any],
) -> None:
    """Append the examples of every clip, or note why it is left out."""
    written: set[str] = set()
    failures: dict[str, str] = {}
    for clip, outcome in zip(clips, outcomes, strict=True):
        if isinstance(outcome, str):
            writer.leave_out(clip.path, clip.item, outcome)
            if not clip.augmented:
                failures.setdefault(clip.item, f"{clip.path}: {outcome}")
            continue
        offset_s = 0.0 if math.isnan(clip.start_s) else clip.start_s
        examples = [
            Example(clip.clip, offset_s + start_s, offset_s + end_s, clip.augmented)
            for start_s, end_s in zip(outcome.start_s, outcome.end_s, strict=True)
        ]
        writer.append(clip.item, outcome.predictors, [find_target(clip)] * len(examples), examples)
        if not clip.augmented:
            written.add(clip.item)
    lost = sorted(failures.keys() - written)
    if lost:
        raise CorpusError(
            f"No clip is left of {', '.join(lost[:5])} ({len(lost)} of {len(written) + len(lost)} items). "
            f"{failures[lost[0]]} If files have changed since the dataset was prepared, run xval prepare again. "
            "If they do not suit these features, change the features, or remove the files from the dataset first."
        )


def _extract_clip(clip: _Clip, *, audio_folder: Path, settings: FeatureSettings, n_samples: int | None) -> ClipExamples | str:
    """Return the examples of a clip, or the reason why it cannot be used."""
    samples = _read_samples(clip, audio_folder, settings)
    if isinstance(samples, str):
        return samples
    # Overflow shows in the values.
    with np.errstate(over="ignore", invalid="ignore"):
        examples = make_examples(samples, settings, n_samples)
    if not np.isfinite(examples.predictors).all():
        return f"the features overflow, because samples reach {np.abs(samples).max():g} (full scale is 1)."
    return examples


def _cut_clip(clip: _Clip, *, audio_folder: Path, settings: FeatureSettings) -> Pieces | str:
    """Return what of a clip is embedded, or the reason why it cannot be used."""
    samples = _read_samples(clip, audio_folder, settings)
    return samples if isinstance(samples, str) else cut_pieces(samples, settings)


def _read_samples(clip: _Clip, audio_folder: Path, settings: FeatureSettings) -> NDArray[np.float32] | str:
    """Return the samples of a clip at the settings' rate, or the reason why they cannot be read."""
    path = audio_folder / clip.path
    try:
        return read_clip(path, clip.start_s, clip.end_s, clip.audio_hash, settings)
    except AudioError as error:
        return str(error).removeprefix(f"{path}: ")


def read_clip(path: Path, start_s: float, end_s: float, audio_hash: str, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the samples of a clip of an index, float32 (n_samples,), at the rate of the settings.

    Args:
        path: Of its file.
        start_s: As in the index: NaN for the beginning of the file.
        end_s: NaN for its end.
        audio_hash: Of the index.
        settings: They have the rate and the channel.

    Raises:
        AudioError: The clip cannot be read.
    """
    start, end = (None if math.isnan(value) else value for value in (start_s, end_s))
    decoded = decode(path, start_s=start, end_s=end, channel=settings.channel_number, with_hash=True)
    if decoded.audio_hash != audio_hash:
        raise CorpusError(f"{path}: the audio has changed since the dataset was prepared. Run xval prepare again.")
    with np.errstate(over="ignore", invalid="ignore"):
        return resample(decoded.samples, decoded.sample_rate_hz, settings.sample_rate_hz)


def _describe_embedder(settings: FeatureSettings, writer: StoreWriter, work: Work) -> EmbedderFacts:
    return EmbedderFacts(
        name=settings.embedding_model or "",
        hash=identify(settings).hash,
        sample_rate_hz=settings.sample_rate_hz,
        n_layers=work.n_layers,
        n_values=writer.example_shape[-1] // work.n_layers,
        device=work.device,
        seconds_per_hour=work.seconds_per_hour,
    )


def _read_left_out(folder: Path) -> "pd.DataFrame":
    path = folder / LEFT_OUT_NAME
    try:
        return read_csv(path)
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{path}: missing or damaged ({error}). Delete the folder {folder}; the next run makes it again."
        ) from error
