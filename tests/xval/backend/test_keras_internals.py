"""Each private part of Keras and TensorFlow that xval uses, on real objects.

A test that fails after an update of Keras or TensorFlow is about the function of xval/backend/keras_internals.py whose private
part has changed: look at its docstring, and whether there is a public way now. When all pass, write the new versions into
TRIED_WITH.
"""

import gc
import importlib.metadata
import sys
from weakref import WeakKeyDictionary

import keras
import numpy as np
import pytest

from xval.backend.keras_internals import (
    TRIED_WITH,
    all_layers,
    calls_in,
    describe_untried,
    drop_kernels,
    forget_traced_gradients,
    global_seed_state,
    has_drawn_seeds,
    kernels_kept,
    last_call,
    leave_tensorflow_alone,
    operations_behind,
    set_global_seed_state,
    shapes_alone,
    wrapped_arguments,
)
from xval.backend.keras_optimizers import RateByBatch, ScaledUpdates, mix_in, optimizer_variables, weight_averages
from xval.base.config_file import ROOT
from xval.base.keras_names import OPTIMIZERS

tf = pytest.importorskip("tensorflow")


def test_options_of_losses_that_their_configuration_may_leave_out():
    assert wrapped_arguments(keras.losses.Huber(delta=2.0))["delta"] == 2.0
    assert wrapped_arguments(keras.metrics.AUC()) == {}


def test_private_parts_of_keras_are_used_there_alone():
    used = ("_fn_kwargs", "_flatten_layers")
    files = [path for path in (ROOT / "xval").rglob("*.py") if any(name in path.read_text() for name in used)]
    assert [path.name for path in files] == ["keras_internals.py"]


def minor(version):
    return ".".join(version.split(".")[:2])


def test_the_versions_that_are_installed_by_constraints_have_been_looked_at():
    lines = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    assert {name: minor(version) for name, version in lines if name in TRIED_WITH} == TRIED_WITH


@pytest.mark.parametrize("package", TRIED_WITH)
def test_the_installed_version_is_one_that_has_been_looked_at(package):
    installed = importlib.metadata.version(package)
    if minor(installed) != TRIED_WITH[package]:
        pytest.skip(
            f"{package} {installed} is installed, {TRIED_WITH[package]} was looked at; the tests below say what it broke"
        )


@pytest.mark.parametrize(
    ("keras_version", "tensorflow_version", "backend", "said"),
    [
        ("3.15.4", "2.21.3", "tensorflow", None),
        ("3.16.0", "2.21.0", "torch", "keras 3.16.0 is newer than 3.15, the version tested with xval"),
        ("3.14.0", "2.30.0rc1", "tensorflow", "tensorflow 2.30.0rc1 is newer than 2.21"),
        ("3.15.1", "2.30.0", "jax", None),
        ("3.15.1", None, "tensorflow", None),
    ],
)
def test_versions_newer_than_those_tried_are_said(monkeypatch, keras_version, tensorflow_version, backend, said):
    def version(package):
        if package == "tensorflow" and tensorflow_version is None:
            raise importlib.metadata.PackageNotFoundError
        return {"keras": keras_version, "tensorflow": tensorflow_version}[package]

    monkeypatch.setattr(importlib.metadata, "version", version)

    line = describe_untried(backend)

    assert (line is None) if said is None else (said in line and "constraints.txt" in line)


def test_the_last_call_of_a_model_has_its_layer_and_what_that_reads_also_of_a_model_within():
    inner_input, inputs, shared = keras.Input((3,)), keras.Input((2,)), keras.layers.Dense(3)
    inner = keras.Model(inner_input, keras.layers.Softmax()(inner_input))
    read, first = keras.layers.Dense(3)(inputs), shared(inner_input)

    operation, (found,) = last_call(keras.Model(inputs, inner(read)))

    assert operation is inner
    assert found is read
    _, (of_second,) = last_call(keras.Model(inner_input, shared(first)))
    assert of_second is first


def test_all_layers_are_found_also_those_within_layers_and_models():
    cell = keras.layers.LSTMCell(2)
    inner = keras.Sequential([keras.Input((3, 2)), keras.layers.Bidirectional(keras.layers.RNN(cell))])
    inputs = keras.Input((3, 2))
    model = keras.Model(inputs, keras.layers.Dense(1)(inner(inputs)))

    found = all_layers(model)

    assert len({id(layer) for layer in found}) == len(found)
    assert model in found
    assert inner in found
    assert {"InputLayer", "Bidirectional", "RNN", "LSTMCell", "Dense"} <= {type(layer).__name__ for layer in found}
    assert not any(isinstance(layer, keras.layers.LSTMCell) for layer in model.layers)  # the public list lacks it


