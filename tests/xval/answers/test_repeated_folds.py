"""Two repeats of four items in two folds each: scores of items, folds and pooled, worked out by hand."""

import numpy as np
import openpyxl
import pandas as pd
import pytest

from xval.answers.comparison.choose import compare_instances
from xval.answers.comparison.text import describe_limits, describe_to_publish
from xval.answers.findings import find_findings
from xval.answers.read import read_instances
from xval.answers.repeats import describe_fold_repeats
from xval.answers.training_runs import group_runs, item_means
from xval.base.errors import ResultsError
from xval.base.json_files import read_json, write_json
from xval.measures import metrics
from xval.measures.statistics.comparison import item_difference
from xval.measures.statistics.intervals import mean_interval
from xval.report.rebuild import is_stale, rebuild

N_CLIPS = 10
# Of 10 clips those that are right, by fold and item; folds 1 and 2 are the first deal.
RIGHT = {1: {"a": 5, "b": 7}, 2: {"c": 9, "d": 3}, 3: {"a": 7, "c": 7}, 4: {"b": 5, "d": 5}}
BETTER = {1: {"a": 6, "b": 7}, 2: {"c": 9, "d": 6}, 3: {"a": 8, "c": 9}, 4: {"b": 8, "d": 5}}
TARGETS = np.arange(N_CLIPS) % 2


def write_folds(folder, n_fold_repeats):
    folds = [
        {"number": fold, "training": sorted({*"abcd"} - {*of_items})[:1], "validation": sorted({*"abcd"} - {*of_items})[1:]}
        | {"test": sorted(of_items)}
        for fold, of_items in list(RIGHT.items())[: 2 * n_fold_repeats]
    ]
    settings = {"fold_strategy": "balanced"} | ({"fold_repeats": n_fold_repeats} if n_fold_repeats > 1 else {})
    content = {"hash": "both", "deal_hashes": ["f", "g"]} if n_fold_repeats > 1 else {"hash": "f"}
    write_json(folder.folds_file, content | {"index_hash": "i", "settings": settings, "folds": folds})


def predictions(of_items):
    tables = []
    for item, n_right in of_items.items():
        is_right = np.arange(N_CLIPS) < n_right
        yes = np.float32(np.where(is_right == (TARGETS == 1), 0.6, 0.4) + 0.03 * n_right * (TARGETS == 1))
        table = {"item": item, "clip": [f"{item}{number}" for number in range(N_CLIPS)], "side": "test"}
        table |= {"target": np.array(["no", "yes"])[TARGETS], "probability_no": 1 - yes, "probability_yes": yes}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables)


def auc_of(*folds):
    whole = pd.concat(predictions(of_items) for of_items in folds)
    outputs = whole[["probability_no", "probability_yes"]].to_numpy(np.float32)
    return metrics.compute("classification", (whole["target"] == "yes").to_numpy(np.int64), outputs)["auc"]


@pytest.fixture
def make(make_results, tmp_path):
    """Return a function that leaves an experiment of some instances, each given as `RIGHT`."""

    def make(*instances, n_fold_repeats=2, number=1):
        results = make_results(tmp_path, number=number)
        write_folds(results.folder, n_fold_repeats)
        for place, by_fold in enumerate(instances, start=1):
            results.add_instance(place, clip_average="probabilities", seed=1, comment_1=f"comment {place}", batch_size=place)
            for fold, of_items in by_fold.items():
                accuracy = sum(of_items.values()) / N_CLIPS / 2
                items = {item: {"n_clips": N_CLIPS, "accuracy": n / N_CLIPS} for item, n in of_items.items()}
                tested = sorted(of_items)
                results.add_fold(
                    place, fold, {"accuracy": accuracy, "auc": auc_of(of_items)}, predictions(of_items),
                    item_metrics={"test": items}, folds_hash="f" if fold < 3 else "g",
                    items={"training": ["x"] * 4, "validation": ["y"], "test": tested}, class_names=["no", "yes"],
                    n_examples={"training": 40, "validation": 10, "test": 2 * N_CLIPS},
                    clip_metrics={"validation": {}, "test": {}},
                )  # fmt: skip
        return results.folder

    return make


def gather(folder):
    assert rebuild(folder) == []
    return read_instances(folder, folder.instances())


def test_folds_of_all_deals_count_and_items_once_by_their_mean_over_deals(make):
    folder = make(RIGHT)
    (found,) = gather(folder)

    accuracies = found.over_folds("test", "accuracy")
    assert (accuracies["mean"], accuracies["n"], found.n_folds) == (pytest.approx(0.6), 4, 4)
    assert accuracies["std"] == pytest.approx((0.02 / 3) ** 0.5)  # of 0.6, 0.6, 0.7, 0.5
    of_items = [0.6, 0.6, 0.8, 0.4]
    assert [each["accuracy"] for each in item_means(found).values()] == pytest.approx(of_items)
    over_items = found.item_score("test", "accuracy")
    assert found.over_items["n_items"] == 4
    assert (over_items["items"], over_items["low"], over_items["high"]) == pytest.approx(
        (0.6, *mean_interval(np.array(of_items))[:2])
    )
    pooled = [auc_of(RIGHT[1], RIGHT[2]), auc_of(RIGHT[3], RIGHT[4])]
    assert pooled[0] != pooled[1]
    assert found.item_score("test", "auc")["pooled"] == pytest.approx(np.mean(pooled))
    assert found.folds_by_repeat == {1: [1, 2], 2: [3, 4]}
    assert describe_fold_repeats(found, "test", "accuracy") == "accuracy 0.600 in repeat 1, 0.600 in repeat 2"
    sheet = openpyxl.load_workbook(folder.workbook)["items"]
    assert [[cell.value for cell in row[:3]] for row in sheet.iter_rows(min_row=2, max_row=5)] == [
        ["d", "2, 4", 10], ["a", "1, 3", 10], ["b", "1, 4", 10], ["c", "2, 3", 10],
    ]  # fmt: skip


