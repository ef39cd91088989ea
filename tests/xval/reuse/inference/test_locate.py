import pandas as pd
import pytest

from xval.base.errors import ResultsError
from xval.base.json_files import read_json, write_json
from xval.reuse.inference.locate import find_members

FOLDS = (1, 2, 10)


@pytest.fixture
def experiment(make_results, tmp_path):
    """Return an experiment whose second instance validates better; its models are empty files."""
    made = make_results(tmp_path, n_folds=max(FOLDS))
    content = read_json(made.folder.folds_file)
    write_json(made.folder.folds_file, content | {"folds": [content["folds"][fold - 1] for fold in FOLDS]})
    for instance, accuracy in ((1, 0.5), (2, 0.75)):
        made.add_instance(instance)
        for fold in FOLDS:
            (made.add_fold(instance, fold, {"accuracy": accuracy, "loss": 1.0}) / "model.keras").touch()
    return made.folder.path


def test_a_file_and_a_fold_folder_mean_one_model(experiment):
    fold = experiment / "instance_1" / "fold_2"

    assert find_members(fold / "model.keras") == ([fold / "model.keras"], "")
    assert find_members(fold) == ([fold / "model.keras"], "")


def test_an_instance_folder_means_its_folds_in_order(experiment):
    members, note = find_members(experiment / "instance_1")

    assert [path.parent.name for path in members] == ["fold_1", "fold_2", "fold_10"]
    assert note.endswith("instance_1: ensemble of 3 folds")


def test_folds_without_a_model_are_named(experiment):
    (experiment / "instance_1" / "fold_2" / "model.keras").unlink()
    assert find_members(experiment / "instance_1")[1].endswith("instance_1: ensemble of 2 of 3 folds, none of fold 2")
    (experiment / "instance_1" / "fold_1" / "model.keras").unlink()
    assert find_members(experiment / "instance_1")[1].endswith("instance_1: one fold of 3, none of fold 1, 2")


def test_damaged_folds_are_named(experiment):
    write_json(experiment / "folds.json", {"hash": "f", "index_hash": "i", "settings": {}, "folds": [1e308]})
    with pytest.raises(ResultsError, match=r"folds\.json: cannot be read as the folds of an experiment"):
        find_members(experiment / "instance_1")


def test_repeats_of_a_fold_are_further_members(experiment):
    further = experiment / "instance_1" / "fold_2_repeat_2"
    further.mkdir()
    (further / "model.keras").touch()

    members, note = find_members(experiment / "instance_1")

    assert [path.parent.name for path in members] == ["fold_1", "fold_2", "fold_2_repeat_2", "fold_10"]
    assert note.endswith("instance_1: ensemble of 3 folds, 4 models")
    assert find_members(further) == ([further / "model.keras"], "")


def test_an_experiment_folder_means_the_instance_that_validation_selects(experiment):
    members, note = find_members(experiment)

    assert {path.parents[1].name for path in members} == {"instance_2"}
    assert "instance_2: selected by validation accuracy; ensemble of 3" in note


def test_the_scores_of_jobs_select_not_what_was_derived_from_them_before(experiment):
    """A run that was killed, or continues, has not written metrics.json anew."""
    path = experiment / "instance_1" / "fold_2" / "scores.parquet"
    rows = pd.read_parquet(path)
    rows.loc[rows["side"].isin(["validation", "clip_validation"]) & (rows["metric"] == "accuracy"), "value"] = 3.0
    rows.to_parquet(path, index=False)
    (experiment / "instance_2" / "metrics.json").write_text("{}")

    assert "instance_1: selected by validation accuracy" in find_members(experiment).note


def test_a_combination_is_its_classifier_not_one_of_its_networks(experiment):
    fold = experiment / "instance_1" / "fold_1"
    (fold / "model.keras").rename(fold / "model.skops")

    assert find_members(fold).members == [fold / "model.skops"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "no such model or folder. Expected EXPERIMENT:N"),
        ("folds.json", "not a saved model. Expected"),
        ("instance_1/fold_1/empty", "has no finished model"),
        ("renamed.skops", r"a saved estimator must keep its name, model\.skops"),
    ],
)
def test_other_paths_are_refused(experiment, name, message):
    (experiment / "renamed.skops").touch()
    (experiment / "instance_1" / "fold_1" / "empty").mkdir()
    with pytest.raises(ResultsError, match=message):
        find_members(experiment / name)


def test_an_experiment_without_results_has_no_best_instance(experiment):
    for path in experiment.glob("instance_*/fold_*/record.json"):
        path.unlink()
    with pytest.raises(ResultsError, match="no fold is finished, so there is no best instance"):
        find_members(experiment)
