from pathlib import Path

import pytest

from xval.results.output_folder import neighbour_folder


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fold = Path("results/toy/experiment_1/instance_1/fold_1")
    fold.mkdir(parents=True)
    (fold / "model.keras").touch()
    (fold.parents[1] / "folds.json").touch()
    return fold.parents[1]


@pytest.mark.parametrize("model", ["", "instance_1", "instance_1/fold_1", "instance_1/fold_1/model.keras"])
def test_what_is_made_of_a_model_goes_into_the_folder_of_its_experiment(experiment, model):
    assert neighbour_folder(experiment / model) == experiment


def test_a_model_that_lies_elsewhere_keeps_it_beside_itself(experiment, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = (experiment / "instance_1" / "fold_1" / "model.keras").rename(elsewhere / "best.keras")

    assert neighbour_folder(moved) == Path("elsewhere")
    assert neighbour_folder(elsewhere) == Path("elsewhere")
