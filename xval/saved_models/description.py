"""What the user of a saved model needs to know: model.json beside model.keras, and the audio that the model has seen.

Comes in: a job and its feature store, or the path of a saved model. Goes out: the content of model.json, or a checked
`ModelDescription`; seen_audio.npy, the hashes of the clips that trained or validated.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from preprocessing.features.settings import FeatureSettings
from preprocessing.store import FeatureStore
from xval.errors import ResultsError
from xval.jobs.plan import Job
from xval.json_files import FORMAT_VERSION, read_json
from xval.saved_models.array_header import check_array_header
from xval.saved_models.check_description import memory_fault, name_fault
from xval.saved_models.initial import InitialModel
from xval.settings.schema import FRAME_KEYS

SEEN_AUDIO_NAME = "seen_audio.npy"
_HASH_DIGITS = 16
_MOST_NETWORKS = 1000


def _checked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if fault := name_fault(names):
        raise ValueError(fault)
    return names


Names = Annotated[tuple[str, ...], AfterValidator(_checked_names)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class FrameSettings(BaseModel):
    """How the frames of a recording are cut, and how events are found in what a model says of them; see config.ini."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label_form: Literal["multi_class", "multi_label"]
    label_frame_s: PositiveFloat
    sequence_frames: int = Field(gt=0)
    frame_overlap: float = Field(gt=0, le=1)
    annotation_policy: str
    event_threshold: float | None
    event_median_frames: int = Field(gt=0)
    event_min_duration_s: float = Field(ge=0, allow_inf_nan=False)
    segment_s: PositiveFloat


class CombinationSettings(BaseModel):
    """What model.json says of a combination of features, beside what model.skops and the networks hold."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    classifier: str
    classifier_settings: dict[str, float | str]
    temperature: PositiveFloat | None
    n_networks: int = Field(ge=0, le=_MOST_NETWORKS)
    layers_dropped: int = Field(ge=0)
    basic_features: bool


class ModelDescription(BaseModel):
    """The content of model.json.

    Attributes:
        task_type: As of the experiment.
        architecture: Its name, or the dotted path of one of the user's own.
        class_names: What the outputs mean, in their order; empty where there are no classes. Of frames with one class each the
            first is the background.
        target_names: Names of the targets of a regression; empty where they have none.
        feature_settings: How examples are made of audio.
        clip_samples: Length (samples at the features' rate) that clips were padded or cut to; None: each has its own.
        is_custom: The features were arrays of a script, so that there is no way from audio to them.
        example_s: Length of the longest example that the model was trained on; None for custom features.
        clip_average: How the predictions of windows become one of their clip.
        backend: The Keras backend that trained it.
        dataset: The corpus.
        instance: Number of the instance.
        fold: Number of the fold; 0: trained on all items.
        is_untested: No item was left to test it.
        seen_items: The items, by the name of their corpus, that trained it or chose its epoch, those of the model that it
            started from included.
        frames: Of a model that labels frames.
        combination: Of a combination of features.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_type: Literal["classification", "regression", "representation", "frame_classification"]
    architecture: str
    class_names: Names
    target_names: Names
    feature_settings: FeatureSettings
    clip_samples: int | None = Field(gt=0)
    is_custom: bool
    example_s: PositiveFloat | None
    clip_average: Literal["probabilities", "logits", "votes"]
    backend: Literal["tensorflow", "torch", "jax"]
    dataset: str
    instance: int
    fold: int
    is_untested: bool = False
    seen_items: dict[str, tuple[str, ...]]
    frames: FrameSettings | None = None
    combination: CombinationSettings | None = None

    @model_validator(mode="after")
    def _check_outputs(self) -> Self:
        if self.task_type in ("classification", "frame_classification") and not self.class_names:
            raise ValueError(f"class_names is empty, and the model answers with classes ({self.task_type})")
        if self.task_type == "frame_classification" and self.frames is None:
            raise ValueError("it says nothing of the frames that the model labels")
        return self

    @model_validator(mode="after")
    def _check_memory(self) -> Self:
        sequence_s = self.frames.sequence_frames * self.frames.label_frame_s if self.frames else None
        if fault := memory_fault(self.feature_settings, self.clip_samples, self.example_s, sequence_s):
            raise ValueError(fault)
        return self


def read_description(model: Path) -> ModelDescription:
    """Return what is known of a saved model.

    Args:
        model: Its .keras file, beside which the .json file of the same name lies.

    Raises:
        ResultsError: That file is missing, no JSON, of a newer format, or lacks something.
    """
    path = model.with_suffix(".json")
    content = read_json(path)
    if content is None:
        other = path.with_name("model.json")
        hint = f" {other} is there: if it came with the model, rename it too, to {path.name}." if other.is_file() else ""
        raise ResultsError(
            f"{path}: missing. It says which features {model.name} reads and what its outputs mean; copy it from the fold "
            f"folder that the model came from, with {SEEN_AUDIO_NAME}.{hint}"
        )
    if content.get("task_type") == "frame_classification":
        content = content | {"frames": {name: content.get(name) for name in FRAME_KEYS}}
    try:
        return ModelDescription.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)[:5]
        )
        raise ResultsError(
            f"{path}: does not describe a model of this version ({faults}). Was it edited, or written by an older version? "
            "Then run the experiment again with --overwrite."
        ) from error


