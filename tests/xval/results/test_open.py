"""The one reader of an experiment: each file is read once, again where it was written; and the frames that it has."""

import math
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from xval import load_jobs, load_results, load_scores
from xval.answers.read import read_instances
from xval.base.errors import ResultsError
from xval.base.json_files import read_json, write_json
from xval.report.rebuild import rebuild
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.results.status import read_status


@pytest.fixture
def experiment(make_results, tmp_path):
    """Two instances of two folds; a fold of the second failed, and one more was trained with other settings."""
    results = make_results(tmp_path, n_folds=2)
    for instance in (1, 2):
        results.add_instance(instance, batch_size=16 * instance)
        results.add_fold(instance, 1, {"accuracy": 0.5 * instance, "auc": None})
    results.add_fold(1, 2, {"accuracy": 0.75}, settings_hash="of before")
    results.add_fold(2, 2, {"accuracy": 0.0}, status="failed", error="the loss is NaN")
    return results


def test_every_record_is_read_once_whatever_is_asked_of_it(experiment, count_reads):
    folder = ExperimentFolder(experiment.folder.path)
    results = open_results(folder)
    for instance in (1, 2):
        results.records(instance)
        results.instance(instance)
    read_instances(folder, [1, 2])

    for name, n_files in (("record.json", 4), ("settings.json", 2), ("folds.json", 1)):
        assert list(count_reads(name).values()) == [1] * n_files
    assert open_results(folder) is results
    assert open_results(folder.fold_folder(1, 1)).folder.path == folder.path


def test_a_status_reads_every_record_once(experiment, count_reads):
    read_status(experiment.folder)

    assert list(count_reads("record.json").values()) == [1] * 4


def test_a_record_is_read_again_once_it_was_written(experiment):
    results, key = open_results(experiment.folder), JobKey(1, 1)
    assert (results.record(key)["seconds"], results.instance(1).scores[key].side("test")["accuracy"]) == (10.0, 0.5)

    experiment.add_fold(1, 1, {"accuracy": 0.25}, seconds=11.0)

    assert (results.record(key)["seconds"], results.instance(1).scores[key].side("test")["accuracy"]) == (11.0, 0.25)
    assert results.source(key) != open_results(ExperimentFolder(experiment.folder.path)).source(JobKey(2, 1))


def test_a_damaged_record_is_named_each_time_and_read_when_it_is_whole_again(experiment):
    results, key = open_results(experiment.folder), JobKey(1, 1)
    path = experiment.folder.fold_folder(*key) / "record.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])

    for _ in range(2):
        with pytest.raises(ResultsError, match=r"fold_1/record\.json: not readable as JSON"):
            results.record(key)
    records, damaged = results.records(1)
    assert (list(records), list(damaged)) == ([JobKey(1, 2)], [key])

    path.write_bytes(whole)
    assert results.record(key)["status"] == "done"


def test_the_frame_of_jobs_has_a_row_for_each_that_has_ended(experiment):
    jobs = load_jobs(experiment.folder.path)

    assert jobs[["instance", "fold", "repeat", "deal", "status", "counts"]].to_numpy().tolist() == [
        [1, 1, 1, 1, "done", True],
        [1, 2, 1, 1, "done", False],
        [2, 1, 1, 1, "done", True],
        [2, 2, 1, 1, "failed", True],
    ]
    assert jobs["path"].to_list() == [
        str(experiment.folder.fold_folder(instance, fold)) for instance in (1, 2) for fold in (1, 2)
    ]
    assert jobs["seconds"].to_list() == [10.0] * 4
    assert jobs["error"].map(bool).to_list() == [False, False, False, True]
    assert load_jobs(experiment.folder.fold_folder(2, 2))["fold"].to_list() == [2]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_frame_of_figures_has_those_of_finished_jobs_that_count_and_of_their_items(experiment):
    scores = load_results(experiment.folder.path, items=True)

    of_test = scores.query("side in ('test', 'item_test') and metric == 'accuracy'")
    assert of_test[["instance", "fold", "repeat", "item", "value"]].fillna("").to_numpy().tolist() == [
        [1, 1, 1, "", 0.5],
        [1, 1, 1, "speaker 1", 0.5],
        [2, 1, 1, "", 1.0],
        [2, 1, 1, "speaker 1", 1.0],
    ]
    assert scores.query("metric == 'auc'")["value"].map(math.isnan).sum() == 2 * 6  # of all sides but chance, and of an item
    assert set(scores["side"]) == {"training", "validation", "test", "clip_validation", "clip_test", "chance", "item_test"}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scores_in_the_record_of_an_earlier_version_are_those_of_today(experiment, make_record):
    wanted = load_results(experiment.folder.path, items=True)
    fold = experiment.folder.fold_folder(2, 1)
    earlier = make_record(1, {"accuracy": 1.0, "auc": None})
    (fold / "scores.parquet").unlink()

    write_json(fold / "record.json", earlier | read_json(fold / "record.json"))
    pd.testing.assert_frame_equal(load_results(experiment.folder.path, items=True), wanted)

    (fold / "scores.parquet").write_bytes(b"PAR1")
    with pytest.raises(ResultsError, match=r"scores\.parquet: damaged .*Delete it; record\.json has the scores\."):
        load_results(experiment.folder.path)
    (fold / "scores.parquet").unlink()
    write_json(fold / "record.json", earlier | read_json(fold / "record.json") | {"metrics": {"test": {"accuracy": "x"}}})
    with pytest.raises(ResultsError, match=r"record\.json of 2: damaged scores"):
        load_results(experiment.folder.path)


