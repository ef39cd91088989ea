import pytest

from xval import Experiment
from xval.errors import SettingsError


def test_instances_are_numbered_dicts():
    experiment = Experiment("a test")
    experiment[3] = {"architecture": "mlp"}
    experiment[1] = ['architecture="mlp"', 'learning_rate="0.01"']

    assert list(experiment) == [1, 3]
    assert len(experiment) == 2
    assert experiment[1] == {"architecture": "mlp", "learning_rate": "0.01"}


def test_a_grid_adds_the_product_after_the_last_number():
    experiment = Experiment("a test")
    experiment[4] = {}

    numbers = experiment.grid(architecture=["mlp", "crnn"], learning_rate=[0.1, 0.01, 0.001])

    assert numbers == [5, 6, 7, 8, 9, 10]
    assert experiment[6] == {"comment_1": "mlp, learning_rate 0.01", "architecture": "mlp", "learning_rate": 0.01}


def test_comments_of_grids_are_unique_and_leave_out_what_all_instances_share():
    experiment = Experiment("a test")
    for architecture in ("mlp", "crnn", "crnn"):
        experiment.grid(architecture=[architecture], learning_rate=[0.1, 0.1 + 0.2], seed=[1])
    experiment.grid(dropout=[0.5, 0.5 + 1e-9])

    assert [experiment[number]["comment_1"] for number in experiment] == [
        "learning_rate 0.1",
        "learning_rate 0.3",
        "crnn, learning_rate 0.1, seed 1",
        "crnn, learning_rate 0.3, seed 1",
        "crnn, learning_rate 0.1, seed 1 (5)",
        "crnn, learning_rate 0.3, seed 1 (6)",
        "dropout 0.5",
        "dropout 0.5 (8)",
    ]


def test_a_comment_in_a_grid_is_kept():
    experiment = Experiment("a test")

    experiment.grid(comment_1=["mine"], seed=[1])

    assert experiment[1] == {"comment_1": "mine", "seed": 1}


@pytest.mark.parametrize("number", [0, -1, True, "1", 1.5])
def test_numbers_are_whole_and_above_zero(number):
    with pytest.raises(SettingsError, match="a whole number, 1 or above"):
        Experiment("a test")[number] = {}


def test_a_number_is_used_once():
    experiment = Experiment("a test")
    experiment[1] = {}

    with pytest.raises(SettingsError, match="instance 1: this number is already used"):
        experiment[1] = {}


@pytest.mark.parametrize("parameters", ["architecture", 3, None])
def test_parameters_are_a_dict_or_a_list(parameters):
    with pytest.raises(SettingsError, match="a dict of parameters or a list"):
        Experiment("a test")[1] = parameters


@pytest.mark.parametrize("values", ["mlp", 3, []])
def test_a_grid_wants_lists(values):
    with pytest.raises(SettingsError, match="architecture: a list of values is wanted"):
        Experiment("a test").grid(architecture=values)
