"""Results as DataFrames: from handmade records, and from an experiment that ran."""

import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import xval
from xval import load_predictions, load_results, load_scores
from xval.base.errors import CorpusError, ResultsError
from xval.base.json_files import write_json

KEYS = ["dataset", "experiment", "instance", "fold", "repeat", "side", "metric", "value"]


@pytest.fixture
def two_instances(results):
    """Return results of two instances with two folds each."""
    for number in (1, 2):
        results.add_instance(number, comment_1=f"c{number}", learning_rate=number / 10, n_units=[number, 4], metrics="uar")
        for fold in (1, 2):
            predictions = pd.DataFrame({"item": ["a"], "side": ["test"], "probability_x": np.float32([fold / 4])})
            metrics = {"accuracy": 0.4 + number / 10 + fold / 100, "auc": None}
            results.add_fold(number, fold, metrics, predictions)
    return results


def test_a_row_for_each_instance_fold_side_and_metric(two_instances):
    table = load_results(two_instances.folder.path, parameters=False)

    assert list(table.columns) == KEYS
    assert not table.duplicated(KEYS[:-1]).any()
    assert len(table) == 2 * 2 * 6 * 2
    assert list(table["side"].unique()) == ["training", "validation", "test", "clip_validation", "clip_test", "chance"]
    assert table.dtypes[["experiment", "instance", "fold", "value"]].astype(str).to_list() == ["int64"] * 3 + ["float64"]
    one = table.query("instance == 2 and fold == 1 and metric == 'accuracy'").set_index("side")["value"]
    assert one.to_dict() == pytest.approx(
        {"training": 0.81, "validation": 0.71, "test": 0.61, "clip_validation": 0.71, "clip_test": 0.61, "chance": 0.5}
    )
    assert table.query("metric == 'auc' and side != 'chance'")["value"].isna().all()
    means = table.query("side == 'test' and metric == 'accuracy'").groupby("instance")["value"].agg(["mean", "std"])
    assert means.loc[1].to_list() == pytest.approx([0.515, math.sqrt(0.00005)])
    assert table.attrs["not_done"] == []


def test_parameters_that_differ_are_columns_to_group_by(two_instances):
    table = load_results(str(two_instances.folder.path))

    described = ["comment_1", "comment_2", "architecture", "learning_rate", "n_units"]
    assert list(table.columns) == [*KEYS, *described]
    assert table.groupby("n_units")["instance"].unique().map(list).to_dict() == {(1, 4): [1], (2, 4): [2]}
    assert table.query("learning_rate == 0.2")["comment_1"].unique().tolist() == ["c2"]


def test_a_parameter_does_not_take_the_place_of_a_column(results):
    for number in (1, 2):
        results.add_instance(number, value=number, item="x" * number)
        results.add_fold(number, 1, {"accuracy": 0.5})
        results.add_fold(number, 2, {"accuracy": 0.5})

    assert list(load_results(results.folder.path).columns[-2:]) == ["parameter_value", "item"]
    table = load_results(results.folder.path, items=True)
    assert list(table.columns[-2:]) == ["parameter_value", "parameter_item"]
    assert table.query("side == 'test'")["value"].to_list() == [0.5] * 4


def test_items_have_rows_of_their_own_where_asked_for(two_instances):
    plain, table = (load_results(two_instances.folder.path, items=items) for items in (False, True))

    of_items = table.query("side == 'item_test'")
    assert set(of_items["item"]) == {"speaker 1", "speaker 2"}
    assert set(of_items["metric"]) == {"n_clips", "accuracy", "auc"}
    rest = table.query("side != 'item_test'")
    assert rest["item"].isna().all()
    pd.testing.assert_frame_equal(rest.drop(columns="item").reset_index(drop=True), plain)


def test_an_instance_and_a_fold_are_read_alone(two_instances):
    of_instance = load_results(two_instances.folder.instance_folder(2))
    of_fold = load_results(two_instances.folder.fold_folder(2, 1))

    assert (set(of_instance["instance"]), set(of_instance["fold"])) == ({2}, {1, 2})
    assert (set(of_fold["instance"]), set(of_fold["fold"])) == ({2}, {1})
    assert of_fold.attrs["not_done"] == []


