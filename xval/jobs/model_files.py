"""The description of the model of a fold, model.json, and the hashes of its files."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preprocessing.annotations.labels import count_frame_samples
from preprocessing.store import FeatureStore
from xval.base.errors import ResultsError, join_words, verb_of
from xval.base.json_files import FORMAT_VERSION, read_json
from xval.base.operating_system import file_sha256
from xval.jobs.job import Job
from xval.models.saved.embedder import foreign_embedder, own_embedder
from xval.models.saved.provenance import Provenance, describe_training
from xval.results.folder import KERAS_NAME, MODEL_NAMES, find_model_file
from xval.settings.schema import FRAME_KEYS, Settings

if TYPE_CHECKING:
    from xval.data.fold import FoldData


def describe_model(job: Job, data: "FoldData", earlier: Sequence[Provenance], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of model.json that all kinds of models have.

    `earlier` has the provenance of the saved models that it was made from. The record has the names of its classes, thresholds
    for several labels, and the pretrained weights of its network (None: not known).
    """
    store, fold, outside_weights = data.store, data.fold, record.get("outside_weights", ())
    settings = job.settings
    unknown = [foreign_embedder(settings.feature_settings())]
    if outside_weights is None:
        unknown.append(f"the network {settings.architecture}")
    elif outside_weights:
        unknown.append(f"the network {settings.architecture} ({outside_weights[0]} ...)")
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
        **describe_training(fold, settings.dataset, earlier, [part for part in unknown if part is not None]),
        "settings_hash": job.settings_hash,
        "code_hash": job.code_hash,
        "folds_hash": job.folds_hash,
    }


def hash_model_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the model in the folder of a fold and of the networks that it reads, by their paths there."""
    model = find_model_file(folder)
    paths = [*([model] if model else []), *sorted(folder.glob(f"network_*/{KERAS_NAME}"))]
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}


def find_replaced(folder: Path, record: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the SHA-256 of each model file that differs from the one its job wrote, by path.

    None: the record has no hashes.
    """
    written = record.get("model_sha256")
    if not isinstance(written, Mapping):
        return None
    return {file: found for file, found in hash_model_files(folder).items() if found != written.get(file)}


def refuse_replaced(model: Path, setting: str = "") -> None:
    """Raise a ResultsError where a model in the folder of a fold is another one than the job of the fold wrote.

    A model whose folder has no record with hashes that can be read, as those of earlier versions, is accepted. `setting` is
    what names it.
    """
    record: Mapping[str, Any] = {}
    with suppress(ResultsError):  # which a model does not need
        record = read_json(model.with_name("record.json")) or {}
    if model.name not in MODEL_NAMES or not (changed := list(find_replaced(model.parent, record) or ())):
        return
    where = f"{setting}: {model.parent}" if setting else str(model.parent)
    raise ResultsError(
        f"{where}: {join_words(changed)} {verb_of(len(changed))} not the file that its job wrote (its SHA-256 differs "
        "from record.json), so the scores and model.json are those of another model. Restore the file, or run the job again "
        "(with --overwrite). To use the new model, copy it to another folder, with its own model.json."
    )


def seen_by_embedder(job: Job) -> list[Provenance]:
    """Return the provenance of the embedder that made the features of a job, if xval has trained it."""
    embedder = own_embedder(job.settings.feature_settings())
    return [Provenance(embedder)] if embedder else []


def _padding(store: FeatureStore, settings: Settings) -> dict[str, Any]:
    """Return the entry on padding or cutting clips to one length."""
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
    """Return the length of the longest training example (s)."""
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
