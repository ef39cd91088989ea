"""Figures over items: pooled figures, intervals and chance, and when they are computed."""

import os
import shutil
from dataclasses import replace

import numpy as np
import openpyxl
import pandas as pd
import pytest

import xval
from xval.answers.findings import find_findings
from xval.answers.over_items import _measure, measure_over_items
from xval.answers.ranking import summary_table
from xval.answers.read import read_instances
from xval.answers.score_text import format_chance, format_test
from xval.answers.summary import chance_level
from xval.measures import metrics
from xval.measures.statistics.intervals import mean_interval
from xval.measures.task import find_task
from xval.report.rebuild import rebuild
from xval.results import tested_examples
from xval.results.estimates_file import read_estimates, write_estimates
from xval.results.folder import ExperimentFolder
from xval.results.item_scores import EARLIER_OF_THIS_FORM
from xval.results.job_key import JobKey


def table(item, targets, probabilities, clips=None, **columns):
    """Return predictions.parquet of a fold that tests one item; probabilities of the class 'yes'."""
    probabilities = np.float32(probabilities)
    names = np.array(["no", "yes"])
    return pd.DataFrame(
        {
            "item": item,
            "clip": clips or [f"{item} {number}" for number in range(len(targets))],
            "side": "test",
            "target": names[list(targets)],
            "predicted": names[(probabilities > 0.5).astype(int)],
            "probability_no": 1 - probabilities,
            "probability_yes": probabilities,
        }
        | columns
    )


@pytest.fixture
def run(make_results, tmp_path):
    """Return a function that leaves an experiment of one instance and returns its instance.

    Each table is of a fold with one test item; the figures of the records are what an evaluation writes.
    """

    def make(tables, *, task_type="classification", n_examples=None, **parameters):
        results = make_results(tmp_path, n_folds=len(tables))
        results.add_instance(1, task_type=task_type, clip_average="probabilities", **parameters)
        for fold, predictions in enumerate(tables, start=1):
            clips = predictions.drop_duplicates("clip")
            by_clip = predictions.groupby("clip", sort=False)["probability_yes"].mean().to_numpy()
            of_clips = compute(clips["target"], by_clip)
            example_weights = compute(predictions["target"], predictions["probability_yes"])
            item = {"n_clips": len(clips), **of_clips}
            results.add_fold(
                1, fold, example_weights, predictions,
                clip_metrics={"validation": of_clips, "test": of_clips},
                item_metrics={"test": {str(predictions["item"].iloc[0]): item}},
                n_examples={"training": 9, "validation": 9, "test": len(predictions)},
                chance={"test": dict.fromkeys(example_weights, 0.0)},
            )  # fmt: skip
        assert rebuild(results.folder) == []
        make.results = results
        return read_instances(results.folder, [1])[0]

    return make


def compute(targets, probabilities):
    arrays = (np.asarray(targets) == "yes").astype(np.int64), np.stack([1 - probabilities, probabilities], axis=1)
    return metrics.compute("classification", arrays[0], arrays[1].astype(np.float32))


def draw(n_folds=6, n_clips=20, seed=0):
    rng = np.random.default_rng(seed)
    return [table(f"speaker {fold}", rng.integers(2, size=n_clips), rng.random(n_clips)) for fold in range(1, n_folds + 1)]


def test_pooled_figures_are_those_of_the_examples_of_all_folds(run):
    tables = draw()
    instance = run(tables)
    whole = pd.concat(tables)
    wanted = compute(whole["target"], whole["probability_yes"].to_numpy())
    assert {name: instance.item_score("test", name)["pooled"] for name in wanted} == pytest.approx(wanted)
    accuracies = [compute(each["target"], each["probability_yes"].to_numpy())["accuracy"] for each in tables]
    found = instance.item_score("test", "accuracy")
    assert found["items"] == pytest.approx(np.mean(accuracies))
    assert (found["of"], found["low"], found["high"]) == ("items", *mean_interval(np.array(accuracies))[:2])


