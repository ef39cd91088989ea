"""Read and check the description of a saved model: model.json."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.clips.listing import is_utf8
from preprocessing.clips.table import LARGEST_NAME
from preprocessing.embeddings.embedder import EmbedderFacts
from preprocessing.features.extract import check_settings
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.kinds import bin_names
from xval.base.errors import ResultsError, SettingsError, UnsafeModelError
from xval.base.json_files import read_json
from xval.base.setting_fields import PositiveFloat, written_type
from xval.base.size_limits import MOST_SAMPLES
from xval.measures.task import Task, find_task
from xval.measures.tasks.frame_classification import TASK as FRAME_CLASSIFICATION
from xval.models.saved.novelty import NoveltySettings
from xval.models.saved.provenance import SEEN_AUDIO_NAME
from xval.settings.classical import Statistic
from xval.settings.schema import FRAME_KEYS
from xval.settings.validators import TaskType

if TYPE_CHECKING:
    import keras

_MOST_BITS = 63  # of a whole number


def _checked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse names of outputs that are too long, repeated, or have control characters."""
    for name in names:
        if len(name) > LARGEST_NAME:
            raise ValueError(f"the name {name[:40]!r}... has {len(name)} characters; at most {LARGEST_NAME} are allowed")
        if any(character < " " or "\x7f" <= character <= "\x9f" for character in name):
            raise ValueError(f"the name {name[:40]!r} has control characters")
    name, n_times = Counter(names).most_common(1)[0] if names else ("", 1)
    if n_times > 1:
        raise ValueError(f"the name {name!r} is there {n_times} times")
    return names


Share = Annotated[float, Field(ge=0, le=1)]
Names = Annotated[tuple[str, ...], AfterValidator(_checked_names)]


class EstimatorSettings(BaseModel):
    """The entry of model.json for an estimator of scikit-learn; model.skops and the networks of a combination hold the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    classifier: str
    classifier_settings: dict[str, float | str]
    temperature: PositiveFloat | None
    n_networks: int = Field(default=0, ge=0)
    layers_dropped: int = Field(default=0, ge=0)
    basic_features: bool = False
    pooling: tuple[Statistic, ...] = ()
    time_parts: int = Field(default=1, ge=1)
    scales_pooled: bool = False
    target_mean: tuple[float, ...] = ()
    target_deviation: tuple[PositiveFloat, ...] = ()


if TYPE_CHECKING:
    WrittenFeatures: TypeAlias = FeatureSettings
else:
    WrittenFeatures = written_type(FeatureSettings)


class ModelDescription(BaseModel):
    """The content of model.json.

    Attributes:
        architecture: Its name, or the dotted path of one of the user's own.
        class_names: Of the outputs, in their order; empty without classes. With one class per frame, background is first.
        target_names: Of the targets of a regression; empty without names.
        thresholds: From which probability on each label is predicted, where a clip may have several.
        feature_settings: How examples are made of audio.
        clip_samples: Length that clips were padded or cut to (samples at the features' rate); None: they kept their lengths.
        is_custom: Whether a script made the features, so that they cannot be computed from audio.
        example_s: Length of the longest training example (s); None for custom features.
        clip_average: How the predictions of windows are combined to one of their clip.
        item_decision: How the answers to the clips of an item are combined to one decision; none: they are not.
        scaled_by_item: Whether it reads features that are scaled by clips of their item, as a speaker.
        enrolment_s: Seconds of the first clips of an item that scaled the others; only these were tested; None: all clips did.
        backend: The Keras backend that trained it.
        fold: Number of the fold; 0: trained on all items.
        repeat: Which training of the fold, from 1.
        is_untested: Whether no item was left to test it.
        seen_items: The items, by corpus, that trained it or chose its epoch, or did so for a model that it started from.
        frames: Of a model that labels frames.
        combination: Of an estimator of scikit-learn.
        embedder: What makes the embeddings that it reads; its rate is that of the feature settings.
        novelty: From which distance in its embedding on an input is unlike what it was trained on; None: not known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_type: TaskType
    architecture: str
    class_names: Names
    target_names: Names
    thresholds: dict[str, Share] = {}
    feature_settings: WrittenFeatures
    clip_samples: int | None = Field(gt=0)
    is_custom: bool
    example_s: PositiveFloat | None
    clip_average: Literal["probabilities", "logits", "votes"]
    item_decision: Literal["none", "mean", "vote"] = "none"
    scaled_by_item: bool = False
    enrolment_s: float | None = None
    backend: Literal["tensorflow", "torch", "jax"]
    dataset: str
    instance: int
    fold: int
    repeat: int = 1
    is_untested: bool = False
    seen_items: dict[str, tuple[str, ...]]
    frames: FrameSettings | None = None
    combination: EstimatorSettings | None = None
    embedder: EmbedderFacts | None = None
    novelty: NoveltySettings | None = None

    @model_validator(mode="before")
    @classmethod
    def _check_values(cls, content: dict[str, Any]) -> dict[str, Any]:
        """Refuse numbers and text that no other program could hold, wherever they are."""
        waiting: list[Any] = [content]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict | list):
                waiting += value
                waiting += value.values() if isinstance(value, dict) else ()
            elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
                raise ValueError(f"a number has {value.bit_length()} bits; at most {_MOST_BITS} are allowed")
            elif isinstance(value, str) and not is_utf8(value):
                raise ValueError(f"{value[:40]!a} is not UTF-8")
        return content

    @model_validator(mode="before")
    @classmethod
    def _take_rate(cls, content: dict[str, Any]) -> dict[str, Any]:
        """Let the features have the rate that their embedder got."""
        embedder, features = content.get("embedder"), content.get("feature_settings")
        if isinstance(embedder, dict) and isinstance(features, dict) and "sample_rate_hz" in embedder:
            return content | {"feature_settings": features | {"sample_rate_hz": embedder["sample_rate_hz"]}}
        return content

    @property
    def scaled_vectors(self) -> tuple[tuple[str, ...], int] | None:
        """Statistics and parts of the time of the vectors that are scaled by item behind its frames; None: only frames are."""
        about = self.combination
        return (about.pooling, about.time_parts) if about and about.scales_pooled else None

    @property
    def task(self) -> Task:
        """What the engine knows of its task."""
        return find_task(self.task_type, self.frames.label_form if self.frames else "multi_class")

    @model_validator(mode="after")
    def _check_outputs(self) -> Self:
        if self.task.has_classes and not self.class_names:
            raise ValueError(f"class_names is empty, but the model predicts classes ({self.task_type})")
        if self.task.has_thresholds and set(self.thresholds) != set(self.class_names):
            raise ValueError("thresholds do not match the labels in class_names, one for each")
        if self.task.target == "frame" and self.frames is None:
            raise ValueError("it has no settings of frames, but the model labels frames")
        return self

    @model_validator(mode="after")
    def _check_memory(self) -> Self:
        settings, n_bins = self.feature_settings, self.feature_settings.n_fft // 2 + 1
        sequence_s = self.frames.sequence_frames * self.frames.label_frame_s if self.frames else None
        durations_s = (self.example_s, sequence_s, settings.clip_length_s, settings.crop_s, settings.example_length_s)
        sizes = {
            "the length of an example in samples": max(
                self.clip_samples or 0, *(duration_s * settings.sample_rate_hz for duration_s in durations_s if duration_s), 0
            ),
            "n_mels times the bins of n_fft": settings.n_mels * n_bins,
            "stretch_frames times the bins of n_fft": (settings.stretch_frames or 0) * n_bins,
        }
        for name, n_values in sizes.items():
            if n_values > MOST_SAMPLES:
                raise ValueError(f"{name} is {n_values:g}; at most {MOST_SAMPLES} is allowed")
        return self


