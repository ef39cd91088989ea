"""Weights of single classes: in scripts, on the command line and in config.ini."""

import json

import numpy as np
import pytest

from preprocessing.store import write
from tests.outside.conftest import arrays

WEIGHTS = {"a": 3, "c": 0.5}


def settings(study, number=1):
    return json.loads((study.results / f"instance_{number}" / "settings.json").read_text())


def same_predictions(study, one, other):
    columns = [name for name in study.predictions(one) if name.startswith("probability")]
    return np.array_equal(study.predictions(one)[columns], study.predictions(other)[columns])


@pytest.mark.long
def test_a_dict_of_weights_trains_as_in_keras_and_alone(study):
    script = """
import keras
from keras import layers


def build(input_shape, output_shape):
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(output_shape[-1])])


def weighted(y_true, y_pred):
    factors = keras.ops.convert_to_tensor([3.0, 1.0, 0.5])
    factors = keras.ops.take(factors, keras.ops.cast(y_true, "int32"))
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred) * factors
"""
    study.file("nets.py", script)
    shared = {"architecture": "nets.build", "restore_best_weights": False}
    study.train(
        shared | {"class_weights": WEIGHTS},
        shared | {"loss": "nets.weighted"},
        shared,
        {"architecture": "nets.build", "class_weights": "none", "restore_best_weights": False},
        shared | {"class_weights": {"a": 1, "b": 1.0, "c": 1}},
    )

    assert settings(study)["parameters"]["class_weights"] == '{"a": 3.0, "c": 0.5}'
    assert np.allclose(
        study.predictions(1).filter(like="probability"), study.predictions(2).filter(like="probability"), atol=1e-5
    )
    assert not same_predictions(study, 1, 3)
    assert same_predictions(study, 3, 5)
    assert settings(study, 3)["settings_hash"] == settings(study, 4)["settings_hash"]
    # validation and test never weigh
    assert study.history(3)["val_loss"][0] == pytest.approx(study.history(5)["val_loss"][0])


@pytest.mark.parametrize("text", ["a: 3, c: 0.5", '{"a": 3, "c": 0.5}', " c:0.5,a:3 "])
def test_every_place_takes_them(study, text):
    study.script({"architecture": "logistic", "C": 1}, {"architecture": "logistic", "C": 1, "class_weights": WEIGHTS})

    ended = study.run("1", "--set", f"class_weights={text}")
    study.file("config.ini", f"[training]\nclass_weights = {text}\n")
    other = study.run("2")

    assert ended.returncode == other.returncode == 0, ended.stderr + other.stderr
    assert settings(study, 1)["settings_hash"] == settings(study, 2)["settings_hash"]
    assert "Nothing to do" in study.run("1").stdout  # config.ini now says what --set said


@pytest.mark.parametrize("architecture", ["svm", "logistic", "forest", "boosting"])
def test_estimators_use_them(study, architecture):
    few = {"svm": {"C": 1, "gamma": "scale"}, "logistic": {"C": 1}, "forest": {"n_trees": 5, "min_samples_leaf": 1}}
    own = {"architecture": architecture} | few.get(architecture, {"n_trees": 5, "max_leaf_nodes": 3, "min_samples_leaf": 2})
    study.train(own, own | {"class_weights": {"a": 20, "b": 1}}, own | {"class_weights": {"a": 1}}, num_folds=2)

    assert not same_predictions(study, 1, 2)
    if architecture != "forest":  # scikit-learn's own draws trees otherwise where there are weights
        assert same_predictions(study, 1, 3)


FAULTS = [
    ({"a": -1}, "the weight of class 'a' is -1; expected numbers of 0 or more"),
    ({"a": float("nan")}, "the weight of class 'a' is nan"),
    ({"a": True}, "the weight of class 'a' is True"),
    ({"a": "x"}, "the weight of class 'a' is 'x'"),
    ({"a": 0, "b": 0.0}, "all weights are 0"),
    ({}, "expected none, balanced, or a weight for each class"),
    ("balance", "received 'balance'; expected none, balanced, or a weight for each class"),
    ("a: 1, a: 2", "class 'a' is given twice. Keep one"),
    ([1, 2, 3], "expected one value"),
    (3, "received 3; expected none, balanced, or a weight for each class"),
]


def test_what_is_no_weight_is_refused_before_anything_trains(study):
    weighted = [{"architecture": "logistic", "class_weights": weights} for weights, _ in FAULTS]
    study.script(*weighted, head="nan = float('nan')")

    ended = study.run()

    assert ended.returncode == 2
    assert [fault for _, fault in FAULTS if fault not in ended.stderr] == []


@pytest.mark.parametrize("weights", [{"A": 3}, {0: 3}, {"a": 0, "b": 0, "c": 0}], ids=["name", "number", "zero"])
def test_weights_that_the_corpus_cannot_have_are_refused_before_anything_trains(study, weights):
    study.script({"architecture": "logistic", "class_weights": weights})

    ended = study.run()

    assert ended.returncode == 2
    name = next(iter(weights))
    wanted = "all weights are 0" if name == "a" else f"'{name}' is not a class of the dataset. Available: a, b, c."
    assert wanted in ended.stderr
    assert not list(study.results.glob("instance_1/fold_*"))


@pytest.mark.parametrize(
    ("instance", "fault"),
    [
        ({"architecture": "knn"}, "has no effect on knn"),
        ({"architecture": "mlp", "sampling": "balanced"}, "would balance classes twice. Set"),
    ],
)
def test_they_are_refused_where_balanced_is(study, instance, fault):
    study.script(instance | {"class_weights": {"a": 2}})

    ended = study.run()

    assert ended.returncode == 2
    assert fault in ended.stderr


def test_other_tasks_refuse_them_as_they_do_balanced(study):
    for task in ("regression", "multilabel_classification"):
        study.corpus(task)
        study.script({"architecture": "mlp", "class_weights": {"a": 2}}, task_type=task)
        ended = study.run()
        assert ended.returncode == 2
        assert "class_weights='{\"a\": 2.0}'" in ended.stderr


def test_names_with_colons_and_commas_go_as_a_dict(study):
    predictors, targets = arrays()
    names = {"a": "x: y", "b": "p, q", "c": "p, q"}
    renamed = {item: [names[label] for label in labels] for item, labels in targets.items()}
    write("small", predictors, renamed, data_folder=study.folder / "data")

    study.train({"architecture": "logistic", "C": 1, "class_weights": {"x: y": 2, "p, q": 1}})

    assert json.loads(settings(study)["parameters"]["class_weights"]) == {"x: y": 2.0, "p, q": 1.0}
