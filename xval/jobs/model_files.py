"""The files of a fold's model: the model, its description, the audio that it has seen."""

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore
from xval.jobs.job import Job
from xval.json_files import FORMAT_VERSION, write_json
from xval.saved_models.description import SEEN_AUDIO_NAME, read_seen_audio, short_hash
from xval.saved_models.initial import InitialModel
from xval.settings.schema import FRAME_KEYS, Settings

if TYPE_CHECKING:
    import keras


def save_model(
    model: "keras.Model",
    folder: Path,
    job: Job,
    store: FeatureStore,
    class_names: Sequence[str],
    initial: InitialModel | None = None,
) -> None:
    """Write model.keras, without the optimizer's state, and what its user needs to know beside it.

    Args:
        model: The fitted model.
        folder: Where to.
        job: What trained it.
        store: What it was trained on.
        class_names: What its outputs mean.
        initial: The model that it started from.

    Raises:
        OSError: The disk is full or not writable.
        CorpusError: The index of the corpus is damaged.
    """
    import keras

    keras.Model(model.input, model.output, name=model.name).save(folder / "model.keras")
    write_json(folder / "model.json", describe_model(job, store, class_names, initial), flushed=False)
    write_seen_audio(folder, seen_audio(job, store, [initial.path] if initial else []))


def describe_model(
    job: Job, store: FeatureStore, class_names: Sequence[str], initial: InitialModel | None = None
) -> dict[str, Any]:
    """Return the content of model.json; the arguments are those of `save_model`."""
    settings = job.settings
    training_items = sorted({*job.fold.training, *job.fold.validation})
    dataset = settings.dataset
    earlier = initial.seen.by_corpus if initial else {}
    seen_items = {corpus: sorted(items) for corpus, items in earlier.items()}
    seen_items[dataset] = sorted({*training_items, *seen_items.get(dataset, ())})
    return {
        "format_version": FORMAT_VERSION,
        "task_type": settings.task_type,
        "architecture": settings.architecture,
        "class_names": list(class_names),
        "target_names": list(store.target_names),
        **{name: getattr(settings, name) for name in FRAME_KEYS if settings.task.is_framewise},
        "feature_settings": settings.feature_settings().model_dump(mode="json"),
        "clip_samples": store.description.clip_samples,
        "is_custom": store.description.feature_settings is None,
        "example_s": _example_s(store, settings),
        "clip_average": settings.clip_average,
        "backend": settings.backend,
        "dataset": dataset,
        "instance": job.instance,
        "fold": job.fold.number,
        "repeat": job.repeat,
        "is_untested": job.refit is not None,
        "training_items_hash": blake2b(json.dumps(training_items).encode(), digest_size=8).hexdigest(),
        "seen_items": seen_items,
        **(initial.facts if initial else {}),
        "settings_hash": job.settings_hash,
        "code_hash": job.code_hash,
        "folds_hash": job.folds_hash,
    }


def seen_audio(job: Job, store: FeatureStore, earlier: Iterable[Path] = ()) -> NDArray[np.uint64] | None:
    """Return the hashes of the audio that a model has seen when its job is done.

    Args:
        job: What trained the model.
        store: What it was trained on; the index of its corpus lies above it.
        earlier: The saved models that it was made of.

    Returns:
        uint64 (n_clips,), sorted: the first 8 bytes of the audio hash of each clip that trained or validated, here or for an
        earlier model. None where they are not all known.

    Raises:
        CorpusError: The index of the corpus is damaged.
        ResultsError: So are the hashes of an earlier model.
    """
    from preprocessing.clips.index_file import read_audio_hashes

    by_item = read_audio_hashes(store.folder.parents[1])
    known = [read_seen_audio(path) for path in earlier]
    if by_item is None or any(each is None for each in known):
        return None
    items = (*job.fold.training, *job.fold.validation)
    here = np.array([short_hash(each) for item in items for each in by_item.get(item, ())], np.uint64)
    return np.unique(np.concatenate([here, *(each for each in known if each is not None)]))


def write_seen_audio(folder: Path, hashes: NDArray[np.uint64] | None) -> None:
    """Write seen_audio.npy; None: nothing is known, and nothing written.

    Raises:
        OSError: The disk is full or not writable.
    """
    if hashes is not None:
        np.save(folder / SEEN_AUDIO_NAME, hashes, allow_pickle=False)


def _example_s(store: FeatureStore, settings: Settings) -> float | None:
    """Return the length of the longest example that trains (s)."""
    features = settings.feature_settings()
    if store.description.feature_settings is None:
        return None
    if settings.task.is_framewise:
        return settings.sequence_frames * settings.label_frame_s
    if features.crop_s is not None or features.example_length_s is not None:
        return features.crop_s or features.example_length_s
    if features.features == "waveform" and features.clip_length_s is not None:
        return features.clip_length_s
    if store.description.clip_samples is not None:
        return store.description.clip_samples / features.sample_rate_hz
    return float((store.examples["end_s"] - store.examples["start_s"]).max())
