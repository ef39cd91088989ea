"""Which instances are compared, in which metric, and which are refused."""

import math
import shutil

import numpy as np
import pandas as pd
import pytest

from xval.answers.comparison.choose import compare_instances
from xval.answers.comparison.text import describe_limits
from xval.answers.read import read_instances
from xval.base.errors import ResultsError, SettingsError
from xval.base.json_files import write_json
from xval.measures import metrics
from xval.measures.statistics.comparison import corrected_t
from xval.reuse.ensembles.members import find_members


@pytest.fixture
def experiment(make_results, tmp_path):
    """Three instances on three folds; the second has the best validation figures."""
    made = make_results(tmp_path, n_folds=3)
    for number in (1, 2, 3):
        made.add_instance(number, batch_size=number, comment_1=f"batch {number}", monitor="val_accuracy")
    for number, scores in {1: (0.5, 0.6, 0.7), 2: (0.8, 0.7, 0.9), 3: (0.6, 0.6, 0.6)}.items():
        add_folds(made, number, scores)
    return made


def add_folds(made, number, scores, **changes):
    for fold, score in enumerate(scores, start=1):
        made.add_fold(number, fold, {"accuracy": score, "loss": 1 - score}, **changes)


def compare_in(made, *instances, metric="accuracy", **options):
    return compare_instances(made.folder.path, instances, metric=metric, **options)


def test_without_names_all_are_compared_with_the_one_that_validation_selects(experiment):
    found = compare_in(experiment)

    assert (found.baseline, found.baseline_reason) == ("2", "selected by the best mean validation accuracy")
    assert [(pair.instance, pair.comment) for pair in found.pairs] == [("1", "batch 1"), ("3", "batch 3")]
    assert found.pairs[0].difference == pytest.approx(-0.2)
    assert found.pairs[0].item_differences == pytest.approx({"speaker 1": -0.3, "speaker 2": -0.1, "speaker 3": -0.2})


@pytest.mark.parametrize("baseline", [1, "1"])
def test_a_baseline_may_be_named_and_is_not_compared_with_itself(experiment, baseline):
    found = compare_in(experiment, 3, "1", 3, baseline=baseline)

    assert (found.baseline, found.baseline_reason, [pair.instance for pair in found.pairs]) == ("1", "as chosen", ["3"])


def test_the_baseline_of_some_instances_is_the_best_of_these(experiment):
    assert compare_in(experiment, 1, 3).baseline_reason == "selected by the best mean validation accuracy of these"


@pytest.mark.parametrize(("metric", "rope", "is_said"), [("accuracy", 0.01, False), ("loss", 0.01, True), ("loss", 0.2, False)])
def test_a_rope_for_shares_is_questioned_for_a_metric_that_is_none(experiment, metric, rope, is_said):
    limits = " ".join(describe_limits(compare_in(experiment, metric=metric, rope=rope)))
    assert ("±0.01 suits metrics from 0 to 1, but this metric has another unit" in limits) is is_said


def test_an_instance_that_was_never_begun_is_refused_where_it_is_named(experiment):
    (experiment.folder.path / "instance_901").mkdir()  # as by a try that was killed before it wrote its settings

    with pytest.raises(ResultsError, match=r"no instance 901\. Available: 1, 2, 3"):
        compare_in(experiment, 1, 2, baseline=901)
    with pytest.raises(ResultsError, match="no instance 901"):
        find_members(experiment.folder, [1, 901])
    assert len(compare_in(experiment).pairs) == 2


def test_a_loss_is_compared_over_folds_with_the_ratio_of_the_items_that_really_trained(experiment):
    items = {"training": ["a", "b", "c", "d"], "validation": ["e"], "test": ["f", "g"]}
    of_items = {"test": {"f": {"n_clips": 3, "accuracy": 0.5}, "g": {"n_clips": 1, "accuracy": 0.9}}}
    for number, scores in ((4, (0.6, 0.5, 0.6)), (5, (0.7, 0.9, 0.5))):
        experiment.add_instance(number, batch_size=number)
        add_folds(experiment, number, scores, items=items, item_metrics=of_items)

    (pair,) = compare_in(experiment, 5, baseline=4, metric="loss").pairs
    (of_larger,) = compare_in(experiment, 1, baseline=4, metric="loss").pairs

    assert (pair.basis, pair.difference) == ("folds", pytest.approx(-0.4 / 3))
    assert pair.test.standard_error == pytest.approx(corrected_t(np.array([-0.1, -0.4, 0.1]), 0.5).standard_error)
    # The larger ratio, where instances differ: one item of each side in the records of instance 1.
    assert of_larger.test.standard_error == pytest.approx(corrected_t(np.array([0.1, -0.1, -0.1]), 1).standard_error)


