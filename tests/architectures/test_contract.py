"""What every file of architectures/ must do; a new file is tested here without a change."""

import ast
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import get_args

import keras
import numpy as np
import pytest

import architectures
from xval.base.errors import SettingsError
from xval.measures.task import all_tasks
from xval.models.outside_weights import find_outside_weights, network_weights
from xval.models.saved.load import read_keras_model
from xval.settings.architectures import architecture_names, find_architecture, may_load_weights

PROJECT_ROOT = Path(architectures.__path__[0]).parent
# Those that run on one backend alone have tests of their own.
NAMES = [name for name in architecture_names() if not find_architecture(name).backends]
SIZES = ((24, 40), (101, 13), (7, 257))  # (frames, bins); (frames, samples) of a waveform
WAVEFORM_SIZES = ((4, 400), (10, 800), (1, 3200))
LONG_SIZE = (72, 24)  # where the length may vary, no window is longer than what is left of so many frames
N_CLASSES = 3
MOST_UNITS = 16  # of a layer: the networks of most tests are narrow, so that they train in a moment
REPEATED = ("n_blocks", "n_layers")  # one of which is enough
TONES_HZ, RATE_HZ = (500, 1500, 4000), 16000  # a class each
SCALAR_ANNOTATIONS = {"int", "float", "bool", "str", "tuple[int, ...]"}
BACKENDS = ("tensorflow", "torch", "jax")


