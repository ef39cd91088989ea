"""One setting in the place of twenty: it lies over config.ini and below what a script says, and is written out."""

import pytest

from xval.base.errors import SettingsError
from xval.jobs.plan import write_settings
from xval.results.folder import ExperimentFolder
from xval.settings.parameters import from_parameters
from xval.settings.recipes import _RECIPES
from xval.settings.resolve import Declaration, resolve


def resolve_one(own, overrides=None, **parameters):
    declaration = Declaration("exp.py", "exp.py", "a test", {"dataset": "toy", **parameters}, {1: own})
    (instance,) = resolve(declaration, [1], overrides)
    return instance


@pytest.mark.parametrize("name", sorted(set(_RECIPES) - {"none"}))
def test_a_recipe_sets_what_it_says_and_names_itself_as_the_source(name):
    instance = resolve_one({"recipe": name})

    for setting, value in _RECIPES[name].items():
        assert getattr(instance.settings, setting) == value
        assert instance.sources[setting] == "recipe"
    assert instance.sources["recipe"] == "instance"
    assert instance.sources["batch_size"] == "config.ini"


def test_without_a_recipe_nothing_is_set():
    assert "recipe" not in resolve_one({}).sources.values()


def test_what_experiment_instance_and_command_line_say_comes_before_the_recipe():
    instance = resolve_one({"label_smoothing": 0.2, "recipe": "speech"}, {"num_epochs": "3"}, top_db=60)

    settings = instance.settings
    assert (settings.label_smoothing, settings.num_epochs, settings.top_db, settings.optimizer) == (0.2, 3, 60, "adamw")
    sources = [instance.sources[name] for name in ("label_smoothing", "num_epochs", "top_db", "optimizer")]
    assert sources == ["instance", "--set", "experiment", "recipe"]


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ({"own": {}, "recipe": "speech"}, "adamw"),
        ({"own": {"recipe": "none"}, "recipe": "speech"}, "adam"),
        ({"own": {"recipe": "none"}, "overrides": {"recipe": "sounds"}}, "adamw"),
    ],
)
def test_the_last_layer_that_names_a_recipe_decides(layers, wanted):
    assert resolve_one(**layers).settings.optimizer == wanted


def test_an_instance_with_a_recipe_is_the_one_that_writes_all_of_it_out():
    by_name, written_out = resolve_one({"recipe": "speech"}), resolve_one(dict(_RECIPES["speech"]))

    assert by_name.settings_hash == written_out.settings_hash != resolve_one({}).settings_hash


def test_settings_json_has_every_setting_of_the_recipe_and_its_source(tmp_path):
    folder = ExperimentFolder(tmp_path)
    instance = resolve_one({"recipe": "sounds"})

    write_settings(folder, instance, "")

    written = folder.settings(1)
    assert {name: written["parameters"][name] for name in _RECIPES["sounds"]} == dict(_RECIPES["sounds"])
    assert {written["sources"][name] for name in _RECIPES["sounds"]} == {"recipe"}
    assert from_parameters(written["parameters"], list(instance.options))[0] == instance.settings


@pytest.mark.parametrize("task", ["regression", "multilabel_classification"])
@pytest.mark.parametrize("name", ["speech", "sounds"])
def test_a_recipe_leaves_out_what_the_task_has_a_reason_against(name, task):
    instance = resolve_one({"recipe": name}, task_type=task)

    assert instance.settings.optimizer == "adamw"
    for setting in _RECIPES[name]:
        is_refused = setting in instance.settings.task.refused
        assert instance.sources[setting] == ("config.ini" if is_refused else "recipe")


def test_a_part_that_does_not_fit_the_features_is_named_with_the_recipe():
    wrong = r"augment_vocal_tract .* recipe='speech' sets augment_vocal_tract; a value set in the instance overrides it"
    with pytest.raises(SettingsError, match=wrong):
        resolve_one({"recipe": "speech", "features": "mfcc"})

    without = {"augment_vocal_tract": 0, "augment_response_db": 0, "augment_noise_floor_db": None}
    assert resolve_one({"recipe": "speech", "features": "mfcc", **without}).settings.augment_time_masks == 1


def test_an_unknown_recipe_is_refused_with_those_there_are():
    with pytest.raises(SettingsError, match=r"recipe.*'speach'.*speech"):
        resolve_one({"recipe": "speach"})


def test_an_estimator_beside_networks_may_have_the_recipe_of_the_experiment():
    assert resolve_one({"architecture": "svm"}, recipe="speech").settings.top_db == 40