def test_a_record_in_the_place_of_another_job_is_named(experiment):
    shutil.copy(experiment.folder.fold_folder(2, 1) / "record.json", experiment.folder.fold_folder(1, 1) / "record.json")

    with pytest.raises(ResultsError, match=r"fold_1/record\.json: it is the record of another job, instance 2, fold 1\."):
        load_results(experiment.folder.path)


@pytest.mark.parametrize("content", ["{", '{"metrics": "uar"}', '{"metrics": [1]}'])
def test_damaged_names_of_added_metrics_are_named_with_the_command_that_writes_them(experiment, content):
    experiment.folder.added_metrics.write_text(content)

    with pytest.raises(ResultsError, match=r"damaged\. Delete it and add the metrics again: xval add-metrics .*_1 NAME"):
        _ = open_results(experiment.folder).requested_metrics


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_frame_of_estimates_has_the_figures_over_items(experiment):
    estimates = load_scores(experiment.folder.path).set_index(["instance", "side", "metric"])

    assert estimates.loc[(1, "test", "accuracy"), ["items", "of"]].to_list() == [0.5, "items"]
    assert math.isnan(estimates.loc[(2, "test", "accuracy"), "pooled"])


@pytest.mark.parametrize(
    ("written", "edited"),
    [('"over_items": {', '"earlier": {'), ('"checksum": "', '"checksum": "0'), ('"items": 0.5', '"items": 0.9')],
)
def test_what_is_kept_and_was_edited_is_not_shown_but_computed_anew(experiment, written, edited):
    rebuild(experiment.folder)
    path = experiment.folder.instance_folder(1) / "estimates.json"
    whole = read_json(path)
    assert written in path.read_text()
    path.write_text(path.read_text().replace(written, edited, 1))

    (found,) = read_instances(ExperimentFolder(experiment.folder.path), [1])
    assert found.over_items["figures"]["test"]["accuracy"]["items"] == 0.5

    rebuild(experiment.folder)
    assert read_json(path) == whole


def test_what_is_kept_of_another_instance_or_another_version_is_computed_anew(experiment):
    rebuild(experiment.folder)
    first, second = (experiment.folder.instance_folder(instance) / "estimates.json" for instance in (1, 2))
    second.write_bytes(first.read_bytes())

    (found,) = read_instances(ExperimentFolder(experiment.folder.path), [2])

    assert found.over_items["figures"]["test"]["accuracy"]["items"] == 1.0


def test_the_reader_loads_no_pandas(experiment):
    program = (
        "import sys; from pathlib import Path; from xval.answers.read import read_instances\n"
        "from xval.results.folder import ExperimentFolder; from xval.results.open import open_results\n"
        "folder = ExperimentFolder(Path(sys.argv[1])); open_results(folder).instance(1)\n"
        "found = read_instances(folder, [1])\n"
        "print(sorted({'keras', 'pandas', 'scipy'} & set(sys.modules)), found[0].over_items is not None)"
    )
    rebuild(experiment.folder)

    ended = subprocess.run(
        [sys.executable, "-c", program, str(experiment.folder.path)], capture_output=True, text=True, check=False
    )

    assert ended.stdout == "[] True\n", ended.stderr
