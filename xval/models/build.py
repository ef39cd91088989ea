"""The whole model of a fold: front end, normalisation, reshaping, architecture, output activation and scale of the predictions.

It maps raw features (or samples) to probabilities or numbers, so that its .keras file can be used without the settings. It
consists of Keras's own layers.
"""

import re
from collections.abc import Callable, Collection, Mapping

import keras
import numpy as np
from keras import ops

from architectures._layer_weights import weigh_layers
from preprocessing.annotations.labels import count_frame_samples
from preprocessing.store import FeatureStore
from preprocessing.store.moments import Moments
from preprocessing.store.waveforms import example_lengths, example_shape, waveform_moments
from xval.backend.keras_config import changes, read_config, set_config
from xval.backend.keras_internals import last_call
from xval.backend.torch_module import check_torch_modules
from xval.base.errors import SettingsError
from xval.base.user_code import imports
from xval.base.user_code.modules import describe_place
from xval.data.frames import frame_class_names
from xval.data.target_scaling import TargetScaling, target_scaling
from xval.models.frontend import build_frontend
from xval.models.network_end import linear_end
from xval.models.network_form import check_answers, check_form, describe_unused
from xval.settings.architectures import find_architecture, input_form
from xval.settings.options import Architecture
from xval.settings.schema import Settings

KERNELS = frozenset({"kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel"})
_AXES = re.compile(r"expected (min_)?ndim=(?P<wanted>\d), found ndim=(?P<found>\d)")
_SMALLEST_DEVIATION = 1e-4
CONSTANT_LAYERS = ("frontend", "normalization", "temperature", "target_scaling")
"""The layers of a model without weights of its network: constants, and the statistics of the fold's training items."""
PREDICTION = "prediction"
"""The layer with the activation of the task."""
PARTS_BEFORE = ("frontend", "normalization", "layer_weights")
"""The parts of a model before its network that are models themselves."""

_NAMES = frozenset({*CONSTANT_LAYERS, *PARTS_BEFORE, PREDICTION, "reshaping", "features", "samples"})
"""The names of the parts other than the network, which the network must not have."""


