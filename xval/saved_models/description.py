"""What the user of a saved model needs to know: model.json beside model.keras, and the audio that the model has seen.

Comes in: a job and its feature store, or the path of a saved model. Goes out: the content of model.json, or a checked
`ModelDescription`; seen_audio.npy, the hashes of the clips that trained or validated.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from preprocessing.annotations.settings import FrameSettings, PositiveFloat
from preprocessing.features.settings import FeatureSettings
from xval.errors import ResultsError, UnsafeModelError
from xval.json_files import read_json
from xval.saved_models.array_header import check_array_header
from xval.saved_models.check_description import memory_fault, name_fault
from xval.settings.schema import FRAME_KEYS

if TYPE_CHECKING:
    import keras


SEEN_AUDIO_NAME = "seen_audio.npy"
_HASH_DIGITS = 16
_MOST_NETWORKS = 1000


def _checked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if fault := name_fault(names):
        raise ValueError(fault)
    return names


Names = Annotated[tuple[str, ...], AfterValidator(_checked_names)]


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


def check_description(model: "keras.Model", description: "ModelDescription", path: Path) -> None:
    """Refuse a model.json that belongs to another model.

    Args:
        model: The loaded model.
        description: Its model.json.
        path: The .keras file, in messages.

    Raises:
        UnsafeModelError: The model has another number of outputs than model.json has names, or reads other features.
    """
    described = path.with_suffix(".json")
    read, given = model.input_shape, model.output_shape
    if not isinstance(read, tuple) or not isinstance(given, tuple):
        raise UnsafeModelError(f"{path}: has several inputs or outputs; one of each is wanted.")
    names = description.class_names or description.target_names
    if description.task_type != "representation" and names and given[-1] != len(names):
        raise UnsafeModelError(
            f"{described}: names {len(names)} outputs, and {path.name} has {given[-1]}. It is of another model; copy it from "
            "the fold folder that the model came from."
        )
    wanted = _input_shape(description)
    fits = wanted is None or (
        len(read) == len(wanted) + 1
        and all(size is None or held is None or size == held for size, held in zip(wanted, read[1:], strict=True))
    )
    if not fits:
        raise UnsafeModelError(
            f"{described}: its features have shape {wanted} (None: any), and {path.name} reads {tuple(read[1:])}. It is of "
            "another model; copy it from the fold folder that the model came from."
        )


def _input_shape(description: "ModelDescription") -> tuple[int | None, ...] | None:
    """Return the shape of the examples that model.json describes, None for any size; None where a script made them."""
    settings = description.feature_settings
    if description.is_custom:
        return None
    if description.frames is not None:
        return (description.frames.sequence_frames, description.frames.frame_samples(settings.sample_rate_hz))
    match settings.features:
        case "waveform":
            return (None,)
        case "logmel":
            return (None, settings.n_mels)
        case "mfcc":
            return (None, settings.n_mfcc)
    return (None, settings.n_fft // 2 + 1)