def test_intervals_hold_what_another_deal_changes(make):
    unlike = {1: {"a": 9, "b": 9}, 2: {"c": 9, "d": 8}, 3: {"a": 4, "c": 5}, 4: {"b": 3, "d": 4}}
    (found,) = gather(make(unlike))

    accuracy, auc = (found.item_score("test", name) for name in ("accuracy", "auc"))

    of_items = np.array([0.65, 0.6, 0.7, 0.6])
    assert (accuracy["low"], accuracy["high"]) == pytest.approx(mean_interval(of_items, runs=[0.875, 0.4])[:2])
    assert (accuracy["covers"], auc["covers"]) == ("method", "method")
    assert mean_interval(of_items).low > accuracy["low"]
    (one,) = gather(make(unlike, n_fold_repeats=1, number=2))
    assert {score["covers"] for score in one.over_items["figures"]["test"].values()} == {"models"}


def test_the_seeds_of_a_deal_are_one_training_run():
    first, second = frozenset({1, 2}), frozenset({3, 4})
    assert group_runs([(first, 1), (first, 2), (second, 1), (second, 2)]) == [[0, 1], [2, 3]]
    assert group_runs([(first, 1), (first, 2), (first, 0), (first, 0), (first, 1)]) == [[0, 4], [1], [2], [3]]
    assert group_runs([]) == []


def test_pooled_figures_leave_a_deal_out_that_is_not_whole(make):
    (found,) = gather(make({fold: RIGHT[fold] for fold in (1, 2, 3)}))

    assert found.item_score("test", "auc")["pooled"] == pytest.approx(auc_of(RIGHT[1], RIGHT[2]))
    assert [each["accuracy"] for each in item_means(found).values()] == pytest.approx([0.6, 0.7, 0.8, 0.3])
    assert any(finding.code == "XV201" for finding in find_findings([found]))


def test_other_deals_than_those_of_folds_json_count_nowhere_and_are_kept(make):
    folder = make(RIGHT)
    gather(folder)
    assert not is_stale(folder)

    write_folds(folder, 1)

    assert is_stale(folder)
    (found,) = gather(folder)
    assert (found.n_folds, len(found.folds), len(folder.jobs(1))) == (2, 2, 4)
    assert found.n_fold_repeats == 1
    assert [each["accuracy"] for each in item_means(found).values()] == [0.5, 0.7, 0.9, 0.3]
    assert describe_fold_repeats(found, "test", "accuracy") == ""


def test_instances_are_compared_on_the_folds_of_all_deals_and_on_items_once(make):
    folder = make(RIGHT, BETTER)

    found = compare_instances(folder.path, baseline=1, metric="accuracy")

    (pair,) = found.pairs
    assert list(pair.fold_differences.values()) == pytest.approx([0.05, 0.15, 0.15, 0.15])
    assert pair.item_differences == pytest.approx({"a": 0.1, "b": 0.15, "c": 0.1, "d": 0.15})
    expected = item_difference(np.array([[0.1, 0.1], [0.0, 0.3], [0.0, 0.2], [0.3, 0.0]]))  # of both repeats
    assert (pair.difference, pair.test.standard_error) == pytest.approx((expected.value, expected.standard_error))
    assert (pair.n_items, pair.n_fold_repeats, pair.n_runs, pair.claim) == (4, 2, 2, "this way of training")
    text = describe_to_publish(found)
    assert "on the same 4 test folds of 4 items from 2 repeats of the cross-validation, one seed per fold" in text
    assert "Cochran, W. G. (1964)" in text


def test_an_experiment_with_fewer_deals_is_compared_on_those_that_both_have(make):
    folder, other = make(RIGHT), make({fold: BETTER[fold] for fold in (1, 2)}, n_fold_repeats=1, number=2)

    found = compare_instances(folder.path, [1, f"{other.path}:1"], baseline=1, metric="accuracy")

    assert list(found.pairs[0].fold_differences) == [1, 2]
    assert found.pairs[0].n_fold_repeats == 1
    assert "excluded: folds 3-4 (missing)" in " ".join(describe_limits(found))
    content = read_json(other.folds_file)
    write_json(other.folds_file, content | {"hash": "h"})
    with pytest.raises(ResultsError, match=r"shares no fold with the baseline: folds 1-4 \(missing\)"):
        compare_instances(folder.path, [1, f"{other.path}:1"], baseline=1, metric="accuracy")


@pytest.mark.parametrize(
    "change",
    [
        {"deal_hashes": ["f"]},
        {"deal_hashes": None},
        {"settings": {"fold_repeats": 3}},
        {"settings": {"fold_repeats": "x"}},
        {"folds": []},
    ],
)
def test_a_folds_json_whose_deals_do_not_fit_is_damaged(make, change):
    folder = make(RIGHT)
    write_json(folder.folds_file, read_json(folder.folds_file) | change)

    with pytest.raises(ResultsError, match="cannot be read as the folds of an experiment"):
        rebuild(folder)