def test_a_split_over_clips_is_noticed(experiment):
    for number in (4, 5):
        experiment.add_instance(number, batch_size=number)
        for fold in (1, 2, 3):
            of_items = {"test": {f"clip {fold}": {"n_clips": 1, "accuracy": fold / 4}}}
            experiment.add_fold(number, fold, {"accuracy": fold / 4}, item_metrics=of_items)

    assert describe_limits(compare_in(experiment, 4, 5))[0].startswith("Most items have one clip.")
    assert "one clip" not in str(describe_limits(compare_in(experiment, 3, 4)))


def test_clips_are_compared_where_an_instance_cuts_them_into_windows(experiment):
    experiment.add_instance(4)
    add_folds(
        experiment, 4, (0.6, 0.6, 0.6), n_examples={"training": 900, "validation": 90, "test": 90},
        clip_metrics={"validation": {"accuracy": 0.7}, "test": {"accuracy": 0.75}},
    )  # fmt: skip

    found = compare_in(experiment, 4, baseline=1)

    assert found.score == "test accuracy of clips"
    assert found.pairs[0].fold_differences == pytest.approx({1: 0.25, 2: 0.15, 3: 0.05})


def test_another_experiment_is_compared_on_the_same_folds_and_named_by_its_path(experiment, make_results, tmp_path):
    other = make_results(tmp_path, number=2, n_folds=3)
    other.add_instance(1, batch_size=64)
    add_folds(other, 1, (0.7, 0.7, 0.8))

    found = compare_in(experiment, f"{other.folder.path}:1", baseline=1)

    assert [pair.instance for pair in found.pairs] == [f"{other.folder.path}:1"]
    assert found.pairs[0].mean == pytest.approx(2.2 / 3)
    assert compare_in(experiment, 1, f"{other.folder.path}:1").baseline == f"{other.folder.path}:1"


def test_experiments_with_other_folds_are_compared_over_the_items_that_both_tested(experiment, make_results, tmp_path):
    other = make_results(tmp_path, number=2, n_folds=2)
    content = {"hash": "g", "index_hash": "i", "settings": {}}
    deals = [
        {"number": fold, "training": ["x"], "validation": ["y"], "test": tested}
        for fold, tested in ((1, ["speaker 2", "speaker 3"]), (2, ["speaker 1", "speaker 9"]))
    ]
    write_json(other.folder.folds_file, content | {"folds": deals})
    other.add_instance(1)
    scores = {"speaker 1": 0.9, "speaker 2": 0.7, "speaker 3": 0.7, "speaker 9": 0.1}
    for deal in deals:
        of_items = {item: {"n_clips": 10, "accuracy": scores[item]} for item in deal["test"]}
        items = {name: deal[name] for name in ("training", "validation", "test")}
        other.add_fold(1, deal["number"], {"accuracy": 0.5}, folds_hash="g", items=items, item_metrics={"test": of_items})

    found = compare_in(experiment, f"{other.folder.path}:1", baseline=1)

    (pair,) = found.pairs
    assert pair.item_differences == pytest.approx({"speaker 1": 0.4, "speaker 2": 0.1, "speaker 3": 0.0})
    assert (pair.mean, pair.baseline_mean) == pytest.approx((2.3 / 3, 0.6))
    assert pair.fold_differences == {}
    assert "different folds, so they are compared over the items that both have tested" in " ".join(describe_limits(found))
    write_json(other.folder.folds_file, content | {"index_hash": "j", "folds": deals})
    with pytest.raises(ResultsError, match=r"different versions of the dataset .*whose clips or labels changed"):
        compare_in(experiment, 1, f"{other.folder.path}:1")


def test_a_whole_second_experiment_is_compared_by_its_path(experiment, make_results, tmp_path):
    other = make_results(tmp_path, number=2, n_folds=3)
    for number, scores in ((1, (0.7, 0.7, 0.8)), (2, (0.1, 0.2, 0.1))):
        other.add_instance(number, batch_size=60 + number)
        add_folds(other, number, scores)
    path = other.folder.path

    found = compare_in(experiment, str(path))

    assert {found.baseline, *(pair.instance for pair in found.pairs)} == {"1", "2", "3", f"{path}:1", f"{path}:2"}
    assert found.baseline == "2"
    chosen = compare_in(experiment, f"{path}:selected", baseline="selected")
    assert (chosen.baseline, [pair.instance for pair in chosen.pairs]) == ("2", [f"{path}:1"])