def test_where_a_fold_lacks_a_class_the_pooled_figure_stands_for_the_corpus_and_no_metric_is_dropped(run):
    """Gender: every speaker has one class, so that no fold has an AUC, and its precision says nothing."""
    rng = np.random.default_rng(0)
    tables = [
        table(f"s{fold}", [fold % 2] * 30, np.clip(rng.normal(0.4 + 0.2 * (fold % 2), 0.2, 30), 0, 1)) for fold in range(6)
    ]
    instance = run(tables)
    assert instance.over_folds("test", "auc")["mean"] is None
    whole = pd.concat(tables)
    wanted = compute(whole["target"], whole["probability_yes"].to_numpy())
    for name in ("auc", "eer", "macro_f1", "precision", "balanced_accuracy"):
        found = instance.item_score("test", name)
        assert (found["of"], found["pooled"]) == ("pooled", pytest.approx(wanted[name]))
        assert found["low"] < found["pooled"] < found["high"]
        assert found["chance"] == 0.5
    assert instance.over_folds("test", "macro_f1")["mean"] < wanted["macro_f1"] - 0.2
    texts = {finding.code: finding.line for finding in find_findings([instance])}
    assert "Folds 1-6" in texts["XV106"]


def test_chance_is_in_the_unit_of_the_figure(run):
    """Half of the clips are 'yes', but those are cut into eleven windows and the others are one."""
    tables = []
    for fold in range(3):
        clips = [f"{fold} {number}" for number in range(4)]
        numbers = [0, 1, *[2] * 11, *[3] * 11]
        tables.append(table(f"s{fold}", [0, 0, *[1] * 22], np.linspace(0.1, 0.9, 24), [clips[number] for number in numbers]))
    instance = run(tables)
    assert chance_level([instance], "accuracy", "test").lowest == pytest.approx(22 / 24)
    of_clips = chance_level([instance], "accuracy", "clip_test")
    assert (of_clips.lowest, of_clips.strategy) == (pytest.approx(0.5), "always the most frequent class")


def test_chance_of_one_class_per_item_is_that_of_all_tested_items(run):
    """What trains has fewer of the class that is tested: its majority is wrong in every fold, which is no chance level."""
    instance = run([table(f"s{fold}", [fold % 2] * 10, np.linspace(0.3, 0.7, 10)) for fold in range(6)])
    assert instance.over_folds("chance", "accuracy")["mean"] == 0
    assert chance_level([instance], "accuracy").lowest == pytest.approx(0.5)


def test_chance_counts_items_as_the_figure_does(run):
    """One speaker with very many clips of one class: a mean over items counts it once."""
    instance = run([table("s0", [0] * 90, np.full(90, 0.3)), *(table(f"s{fold}", [1, 1], [0.6, 0.7]) for fold in range(1, 4))])
    found = instance.item_score("test", "accuracy")
    assert (found["of"], found["items"], found["chance"]) == ("items", 1.0, 0.75)


def numbers_of(make_results, path, targets, predicted):
    """Return the instance of an experiment that predicts numbers, a fold for each row of them, of one item."""
    results = make_results(path, n_folds=len(targets))
    results.add_instance(1, task_type="regression", clip_average="probabilities")
    for fold, (true, answers) in enumerate(zip(targets, np.float32(predicted), strict=True), start=1):
        predictions = pd.DataFrame({"item": f"s{fold}", "clip": [f"{fold} {n}" for n in range(len(true))], "side": "test"})
        predictions = predictions.assign(target_0=np.float32(true), predicted_0=answers)
        found = metrics.compute("regression", np.float32(true)[:, np.newaxis], answers[:, np.newaxis])
        items = {"test": {f"s{fold}": {"n_clips": len(true), **found}}}
        counts = {"training": 9, "validation": 9, "test": len(true)}
        changes = {"clip_metrics": {"validation": found, "test": found}, "item_metrics": items, "n_examples": counts}
        results.add_fold(1, fold, found, predictions, **changes)
    assert rebuild(results.folder) == []
    return read_instances(results.folder, [1])[0]