@pytest.mark.parametrize(
    ("block", "filled"),
    [(shapes_alone(), []), (keras.StatelessScope(initialize_variables=False), [(2, 3)])],
    ids=["ours", "the public way"],
)
def test_variables_that_are_made_for_their_shape_never_take_memory(block, filled):
    taken = []

    def fill(shape, dtype=None):
        taken.append(shape)
        return keras.ops.zeros(shape, dtype)

    with block:
        layer = keras.layers.Dense(3, kernel_initializer=fill)
        layer.build((None, 2))
    with keras.StatelessScope(initialize_variables=True):
        pass

    assert [variable.shape for variable in layer.variables] == [(2, 3), (3,)]
    assert taken == filled


def fit(model):
    model.fit(np.ones((4, 3), np.float32), np.array([0, 1, 0, 1]), verbose=0)
    return [np.array(each) for each in model.get_weights()]


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_optimizer_keeps_its_averages_in_the_order_of_the_weights(wrapped):
    weights = [keras.Variable(np.float32([1, 2]), name="one"), keras.Variable(np.float32(3), name="other")]
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer = keras.optimizers.LossScaleOptimizer(optimizer) if wrapped else optimizer
    optimizer.build(weights)

    optimizer.apply([keras.ops.zeros(2), keras.ops.zeros(())], weights)

    assert [average.numpy().tolist() for average in weight_averages(optimizer)] == [[1, 2], 3]


def make_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation=custom)])
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    return model


@tf.custom_gradient
def custom(x):
    return keras.ops.softmax(x), lambda upstream: 2 * upstream


def count_graphs():
    gc.collect()
    return sum(type(each).__name__ == "FuncGraph" for each in gc.get_objects())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow")