def test_what_nested_selection_chooses_is_compared_like_an_instance(make_results, tmp_path):
    """By its own validation accuracy, folds 1 and 2 choose instance 2, and fold 3 instance 1."""
    made = make_results(tmp_path, n_folds=3)
    for number, scores in {1: (0.1, 0.2, 0.95), 2: (0.8, 0.7, 0.9)}.items():
        made.add_instance(number, batch_size=number, monitor="val_accuracy")
        for fold, score in enumerate(scores, start=1):
            made.add_fold(number, fold, {"accuracy": score, "balanced_accuracy": score})

    found = compare_in(made, "nested", 1, baseline=2)

    assert (found.pairs[0].instance, found.pairs[0].comment) == ("nested", "chosen among 2")
    assert found.pairs[0].item_differences == pytest.approx({"speaker 1": 0, "speaker 2": 0, "speaker 3": 0.05})
    assert compare_in(made, "nested", 1, 2).baseline == "2"  # nested is none to select
    shutil.rmtree(made.folder.instance_folder(2))
    with pytest.raises(ResultsError, match="nested selection needs at least two instances"):
        compare_in(made, "nested", 1)


@pytest.fixture
def one_class_each(make_results, tmp_path):
    """Three folds of two items, of which each has clips of one class; fold by fold the first instance has the higher F1."""
    class_of = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 0, "f": 1}
    right = {1: (3, 3, 10, 10, 8, 10), 2: (10, 9, 5, 8, 10, 7)}  # of 10 clips
    made = make_results(tmp_path, n_folds=3)
    for number, of_items in right.items():
        made.add_instance(number, clip_average="probabilities", batch_size=number)
        for fold, names in enumerate(("ab", "cd", "ef"), start=1):
            targets = np.repeat([class_of[name] for name in names], 10)
            is_right = np.concatenate([np.arange(10) < of_items[list(class_of).index(name)] for name in names])
            yes = np.where(is_right == (targets == 1), 1.0, 0.0).astype(np.float32)
            table = {"item": np.repeat(list(names), 10), "clip": [f"{names} {place}" for place in range(20)], "side": "test"}
            table |= {"target": np.array(["no", "yes"])[targets], "probability_no": 1 - yes, "probability_yes": yes}
            scores = metrics.compute("classification", targets, np.stack([1 - yes, yes], axis=1))
            of_fold = {"macro_f1": scores["macro_f1"], "accuracy": scores["accuracy"]}
            made.add_fold(
                number, fold, of_fold, pd.DataFrame(table), n_examples={"training": 9, "validation": 9, "test": 20},
                items={"training": ["x", "y"], "validation": ["z"], "test": list(names)}, class_names=["no", "yes"],
                item_metrics={"test": {name: {"n_clips": 10, "macro_f1": 0.0, "accuracy": 0.0} for name in names}},
            )  # fmt: skip
    return made


def test_folds_that_lack_classes_do_not_reverse_the_order(one_class_each):
    (pair,) = compare_in(one_class_each, baseline=1, metric="macro_f1").pairs

    first, second = read_instances(one_class_each.folder, [1, 2])
    scores = [instance.item_score("test", "macro_f1") for instance in (first, second)]
    assert np.mean(list(pair.fold_differences.values())) < -0.1  # what folds say
    assert (pair.basis, pair.mean, pair.baseline_mean) == ("pooled", scores[1]["pooled"], scores[0]["pooled"])
    assert pair.difference > 0.09
    # The jackknife leaves an item out of both.
    tables = [
        pd.concat(pd.read_parquet(instance.predictions_file(key)) for key in instance.done) for instance in (first, second)
    ]

    def score(table):
        targets = (table["target"] == "yes").to_numpy(np.int64)
        return metrics.compute("classification", targets, table[["probability_no", "probability_yes"]].to_numpy())["macro_f1"]

    without = [score(tables[1][tables[1]["item"] != item]) - score(tables[0][tables[0]["item"] != item]) for item in "abcdef"]
    assert pair.test.standard_error == pytest.approx(math.sqrt(5 * np.var(without)))
    assert pair.test.error.freedom == pytest.approx(4)  # of two classes with three items each


def test_the_folds_that_both_have_are_pooled_anew(one_class_each):
    shutil.rmtree(one_class_each.folder.fold_folder(2, 3))

    (pair,) = compare_in(one_class_each, baseline=1, metric="macro_f1").pairs

    assert (pair.basis, pair.n_folds, pair.n_items, pair.verdict) == ("pooled", 2, 4, "no test")
    assert pair.notes[-1] == "Only 2 items of class 'no' tested: too few for a test."
    assert pair.baseline_mean != read_instances(one_class_each.folder, [1])[0].item_score("test", "macro_f1")["pooled"]


