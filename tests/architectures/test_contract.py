"""What every file of architectures/ must do; a new file is tested here without a change."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
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
from xval import catalog
from xval.errors import SettingsError

PROJECT_ROOT = Path(architectures.__path__[0]).parent
# Those that read frames of samples have test_waveform_networks.py.
NAMES = [name for name in catalog.architecture_names() if catalog.find_architecture(name).features != "waveform"]
SIZE = (24, 40)  # (frames, bins)
OTHER_SIZES = ((101, 13), (7, 257))
N_CLASSES = 3
SCALAR_ANNOTATIONS = {"int", "float", "bool", "str", "tuple[int, ...]"}
QUICK_COMPILATION = "--xla_backend_optimization_level=0"  # JAX otherwise compiles for longer than it computes
BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
    for name in ("tensorflow", "torch", "jax")
]

pytestmark = [
    pytest.mark.parametrize("name", NAMES),
    # Keras 3.15 on TensorFlow, in convert_to_numpy, whenever a model is saved.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]


def module_of(name: str) -> ModuleType:
    return import_module(f"architectures.{name}")


def shape_for(module: ModuleType, size: tuple[int, int]) -> tuple[int, ...]:
    """Return the shape of an example of this size as the engine reshapes it, enlarged where the architecture asks for it."""
    size = tuple(max(pair) for pair in zip(size, smallest_size(module), strict=True))
    return (*size, 1) if module.reshaping_type == "conv" else size


def smallest_size(module: ModuleType) -> tuple[int, int]:
    """Return the smallest (frames, bins) that the architecture takes, as its own error message gives it."""
    message = ""
    try:
        module.build((1, 1, 1) if module.reshaping_type == "conv" else (1, 1), (N_CLASSES,))
    except SettingsError as error:
        message = str(error)
    if not message:
        return 1, 1
    found = re.search(r"smallest allowed size is (\d+) x (\d+)", message)
    assert found, f"the error does not give the smallest size: {message}"
    return int(found[1]), int(found[2])


def make_examples(shape: tuple[int, ...], n_examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noise with a louder band of bins in the middle frames, and the number of the band."""
    rng = np.random.default_rng(seed)
    classes = np.arange(n_examples) % N_CLASSES
    examples = rng.standard_normal((n_examples, *shape)).astype("float32")
    frames, band = shape[0], shape[1] // N_CLASSES
    for example, number in zip(examples, classes, strict=True):
        example[frames // 4 : -frames // 4, number * band : (number + 1) * band] += 1.5
    return examples, classes


def make_model(module: ModuleType, shape: tuple[int, ...], task_type: str = "classification") -> keras.Model:
    """Return a compiled model with seeded weights."""
    keras.utils.set_random_seed(1)
    if task_type == "classification":
        model = module.build(shape, (N_CLASSES,))
        loss, metrics = keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]
    else:
        model = module.build(shape, (1,))
        loss, metrics = keras.losses.MeanSquaredError(), []
    # Keras lets XLA compile for TensorFlow by default; on a CPU the compilation takes longer than these tests train.
    jit_compile = "auto" if keras.backend.backend() == "jax" else False
    model.compile(keras.optimizers.Adam(0.001), loss, metrics=metrics, jit_compile=jit_compile)
    return model


def options_of(module: ModuleType) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(module.build).parameters.values() if p.kind is p.KEYWORD_ONLY]


@dataclass(frozen=True)
class Trained:
    """A model trained on the separable problem and saved, with its inputs and predictions beside it.

    Attributes:
        path: <name>.keras; <name>.npz lies beside it.
        losses: Mean loss of each epoch.
        accuracy: On unseen examples.
    """

    path: Path
    losses: list[float]
    accuracy: float