def test_the_graphs_of_models_that_are_gone_are_gone_too_and_living_models_train_on():
    forget_traced_gradients()
    before = count_graphs()
    fit(make_model())
    assert count_graphs() > before  # what this is about: TensorFlow holds them
    forget_traced_gradients()
    assert count_graphs() <= before

    one, other = make_model(), make_model()
    for model in (one, other):
        fit(model)
    wanted = fit(one)
    forget_traced_gradients()
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(fit(other), wanted, strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_variable_takes_its_share_of_the_update_of_any_optimizer(name):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(4, 3, 2)).astype(np.float32)
    gradients = rng.normal(size=(2, 4, 3, 2)).astype(np.float32)

    def step(shares, n_steps=1):
        variables = [keras.Variable(values) for values in start]
        optimizer = getattr(keras.optimizers, OPTIMIZERS[name])(0.05, weight_decay=0.1, clipvalue=0.5)
        if shares is not None:
            mix_in(ScaledUpdates, optimizer)
        optimizer.build(variables)
        if shares is not None:
            optimizer.shares.assign(shares)
        for each in gradients[:n_steps]:
            optimizer.apply([keras.ops.convert_to_tensor(values) for values in each], variables)
        return np.array([keras.ops.convert_to_numpy(variable.value) for variable in variables])

    whole, twice = step(None), step(None, n_steps=2)
    assert not np.isclose(whole, start).any()
    assert np.array_equal(step([1, 1, 1, 1], n_steps=2), twice)
    scaled = step([0, 0.5, 0.1, 1])
    assert np.array_equal(scaled[[0, 3]], [start[0], whole[3]])
    shares = np.array([0.5, 0.1])[:, None, None]
    np.testing.assert_allclose(scaled[1:3], start[1:3] + shares * (whole - start)[1:3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_a_rate_that_moves_by_batch_is_the_one_that_each_update_takes(name, both):
    gradients = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)

    def train(by_batch):
        variable = keras.Variable(np.ones(2, np.float32))
        optimizer = getattr(keras.optimizers, OPTIMIZERS[name])(0.5, weight_decay=0.1)
        if by_batch:
            mix_in(RateByBatch, optimizer)
        if both:
            mix_in(ScaledUpdates, optimizer)
        optimizer.build([variable])
        for step, gradient in enumerate(gradients):
            if not by_batch:
                optimizer.learning_rate = [0.0, 0.1, 0.2, 0.3, 0.2, 0.1][step]
            elif step in (0, 3):
                optimizer.follow_line(*[(0.0, 0.3, 3), (0.3, 0.0, 3)][step // 3])
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        return keras.ops.convert_to_numpy(variable.value), float(optimizer.learning_rate)

    (found, rate), (wanted, _) = train(True), train(False)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert rate == pytest.approx(0, abs=1e-7)


def test_a_rate_that_moves_by_batch_counts_the_batches_whose_gradients_are_accumulated():
    variable, optimizer = keras.Variable(np.ones(2, np.float32)), keras.optimizers.SGD(0.5, gradient_accumulation_steps=2)
    mix_in(RateByBatch, optimizer)
    optimizer.build([variable])
    optimizer.follow_line(0.0, 0.4, 4)
    for _ in range(4):
        optimizer.apply([keras.ops.ones(2)], [variable])

    assert float(optimizer.learning_rate) == pytest.approx(0.4)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), 1 - 0.1 - 0.3, rtol=1e-5)


FITTED_BY_BATCH = """
import keras, numpy as np
from xval.backend.keras_optimizers import RateByBatch, mix_in
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
optimizer = keras.optimizers.SGD(0.1)
mix_in(RateByBatch, optimizer)
model.compile(optimizer, "mean_squared_error")
optimizer.build(model.trainable_variables)
optimizer.follow_line(0.0, 0.3, 3)
model.fit(np.ones((3, 1)), np.ones((3, 1)), batch_size=1, verbose=0)
print(round(float(optimizer.learning_rate), 6))
"""


def test_jax_which_gives_the_buffers_of_variables_away_trains_with_a_rate_that_moves_by_batch(run_on, tmp_path):
    (tmp_path / "fit.py").write_text(FITTED_BY_BATCH)
    assert run_on("jax", tmp_path / "fit.py", path=[ROOT]) == "0.3\n"


def test_gradients_of_what_is_not_changed_do_not_count_in_the_norm_that_is_clipped():
    variables = [keras.Variable(np.zeros(2, np.float32)) for _ in range(2)]
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
    mix_in(ScaledUpdates, optimizer)
    optimizer.build(variables)
    optimizer.shares.assign([0, 1])

    optimizer.apply([keras.ops.convert_to_tensor([300.0, 0.0]), keras.ops.convert_to_tensor([0.5, 0.0])], variables)

    assert [np.array(variable).tolist() for variable in variables] == [[0, 0], [-0.5, 0]]


@pytest.mark.parametrize(("backend", "is_loaded"), [("jax", False), ("jax", True), ("tensorflow", False)])
def test_tensorflow_is_left_alone_on_another_backend_unless_it_is_loaded(monkeypatch, backend, is_loaded):
    from keras.src.utils import module_utils

    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(module_utils.tensorflow, "_available", None)
    monkeypatch.setattr(module_utils.tensorflow, "initialize", lambda: sys.modules.update(tensorflow=tf))
    if not is_loaded:
        monkeypatch.delitem(sys.modules, "tensorflow")

    leave_tensorflow_alone()
    keras.utils.set_random_seed(1)
    keras.saving.serialize_keras_object({"a": 1})

    assert ("tensorflow" in sys.modules) == (is_loaded or backend == "tensorflow")


def test_the_state_of_the_seeds_that_keras_draws_itself_can_be_put_back():
    keras.utils.set_random_seed(1)
    assert global_seed_state() is None
    keras.random.uniform((2,))
    state = global_seed_state()
    first = keras.ops.convert_to_numpy(keras.random.uniform((2,)))
    keras.utils.set_random_seed(2)
    set_global_seed_state(state)

    assert np.array_equal(keras.ops.convert_to_numpy(keras.random.uniform((2,))), first)


def test_the_variables_of_an_optimizer_within_another_are_found():
    inner = keras.optimizers.Nadam()
    outer = keras.optimizers.LossScaleOptimizer(inner)
    outer.build([keras.Variable(np.zeros(2, np.float32))])

    found = {id(each) for each in optimizer_variables(outer)}

    assert found == {id(each) for each in (*outer.variables, *inner.variables, inner._u_product)}


@pytest.mark.parametrize(("kept", "n_dropped"), [(True, 0), (False, 2)])
def test_seeds_and_sessions_drop_kernels_only_where_they_are_not_kept(kept, n_dropped, monkeypatch):
    context = sys.modules["tensorflow.python.eager.context"]
    dropped = []
    monkeypatch.setattr(context.pywrap_tfe, "TFE_ContextClearCaches", dropped.append)

    with kernels_kept(kept=kept):
        keras.utils.set_random_seed(1)
        keras.backend.clear_session()

    assert len(dropped) == n_dropped
    drop_kernels()
    assert len(dropped) == n_dropped + 1


@pytest.mark.parametrize("draw", [tf.random.normal, tf.function(tf.random.normal)])
def test_a_seed_that_an_operation_of_tensorflow_has_drawn_is_noticed(draw, monkeypatch):
    graphs = sys.modules["tensorflow.python.framework.random_seed"]
    monkeypatch.setattr(graphs, "_graph_to_seed_dict", WeakKeyDictionary())  # other tests have their own functions
    keras.utils.set_random_seed(1)
    layer = keras.layers.Dropout(0.5)
    tf.function(layer)(tf.ones((2, 3)), training=True)
    assert not has_drawn_seeds(1)

    draw(())
    assert has_drawn_seeds(1)


def test_the_calls_of_a_graph_and_the_operations_behind_an_output_are_those_of_this_graph_alone():
    inputs, elsewhere = keras.Input((3,)), keras.Input((3,))
    shared = keras.layers.Dense(3)
    shared(elsewhere)  # its first call
    first = shared(inputs)
    output = shared(first) + inputs

    calls = calls_in(keras.Model(inputs, output))

    assert [operation for operation, _, _ in calls] == [shared, shared, calls[2][0]]
    assert calls[0][1][0] is inputs
    assert calls[0][2][0] is first
    operations = operations_behind(output)
    assert operations[1:] == [shared, calls[2][0]]
    assert isinstance(operations[0], keras.layers.InputLayer)
