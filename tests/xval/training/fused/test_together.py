"""Folds that are trained together have the results of folds that are trained one by one."""

import json
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest

from xval.training.fused.options import covers, form, pair_variables

PROBE = Path(__file__).with_name("fused_probe.py")
PROJECT_ROOT = PROBE.parents[4]
TOLERANCE = 1e-4
NEEDS_JAX = pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")


@pytest.fixture(scope="session")
def run_cases(run_on):
    """Return a function that gives what the probe prints for some cases, all in one process."""
    flags = "--xla_cpu_multi_thread_eigen=false --xla_backend_optimization_level=0 intra_op_parallelism_threads=1"

    def run_cases(folder, *cases):
        return json.loads(run_on("jax", PROBE, folder, *cases, path=[PROJECT_ROOT], XLA_FLAGS=flags).splitlines()[-1])

    return run_cases


def assert_alike(found):
    assert found["apart"].keys() == {"history", "metrics", "predictions", "weights"}
    assert max(found["apart"].values()) < TOLERANCE, found["apart"]
    assert found["n_reports"] == found["epochs"]


def assert_fused(found, n_members):
    assert {each["used"] for each in found["engine"].values()} == {"fused"}
    assert {each["members"][0] for each in found["engine"].values()} == {n_members}
    assert found["notes"] == []
    assert_alike(found)


@pytest.fixture(scope="module")
def found(make_once, run_cases):
    def run(folder):
        (folder / "found.json").write_text(json.dumps(run_cases(folder, "differing", "cnn")))

    return json.loads((make_once("fused", run) / "found.json").read_text())


@NEEDS_JAX
def test_instances_that_differ_in_rate_dropout_and_penalty_have_the_results_of_each_alone(found):
    assert_fused(found["differing"], 9)
    assert sorted(found["differing"]["outcomes"]) == [f"{instance}:{fold}" for instance in (1, 2, 3) for fold in (1, 2, 3)]


@NEEDS_JAX
def test_members_stop_in_epochs_of_their_own_and_are_published_in_that_order(found):
    epochs = found["differing"]["epochs"]

    assert len(set(epochs.values())) >= 3
    assert min(epochs.values()) < 8
    assert all(best < epochs[name] for name, best in found["differing"]["best_epochs"].items())
    done = [name for name, status in found["differing"]["outcomes"].items() if status == "done"]
    assert done == sorted(done, key=epochs.get)
    widths = [found["differing"]["engine"][name]["members"] for name in done]
    assert (widths[0], widths[-1]) == ([9], [9, 4])  # those that had ended are left out


@NEEDS_JAX
def test_a_member_that_diverges_fails_alone(found):
    outcomes = found["differing"]["outcomes"]

    assert {name for name, status in outcomes.items() if status == "failed"} == {"3:1", "3:2", "3:3"}
    assert {name for name, status in outcomes.items() if status == "done"} == set(found["differing"]["epochs"])
    (error,) = found["differing"]["errors"]
    assert error.startswith("loss is nan after epoch 1. Lower learning_rate (1e+30)")


@NEEDS_JAX
def test_a_convolutional_network_with_batch_normalisation_has_the_results_of_one_by_one(found):
    assert_fused(found["cnn"], 3)


@NEEDS_JAX
@pytest.mark.slow
def test_more_architectures_and_settings_have_the_results_of_one_by_one(tmp_path, run_cases):
    cases = run_cases(tmp_path, "augmented", "streamed", "recurrent")

    for case in cases.values():
        assert_fused(case, 3)


@NEEDS_JAX
@pytest.mark.slow
def test_little_memory_makes_smaller_programs_and_the_engine_fused_takes_the_faster_way(tmp_path, run_cases):
    cases = run_cases(tmp_path, "little memory", "timed")

    little, timed = cases["little memory"], cases["timed"]
    assert {name: each["used"] for name, each in little["engine"].items()} == {
        "1:1": "fused",
        "1:2": "fused",
        "1:3": "sequential",
    }
    assert {each["members"][0] for each in little["engine"].values() if each["used"] == "fused"} == {2}
    assert little["notes"] == ["instance 1: trained by itself: the memory has room for no second one beside it"]
    assert_alike(little)
    for each in timed["engine"].values():
        is_faster = each["step_ms"]["together"] <= each["step_ms"]["one_by_one"]
        assert each["used"] == ("fused" if is_faster else "sequential")
        assert is_faster or "one by one" in each["reason"]
    assert_alike(timed)


def build(*, rate, cell_rate=0.0, penalty=0.0, own_penalty=None):
    keras.backend.clear_session()
    inputs = keras.Input((4, 3))
    hidden = keras.layers.GRU(2, dropout=cell_rate)(inputs)
    hidden = keras.layers.Dropout(rate)(hidden)
    outputs = keras.layers.Dense(2, kernel_regularizer=own_penalty)(keras.layers.Dropout(0.5)(hidden))
    model = keras.Model(inputs, outputs)
    for variable in model.trainable_variables:
        if penalty and variable.name == "kernel":
            variable.regularizer = keras.regularizers.L2(penalty)
    return model


def test_rates_of_dropout_layers_and_penalties_do_not_make_another_form():
    one, other = form(build(rate=0.3, penalty=0.1), 0.1), form(build(rate=0.0), 0.0)

    assert one == other


@pytest.mark.parametrize(
    ("options", "penalty"), [({"rate": 0.3, "cell_rate": 0.2}, 0.0), ({"rate": 0.3, "own_penalty": "l2"}, 0.0)]
)
def test_rates_of_recurrent_cells_and_penalties_of_the_architecture_do(options, penalty):
    assert form(build(**options), penalty) != form(build(rate=0.3), 0.0)


def test_a_model_stands_for_others_only_with_all_that_they_have():
    dropping, penalised, both = build(rate=0.3), build(rate=0.0, penalty=0.1), build(rate=0.1, penalty=0.2)

    assert covers(both, [dropping, penalised])
    assert not covers(dropping, [penalised])
    assert not covers(penalised, [dropping])


def test_variables_are_paired_by_place_and_a_layer_that_drops_nothing_has_no_seed():
    model, other = build(rate=0.3), build(rate=0.0)

    pairs = pair_variables(model, other)

    assert [variable for variable, _ in pairs] == model.variables
    assert {id(found) for _, found in pairs if found is not None} == {id(variable) for variable in other.variables}
    assert [variable.path for variable, found in pairs if found is None] == [model.layers[2].seed_generator.state.path]
    assert all(variable.shape == found.shape for variable, found in pairs if found is not None)
