"""Estimators of scikit-learn as a user types their options: one value or several, and few speakers."""

import json
import re

import pytest

from preprocessing.store import write
from tests.outside.conftest import arrays


def options(study, number=1):
    return json.loads((study.results / f"instance_{number}" / "settings.json").read_text())["parameters"]


VALUES = [
    ({"architecture": "svm", "gamma": 0.1, "C": 10.0}, {"gamma": ["0.1"], "C": [10.0]}),
    ({"architecture": "svm", "gamma": 1, "C": 10}, {"gamma": ["1"], "C": [10.0]}),
    ({"architecture": "svm", "gamma": "0.2", "C": "10"}, {"gamma": ["0.2"], "C": [10.0]}),
    ({"architecture": "svm", "gamma": ["scale", 0.1], "C": 1}, {"gamma": ["scale", "0.1"], "C": [1.0]}),
    (["architecture='svm'", "gamma=0.3", "C=10.0"], {"gamma": ["0.3"], "C": [10.0]}),
    (["architecture='svm'", "gamma=\"['scale', 0.1]\"", 'C="2"'], {"gamma": ["scale", "0.1"], "C": [2.0]}),
    (
        {"architecture": "forest", "n_trees": 3, "min_samples_leaf": 2, "max_features": 0.5},
        {"min_samples_leaf": [2], "max_features": ["0.5"]},
    ),
]


@pytest.mark.long
def test_one_value_of_an_option_that_may_have_several(study):
    study.train(*(instance for instance, _ in VALUES))

    for number, (_, expected) in enumerate(VALUES, start=1):
        assert expected.items() <= options(study, number).items()
        assert study.record(number)["classifier_settings"].keys() >= expected.keys()


@pytest.mark.long
def test_one_value_from_the_command_line_a_grid_and_cross_validate(study):
    study.file(
        "exp.py",
        "from xval import Experiment\n"
        "e = Experiment('x', dataset='small', num_folds=2, fold_repeats=1, page='none')\n"
        "e.grid(architecture=['svm'], C=[1, 10.0], kernel=['linear'])\n"
        "e.main()\n",
    )
    ended = study.run("--set", "gamma=0.1")
    code = "import xval; print(xval.cross_validate('small', num_folds=2, architecture='svm', C=3, gamma=0.1, num_experiment=2))"
    crossed = study.python("-c", code)

    assert ended.returncode == 0, ended.stderr
    assert [options(study, number)["C"] for number in (1, 2)] == [[1.0], [10.0]]
    assert options(study)["gamma"] == ["0.1"]
    assert crossed.returncode == 0, crossed.stderr


@pytest.mark.parametrize(
    ("value", "fault"), [(-1, "expected a number above 0"), (None, "expected one value"), (True, "received True")]
)
def test_one_value_that_is_none_of_it_is_refused(study, value, fault):
    study.script({"architecture": "svm", "C": value})

    ended = study.run()

    assert ended.returncode == 2
    assert fault in ended.stderr


@pytest.mark.parametrize("architecture", ["svm", "logistic"])
def test_three_speakers_are_enough_for_a_search(study, architecture):
    predictors, targets = (dict(list(of.items())[:3]) for of in arrays())
    write("small", predictors, targets, data_folder=study.folder / "data")
    study.train({"architecture": architecture}, num_folds=3)
    assert study.record()["searched_on"] == "inner_folds"


@pytest.mark.parametrize("architecture", ["svm", "logistic"])
def test_the_advice_on_three_speakers_works_where_one_of_them_trains(study, architecture):
    predictors, targets = (dict(list(of.items())[:3]) for of in arrays())
    write("small", predictors, targets, data_folder=study.folder / "data")
    study.script({"architecture": architecture, "fit_on": "training"}, num_folds=3)

    refused = study.run()

    assert refused.returncode == 2
    advice = re.search(r"Give each option one value, which needs no search: (.*), or add items", refused.stderr)[1]
    settings = [f"--set={setting.replace(' ', '').replace(chr(34), '')}" for setting in re.findall(r'\w+ = [\w."]+', advice)]
    assert len(settings) == {"svm": 2, "logistic": 1}[architecture]
    done = study.run(*settings)
    assert done.returncode == 0, done.stderr


def test_three_speakers_allow_three_folds(study):
    predictors, targets = (dict(list(of.items())[:3]) for of in arrays())
    write("small", predictors, targets, data_folder=study.folder / "data")
    study.script({"architecture": "constant"}, num_folds=5)

    refused = study.run()
    allowed = re.search("expected (.*), or fold_strategy", refused.stderr)[1]

    assert allowed == "3"
    assert study.run("--set", f"num_folds={allowed}").returncode == 0