def build_model(
    settings: Settings,
    options: Mapping[str, object],
    store: FeatureStore,
    training_items: Collection[str],
    *,
    clips: Collection[str] | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> keras.Model:
    """Build the whole model of a fold.

    Args:
        settings: The settings of the instance; regularization_lambda is the L2 penalty on every kernel: lambda times the sum of
            squares.
        options: The options of the architecture's build(); feature settings that it accepts by name, such as sample_rate_hz,
            are added.
        store: The feature store with the shapes and the moments.
        training_items: The items whose moments normalise features, and whose targets determine the scale of predicted numbers.
        clips: The clips of these items that count; None: all.
        note: Function that receives a line if the end of the network is not linear.

    Returns:
        A chain of layers from float32 (batch, *example_shape), or (batch, n_samples) for waveforms, or (batch, n_frames,
        samples of a frame) for frames; to float32 (batch, n_classes) probabilities, (batch, n_outputs) numbers, (batch,
        n_frames, n_classes) probabilities, or for `representation` the normalised features as they are fed to the architecture.
    """
    penalty = settings.regularization_lambda
    inputs, read = _read(store, settings)
    hidden = _normalize(read, settings, lambda: _moments(store, settings, training_items, clips))
    if settings.embedding_layer == "weighted" and store.description.embedder is not None:
        hidden = weigh_layers(hidden.shape[1:], store.description.embedder.n_layers)(hidden)
    form = input_form(hidden.shape[1:], settings.reshaping_type, settings.architecture)
    if form != hidden.shape[1:]:
        hidden = keras.layers.Reshape(tuple(-1 if size is None else size for size in form), name="reshaping")(hidden)
    architecture = find_architecture(settings.architecture)
    features = {name: getattr(settings, name) for name in architecture.feature_keys}
    before = read_config()
    build = imports.load(architecture.build_path)
    if changed := changes(before):
        set_config(before)
        listed = ", ".join(f"keras.config.set_{name}({value!r})" for name, value in changed.items())
        raise SettingsError(
            f"its module calls {listed} when it is imported, which would also affect other instances. Move it into build(), "
            "where it affects only this instance"
        )
    wanted = _output_shape(store, settings, form)
    try:
        network = build(form, wanted, **options, **features)
    except ValueError as error:
        if advice := _describe_form(str(error), form, architecture):
            raise SettingsError(f"{describe_place(error)}{advice}") from error
        raise
    if not isinstance(network, keras.Model):
        raise SettingsError(f"its build() returned {type(network).__name__}; expected a keras.Model")
    check_torch_modules(network)
    check_form(network)
    for line in describe_unused(network):
        note(line)
    network, lines = linear_end(network, settings)
    for line in lines:
        note(line)
    if network.name in _NAMES:
        network.name = f"{network.name}_network"
    answers = network(hidden)  # which makes the weights of a network that has no Input
    check_answers(answers, wanted)
    for variable in network.trainable_variables:
        if penalty and variable.name in KERNELS:
            variable.regularizer = keras.regularizers.L2(penalty)
    outputs = keras.layers.Activation(settings.task.activation, dtype="float32", name=PREDICTION)(answers)
    if settings.scales_targets:
        outputs = _scale_back(outputs, target_scaling(store, training_items, clips))
    return keras.Model(inputs, outputs, name=settings.architecture.replace(".", "_"))


def with_temperature(model: keras.Model, temperature: float) -> keras.Model:
    """Return a model of the same layers whose class scores are divided by a temperature before the softmax."""
    _, (scores,) = last_call(model)
    scaled = keras.layers.Rescaling(1 / temperature, dtype="float32", name="temperature")(scores)
    outputs = keras.layers.Activation("softmax", dtype="float32", name=PREDICTION)(scaled)
    return keras.Model(model.input, outputs, name=model.name)


def _describe_form(error: str, form: tuple[int | None, ...], architecture: Architecture) -> str:
    """Return advice if the first layer of a network requires examples with more or fewer axes; empty: it does not."""
    axes = _AXES.search(error)
    if axes is None or int(axes["found"]) != len(form) + 1:
        return ""
    wanted = {("4", "3"): "conv", ("3", "4"): "rnn"}.get((axes["wanted"], axes["found"]))
    if wanted is None:
        return ""
    described = "(frames, bins, channels), as Conv2D reads it" if wanted == "conv" else "(frames, features), as LSTM reads it"
    return (
        f'build() received input_shape={form}. Write reshaping_type = "{wanted}" at the top level of '
        f"{architecture.source}; input_shape is then {described}."
    )


def class_names(store: FeatureStore, settings: Settings) -> tuple[str, ...]:
    """Return the classes of a model's outputs; empty if they are numbers."""
    if settings.frames:
        return frame_class_names(store, settings.label_form)
    return store.class_names if settings.task.stratifies_classes else ()


def _output_shape(store: FeatureStore, settings: Settings, form: tuple[int | None, ...]) -> tuple[int | None, ...]:
    if settings.task.target == "input":
        return form
    if settings.frames:
        return (settings.sequence_frames, len(frame_class_names(store, settings.label_form)))
    return (len(store.class_names) or store.target_shape[0],)


def count_parameters(model: keras.Model) -> int:
    """Return the number of weights of the network of a model of `build_model`."""
    return int(sum(layer.count_params() for layer in model.layers if layer.name not in CONSTANT_LAYERS))


def _read(store: FeatureStore, settings: Settings) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input of the model, and the features, which a front end computes from samples."""
    chosen = settings.feature_settings()
    if not store.is_waveform:
        inputs = keras.Input(example_shape(store, chosen), name="features")
        return inputs, inputs
    if settings.frames:
        inputs = keras.Input(
            (settings.sequence_frames, count_frame_samples(settings.label_frame_s, settings.sample_rate_hz)), name="samples"
        )
        if chosen.frontend == "none":
            return inputs, keras.layers.Reshape((*inputs.shape[1:], 1), name="samples_as_channel")(inputs)
        length = inputs.shape[1] * inputs.shape[2]
        spectrum = build_frontend(length, chosen.spectral())(keras.layers.Reshape((length,), name="frames_in_a_row")(inputs))
        # The last column is centred on the end: without it each frame has as many as hop_length divides it into.
        return inputs, keras.layers.Cropping1D((0, 1), name="columns_of_frames")(spectrum)
    length = example_lengths(store, chosen).model_length
    inputs = keras.Input((length,), name="samples")
    if chosen.frontend == "none":
        return inputs, keras.layers.Reshape((-1, 1), name="samples_as_frames")(inputs)
    return inputs, build_frontend(length, chosen.spectral())(inputs)


def _moments(store: FeatureStore, settings: Settings, items: Collection[str], clips: Collection[str] | None) -> Moments:
    if store.is_waveform:
        return waveform_moments(store, settings.feature_settings(), items, clips)
    return store.moments(items, clips, settings=settings.feature_settings())


def _normalize(inputs: keras.KerasTensor, settings: Settings, read_moments: Callable[[], Moments]) -> keras.KerasTensor:
    """Scale the features to mean 0 and standard deviation 1, in float32 regardless of the precision of the rest."""
    normalization = settings.normalization
    if normalization == "none":
        return inputs
    if normalization == "per_item":  # they come scaled; the layer says where augmentation begins
        return keras.layers.Activation("linear", dtype="float32", name="normalization")(inputs)
    if normalization == "per_clip" and settings.padding == "masked":
        return _scale_masked_clips(inputs.shape[1:])(inputs)
    if normalization == "per_clip":
        axes = list(range(1, len(inputs.shape)))
        layer = keras.layers.LayerNormalization(
            axis=axes, center=False, scale=False, epsilon=_SMALLEST_DEVIATION**2, dtype="float32", name="normalization"
        )
        return layer(inputs)
    mean, variance = read_moments().scaling(normalization)
    # A frozen BatchNormalization is the one Keras layer that scales by variables: the statistics of another fold can be put in
    # without building or compiling again, and they are saved as weights.
    layer = keras.layers.BatchNormalization(
        center=False, scale=False, epsilon=_SMALLEST_DEVIATION**2, trainable=False, dtype="float32", name="normalization"
    )
    outputs = layer(inputs)
    layer.set_weights([mean.astype(np.float32), variance.astype(np.float32)])
    return outputs


def _scale_masked_clips(shape: tuple[int | None, ...]) -> keras.Model:
    """Return the part of a model that scales each clip separately, without the NaN after its end, which stays."""
    clips = keras.Input(shape)
    axes = list(range(1, len(clips.shape)))
    is_clip = ops.logical_not(ops.isnan(clips))
    filled = ops.where(is_clip, clips, 0.0)  # ahead of all that has a gradient, which NaN would spoil
    count = ops.sum(ops.cast(is_clip, "float32"), axes, keepdims=True)
    centred = ops.where(is_clip, filled - ops.sum(filled, axes, keepdims=True) / count, 0.0)
    variance = ops.sum(ops.square(centred), axes, keepdims=True) / count
    scaled = ops.where(is_clip, centred / ops.sqrt(variance + _SMALLEST_DEVIATION**2), clips)
    return keras.Model(clips, scaled, name="normalization")


def _scale_back(outputs: keras.KerasTensor, scaling: TargetScaling) -> keras.KerasTensor:
    """Convert predictions of mean 0 and standard deviation 1 to the units of the targets, in float32."""
    # By variables, as in `_normalize`; what this layer normalises by is 0 and 1.
    layer = keras.layers.BatchNormalization(
        epsilon=_SMALLEST_DEVIATION**2, trainable=False, dtype="float32", name="target_scaling"
    )
    scaled = layer(outputs)
    layer.set_weights([scaling.deviation, scaling.mean, np.zeros_like(scaling.mean), np.ones_like(scaling.mean)])
    return scaled
