import pytest

from xval.base.errors import SettingsError
from xval.settings.resolve import Declaration, resolve

MODEL = "results/toy/experiment_1/instance_1/fold_{fold}/model.keras"


def resolved(parameters=None, **own):
    instance = {"architecture": "feature_combination", **own}
    (found,) = resolve(Declaration("exp.py", "exp.py", "a test", parameters or {}, {1: instance}))
    return found


def test_the_options_have_defaults_and_types():
    found = resolved(models=[MODEL], layers_dropped="2", basic_features="false", classifier="random_forest")

    assert found.options == {
        "models": (MODEL,),
        "layers_dropped": 2,
        "basic_features": False,
        "classifier": "random_forest",
        "pca_components": 100,
    }
    assert found.parameters["models"] == [MODEL]
    assert resolved().options["classifier"] == "svm"


def test_parameters_of_the_experiment_may_be_for_its_networks():
    assert resolved({"num_epochs": 3, "learning_rate": 0.1}).settings.num_epochs == 3


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"basic_features": False}, "exp.py, instance 1: nothing to combine: models is empty and basic_features is false"),
        ({"layers_dropped": 2}, "layers_dropped needs models, but models is empty"),
        ({"models": [MODEL], "layers_dropped": -1}, "layers_dropped: received -1; expected 0 or more"),
        ({"pca_components": -5}, "pca_components: received -5; expected 0 or more"),
        ({"models": ["model.h5"]}, "models: received 'model.h5'; expected the path of a model.keras"),
        ({"models": ["{flod}/model.keras"]}, "{fold} is replaced"),
        ({"models": [MODEL, MODEL]}, "a path appears twice"),
        ({"learning_rate": 0.1}, "'learning_rate' applies only to networks"),
        ({"augment_noise": 0.1}, "'augment_noise' applies only to networks"),
        ({"classifier": "smv"}, "classifier: received 'smv'"),
        ({"n_filters": (8,)}, "unknown parameter 'n_filters'"),
        ({"models": 3}, "exp.py, instance 1: models: received '3'"),
    ],
)
def test_what_makes_no_sense_is_refused(own, message):
    with pytest.raises(SettingsError) as raised:
        resolved(**own)

    assert message in str(raised.value)


def test_a_regression_has_no_classes_to_decide_on():
    with pytest.raises(SettingsError, match="feature_combination"):
        resolved({"task_type": "regression"})


def test_a_misspelt_name_is_answered_with_the_right_one():
    with pytest.raises(SettingsError, match="Did you mean 'feature_combination'"):
        resolved(architecture="feature_combinaton")
