"""Spaces of searches: what is refused when they are declared, and what is refused when the instance is resolved."""

import pytest

from xval import Experiment, choice, integers, log_uniform, uniform
from xval.base.errors import SettingsError
from xval.settings.resolve import Declaration, resolve, resolve_values
from xval.settings.space import SearchPlan


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: uniform(1, 0), r"uniform\(1, 0\); expected the lower end first"),
        (lambda: uniform(0, "1"), "expected two numbers"),
        (lambda: log_uniform(0, 1), "the lower end must be above 0. Use uniform"),
        (lambda: integers(1, 2.5), "expected two whole numbers"),
        (lambda: choice("relu"), "a list of at least two different values"),
        (lambda: choice([1, "1"]), "two different values"),
        (lambda: choice([1, {2}]), "expected text, a number"),
        (lambda: SearchPlan({}, 3), "the space is a dict"),
        (lambda: SearchPlan({"dropout": (0, 1)}, 3), r"dropout: received \(0, 1\); expected uniform"),
        (lambda: SearchPlan({"dropout": uniform(0, 1)}, 0), "n_trials: received 0; expected a whole number, 1"),
        (lambda: SearchPlan({"dropout": uniform(0, 1)}, 3, inner_folds=1), "inner_folds: received 1; expected 0"),
        (lambda: SearchPlan({"dropout": uniform(0, 1)}, 3, pruning="medain"), "Did you mean 'median'?"),
        (lambda: SearchPlan.from_text("{}"), "the plan of a search"),
    ],
)
def test_a_wrong_space_says_what_is_wanted(make, message):
    with pytest.raises(SettingsError, match=message):
        make()


def test_a_plan_is_the_same_after_it_has_been_text():
    space = {
        "learning_rate": log_uniform(1e-4, 1e-2),
        "n_units": choice([(4,), (8, 8)]),
        "batch_size": integers(8, 64, log=True),
    }
    plan = SearchPlan(space, 30, at_once=3, inner_folds=4, pruning="hyperband")

    assert SearchPlan.from_text(plan.to_text()) == plan


def search(space, parameters=None, overrides=None, **shared):
    plan = SearchPlan(space, 3).to_text()
    shared = {"architecture": "mlp", "monitor": "val_accuracy"} | shared
    declaration = Declaration("exp.py", "exp.py", "a test", shared, {1: {"search": plan} | (parameters or {})})
    return resolve(declaration, None, overrides)[0]


@pytest.mark.parametrize(
    ("space", "changes", "message"),
    [
        ({"learning_rat": uniform(0, 1)}, {}, "search: unknown parameter 'learning_rat'. Did you mean 'learning_rate'?"),
        ({"learning_rate": uniform(0, 1)}, {}, "search: learning_rate: received 0; allowed: greater than 0"),
        ({"n_units": choice([(4,), (8,)])}, {"architecture": "cnn_small"}, "search: unknown parameter 'n_units'"),
        ({"optimizer": choice(["adam", "adamm"])}, {}, "search: unknown optimizer 'adamm'"),
        ({"num_folds": integers(2, 4)}, {}, "search: 'num_folds' applies to the whole experiment"),
        ({"seed": integers(1, 4)}, {}, "search: 'seed' cannot be searched: .* Use repeats"),
        ({"n_mels": integers(20, 40)}, {}, r"search: 'n_mels' is a setting of features, .* List the values: choice"),
        (
            {"n_mels": choice(range(20, 45))},
            {},
            r"search: n_mels have 25 combinations, .*at most 24 are allowed\. Remove some",
        ),
        ({"features": choice(["mfcc", "logmel"]), "n_mels": choice([8, 40])}, {}, "search: n_mfcc=13 is more than n_mels=8"),
        ({"example_overlap": choice([0, 0.5])}, {}, "search: 'example_overlap' defines what an example is"),
        ({"tensorboard": choice([True, False])}, {}, "search: 'tensorboard' changes no metric"),
        ({"monitor": choice(["val_loss", "val_accuracy"])}, {}, "search: 'monitor' defines what is compared"),
        ({"loss": choice(["auto", "focal"])}, {"monitor": "val_loss"}, "search: 'loss' changes what val_loss measures. Set"),
        ({"regularization_lambda": uniform(0, 1)}, {"monitor": "val_loss"}, "changes what val_loss measures"),
        (
            {"class_weights": choice(["none", "balanced"])},
            {"monitor": "val_loss"},
            "'class_weights' changes what val_loss measures",
        ),
        ({"dropout": uniform(0, 0.5)}, {"train_fraction": 0.5}, "train_fraction selects a share"),
        ({"dropout": uniform(0, 0.5)}, {"monitor": "loss"}, "monitor"),
        ({"learning_rate": uniform(0.1, 1)}, {"architecture": "feature_combination"}, "not a network"),
    ],
)
def test_a_setting_that_cannot_be_searched_is_refused_before_anything_runs(space, changes, message):
    with pytest.raises(SettingsError, match=message):
        search(space, changes)


def test_features_of_which_the_score_is_measured_are_not_searched():
    shared = {"task_type": "representation", "architecture": "daf_autoencoder", "monitor": "val_loss"}

    with pytest.raises(
        SettingsError, match=r"search: 'n_mels' .* that changes the units or frames in which representation is scored"
    ):
        search({"n_mels": choice([8, 40])}, **shared)


def test_what_is_searched_is_not_set_for_the_run_and_says_where_it_comes_from():
    found = search({"learning_rate": log_uniform(1e-4, 1e-2), "regularization_lambda": uniform(0, 0.1)})

    assert (found.sources["learning_rate"], found.sources["num_epochs"]) == ("search", "config.ini")
    with pytest.raises(SettingsError, match="'learning_rate' is searched, so it cannot be set for the run"):
        search({"learning_rate": log_uniform(1e-4, 1e-2)}, overrides={"learning_rate": "0.01"})


def test_a_search_may_be_declared_for_all_instances_or_set_for_the_run():
    plan, given = SearchPlan({"dropout": uniform(0, 0.4)}, 3).to_text(), {"architecture": "mlp", "monitor": "val_accuracy"}
    declaration = Declaration("exp.py", "exp.py", "a test", given | {"search": plan}, {1: {}})
    assert resolve(declaration)[0].settings.search == plan
    declaration.parameters.pop("search")
    assert resolve(declaration, None, {"search": plan})[0].settings.search == plan
    assert resolve_values(declaration, 1, {"search": plan}, {"dropout": 0.1}).settings.search is None


def test_a_search_is_an_instance_with_a_hash_of_its_own():
    experiment = Experiment("a test", architecture="mlp", monitor="val_accuracy")
    experiment[3] = {}
    numbers = [experiment.search({"dropout": uniform(0, high)}, n_trials=5, n_units=(4,)) for high in (0.4, 0.5)]

    assert numbers == [4, 5]
    assert experiment[4]["comment_1"] == "search dropout"
    hashes = {found.settings_hash for found in resolve(experiment._declaration)}
    assert len(hashes) == 3
    with pytest.raises(SettingsError, match=r"'dropout' is searched and also set to .*. Keep one of them"):
        experiment.search({"dropout": uniform(0, 0.5)}, n_trials=5, dropout=0.1)