def test_chance_of_a_mean_over_items_is_what_the_answer_reaches_in_each(make_results, tmp_path):
    targets = np.array([[1.0, 3.0], [5.0, 7.0], [9.0, 11.0]])
    scores = numbers_of(make_results, tmp_path, targets, targets + 1).over_items["figures"]["test"]

    assert {scores[name]["of"] for name in ("rmse", "r2", "ccc")} == {"items"}
    of_mean = [np.sqrt(np.mean((of_item - 6) ** 2)) for of_item in targets]
    assert scores["rmse"]["chance"] == pytest.approx(np.mean(of_mean))
    assert scores["r2"]["chance"] == pytest.approx(np.mean([1 - error**2 for error in of_mean]))
    assert scores["ccc"]["chance"] == 0


def test_chance_of_a_mean_over_recordings_is_that_of_one_answer_to_all_frames():
    """The most frequent event of each recording is another one."""
    targets = np.repeat([0, 1, 2, 0, 1, 2], [20, 70, 10, 20, 10, 70])  # 0: background
    recordings = np.repeat([1, 2], 100)
    answers = np.eye(3, dtype=np.float32)[targets]
    tested = tested_examples.TestedExamples(recordings, recordings, recordings, targets, answers)

    scores = _measure(find_task("frame_classification"), [tested], None, {}, ["f1", "precision"])

    assert (scores["f1"]["of"], scores["precision"]["of"]) == ("items", "items")
    assert scores["f1"]["chance"] == pytest.approx(2 * 80 / (160 + 200))
    assert scores["precision"]["chance"] == pytest.approx(80 / 200)


def test_scores_of_numbers_that_do_not_vary_in_a_fold_are_pooled(make_results, tmp_path):
    """One age per speaker: the concordance is 0 in every fold, whatever is predicted."""
    ages = np.repeat([[20.0], [30.0], [40.0], [50.0]], 3, axis=1)
    instance = numbers_of(make_results, tmp_path, ages, ages + np.arange(-1, 2))
    scores = instance.over_items["figures"]["test"]

    assert instance.over_folds("test", "ccc")["mean"] == 0
    assert (scores["ccc"]["of"], scores["rmse"]["of"], scores["mae"]["of"]) == ("pooled", "pooled", "items")
    assert scores["ccc"]["pooled"] > 0.99
    (text,) = [finding.message for finding in find_findings([instance]) if finding.code == "XV106"]
    assert text.startswith("All true numbers are equal in folds 1-4, so ")


def test_random_labels_are_at_the_chance_of_macro_figures(run):
    rng = np.random.default_rng(3)
    targets = rng.choice(2, p=[0.9, 0.1], size=(6, 600))
    guesses = rng.choice(2, p=[0.9, 0.1], size=(6, 600))
    instance = run([table(f"s{fold}", true, guess) for fold, (true, guess) in enumerate(zip(targets, guesses, strict=True))])
    for name in ("macro_f1", "precision"):
        found = instance.item_score("test", name)
        assert found["pooled"] == pytest.approx(found["chance"], abs=0.03)
        assert (found["chance"], found["strategy"]) == (0.5, "guessing each class as often as it occurs")


def test_they_are_computed_once_and_again_when_a_record_changes(run):
    before = run(draw()).over_items
    folder = run.results.folder
    for fold in range(1, 7):
        (folder.fold_folder(1, fold) / "predictions.parquet").unlink()

    assert rebuild(folder) == []
    assert read_instances(folder, [1])[0].over_items == before

    run.results.add_fold(1, 2, {"accuracy": 0.5}, draw(seed=1)[1], seconds=11.0)
    rebuild(folder)
    after = read_instances(folder, [1])[0]
    assert after.over_items["missing"] == "fold_1, fold_3, fold_4, fold_5, fold_6: no predictions.parquet"
    assert "XV307" in {finding.code for finding in find_findings([after])}


def test_they_are_those_of_predictions_that_were_replaced(run):
    before = run(draw()).over_items
    folder = run.results.folder
    path = folder.fold_folder(1, 2) / "predictions.parquet"
    mine, theirs = path.read_bytes(), (folder.fold_folder(1, 3) / "predictions.parquet").read_bytes()

    path.write_bytes(theirs)
    assert read_instances(folder, [1])[0].over_items["figures"] != before["figures"]

    path.write_bytes(mine)
    assert read_instances(folder, [1])[0].over_items == before