@pytest.mark.parametrize("name", ["", "demo"])
def test_several_experiments_are_told_apart(tmp_path, make_results, name):
    for number in (10, 2):
        results = make_results(tmp_path, number=number, n_folds=1)
        results.add_instance(1)
        results.add_fold(1, 1, {"accuracy": number / 100})

    table = load_results(tmp_path / name)

    found = table.query("side == 'test'").set_index(["dataset", "experiment"])["value"]
    assert list(found.items()) == [(("demo", 2), 0.02), (("demo", 10), 0.1)]


def test_scores_over_items_are_not_asked_of_a_fold_alone(two_instances):
    with pytest.raises(ResultsError, match=r"fold_1: .* need all folds\. Give the folder of the instance, .*instance_1"):
        load_scores(two_instances.folder.fold_folder(1, 1))


def test_two_folders_of_one_experiment_are_refused(tmp_path, make_results):
    for place in ("here", "there"):
        results = make_results(tmp_path / place, n_folds=1)
        results.add_instance(1)
        results.add_fold(1, 1, {"accuracy": 0.5})

    with pytest.raises(ResultsError, match="both have experiment 1 of 'demo'"):
        load_results(tmp_path)


def test_folds_that_failed_or_are_missing_are_named(results, make_failure):
    results.add_instance(1)
    results.add_fold(1, 1, {"accuracy": 0.5})
    failed = results.add_fold(1, 2, {}) / "record.json"
    write_json(failed, json.loads(failed.read_text()) | make_failure(2))
    results.add_instance(2)

    with pytest.warns(UserWarning, match=r"^3 folds not .*instance 1, fold 2 failed; .*instance 2, fold 1 missing") as caught:
        table = load_results(results.folder.path)

    assert caught[0].filename == __file__
    assert set(table["fold"]) == {1}
    assert [(fold["instance"], fold["fold"], fold["status"]) for fold in table.attrs["not_done"]] == [
        (1, 2, "failed"), (2, 1, "missing"), (2, 2, "missing"),
    ]  # fmt: skip
    assert table.attrs["not_done"][0]["error"] == "the loss is NaN after epoch 3"
    json.dumps(table.attrs)  # or the table could not be written as parquet


def test_an_experiment_without_any_fold_is_an_empty_table(results):
    results.add_instance(1)

    with pytest.warns(UserWarning, match="2 fold"):
        table = load_results(results.folder.path)
    with pytest.warns(UserWarning, match="2 fold"):
        predictions = load_predictions(results.folder.path)

    assert (len(table), list(table.columns)) == (0, [*KEYS, "comment_1", "comment_2", "architecture"])
    assert str(table["value"].dtype) == "float64"
    assert (len(predictions), list(predictions.columns)) == (0, ["instance", "fold", "repeat"])


def test_records_of_other_settings_or_folds_do_not_count(two_instances):
    two_instances.add_instance(3)
    two_instances.add_fold(3, 1, {"accuracy": 0.9}, settings_hash="earlier")
    two_instances.add_fold(3, 2, {"accuracy": 0.9}, folds_hash="earlier")

    with pytest.warns(UserWarning, match="2 fold"):
        table = load_results(two_instances.folder.path)

    assert set(table["instance"]) == {1, 2}


def spoil(path, how):
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:40])
    else:
        content = json.loads(path.read_text())
        content[how] = None
        path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("instance_1/fold_2/record.json", "gone", r"fold_2: has no record\.json"),
        ("instance_1/fold_2/record.json", "cut", r"record\.json: not readable as JSON"),
        ("instance_1/fold_2/record.json", "items", r"record\.json: cannot be read as the record of a fold \(items=None"),
        ("instance_1/fold_2/record.json", "status", r"record\.json: cannot be read as the record of a fold \(status=None"),
        ("instance_1/settings.json", "gone", r"settings\.json: missing"),
        (
            "instance_1/settings.json",
            "parameters",
            r"settings\.json: cannot be read as the settings of an instance \(parameters=None",
        ),
        ("folds.json", "folds", r"folds\.json: cannot be read as the folds"),
    ],
)
def test_what_is_damaged_is_named(two_instances, name, how, message):
    spoil(two_instances.folder.path / name, how)

    with pytest.raises(ResultsError, match=message):
        load_results(two_instances.folder.path)


def test_scores_that_are_missing_are_named(two_instances):
    (two_instances.folder.fold_folder(2, 1) / "scores.parquet").unlink()

    with pytest.raises(ResultsError, match=r"fold_1/scores\.parquet: missing\. Move its folder away to run that part again"):
        load_results(two_instances.folder.path)