def read_description(model: Path) -> ModelDescription:
    """Return the description of a saved model: the .json file of the same name next to its .keras file.

    Raises:
        ResultsError: The .json file is missing, no JSON, of a newer format, or incomplete; or no features can be made by it.
    """
    path = model.with_suffix(".json")
    content = read_json(path)
    if content is None:
        other = path.with_name("model.json")
        hint = f" If {other} there came with the model, rename it to {path.name} too." if other.is_file() else ""
        raise ResultsError(
            f"{path}: missing. It describes the features that {model.name} reads and its outputs. Copy it, with "
            f"{SEEN_AUDIO_NAME}, from the fold folder that the model came from.{hint}"
        )
    if content.get("task_type") == FRAME_CLASSIFICATION.name:
        read = (name for name in FRAME_KEYS if name != "random_excerpts")  # that one only changes training
        content = content | {"frames": {name: content.get(name) for name in read}}
    try:
        description = ModelDescription.model_validate(content)
        if not description.is_custom:
            check_settings(description.feature_settings)
    except (ValidationError, SettingsError) as error:
        errors = error.errors(include_url=False)[:5] if isinstance(error, ValidationError) else ()
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in errors) or str(error)
        raise ResultsError(
            f"{path}: does not describe a model of this version ({faults}), perhaps because it was edited. Run the "
            "experiment again with --overwrite."
        ) from error
    return description


def mean_thresholds(descriptions: Sequence[ModelDescription]) -> NDArray[np.float64]:
    """Return the threshold of each label, the mean over models, float64 (n_classes,); empty where they have none."""
    thresholds = [
        [description.thresholds[name] for name in descriptions[0].class_names]
        for description in descriptions
        if description.task.has_thresholds
    ]
    return np.mean(thresholds, axis=0) if thresholds else np.empty(0)


def check_description(model: "keras.Model", description: "ModelDescription", path: Path) -> None:
    """Refuse a model.json of another model: the number of outputs or the shape of the inputs differs."""
    described = path.with_suffix(".json")
    read, given = model.input_shape, model.output_shape
    if not isinstance(read, tuple) or not isinstance(given, tuple):
        raise UnsafeModelError(f"{path}: has several inputs or outputs; expected one of each.")
    names = description.class_names or description.target_names
    if description.task.target != "input" and names and given[-1] != len(names):
        raise UnsafeModelError(
            f"{described}: names {len(names)} outputs, but {path.name} has {given[-1]}. It belongs to another model. Copy it "
            "from the fold folder that the model came from."
        )
    wanted = _input_shape(description)
    fits = wanted is None or (
        len(read) == len(wanted) + 1
        and all(size is None or held is None or size == held for size, held in zip(wanted, read[1:], strict=True))
    )
    if not fits:
        raise UnsafeModelError(
            f"{described}: its features have shape {wanted} (None: any), but {path.name} reads {tuple(read[1:])}. It belongs "
            "to another model. Copy it from the fold folder that the model came from."
        )


def _input_shape(description: "ModelDescription") -> tuple[int | None, ...] | None:
    """Return the shape of an example by model.json, None for any size; None if a script made the examples."""
    settings = description.feature_settings
    if description.is_custom:
        return None
    if description.frames is not None:
        return (description.frames.sequence_frames, description.frames.frame_samples(settings.sample_rate_hz))
    match settings.features:
        case "waveform":
            return (None,)
        case "embedding" if description.embedder is not None:
            width = description.embedder.n_layers * description.embedder.n_values
            return (width,) if settings.is_pooled else (None, width)
        case "embedding":
            return None

    return (None, len(bin_names(settings)))
