"""Explain the predictions of a saved model for clips: the contribution of each value of the spectrogram or waveform."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError, suggestion
from xval.extras.explanations.attribution import Attribution, integrate_gradients, occlude
from xval.extras.explanations.gradients import input_gradients
from xval.models.cut import compile_for_prediction
from xval.models.saved.description import ModelDescription
from xval.reuse.inference.batches import undefined_answer
from xval.reuse.inference.members import Member
from xval.reuse.inference.model import SavedModel
from xval.reuse.inference.network import Network
from xval.reuse.inference.sources import Audio, list_sources

if TYPE_CHECKING:
    from xval.reuse.inference.inputs import Inputs

Method = Literal["integrated_gradients", "occlusion"]
METHODS: tuple[Method, ...] = ("integrated_gradients", "occlusion")
STEPS = 64

_FRONTEND = "frontend"


@dataclass(frozen=True)
class Explanation:
    """The contributions of the features of one example to a prediction.

    Attributes:
        name: The name of the file or array.
        start_s: Start of the example in the file.
        end_s: End of the example in the file, without padding.
        explained: The class or number that is explained.
        method: integrated_gradients or occlusion.
        attribution: The contributions, in the shape of the features.
        features: float32 (n_frames, n_bins), or (n_samples,) for a network that reads samples.
        frame_s: Time between successive frames or samples; NaN if the features have no time axis.
    """

    name: str
    start_s: float
    end_s: float
    explained: str
    method: Method
    attribution: Attribution
    features: NDArray[np.float32]
    frame_s: float


def explain(
    model: SavedModel,
    audio: Audio | Iterable[Audio],
    *,
    method: Method = "integrated_gradients",
    output_name: str | None = None,
    steps: int = STEPS,
) -> Iterator[Explanation]:
    """Explain the predictions of a model for clips, and yield an explanation for each example of each clip.

    The baseline is silence: a spectrogram filled with the smallest value of the example, or samples of 0.

    Args:
        model: The model of one fold, not an ensemble.
        audio: Files, folders, segments or arrays, as for `SavedModel.predict`.
        method: integrated_gradients, for networks; or occlusion, for any model.
        output_name: The class, or the target of a regression, that is explained; None: the most probable class of each
            example, or the first target.
        steps: Steps of integrated gradients; more steps make their sum more exact.

    Raises:
        SettingsError: The model is an ensemble, labels frames or reconstructs its input; the method does not support the
            model; or it has no output of this name.
        AudioError: A file cannot be read.
        UndefinedAnswerError: The model outputs NaN or infinite values.
    """
    member = _single_member(model)
    names = model.class_names or model.target_names or tuple(map(str, range(_n_outputs(member))))
    if output_name is not None and output_name not in names:
        raise SettingsError(
            f"--of {output_name}: {model.path} has no class or target of this name. {suggestion(output_name, names)}"
        )
    if not isinstance(member, Network) and member.pooling is None and not member.networks:
        raise SettingsError(
            f"{model.path}: a combination without networks reads statistics of a whole clip, which cannot be shown over "
            "time. Give a fold of its instance without clips for the feature importance of each group."
        )
    if not isinstance(member, Network) and method == "integrated_gradients":
        raise SettingsError(f"{model.path}: a scikit-learn estimator has no gradients. Use --method occlusion.")
    for source in list_sources(audio, sample_rate_hz=None, is_custom=model.description.is_custom):
        for inputs in model._groups[0].inputs(source, "file", None):
            for row in range(len(inputs.predictors)):
                chosen = names.index(output_name) if output_name else None
                output, features, attribution = _explain_example(source.name, member, inputs, row, chosen, method, steps)
                bounds = float(inputs.start_s[row]), float(inputs.end_s[row])
                frame_s = _frame_s(model.description, bounds[1] - bounds[0], features)
                yield Explanation(source.name, *bounds, names[output], method, attribution, features, frame_s)


def _frame_s(description: ModelDescription, clip_s: float, features: NDArray[np.float32]) -> float:
    """Return the time between successive frames or samples of an example (s); NaN if it has no time axis."""
    settings = description.feature_settings
    rate_hz = settings.sample_rate_hz
    if description.is_custom or settings.is_pooled:
        return math.nan
    if features.ndim == 1:
        return 1 / rate_hz
    if settings.features == "embedding" or settings.stretch_frames is not None:
        trained_clip_s = description.clip_samples / rate_hz if description.clip_samples else clip_s
        return (settings.example_length_s or trained_clip_s) / len(features)
    return settings.hop_length / rate_hz


def _single_member(model: SavedModel) -> Member:
    """Return the only member of a model; raises SettingsError for ensembles and for tasks without one prediction per clip."""
    task = model.description.task
    if task.target != "clip":
        raise SettingsError(
            f"{model.path}: only models that predict classes or numbers of clips can be explained; received {task.name}."
        )
    if model.description.scaled_by_item:
        raise SettingsError(
            f"{model.path}: trained with normalization=per_item, which scales a clip by the other clips of its speaker, but "
            "explanations need single clips. Train with normalization=per_bin."
        )
    if len(model.members) > 1:
        raise SettingsError(f"{model.path}: has several models. Give the fold of one, such as {model.members[0].parent}.")
    return model._members[0]


def _n_outputs(member: Member) -> int:
    return int(member.model.output.shape[-1] if isinstance(member, Network) else member.fitted.n_outputs)


def _explain_example(
    name: str, member: Member, inputs: "Inputs", row: int, chosen: int | None, method: Method, steps: int
) -> tuple[int, NDArray[np.float32], Attribution]:
    """Return the index of the explained output, the features, and their contributions to that output."""
    example = inputs.predictors[row]
    basic = None if inputs.basic is None else inputs.basic[row]
    if isinstance(member, Network):
        network, features = _behind_frontend(member.model, example)

        def predict(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(network.predict_on_batch(batch), np.float32)
    else:
        features = example

        def predict(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            repeated = None if basic is None else np.repeat(basic[np.newaxis], len(batch), axis=0)
            durations_s = np.full(len(batch), inputs.end_s[row] - inputs.start_s[row])
            return member.predictor()(batch, repeated, durations_s)[0]

    predictions = predict(features[np.newaxis])[0]
    if not np.isfinite(predictions).all():
        raise undefined_answer(name, member.path)
    output = chosen
    if output is None:
        output = int(predictions.argmax()) if member.description.task.has_classes else 0
    silence = np.zeros_like(features) if features.ndim == 1 else np.full_like(features, np.nanmin(features))
    silence[np.isnan(features)] = np.nan  # masked padding is also padding in the baseline
    if method == "occlusion":
        return output, features, occlude(lambda batch: predict(batch)[:, output], features, silence)
    gradients = partial(input_gradients, network)
    return output, features, integrate_gradients(lambda batch: gradients(batch, output), features, silence, steps)


def _behind_frontend(model: keras.Model, example: NDArray[np.float32]) -> tuple[Any, NDArray[np.float32]]:
    """Split off a front end: return the layers after it as a network, and the spectrogram of the example.

    Without a front end return the model and the example. The example is float32 (n_samples,) or (n_frames, n_bins), the
    spectrogram float32 (n_frames, n_bins).
    """
    places = [place for place, layer in enumerate(model.layers) if layer.name == _FRONTEND]
    if not places:
        return model, example
    frontend, *rest = model.layers[places[0] :]
    spectrum = keras.ops.convert_to_numpy(frontend(example[np.newaxis]))[0].astype(np.float32)
    inputs = hidden = keras.Input(spectrum.shape)
    for layer in rest:
        hidden = layer(hidden)
    network = keras.Model(inputs, hidden)
    compile_for_prediction(network)
    return network, spectrum