def test_a_folder_without_an_experiment_is_refused(two_instances, tmp_path):
    with pytest.raises(ResultsError, match="no such folder"):
        load_results(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultsError, match="has no results of an experiment"):
        load_results(tmp_path / "empty")
    with pytest.raises(ResultsError, match=r"record\.json: expected the folder of an experiment, an instance or a fold"):
        load_results(two_instances.folder.fold_folder(1, 1) / "record.json")


def test_predictions_have_instance_and_fold_first_and_keep_their_types(two_instances):
    table = load_predictions(two_instances.folder.path)

    assert list(table.columns) == ["instance", "fold", "repeat", "item", "side", "probability_x"]
    assert table[["instance", "fold"]].to_numpy().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert (str(table["fold"].dtype), str(table["probability_x"].dtype)) == ("int64", "float32")
    assert table["probability_x"].to_list() == [0.25, 0.5, 0.25, 0.5]


def test_nothing_is_read_but_the_instances_and_columns_that_are_wanted(two_instances):
    (two_instances.folder.fold_folder(1, 1) / "predictions.parquet").write_bytes(b"damaged")

    some = load_predictions(two_instances.folder.path, instances=2, columns=["probability_x"])
    again = load_predictions(two_instances.folder.instance_folder(2), instances=[2], columns=["probability_x"])

    assert list(some.columns) == ["instance", "fold", "repeat", "probability_x"]
    assert set(some["instance"]) == {2}
    pd.testing.assert_frame_equal(some, again)
    with pytest.raises(ResultsError, match=r"instance_1.fold_1.predictions\.parquet: damaged"):
        load_predictions(two_instances.folder.path)
    (two_instances.folder.fold_folder(1, 1) / "predictions.parquet").unlink()
    with pytest.raises(ResultsError, match=r"predictions\.parquet: missing"):
        load_predictions(two_instances.folder.path)


def test_predictions_have_the_index_of_a_segmented_table_of_audformat(finished, tmp_path):
    audformat = pytest.importorskip("audformat")
    data_folder = finished.folder / "data"
    plain = load_predictions(finished.results, instances=1)

    table = load_predictions(finished.results, instances=1, audformat=True, data_folder=data_folder)

    audformat.assert_index(table.index)
    assert audformat.index_type(table.index) == "segmented"
    starts, ends = (table.index.get_level_values(name).total_seconds() for name in ("start", "end"))
    np.testing.assert_allclose(starts, plain["start_s"], atol=1e-9)
    np.testing.assert_allclose(ends, plain["end_s"], atol=1e-9)
    assert table.index.get_level_values("file").tolist() == plain["clip"].tolist()  # of this corpus clips are called as files
    assert table.attrs == {"not_done": [], "audio_folder": str((finished.folder / "audio").resolve())}
    pd.testing.assert_frame_equal(table.reset_index(drop=True), plain.drop(columns=["clip", "start_s", "end_s"]))
    some = load_predictions(finished.results, instances=1, columns=["side"], audformat=True, data_folder=data_folder)
    pd.testing.assert_frame_equal(some, table[["instance", "fold", "repeat", "side"]])

    tested, scores = table.query("side == 'test'"), load_scores(finished.results).set_index(["instance", "side", "metric"])
    database = audformat.Database("tones")
    database["predictions"], database["figures"] = audformat.Table(tested.index), audformat.MiscTable(scores.index)
    for name, values in (("predictions", tested["predicted"]), ("figures", scores["mean"])):
        database[name]["value"] = audformat.Column()
        database[name]["value"].set(values.to_numpy())
    database.save(tmp_path)
    loaded = audformat.Database.load(tmp_path)
    assert loaded["predictions"]["value"].get().tolist() == tested["predicted"].tolist()


def test_frames_of_a_stretch_lie_in_its_file(finished):
    from dataclasses import replace

    from preprocessing.corpus import open_corpus
    from xval.answers.predictions import _by_segment

    corpus = open_corpus("tones", finished.folder / "data")
    clip, other = corpus.index["clip"][:2]
    stretched = replace(corpus, index=corpus.index.assign(start_s=[2.0, np.nan, *corpus.index["start_s"][2:]]))
    frames = pd.DataFrame({"clip": [clip, clip, other], "start_s": [0.0, 0.1, 0.1], "end_s": [0.1, 0.2, 0.2]})

    are_frames = _by_segment(frames, stretched, are_frames=True).index
    of_windows = _by_segment(frames, stretched, are_frames=False).index

    assert are_frames.get_level_values("start").total_seconds().tolist() == [2.0, 2.1, 0.1]
    assert of_windows.get_level_values("end").total_seconds().tolist() == [0.1, 0.2, 0.2]
    with pytest.raises(CorpusError, match="made this dataset from arrays, which have no files"):
        _by_segment(frames, replace(corpus, corpus="custom"), are_frames=False)


