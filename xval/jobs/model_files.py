"""The files of a fold's model: the model, its description, the audio that it has heard."""

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
from xval.base.json_files import FORMAT_VERSION, write_json
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.models.saved.embedder import foreign_embedder, own_embedder
from xval.models.saved.heard_audio import FINGERPRINTS_NAME, SEEN_AUDIO_NAME, TRAINED_AUDIO_NAME
from xval.models.saved.initial import InitialModel
from xval.models.saved.novelty import Novelty
from xval.models.saved.seen import Heard, Seen, read_clips, read_seen
from xval.results.folder import KERAS_NAME
from xval.settings.schema import FRAME_KEYS, Settings

if TYPE_CHECKING:
    import keras

Thresholds = Mapping[str, float]
"""By label."""


def save_model(
    model: "keras.Model",
    folder: Path,
    job: Job,
    store: FeatureStore,
    class_names: Sequence[str],
    initial: InitialModel | None = None,
    thresholds: Thresholds | None = None,
    outside_weights: Sequence[str] | None = (),
    novelty: Novelty | None = None,
    observers: Observers | None = None,
) -> None:
    """Write model.keras, without the optimizer's state, and what its user needs to know beside it.

    The class names say what its outputs mean; `initial` is the model that it started from, `outside_weights` are those that its
    build() has from elsewhere, `novelty` says how far an input lies from what it was trained on. `observers` hear where one
    of the files beside it cannot be written.
    """
    import keras

    observers = observers or Observers()
    keras.Model(model.input, model.output, name=model.name).save(folder / KERAS_NAME)
    earlier = [initial.seen] if initial else []
    embedder = own_embedder(job.settings.feature_settings())
    earlier += [read_seen(embedder)] if embedder else []
    described = describe_model(job, store, class_names, earlier, thresholds, outside_weights)
    described |= initial.facts if initial else {}
    described |= (observers.by_product("novelty", lambda: novelty.write(folder)) if novelty else None) or {}
    write_json(folder / "model.json", described, flushed=False)
    observers.by_product("seen audio", lambda: write_heard_audio(folder, job, store, earlier))


def describe_model(
    job: Job,
    store: FeatureStore,
    class_names: Sequence[str],
    earlier: Sequence[Seen] = (),
    thresholds: Thresholds | None = None,
    outside_weights: Sequence[str] | None = (),
) -> dict[str, Any]:
    """Return the content of model.json.

    `earlier` is what the saved models have heard that it was made of, `thresholds` from which probability on each label is
    predicted, where a clip may have several, `outside_weights` those of its network that come from elsewhere (None: not known).
    """
    settings = job.settings
    unknown = [foreign_embedder(settings.feature_settings())]
    if outside_weights is None:
        unknown.append(f"the network {settings.architecture}")
    elif outside_weights:
        unknown.append(f"the network {settings.architecture} ({outside_weights[0]} ...)")
    unknown += ["a model that it was made from"] if not all(seen.is_complete for seen in earlier) else []
    training_items = sorted({*job.fold.training, *job.fold.validation})
    return {
        "format_version": FORMAT_VERSION,
        "task_type": settings.task_type,
        "architecture": settings.architecture,
        "class_names": list(class_names),
        "target_names": list(store.target_names),
        **({"thresholds": dict(thresholds)} if thresholds else {}),
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
        "fold": job.fold.number,
        "repeat": job.repeat,
        "is_untested": job.refit is not None,
        "training_items_hash": blake2b(json.dumps(training_items).encode(), digest_size=8).hexdigest(),
        "seen_items": _join(settings.dataset, training_items, [seen.all for seen in earlier]),
        "trained_items": _join(settings.dataset, job.fold.training, [seen.training for seen in earlier]),
        "unknown_parts": [part for part in unknown if part is not None],
        "settings_hash": job.settings_hash,
        "code_hash": job.code_hash,
        "folds_hash": job.folds_hash,
    }


def write_heard_audio(folder: Path, job: Job, store: FeatureStore, earlier: Sequence[Seen] = ()) -> None:
    """Write seen_audio.npy and trained_audio.npy: uint64 (n_clips,), sorted; each only where all hashes are known.

    The first has the clips that trained or validated, here or for an earlier model, the second those that trained. The index of
    the corpus lies above the store. seen_fingerprints.npy has the fingerprints of the first, where all are known.
    """
    corpus_folder = store.folder.parents[1]
    clips = read_clips(corpus_folder)
    for name, items, before in (
        (SEEN_AUDIO_NAME, (*job.fold.training, *job.fold.validation), [heard.all.audio for heard in earlier]),
        (TRAINED_AUDIO_NAME, job.fold.training, [heard.training.audio for heard in earlier]),
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
    hashes = np.unique(short_hashes(clips["audio_hash"][clips["item"].isin((*job.fold.training, *job.fold.validation))]))
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