def test_another_task_is_refused(experiment):
    experiment.add_instance(4, task_type="regression")
    add_folds(experiment, 4, (0.6, 0.6, 0.6))

    with pytest.raises(ResultsError, match=r"several tasks.*1: classification, 4: regression"):
        compare_in(experiment, 1, 4)


def test_failed_missing_and_stale_folds_are_named(experiment, make_failure):
    experiment.add_instance(4)
    add_folds(experiment, 4, (0.6,))
    hashes = {"instance": 4, "settings_hash": "s4", "folds_hash": "f", "code_hash": "c", "store": "x", "seed": 1}
    failed = experiment.folder.begin_fold(4, 2)
    write_json(failed / "record.json", make_failure(2, "the loss is NaN") | hashes)
    experiment.folder.publish(failed, 4, 2)
    experiment.add_fold(4, 3, {"accuracy": 0.9}, folds_hash="of other folds")

    found = compare_in(experiment, 1, baseline=4)

    assert list(found.pairs[0].fold_differences) == [1]
    assert describe_limits(found)[0] == (
        "Instance 1: Compared on 1 fold; excluded: fold 2 (failed: the loss is NaN in the baseline, instance 4), "
        "fold 3 (missing in the baseline, instance 4)."
    )


def test_instances_that_differ_in_the_seed_alone_are_no_competitors(experiment):
    for number, seed in ((4, 1), (5, 2)):
        experiment.add_instance(number, seed=seed, comment_1=f"seed {seed}")
        add_folds(experiment, number, (0.6, 0.6, 0.6))
    experiment.add_instance(6, seed=3, batch_size=64)
    add_folds(experiment, 6, (0.6, 0.6, 0.6))

    with pytest.raises(ResultsError, match=r"instances 4, 5 are one variant with different seeds \(1, 2\).*repeats = 2"):
        compare_in(experiment, 4, 5, 6)
    assert compare_in(experiment, 4, 6).pairs  # they differ in more
    whole = compare_in(experiment)
    assert {4, 5} & {int(name) for name in (whole.baseline, *(pair.instance for pair in whole.pairs))} != {4, 5}
    assert any("Variants 4-5 differ only in their seed and are compared as instance 4" in note for note in whole.notes)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("acuracy", "--metric acuracy: unknown. Available: accuracy, loss. Did you mean 'accuracy'?"),
        ("strange", "--metric strange: unknown. Available: accuracy, loss."),
    ],
)
def test_a_misspelt_metric_gets_a_suggestion(experiment, metric, message):
    with pytest.raises(SettingsError) as raised:
        compare_in(experiment, metric=metric)
    assert str(raised.value) == message


def test_a_loss_is_compared_only_between_instances_that_measure_the_same(experiment):
    assert not compare_in(experiment, metric="loss").higher_is_better
    experiment.add_instance(4, loss="kl_divergence")
    add_folds(experiment, 4, (0.6, 0.6, 0.6))

    with pytest.raises(ResultsError, match=r"--metric loss: its values are not comparable, because the instances.*loss"):
        compare_in(experiment, metric="loss")


def test_a_metric_that_an_instance_lacks_is_an_error_that_names_it(experiment):
    experiment.add_instance(4)
    experiment.add_fold(4, 1, {"balanced_accuracy": 0.6})

    with pytest.raises(ResultsError, match="instance 4 has no accuracy"):
        compare_in(experiment)


@pytest.mark.parametrize(
    ("instances", "error", "message"),
    [
        (
            ["three"],
            SettingsError,
            "instance 'three': expected numbers such as 3, 1,3 or 1-3, nested, selected, an instance of another experiment",
        ),
        ([1], SettingsError, "1 instance to compare; expected at least two"),
        ([1, 9], ResultsError, "no instance 9. Available: 1, 2, 3"),
        ([1, "nowhere:2"], ResultsError, "nowhere: no such folder"),
    ],
)
def test_names_of_no_instances_are_refused(experiment, instances, error, message):
    with pytest.raises(error, match=message):
        compare_in(experiment, *instances)


def test_without_any_finished_fold_there_is_nothing_to_compare(make_results, tmp_path):
    made = make_results(tmp_path)
    made.add_instance(1)
    made.add_instance(2, batch_size=1)

    with pytest.raises(ResultsError, match="no fold is finished yet"):
        compare_in(made, baseline=1)


def test_instances_that_are_tested_on_other_clips_are_refused(experiment):
    experiment.add_instance(4, batch_size=4, test_where='language == "de"')
    add_folds(experiment, 4, (0.5, 0.6, 0.7))
    with pytest.raises(ResultsError, match=r"tested on different clips.*1: none; 4: language == "):
        compare_in(experiment, 1, 4)