def on_backends(**slow: bool) -> pytest.MarkDecorator:
    """Return the mark that gives a test each backend that is installed, and leaves some to the slow tests."""
    installed = {name: pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed") for name in BACKENDS}
    marks = {name: [mark, *([pytest.mark.slow] if slow.get(name) else [])] for name, mark in installed.items()}
    return pytest.mark.parametrize("backend", [pytest.param(name, marks=marks[name]) for name in BACKENDS])


pytestmark = [
    pytest.mark.xdist_group("trained networks"),  # the first test that asks a backend trains all of them
    pytest.mark.parametrize("name", NAMES),
    # Keras 3.15 on TensorFlow, in convert_to_numpy, whenever a model is saved.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]


def module_of(name: str) -> ModuleType:
    return import_module(f"architectures.{name}")


def is_waveform(module: ModuleType) -> bool:
    return getattr(module, "features", "") == "waveform"


def sizes_of(module: ModuleType) -> tuple[tuple[int, int], ...]:
    return WAVEFORM_SIZES if is_waveform(module) else SIZES


def shape_for(module: ModuleType, size: tuple[int, int] | None = None) -> tuple[int, ...]:
    """Return the shape of an example of this size as the engine reshapes it, enlarged where the architecture asks for it."""
    size = tuple(max(pair) for pair in zip(size or sizes_of(module)[0], smallest_size(module), strict=True))
    return (*size, 1) if is_waveform(module) or module.reshaping_type == "conv" else size


def output_for(module: ModuleType, shape: tuple[int, ...], n_outputs: int = N_CLASSES, task_type: str = "") -> tuple[int, ...]:
    """Return the shape of the outputs that a task wants; by default the first task of the architecture."""
    task_type = task_type or module.task_types[0]
    if task_type == "representation":
        return shape
    return (shape[0], n_outputs) if task_type == "frame_classification" else (n_outputs,)


@cache
def smallest_size(module: ModuleType) -> tuple[int, int]:
    """Return the smallest (frames, bins or samples) that the narrow network takes, as its own error message gives it."""
    shape = (1, 1, 1) if is_waveform(module) or module.reshaping_type == "conv" else (1, 1)
    try:
        module.build(shape, output_for(module, shape), **narrow(module))
    except SettingsError as error:
        message = str(error)
    else:
        return 1, 1
    found = re.search(r"smallest allowed size is (\d+) x (\d+)", message)
    assert found, f"the error does not give the smallest size: {message}"
    return int(found[1]), int(found[2])


def narrow(module: ModuleType) -> dict[str, object]:
    """Return options that make a narrow network with little dropout of an architecture."""
    options: dict[str, object] = {}
    for option in options_of(module):
        if option.name.endswith("dropout"):
            options[option.name] = min(option.default, 0.1)
        elif option.name.startswith("n_"):
            is_tuple = isinstance(option.default, tuple)
            most = 1 if option.name in REPEATED else MOST_UNITS
            cut = tuple(min(size, most) for size in (option.default if is_tuple else (option.default,)))
            options[option.name] = cut if is_tuple else cut[0]
    return options


def make_examples(module: ModuleType, shape: tuple[int, ...], n_examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noise with a louder band of bins in the middle frames, or with a tone, and the targets of the first task.

    Returns:
        float32 (n_examples, *shape); the numbers of the bands or tones, int64 (n_examples,) or (n_examples, n_frames), or for a
        representation the examples themselves.
    """
    rng = np.random.default_rng(seed)
    task_type = module.task_types[0]
    n_frames = shape[0]
    if task_type == "frame_classification":
        classes = np.arange(n_examples * n_frames).reshape(n_examples, n_frames) % N_CLASSES
    else:
        classes = np.arange(n_examples) % N_CLASSES
    noise = 0.2 if task_type == "representation" else 1.0  # noise has no smaller form
    examples = noise * rng.standard_normal((n_examples, *shape)).astype("float32")
    if is_waveform(module):
        hz = np.broadcast_to(np.take(TONES_HZ, classes).reshape(n_examples, -1, 1), (n_examples, n_frames, 1))
        phases = rng.uniform(0, 2 * np.pi, hz.shape)
        examples += 3 * np.sin(2 * np.pi * hz * np.arange(shape[1]) / RATE_HZ + phases)[..., None].astype("float32")
    else:
        width = shape[1] // N_CLASSES
        for example, number in zip(examples, classes, strict=True):
            example[n_frames // 4 : -n_frames // 4, number * width : (number + 1) * width] += 1.5
    return examples, examples if task_type == "representation" else classes


def of_task(module: ModuleType, task_type: str, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the examples of `make_examples` as another task has them: one frame of each, or each frame with its label."""
    by_frame = task_type == "frame_classification"
    if by_frame is (module.task_types[0] == "frame_classification"):
        return inputs, targets
    return (inputs, np.repeat(targets[:, np.newaxis], inputs.shape[1], axis=1)) if by_frame else (inputs[:, 0], targets[:, 0])


def make_model(module: ModuleType, shape: tuple[int, ...], task_type: str = "", *, eager: bool = False) -> keras.Model:
    """Return a narrow compiled model with seeded weights; eager saves the compilation where a few steps are trained."""
    task_type = task_type or module.task_types[0]
    keras.utils.set_random_seed(1)
    model = module.build(shape, output_for(module, shape, task_type=task_type), **narrow(module))
    if task_type in ("classification", "frame_classification"):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        loss = keras.losses.MeanSquaredError()
    # Keras lets XLA compile for TensorFlow by default; on a CPU the compilation takes longer than these tests train.
    is_jax = keras.backend.backend() == "jax"
    model.compile(
        keras.optimizers.Adam(0.003),
        loss,
        jit_compile="auto" if is_jax else False,
        run_eagerly=eager and not is_jax,
    )
    model.optimizer.build(model.trainable_variables)  # TensorFlow traces a step twice that makes variables
    return model


def options_of(module: ModuleType) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(module.build).parameters.values() if p.kind is p.KEYWORD_ONLY]


@dataclass(frozen=True)
class Trained:
    """A model trained on the separable problem and saved, with its inputs and predictions beside it.

    Attributes:
        path: <name>.keras; <name>.npz and <name>.json, which backend_probe.py reads, lie beside it.
        losses: Mean loss of each epoch.
        still: Paths of the trainable weights that training did not change.
        score: On unseen examples, accuracy; or of a representation the share of the variance that it gives back.
    """

    path: Path
    losses: list[float]
    still: list[str]
    score: float


@pytest.fixture(scope="module")
def train(tmp_path_factory) -> Callable[[str], Trained]:
    """Return a function that trains an architecture once."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def run(name: str) -> Trained:
        module = module_of(name)
        shape = shape_for(module, sizes_of(module)[0] if is_waveform(module) else (24, 24))
        inputs, targets = make_examples(module, shape, 96, seed=1)
        unseen, their_targets = make_examples(module, shape, 60, seed=2)
        model = make_model(module, shape)
        before = model.get_weights()
        losses = model.fit(inputs, targets, batch_size=16, epochs=8, verbose=0).history["loss"]
        predictions = outputs_of(model, unseen)
        if module.task_types[0] == "representation":
            score = 1 - np.mean((predictions - unseen) ** 2) / np.var(unseen)
        else:
            score = np.mean(predictions.argmax(axis=-1) == their_targets)
        path = folder / f"{name}.keras"
        model.save(path)
        np.savez(path.with_suffix(".npz"), inputs=unseen, targets=their_targets, predictions=predictions)
        described = {"options": narrow(module), "output_shape": model.output_shape[1:], "has_own_layers": has_own_layers(model)}
        path.with_suffix(".json").write_text(json.dumps(described), encoding="utf-8")
        return Trained(path, losses, unchanged(model, before), float(score))

    return run


def outputs_of(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Return the outputs of one batch without compilation, which would take longer."""
    return keras.ops.convert_to_numpy(keras.ops.stop_gradient(model(inputs, training=False)))


def unchanged(model: keras.Model, before: list[np.ndarray]) -> list[str]:
    """Return the paths of the trainable weights that are what they were."""
    trainable = {weight.path for weight in model.trainable_weights}
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    return [weight.path for weight, old, new in pairs if weight.path in trainable and np.array_equal(new, old)]


def has_own_layers(model: keras.Model) -> bool:
    """Return whether a saved model needs this project to be loaded, as layers that Keras does not have do."""
    return '"registered_name": "xval>' in model.to_json()


@pytest.fixture(scope="module")
def probe(train, ask_backend) -> Callable[[str, str], dict]:
    """Return a function that gives what backend_probe.py printed for a backend, of a network and others."""
    return lambda backend, name: ask_backend("backend_probe.py", backend, train, NAMES, name)


def test_reads_examples_of_any_length_or_says_that_it_cannot(name: str) -> None:
    module = module_of(name)
    shape = shape_for(module, sizes_of(module)[0] if is_waveform(module) else LONG_SIZE)
    output_shape = output_for(module, shape)
    refusal = ""
    try:
        model = module.build((None, *shape[1:]), output_shape, **narrow(module))
    except SettingsError as error:
        refusal = str(error)
    if refusal:
        assert re.search("reads examples of one length.*example_length_s", refusal)
        return
    fixed = module.build(shape, output_shape, **narrow(module))
    fixed.set_weights(model.get_weights())
    examples, _ = make_examples(module, shape, 4, seed=3)
    np.testing.assert_allclose(outputs_of(model, examples), outputs_of(fixed, examples), atol=1e-5)
    longer = np.concatenate([examples, examples], axis=1)
    assert outputs_of(model, longer).shape == (4, *output_shape)


def test_it_declares_what_the_engine_reads(name):
    module = module_of(name)
    assert module.reshaping_type in {"conv", "rnn", "none"}
    assert set(module.task_types) <= set(all_tasks())
    assert module.task_types
    assert re.search(r"[\d,]{3,} parameters at ", " ".join(module.__doc__.split()))


def test_options_can_be_read_without_importing_keras(name):
    tree = ast.parse((PROJECT_ROOT / "architectures" / f"{name}.py").read_text(encoding="utf-8"))
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    assert [argument.arg for argument in build.args.args] == ["input_shape", "output_shape"]
    for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True):
        annotation = ast.unparse(argument.annotation)
        assert annotation in SCALAR_ANNOTATIONS or annotation.startswith("Literal["), argument.arg
        ast.literal_eval(default)


@pytest.mark.parametrize("n_outputs", [5, 1])
def test_it_builds_for_any_size_with_linear_outputs(name, n_outputs):
    module = module_of(name)
    smallest = (1, 1)  # which becomes the one that it names
    for size in (*sizes_of(module), smallest) if n_outputs > 1 else (smallest,):
        shape = shape_for(module, size)
        output_shape = output_for(module, shape, n_outputs)
        model = module.build(shape, output_shape, **narrow(module))
        assert model.output_shape == (None, *output_shape)
        assert model.layers[-1].activation is keras.activations.linear
        assert '"class_name": "Lambda"' not in model.to_json()


def test_batch_normalization_learns_the_statistics_of_a_small_corpus(name):
    module = module_of(name)
    shape = shape_for(module)
    model = module.build(shape, output_for(module, shape), **narrow(module))
    momenta = {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta <= {0.9}  # Keras's default 0.99 needs hundreds of steps


@pytest.mark.parametrize("shape", [(40,), (40, 40), (40, 40, 1), (2, 40, 40, 1)], ids=len)
def test_other_axes_are_read_or_refused_with_the_axes_that_it_reads(name, shape):
    module = module_of(name)
    output_shape = output_for(module, shape)
    try:
        model = module.build(shape, output_shape, **narrow(module))
    except SettingsError as error:
        message = str(error)
    else:
        assert model.output_shape == (None, *output_shape)
        return
    received = re.escape(f"'{name}': received examples of shape {shape}")
    wanted = r"(; it reads \(frames, (bins|samples)| \(frames, \w+, \w+\); the smallest allowed size is)"
    assert re.search(received + wanted, message)


def test_its_documented_parameter_count_is_true(name, monkeypatch):
    module = module_of(name)
    # Only sizes count here, and orthogonal values of large recurrent layers take seconds.
    zeros = keras.initializers.Zeros()
    monkeypatch.setattr(keras.initializers.Orthogonal, "__call__", lambda _, *args, **options: zeros(*args, **options))
    count, axes, n_classes = re.search(
        r"([\d,]+) parameters at ([\d x]+\d)(?: and (\d+) classes)?", " ".join(module.__doc__.split())
    ).groups()
    shape = tuple(int(axis) for axis in axes.split(" x "))
    model = module.build(shape, output_for(module, shape, int(n_classes or 0)))
    assert model.count_params() == int(count.replace(",", ""))


def test_its_options_refuse_negative_numbers_and_unknown_names(name):
    module = module_of(name)
    shape = shape_for(module)
    wrong = {int: -1, float: -0.5, tuple[int, ...]: (8, -1), str: "nonsense"}
    for option in options_of(module):
        value = wrong.get(str if get_args(option.annotation) and option.annotation != tuple[int, ...] else option.annotation)
        if value is None:
            continue
        with pytest.raises(SettingsError, match=rf"'{name}'.*'{option.name}'.*{re.escape(repr(value))}.*(Allowed|Available)"):
            module.build(shape, output_for(module, shape), **{option.name: value})


def test_every_choice_of_its_options_builds(name):
    module = module_of(name)
    shape = shape_for(module)
    for option in options_of(module):
        is_choice = option.annotation is bool or isinstance(option.default, str)
        choices = (True, False) if option.annotation is bool else get_args(option.annotation)
        for choice in choices if is_choice else ():
            model = module.build(shape, output_for(module, shape), **narrow(module) | {option.name: choice})
            assert model.output_shape == (None, *output_for(module, shape))


def test_the_same_seed_gives_the_same_weights_and_dropout(name):
    module = module_of(name)
    inputs, _ = make_examples(module, shape_for(module), 4, seed=1)

    def outputs(seed: int) -> np.ndarray:
        keras.utils.set_random_seed(seed)
        model = module.build(inputs.shape[1:], output_for(module, inputs.shape[1:]), **narrow(module))
        return keras.ops.convert_to_numpy(model(inputs, training=True))

    first = outputs(1)
    np.testing.assert_array_equal(outputs(1), first)
    assert not np.allclose(outputs(2), first)


def test_it_learns_a_separable_problem_with_every_weight(name, train):
    trained = train(name)
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    assert trained.still == []
    is_representation = module_of(name).task_types[0] == "representation"
    assert trained.score >= (0.5 if is_representation else 0.9)


def test_one_step_of_a_further_task_changes_every_weight_and_gives_a_finite_loss(name):
    module = module_of(name)
    examples = make_examples(module, shape_for(module), 6, seed=1)
    for task_type in module.task_types[1:]:
        inputs, targets = of_task(module, task_type, *examples)
        model = make_model(module, inputs.shape[1:], task_type, eager=True)
        before = model.get_weights()
        wanted = targets[:, None].astype("float32") if task_type == "regression" else targets
        loss = model.train_on_batch(inputs, wanted, return_dict=True)["loss"]
        assert np.isfinite(loss)
        assert unchanged(model, before) == []


def test_a_saved_model_gives_the_same_predictions(name, train):
    path = train(name).path
    model = keras.models.load_model(path, safe_mode=True)
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(outputs_of(model, arrays["inputs"]), arrays["predictions"])


@on_backends(tensorflow=True)  # of this process; another one that does not know the project is as on torch
def test_a_saved_model_loads_on_any_backend_without_this_project_where_keras_has_its_layers(name, backend, probe):
    found = probe(backend, name)
    assert found["imported"] == []
    assert found["loaded"][name] < 1e-3


@on_backends()
def test_it_trains_saves_and_loads_on_any_backend(name, backend, probe, train):
    if backend == keras.backend.backend():  # of this process, which has trained and saved it
        trained = train(name)
        with np.load(trained.path.with_suffix(".npz"), allow_pickle=False) as arrays:
            difference = np.abs(outputs_of(read_keras_model(trained.path), arrays["inputs"]) - arrays["predictions"]).max()
        found = {"loss": trained.losses[-1], "still": trained.still, "difference": difference}
    else:
        found = probe(backend, name)["trained"][name]
    assert np.isfinite(found["loss"])
    assert found["still"] == []
    assert found["difference"] < 1e-6


def test_no_weight_comes_from_elsewhere(name: str) -> None:
    assert not may_load_weights(name), "name it in xval/base/user_code/shipped_architectures.py, so that no run builds it twice"
    module = module_of(name)
    shape = shape_for(module)

    def build(seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        inputs = keras.Input(shape)
        return keras.Model(inputs, module.build(shape, output_for(module, shape), **narrow(module))(inputs))

    assert find_outside_weights(build(1), network_weights(build(2))) == []
