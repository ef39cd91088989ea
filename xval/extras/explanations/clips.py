"""Explain the answers of a saved model for clips.

Comes in: a saved model of one fold, and audio. Goes out: an `Explanation` for each example of each clip: what each value of the
spectrogram (or each stretch of the waveform) adds to an answer.
"""

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
from xval.reuse.inference.members import EstimatorMember, Member
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
    """What an answer for one example rests on.

    Attributes:
        start_s: Begin of the example in the file.
        end_s: Its end, without padding.
        explained: The class or number that is explained.
        method: integrated_gradients or occlusion.
        attribution: In the shape of the features.
        features: float32 (n_frames, n_bins), or (n_samples,) of a network that reads samples.
        frame_s: From the middle of a frame (or from a sample) to the next; NaN of features without times.
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
    model: SavedModel, audio: Audio | Iterable[Audio], *, method: Method = "integrated_gradients", of: str | None = None,
    steps: int = STEPS,
) -> Iterator[Explanation]:  # fmt: skip
    """Explain the answers of a model for clips, example by example.

    The baseline is silence: the smallest value of the example's spectrogram everywhere, or samples of 0.

    Args:
        model: Of one fold; no ensemble.
        audio: As `SavedModel.predict` takes it.
        method: integrated_gradients, of networks; or occlusion, of any model.
        of: The class, or the number of a regression, that is explained; None: the most probable class of each example, or the
            first number.
        steps: Of integrated gradients; more make the sum more complete.

    Raises:
        SettingsError: The model is an ensemble, labels frames or rebuilds its input; the method does not fit; there is no such
            class.
        AudioError: A file cannot be read.
        UndefinedAnswerError: The model answers with NaN or infinite values.
    """
    member = _single(model)
    names = model.class_names or model.target_names or tuple(map(str, range(_n_outputs(member))))
    if of is not None and of not in names:
        raise SettingsError(f"--of {of}: {model.path} has no class or target of this name. {suggestion(of, names)}")
    if isinstance(member, EstimatorMember) and member.fitted.pooling is None and not member.fitted.networks:
        raise SettingsError(
            f"{model.path}: a combination without networks reads statistics of a whole clip, which cannot be shown over "
            "time. Give a fold of its instance without clips for the feature importance of each group."
        )
    if isinstance(member, EstimatorMember) and method == "integrated_gradients":
        raise SettingsError(f"{model.path}: a scikit-learn estimator has no gradients. Use --method occlusion.")
    for source in list_sources(audio, sample_rate_hz=None, is_custom=model.description.is_custom):
        for inputs in model._inputs(source, "file", None):
            model._checked(inputs, source)
            for row in range(len(inputs.predictors)):
                chosen = names.index(of) if of else None
                output, features, attribution = _explain_example(source.name, member, inputs, row, chosen, method, steps)
                bounds = float(inputs.start_s[row]), float(inputs.end_s[row])
                frame_s = _frame_s(model.description, bounds[1] - bounds[0], features)
                yield Explanation(source.name, *bounds, names[output], method, attribution, features, frame_s)


def _frame_s(description: ModelDescription, clip_s: float, features: NDArray[np.float32]) -> float:
    """Return the time from a frame or sample of an example to the next (s); NaN: it has no times."""
    settings = description.feature_settings
    rate_hz = settings.sample_rate_hz
    if description.is_custom or settings.is_pooled:
        return math.nan
    if features.ndim == 1:
        return 1 / rate_hz
    if settings.features == "embedding" or settings.stretch_frames is not None:
        of_corpus_s = description.clip_samples / rate_hz if description.clip_samples else clip_s
        return (settings.example_length_s or of_corpus_s) / len(features)
    return settings.hop_length / rate_hz


def _single(model: SavedModel) -> Member:
    """Return the only member; refuse ensembles and tasks without an answer for the clip."""
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
    return int(member.model.output.shape[-1] if isinstance(member, Network) else member.fitted.fitted.n_outputs)


def _explain_example(
    name: str, member: Member, inputs: "Inputs", row: int, chosen: int | None, method: Method, steps: int
) -> tuple[int, NDArray[np.float32], Attribution]:
    """Return the output that is explained, the features, and what each of them adds to it."""
    example = inputs.predictors[row]
    basic = None if inputs.basic is None else inputs.basic[row]
    if isinstance(member, Network):
        network, features = _behind_frontend(member.model, example)

        def answer(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(network.predict_on_batch(batch), np.float32)
    else:
        features = example

        def answer(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            repeated = None if basic is None else np.repeat(basic[np.newaxis], len(batch), axis=0)
            durations_s = np.full(len(batch), inputs.end_s[row] - inputs.start_s[row])
            return member.predictor()(batch, repeated, durations_s)[0]

    answered = answer(features[np.newaxis])[0]
    if not np.isfinite(answered).all():
        raise undefined_answer(name, member.path)
    output = chosen
    if output is None:
        output = int(answered.argmax()) if member.description.task.has_classes else 0
    silence = np.zeros_like(features) if features.ndim == 1 else np.full_like(features, np.nanmin(features))
    silence[np.isnan(features)] = np.nan  # as long as the clip, where padding is masked
    if method == "occlusion":
        return output, features, occlude(lambda batch: answer(batch)[:, output], features, silence)
    gradients = partial(input_gradients, network)
    return output, features, integrate_gradients(lambda batch: gradients(batch, output), features, silence, steps)


def _behind_frontend(model: keras.Model, example: NDArray[np.float32]) -> tuple[Any, NDArray[np.float32]]:
    """Return the network from the spectrogram on, and the spectrogram, where a front end inside the model makes it."""
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