def test_columns_that_one_instance_lacks_are_nan(two_instances):
    two_instances.add_instance(3)
    for fold in (1, 2):
        two_instances.add_fold(3, fold, {"accuracy": 0.5}, pd.DataFrame({"item": ["a", "b"], "target_x": [1, 0]}))

    table = load_predictions(two_instances.folder.path, columns=["probability_x", "target_x"])

    assert len(table) == 8
    assert table.query("instance == 3")["probability_x"].isna().all()
    assert table.query("instance == 3")["target_x"].to_list() == [1, 0, 1, 0]
    assert len(load_predictions(two_instances.folder.path, columns=["probability_x"])) == 8


def test_unknown_instances_and_columns_are_refused(two_instances, make_results, tmp_path):
    with pytest.raises(ResultsError, match=r"no instance 7, 9\. Available: 1, 2"):
        load_predictions(two_instances.folder.path, instances=(1, 7, 9))
    with pytest.raises(ResultsError, match=r"no prediction has a column 'probability_z'.*Did you mean 'probability_x'"):
        load_predictions(two_instances.folder.path, columns=["probability_z"])
    other = make_results(tmp_path, number=2, n_folds=1)
    other.add_instance(1)
    with pytest.raises(ResultsError, match="has several experiments"):
        load_predictions(tmp_path)


def test_the_functions_are_public_and_load_no_backend():
    program = (
        "import sys, xval\n"
        "assert 'pandas' not in sys.modules\n"
        "from xval import load_results, load_predictions\n"
        "print(sorted({'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ended.stdout == "[]\n", ended.stderr
    assert {"load_results", "load_predictions", "Experiment", "__version__"} <= set(dir(xval))


@pytest.mark.usefixtures("in_process")
def test_tables_of_an_experiment_equal_its_own_figures(project):
    ended = project.run("1", "1", "--folds", "1,2", "--set", "num_epochs=1")
    assert ended.returncode == 0, ended.stderr

    with pytest.warns(UserWarning, match=r"^1 fold not in the table.*instance 1, fold 3 missing"):
        table = load_results(project.results, items=True)
    with pytest.warns(UserWarning, match="1 fold"):
        predictions = load_predictions(project.results)

    summary = json.loads((project.results / "instance_1" / "metrics.json").read_text())["summary"]
    wanted = {(side, metric): score for side, scores in summary.items() for metric, score in scores.items()}
    found = table.query("side != 'item_test'").groupby(["side", "metric"])["value"].agg(["mean", "std", "count"])
    assert set(found.index) == set(wanted)
    for key, score in wanted.items():
        assert found.loc[key].to_list() == pytest.approx([score["mean"], score["std"], score["n"]])
    for (_, fold), record in project.records().items():
        of_items = table.query(f"fold == {fold} and side == 'item_test' and metric == 'accuracy'").set_index("item")["value"]
        assert of_items.to_dict() == {item: of["accuracy"] for item, of in record["item_metrics"]["test"].items()}
        tested = predictions.query(f"fold == {fold} and side == 'test'")
        assert (tested["target"] == tested["predicted"]).mean() == pytest.approx(record["metrics"]["test"]["accuracy"])
    with pytest.raises(CorpusError, match="made this dataset from arrays"):
        load_predictions(project.results, audformat=True)


@pytest.mark.parametrize("columns", [None, ["probability_x"]])
def test_predictions_without_items_are_refused(two_instances, columns):
    path = two_instances.folder.fold_folder(1, 1) / "predictions.parquet"
    pd.read_parquet(path).rename(columns={"item": "=x"}).to_parquet(path)

    with pytest.raises(ResultsError, match=r"predictions\.parquet: damaged \(no columns 'item'\)"):
        load_predictions(two_instances.folder.path, columns=columns)


def test_a_setting_of_a_wrong_type_is_named(two_instances):
    path = two_instances.folder.instance_folder(1) / "settings.json"
    content = json.loads(path.read_text())
    content["parameters"] |= {"train_fraction": [], "fmin_hz": None}
    path.write_text(json.dumps(content))

    with pytest.raises(ResultsError, match=r"instance_1.settings\.json: damaged, its settings have train_fraction=\[\]\. "):
        load_results(two_instances.folder.path)
