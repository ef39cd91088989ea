import json

import pytest

from xval.errors import ResultsError
from xval.inference.locate import find_members


@pytest.fixture
def experiment(tmp_path):
    """Return an experiment whose second instance validates better; its models are empty files."""
    folder = tmp_path / "experiment_1"
    for instance, accuracy in ((1, 0.5), (2, 0.75)):
        folds = {}
        for fold in (1, 2, 10):
            of_fold = folder / f"instance_{instance}" / f"fold_{fold}"
            of_fold.mkdir(parents=True)
            (of_fold / "model.keras").touch()
            figures = {"accuracy": accuracy, "balanced_accuracy": accuracy, "loss": 1.0}
            sides = dict.fromkeys(("training", "validation", "test"), figures)
            given = {"n_examples": dict.fromkeys(sides, 4), "n_parameters": 9, "seconds": 1.0, "chance": {"test": figures}}
            given["item_metrics"] = {"test": {"s": {"n_clips": 4}}}
            folds[str(fold)] = {"status": "done", "metrics": sides, "clip_metrics": sides, **given}
        (folder / f"instance_{instance}" / "metrics.json").write_text(json.dumps(metric_dict(instance, folds)))
    (folder / "folds.json").write_text("{}")
    return folder


def metric_dict(instance, folds):
    from xval.summary import make_metric_dict

    records = [{"instance": instance, "fold": int(number), **fold} for number, fold in folds.items()]
    settings = {
        "instance": instance,
        "settings_hash": "",
        "parameters": {"task_type": "classification", "monitor": "val_accuracy", "architecture": "mlp", "loss": "auto"},
        "sources": {},
        "description": "",
    }
    return make_metric_dict(settings, records, folds_total=3)


def test_a_file_and_a_fold_folder_mean_one_model(experiment):
    fold = experiment / "instance_1" / "fold_2"

    assert find_members(fold / "model.keras") == ([fold / "model.keras"], "")
    assert find_members(fold) == ([fold / "model.keras"], "")


def test_an_instance_folder_means_its_folds_in_order(experiment):
    members, note = find_members(experiment / "instance_1")

    assert [path.parent.name for path in members] == ["fold_1", "fold_2", "fold_10"]
    assert "ensemble of 3 fold(s)" in note


def test_an_experiment_folder_means_the_instance_that_validation_selects(experiment):
    members, note = find_members(experiment)

    assert {path.parents[1].name for path in members} == {"instance_2"}
    assert "instance_2: selected by validation accuracy; ensemble of 3" in note


def test_a_combination_is_its_classifier_not_one_of_its_networks(experiment):
    fold = experiment / "instance_1" / "fold_1"
    (fold / "model.keras").rename(fold / "model.skops")

    assert find_members(fold).members == [fold / "model.skops"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "there is no such model or folder. Wanted is a .keras file"),
        ("folds.json", "no saved model. Wanted is"),
        ("instance_1/fold_1/empty", "holds no finished model"),
    ],
)
def test_other_paths_are_refused(experiment, name, message):
    (experiment / "instance_1" / "fold_1" / "empty").mkdir()
    with pytest.raises(ResultsError, match=message):
        find_members(experiment / name)


def test_an_experiment_without_results_has_no_best_instance(experiment):
    for path in experiment.glob("instance_*/metrics.json"):
        path.unlink()
    with pytest.raises(ResultsError, match="no fold is finished, so there is no best instance"):
        find_members(experiment)