def test_a_copy_with_other_times_has_them_without_computing(run, tmp_path, monkeypatch):
    before = run(draw()).over_items
    copied = shutil.copytree(run.results.folder.path, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    for path in copied.rglob("predictions.parquet"):
        os.utime(path, (0, 0))
    monkeypatch.delattr("xval.answers.over_items.measure_over_items")

    assert read_instances(ExperimentFolder(copied), [1])[0].over_items == before


def test_what_an_earlier_version_computed_is_shown_only_where_predictions_are_gone(run):
    n_items = run(draw()).over_items["n_items"]
    folder = run.results.folder
    path = folder.estimates_file(1)
    kept = read_estimates(path)
    earlier = kept._replace(version=EARLIER_OF_THIS_FORM[-1], over_items={**kept.over_items, "n_items": 77})
    write_estimates(path, earlier)
    assert read_instances(ExperimentFolder(folder.path), [1])[0].over_items["n_items"] == n_items

    (folder.fold_folder(1, 2) / "predictions.parquet").unlink()
    rebuild(ExperimentFolder(folder.path))

    assert read_instances(ExperimentFolder(folder.path), [1])[0].over_items["n_items"] == 77


def test_what_was_computed_while_a_fold_ended_is_not_kept(run, monkeypatch):
    run(draw())
    folder = run.results.folder
    folder.estimates_file(1).unlink()

    def measure(instance, further, *options):
        run.results.add_fold(1, 2, {"accuracy": 0.5}, draw(seed=1)[1], seconds=11.0)
        return measure_over_items(instance, further, *options)

    monkeypatch.setattr("xval.answers.over_items.measure_over_items", measure)
    rebuild(folder)

    assert not folder.estimates_file(1).exists()


@pytest.mark.parametrize("damage", ["cut off", "another class", "no probability", "NaN"])
def test_a_damaged_file_is_named_and_costs_the_pooled_figures_alone(run, damage):
    run(draw())
    folder = run.results.folder
    path = folder.fold_folder(1, 3) / "predictions.parquet"
    changes = {
        "another class": lambda predictions: predictions.assign(target="maybe"),
        "no probability": lambda predictions: predictions.drop(columns="probability_no"),
        "NaN": lambda predictions: predictions.assign(probability_no=np.float32(np.nan)),
    }
    if damage in changes:
        changes[damage](pd.read_parquet(path)).to_parquet(path)
    else:
        path.write_bytes(b"PAR1")

    (line,) = rebuild(folder)

    assert "fold_3/predictions.parquet: damaged" in line
    assert ("NaN or infinite values" in line) is (damage == "NaN")
    assert "The pooled values of instance 1 are missing." in line
    assert read_instances(folder, [1])[0].over_folds("test", "accuracy")["n"] == 6


def test_they_are_a_table_for_pandas(run):
    run(draw(n_folds=3), metrics="none")
    run.results.add_instance(2)
    with pytest.warns(UserWarning, match="3 fold"):
        table = xval.load_scores(run.results.folder.path)
    assert table.dtypes[["mean", "pooled", "low", "chance"]].tolist() == [np.dtype("float64")] * 4
    row = table.set_index(["instance", "side", "metric"]).loc[1, "test", "balanced_accuracy"]
    found = read_instances(run.results.folder, [1])[0].item_score("test", "balanced_accuracy")
    assert row[list(found)].to_dict() == found
    assert (row["n_items"], row["n_folds"]) == (3, 3)
    assert len(table.attrs["not_done"]) == 3


def test_the_workbook_has_every_figure_by_its_name_and_the_terminal_the_interval(run):
    tables = [table(f"s{fold}", [fold % 2] * 30, np.linspace(0.1, 0.8, 30) + 0.05 * fold) for fold in range(6)]
    instance = run(tables, comment_1="gender")
    header, *rows = openpyxl.load_workbook(run.results.folder.workbook)["intervals"].iter_rows(values_only=True)
    named = [dict(zip(header, row, strict=True)) for row in rows if row[0] == 1]
    by_metric = {row["--metric"]: row for row in named}
    auc, found = by_metric["auc"], instance.item_score("test", "auc")
    assert auc["mean over folds"] is None
    assert (auc["pooled"], auc["95 % low"], auc["interval of"]) == (found["pooled"], pytest.approx(found["low"]), "pooled")
    assert by_metric["accuracy"]["chance"] == pytest.approx(0.5)
    assert by_metric["accuracy"]["strategy of chance"] == "always the most frequent class"
    _, (row,), *_ = summary_table([instance])
    assert row[4] == format_test(instance, "test", "accuracy")
    assert row[4].endswith("]")
    assert f", pooled {found['pooled']:.3f} [{found['low']:.3f}, {found['high']:.3f}]" in format_test(instance, "test", "auc")
    workbook = openpyxl.load_workbook(run.results.folder.workbook)
    texts = [str(cell.value) for name in ("metrics", "findings") for column in workbook[name].iter_cols() for cell in column]
    assert f"pooled {found['pooled']:.3f} [{found['low']:.3f}, {found['high']:.3f}]" in texts
    assert any(text.startswith("Only 3 items each of the classes 'no' and 'yes' were tested") for text in texts), texts


def test_pooled_figures_are_averaged_over_the_repeats_that_have_all_folds(run):
    first, rng = draw(), np.random.default_rng(1)
    second = [table(of["item"].iloc[0], (of["target"] == "yes").astype(int), rng.random(len(of))) for of in first]
    instance = run(first)
    jobs = dict(instance.jobs)
    for key, record in instance.jobs.items():
        again = key._replace(repeat=2)
        instance.folder(again).mkdir()
        second[key.fold - 1].to_parquet(instance.predictions_file(again))
        jobs[again] = record
    jobs[JobKey(1, 3, 3)] = jobs[JobKey(1, 3)]  # without the other folds, and without files
    scores = {key: instance.scores[JobKey(1, key.fold)] for key in jobs}

    found = measure_over_items(replace(instance, jobs=jobs, scores=scores))["figures"]["test"]["auc"]

    wholes = [pd.concat(tables) for tables in (first, second)]
    aucs = [compute(whole["target"], whole["probability_yes"].to_numpy())["auc"] for whole in wholes]
    assert aucs[0] != aucs[1]
    assert found["pooled"] == pytest.approx(np.mean(aucs))
    assert found["low"] < found["pooled"] < found["high"]


@pytest.mark.parametrize(("knows", "said"), [("group", "cnn_small (1) 0.4"), ("all", "")])
def test_classes_that_belong_to_groups_of_speakers_are_said_beside_chance(make_instance, knows, said):
    """Each of 24 speakers has two of four classes, at random; the answers know which two, or most of all."""
    rng = np.random.default_rng(0)
    items = np.repeat(np.arange(24), 20)
    targets, answers = rng.integers(2, size=(2, 480)) + 2 * (items % 2)
    is_heard = rng.random(480) < {"group": 0, "all": 0.6}[knows]
    predictions = np.eye(4, dtype=np.float32)[np.where(is_heard, targets, answers)]
    examples = tested_examples.TestedExamples(items, items, items, targets, predictions)
    scores = _measure(find_task("classification", "multi_class"), [examples], None, {})
    over_items = {"version": 1, "n_items": 24, "folds_lacking_classes": [], "missing": "", "figures": {"test": scores}}

    instance = replace(make_instance(1, [{"accuracy": 0.5, "balanced_accuracy": 0.5}] * 24), over_items=over_items)

    for name in ("accuracy", "balanced_accuracy"):
        assert scores[name]["group_chance"] == pytest.approx(0.5, abs=0.05)
        assert scores[name]["low"] > scores[name]["chance"]
    assert "chance 0.250, 0.5" in format_chance(chance_level([instance], "balanced_accuracy"))
    texts = {finding.code: finding.line for finding in find_findings([instance])}
    assert "XV301" not in texts
    assert said in texts.get("XV302", "")
    assert ("XV302" in texts) == bool(said)
    assert "group_chance" not in scores["macro_f1"]