def describe_model(
    job: Job, store: FeatureStore, class_names: Sequence[str], initial: InitialModel | None = None
) -> dict[str, Any]:
    """Return the content of model.json.

    Args:
        job: What trained the model.
        store: What it was trained on.
        class_names: What its outputs mean.
        initial: The model that it started from.
    """
    settings = job.parameters
    training_items = sorted({*job.fold.training, *job.fold.validation})
    seen_items = initial.seen_items if initial else {}
    dataset = settings["dataset"]
    seen_items[dataset] = sorted({*training_items, *seen_items.get(dataset, ())})
    return {
        "format_version": FORMAT_VERSION,
        "task_type": settings["task_type"],
        "architecture": settings["architecture"],
        "class_names": list(class_names),
        "target_names": list(store.target_names),
        **{name: settings[name] for name in FRAME_KEYS if settings["task_type"] == "frame_classification"},
        "feature_settings": FeatureSettings.among(settings).model_dump(mode="json"),
        "clip_samples": store.description.clip_samples,
        "is_custom": store.description.feature_settings is None,
        "example_s": _example_s(store, settings),
        "clip_average": settings["clip_average"],
        "backend": settings["backend"],
        "dataset": dataset,
        "instance": job.instance,
        "fold": job.fold.number,
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
    from preprocessing.corpus import read_audio_hashes

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


def read_seen_audio(model: Path) -> NDArray[np.uint64] | None:
    """Return the hashes of the audio that a saved model has seen, or None where they are not known.

    Args:
        model: Its .keras file, beside which seen_audio.npy lies.

    Raises:
        ResultsError: The file is damaged.
    """
    path = model.with_name(SEEN_AUDIO_NAME)
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            check_array_header(file, path.stat().st_size)
        found: NDArray[np.uint64] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ResultsError(f"{path}: damaged ({error}). Copy it again from the fold folder, or delete it.") from error
    if found.dtype != np.uint64 or found.ndim != 1:
        raise ResultsError(f"{path}: holds {found.dtype} {found.shape}; uint64 (n_clips,) is wanted.")
    return found


def short_hash(audio_hash: str) -> int:
    """Return the number in seen_audio.npy of an audio hash (`preprocessing.audio.read.audio_hash`)."""
    return int(audio_hash[:_HASH_DIGITS], 16)


def _example_s(store: FeatureStore, settings: Mapping[str, Any]) -> float | None:
    """Return the length of the longest example that trains (s)."""
    features = FeatureSettings.among(settings)
    if store.description.feature_settings is None:
        return None
    if settings["task_type"] == "frame_classification":
        return float(settings["sequence_frames"] * settings["label_frame_s"])
    if features.crop_s is not None or features.example_length_s is not None:
        return features.crop_s or features.example_length_s
    if features.features == "waveform" and features.clip_length_s is not None:
        return features.clip_length_s
    if store.description.clip_samples is not None:
        return store.description.clip_samples / features.sample_rate_hz
    return float((store.examples["end_s"] - store.examples["start_s"]).max())