@pytest.fixture(scope="module")
def train(tmp_path_factory) -> Callable[[str], Trained]:
    """Return a function that trains an architecture once."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def run(name: str) -> Trained:
        module = module_of(name)
        inputs, classes = make_examples(shape_for(module, (24, 24)), 96, seed=1)
        unseen, their_classes = make_examples(inputs.shape[1:], 60, seed=2)
        model = make_model(module, inputs.shape[1:])
        losses = model.fit(inputs, classes, batch_size=16, epochs=6, verbose=0).history["loss"]
        accuracy = model.evaluate(unseen, their_classes, verbose=0, return_dict=True)["accuracy"]
        path = folder / f"{name}.keras"
        model.save(path)
        np.savez(path.with_suffix(".npz"), inputs=unseen[:6], predictions=model.predict(unseen[:6], verbose=0))
        return Trained(path, losses, accuracy)

    return run


@pytest.fixture(scope="module")
def probe(train, tmp_path_factory) -> Callable[[str], dict]:
    """Return a function that runs backend_probe.py once for a backend, outside the project, and gives what it printed."""

    @cache
    def run(backend: str) -> dict:
        folder = {train(name).path.parent for name in NAMES}.pop()
        script = Path(__file__).with_name("backend_probe.py")
        done = subprocess.run(
            [sys.executable, "-I", script, folder, PROJECT_ROOT],
            cwd=tmp_path_factory.mktemp(backend),
            env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_FLAGS": QUICK_COMPILATION},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_reads_examples_of_any_length_or_says_that_it_cannot(name: str) -> None:
    module = module_of(name)
    shape = shape_for(module, SIZE)
    refusal = ""
    try:
        model = module.build((None, *shape[1:]), (N_CLASSES,))
    except SettingsError as error:
        refusal = str(error)
    if refusal:
        assert re.search("reads examples of one length.*example_length_s", refusal)
        return
    fixed = module.build(shape, (N_CLASSES,))
    fixed.set_weights(model.get_weights())
    examples, _ = make_examples(shape, 4, seed=3)
    np.testing.assert_allclose(model.predict_on_batch(examples), fixed.predict_on_batch(examples), atol=1e-5)
    longer = np.concatenate([examples, examples], axis=1)
    assert model.predict_on_batch(longer).shape == (4, N_CLASSES)


def test_it_declares_what_the_engine_reads(name):
    module = module_of(name)
    assert module.reshaping_type in {"conv", "rnn", "none"}
    assert set(module.task_types) <= {"classification", "regression"}
    assert module.task_types
    assert re.search(r"[\d,]{3,} parameters at ", module.__doc__)


def test_options_can_be_read_without_importing_keras(name):
    tree = ast.parse((PROJECT_ROOT / "architectures" / f"{name}.py").read_text(encoding="utf-8"))
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    assert [argument.arg for argument in build.args.args] == ["input_shape", "output_shape"]
    for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True):
        annotation = ast.unparse(argument.annotation)
        assert annotation in SCALAR_ANNOTATIONS or annotation.startswith("Literal["), argument.arg
        ast.literal_eval(default)


@pytest.mark.parametrize("size", [SIZE, *OTHER_SIZES], ids=lambda size: "{}x{}".format(*size))
@pytest.mark.parametrize("output_shape", [(5,), (1,)], ids=["classes", "value"])
def test_it_builds_for_any_size_with_linear_outputs(name, size, output_shape):
    module = module_of(name)
    model = module.build(shape_for(module, size), output_shape)
    assert model.output_shape == (None, *output_shape)
    last = model.layers[-1]
    assert isinstance(last, keras.layers.Dense)
    assert last.activation is keras.activations.linear
    assert '"class_name": "Lambda"' not in model.to_json()


def test_it_builds_for_the_smallest_size_that_it_names(name):
    module = module_of(name)
    model = module.build(shape_for(module, (1, 1)), (N_CLASSES,))
    assert model.output_shape == (None, N_CLASSES)


def test_batch_normalization_learns_the_statistics_of_a_small_corpus(name):
    module = module_of(name)
    model = module.build(shape_for(module, SIZE), (N_CLASSES,))
    momenta = {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta <= {0.9}  # Keras's default 0.99 needs hundreds of steps


@pytest.mark.parametrize("shape", [(40,), (40, 40), (40, 40, 1), (2, 40, 40, 1)], ids=len)
def test_other_axes_are_read_or_refused_with_the_axes_that_it_reads(name, shape):
    try:
        model = module_of(name).build(shape, (N_CLASSES,))
    except SettingsError as error:
        message = str(error)
    else:
        assert model.output_shape == (None, N_CLASSES)
        return
    assert re.search(rf"'{name}': received examples of shape {re.escape(str(shape))}; it reads \(frames, bins", message)


def test_its_documented_parameter_count_is_true(name):
    module = module_of(name)
    count, size, n_classes = re.search(
        r"([\d,]+) parameters at ([\d x]+\d) and (\d+) classes", " ".join(module.__doc__.split())
    ).groups()
    model = module.build(tuple(int(axis) for axis in size.split(" x ")), (int(n_classes),))
    assert model.count_params() == int(count.replace(",", ""))


def test_its_options_refuse_negative_numbers_and_unknown_names(name):
    module = module_of(name)
    wrong = {int: -1, float: -0.5, tuple[int, ...]: (8, -1), str: "nonsense"}
    for option in options_of(module):
        value = wrong.get(str if get_args(option.annotation) and option.annotation != tuple[int, ...] else option.annotation)
        if value is None:
            continue
        with pytest.raises(SettingsError, match=rf"'{name}'.*'{option.name}'.*{re.escape(repr(value))}.*(Allowed|Available)"):
            module.build(shape_for(module, SIZE), (N_CLASSES,), **{option.name: value})


def test_every_choice_of_its_options_builds(name):
    module = module_of(name)
    for option in options_of(module):
        is_choice = option.annotation is bool or isinstance(option.default, str)
        choices = (True, False) if option.annotation is bool else get_args(option.annotation)
        for choice in choices if is_choice else ():
            model = module.build(shape_for(module, SIZE), (N_CLASSES,), **{option.name: choice})
            assert model.output_shape == (None, N_CLASSES)


def test_the_same_seed_gives_the_same_weights_and_dropout(name):
    module = module_of(name)
    inputs, _ = make_examples(shape_for(module, SIZE), 4, seed=1)

    def outputs(seed: int) -> np.ndarray:
        keras.utils.set_random_seed(seed)
        model = module.build(inputs.shape[1:], (N_CLASSES,))
        return keras.ops.convert_to_numpy(model(inputs, training=True))

    np.testing.assert_array_equal(outputs(1), outputs(1))
    assert not np.allclose(outputs(1), outputs(2))


@pytest.mark.parametrize("task_type", ["classification", "regression"])
def test_one_step_changes_every_weight_and_gives_a_finite_loss(name, task_type):
    module = module_of(name)
    if task_type not in module.task_types:
        pytest.skip(f"{name} does not do {task_type}")
    inputs, classes = make_examples(shape_for(module, SIZE), 6, seed=1)
    model = make_model(module, inputs.shape[1:], task_type)
    before = model.get_weights()
    loss = model.train_on_batch(inputs, classes, return_dict=True)["loss"]
    assert np.isfinite(loss)
    trainable = {weight.path for weight in model.trainable_weights}
    for weight, old, new in zip(model.weights, before, model.get_weights(), strict=True):
        assert weight.path not in trainable or not np.array_equal(new, old), weight.path


def test_it_learns_a_separable_problem(name, train):
    trained = train(name)
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    assert trained.accuracy >= 0.9


def test_a_saved_model_gives_the_same_predictions(name, train):
    path = train(name).path
    model = keras.models.load_model(path, safe_mode=True)
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(model.predict(arrays["inputs"], verbose=0), arrays["predictions"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_saved_model_loads_without_this_project_on_any_backend(name, backend, probe):
    found = probe(backend)
    assert found["imported"] == []
    assert found["loaded"][name] < 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_trains_saves_and_loads_on_any_backend(name, backend, probe):
    found = probe(backend)["trained"][name]
    assert np.isfinite(found["loss"])
    assert found["change"] > 0
    assert found["difference"] < 1e-6
