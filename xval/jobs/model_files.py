"""The files of a fold's model: the model, its description, the audio that trained it."""

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preprocessing.annotations.labels import count_frame_samples
from preprocessing.store import FeatureStore
from xval.base.json_files import FORMAT_VERSION, write_json
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.models.saved.embedder import foreign_embedder, own_embedder
from xval.models.saved.initial import InitialModel
from xval.models.saved.novelty import Novelty
from xval.models.saved.provenance import Provenance, describe_training, write_seen_audio
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
    earlier = [initial.provenance] if initial else []
    embedder = own_embedder(job.settings.feature_settings())
    earlier += [Provenance(embedder)] if embedder else []
    described = describe_model(job, store, class_names, earlier, thresholds, outside_weights)
    described |= initial.facts if initial else {}
    described |= (observers.by_product("novelty", lambda: novelty.write(folder)) if novelty else None) or {}
    write_json(folder / "model.json", described, flushed=False)
    observers.by_product("seen audio", lambda: write_seen_audio(folder, job.fold, store.folder.parents[1], earlier))


def describe_model(
    job: Job,
    store: FeatureStore,
    class_names: Sequence[str],
    earlier: Sequence[Provenance] = (),
    thresholds: Thresholds | None = None,
    outside_weights: Sequence[str] | None = (),
) -> dict[str, Any]:
    """Return the content of model.json.

    `earlier` is what trained the saved models that it was made from, `thresholds` from which probability on each label is
    predicted, where a clip may have several, `outside_weights` those of its network that come from elsewhere (None: not known).
    """
    settings = job.settings
    unknown = [foreign_embedder(settings.feature_settings())]
    if outside_weights is None:
        unknown.append(f"the network {settings.architecture}")
    elif outside_weights:
        unknown.append(f"the network {settings.architecture} ({outside_weights[0]} ...)")
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
        **describe_training(job.fold, settings.dataset, earlier, [part for part in unknown if part is not None]),
        "settings_hash": job.settings_hash,
        "code_hash": job.code_hash,
        "folds_hash": job.folds_hash,
    }


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
