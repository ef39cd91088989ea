"""What is written beside the model of a fold: its description, and the audio that it has seen."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from preprocessing.annotations.labels import count_frame_samples
from preprocessing.clips.fingerprints import Fingerprints, join, read_fingerprints, short_hashes, to_array
from preprocessing.store import FeatureStore
from xval.base.errors import CorpusError
from xval.base.json_files import FORMAT_VERSION
from xval.jobs.job import Job
from xval.models.saved.embedder import foreign_embedder, own_embedder
from xval.models.saved.heard_audio import FINGERPRINTS_NAME, SEEN_AUDIO_NAME, TRAINED_AUDIO_NAME
from xval.models.saved.seen import Heard, Seen, read_clips, read_seen
from xval.settings.schema import FRAME_KEYS, Settings

if TYPE_CHECKING:
    from xval.data.fold import FoldData


def describe_model(job: Job, data: "FoldData", earlier: Sequence[Seen], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of model.json that models of all kinds have.

    `earlier` is what the saved models that it was made of have been trained on. The record has the names of its classes, of
    several labels their thresholds, and the weights of its network that come from elsewhere (None: not known).
    """
    store, fold, outside_weights = data.store, data.fold, record.get("outside_weights", ())
    settings = job.settings
    unknown = [foreign_embedder(settings.feature_settings())]
    if outside_weights is None:
        unknown.append(f"the network {settings.architecture}")
    elif outside_weights:
        unknown.append(f"the network {settings.architecture} ({outside_weights[0]} ...)")
    unknown += ["a model that it was made from"] if not all(seen.is_complete for seen in earlier) else []
    training_items = sorted({*fold.training, *fold.validation})
    return {
        "format_version": FORMAT_VERSION,
        "task_type": settings.task_type,
        "architecture": settings.architecture,
        "class_names": list(record["class_names"]),
        "target_names": list(store.target_names),
        **({"thresholds": dict(record["thresholds"])} if record.get("thresholds") else {}),
        **{name: getattr(settings, name) for name in FRAME_KEYS if settings.frames},
        "feature_settings": settings.feature_settings().model_dump(mode="json"),
        "clip_samples": store.description.clip_samples,
        **({"embedder": store.description.embedder.model_dump(mode="json")} if store.description.embedder else {}),
        "is_custom": store.description.feature_settings is None,
        "padding": _padding(store, settings),
        "example_s": _example_s(store, settings),
        "clip_average": settings.clip_average,
        "item_decision": settings.item_decision,
        "scaled_by_item": settings.scales_items,
        "enrolment_s": settings.enrolment_s if settings.scales_items else None,
        "backend": settings.backend,
        "dataset": settings.dataset,
        "instance": job.instance,
        "fold": fold.number,
        "repeat": job.repeat,
        "is_untested": job.refit is not None,
        "training_items_hash": blake2b(json.dumps(training_items).encode(), digest_size=8).hexdigest(),
        "seen_items": _join(settings.dataset, training_items, [seen.all for seen in earlier]),
        "trained_items": _join(settings.dataset, fold.training, [seen.training for seen in earlier]),
        "unknown_parts": [part for part in unknown if part is not None],
        "settings_hash": job.settings_hash,
        "code_hash": job.code_hash,
        "folds_hash": job.folds_hash,
    }


def seen_by_embedder(job: Job) -> list[Seen]:
    """Return what an embedder that xval has trained has been trained on, where one made the features of a job."""
    embedder = own_embedder(job.settings.feature_settings())
    return [read_seen(embedder)] if embedder else []


def write_seen_audio(folder: Path, data: "FoldData", earlier: Sequence[Seen] = ()) -> None:
    """Write seen_audio.npy and trained_audio.npy: uint64 (n_clips,), sorted; each only where all hashes are known.

    The first has the clips that trained or validated, here or for an earlier model, the second those that trained. The index of
    the corpus lies above the store. seen_fingerprints.npy has the fingerprints of the first, where all are known.
    """
    fold, corpus_folder = data.fold, data.store.folder.parents[1]
    clips = read_clips(corpus_folder)
    for name, items, before in (
        (SEEN_AUDIO_NAME, (*fold.training, *fold.validation), [heard.all.audio for heard in earlier]),
        (TRAINED_AUDIO_NAME, fold.training, [heard.training.audio for heard in earlier]),
    ):
        known = [heard for heard in before if heard is not None]
        if clips is not None and len(known) == len(before):
            hashes = short_hashes(clips["audio_hash"][clips["item"].isin(items)])
            np.save(folder / name, np.unique(np.concatenate([hashes, *known])), allow_pickle=False)
    made = None
    with suppress(CorpusError):  # damage of that file must not cost the work of the job
        made = read_fingerprints(corpus_folder)
    if clips is None or made is None:
        return
    hashes = np.unique(short_hashes(clips["audio_hash"][clips["item"].isin((*fold.training, *fold.validation))]))
    values = made.of(hashes)
    known_before = [seen.fingerprints for seen in earlier if seen.fingerprints is not None]
    if values is not None and len(known_before) == len(earlier):
        heard_prints = to_array(join([Fingerprints(hashes, values), *known_before]))
        np.save(folder / FINGERPRINTS_NAME, heard_prints, allow_pickle=False)


def _join(dataset: str, items: Iterable[str], earlier: Iterable[Heard]) -> dict[str, list[str]]:
    """Return the items of this corpus and those that earlier models have heard, by corpus."""
    joined = {dataset: set(items)}
    for heard in earlier:
        for corpus, known in heard.items.items():
            joined.setdefault(corpus, set()).update(known)
    return {corpus: sorted(known) for corpus, known in joined.items()}


def _padding(store: FeatureStore, settings: Settings) -> dict[str, Any]:
    """Return how clips come to one length."""
    features, description = settings.feature_settings(), store.description
    rate_hz = description.sample_rate_hz or features.sample_rate_hz
    length = settings.sequence_frames * count_frame_samples(settings.label_frame_s, rate_hz) if settings.frames else None
    from xval.models.saved.padding import describe_padding  # here, because it loads librosa

    return describe_padding(
        features.model_copy(update={"sample_rate_hz": rate_hz}),
        description.clip_samples,
        is_custom=description.feature_settings is None,
        n_sequence_samples=length,
    )


def _example_s(store: FeatureStore, settings: Settings) -> float | None:
    """Return the length of the longest example that trains (s)."""
    features = settings.feature_settings()
    if store.description.feature_settings is None:
        return None
    if settings.frames:
        return settings.sequence_frames * settings.label_frame_s
    if features.crop_s is not None or features.example_length_s is not None:
        return features.crop_s or features.example_length_s
    if features.features == "waveform" and features.clip_length_s is not None:
        return features.clip_length_s
    if store.description.clip_samples is not None:
        return store.description.clip_samples / (store.description.sample_rate_hz or features.sample_rate_hz)
    return float((store.examples["end_s"] - store.examples["start_s"]).max())
