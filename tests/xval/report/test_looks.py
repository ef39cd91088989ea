"""How often the test items of an experiment have been looked at: counted over those beside it, and unknown where it is."""

import json

import pytest

from xval.answers.read import read_instances
from xval.base.json_files import read_json, write_json
from xval.report.looks import count_looks, describe_looks
from xval.report.rebuild import rebuild
from xval.results.folder import find_experiments


@pytest.fixture
def add(make_results, tmp_path):
    """Return a function that adds an experiment with finished folds and a summary, and gives its results."""

    def add(number, n_instances=1, *, dataset="demo", deal="f", seed=0):
        results = make_results(tmp_path / "results", dataset=dataset, number=number)
        write_json(results.folder.folds_file, read_json(results.folder.folds_file) | {"hash": deal})
        for instance in range(1, n_instances + 1):
            results.add_instance(instance, seed=seed)
            for fold in (1, 2):
                results.add_fold(instance, fold, {"accuracy": 0.5}, folds_hash=deal)
        rebuild(results.folder)
        return results

    return add


@pytest.fixture
def looks_of():
    def of(results):
        instances = read_instances(results.folder, results.folder.instances())
        return count_looks(instances), describe_looks(instances)

    return of


def test_experiments_beside_it_are_counted_with_their_instances_deals_and_seeds(add, looks_of):
    first = add(1, 2)
    add(2, 3, seed=5)
    add(3, 1, deal="g", seed=5)
    add(1, 4, dataset="other")  # on other items

    looks, text = looks_of(first)

    assert (looks.n_items, looks.n_experiments, looks.n_instances, looks.n_fold_repeats, looks.n_seeds) == (2, 3, 6, 2, 2)
    assert text.startswith(
        "The 2 test items were used by 3 experiments in this results folder: 6 models, 2 partitions, 2 seeds."
    )
    assert "not known" not in text


def test_one_that_is_alone_says_so(add, looks_of):
    assert "used by this experiment only: 2 models, 1 partition, 1 seed." in looks_of(add(1, 2))[1]


def test_one_that_tests_some_of_the_items_counts_and_one_that_tests_others_does_not(add, looks_of, make_results, tmp_path):
    first, some, others = add(1), add(2), add(3)
    for results, items in ((some, ["speaker 1", "z"]), (others, ["y", "z"])):
        content = read_json(results.folder.folds_file)
        for fold, item in zip(content["folds"], items, strict=True):
            fold["test"] = [item]
            results.add_fold(
                1, fold["number"], {"accuracy": 0.5}, item_metrics={"test": {item: {"n_clips": 1, "accuracy": 0.5}}}
            )
        write_json(results.folder.folds_file, content)
        rebuild(results.folder)

    looks, _ = looks_of(first)

    assert (looks.n_experiments, looks.n_instances, looks.unknown) == (2, 2, ())


def test_an_experiment_without_a_current_summary_is_said_to_be_unknown(add, looks_of):
    first, old = add(1), add(2)
    old.folder.summary_file.unlink()

    looks, text = looks_of(first)

    assert (looks.n_experiments, looks.unknown) == (1, (old.folder.path,))
    assert "used by this experiment: 1 model" in text
    assert text.endswith(f"It is not known for 1 further experiment on this dataset: xval rebuild {old.folder.path}")


def test_what_has_tested_nothing_yet_does_not_count(add, looks_of, make_results, tmp_path):
    first = add(1)
    begun = make_results(tmp_path / "results", number=2)
    begun.add_instance(1)
    rebuild(begun.folder)

    looks, _ = looks_of(first)

    assert (looks.n_experiments, looks.unknown) == (1, ())
    assert looks_of(begun)[1] == ""
    assert len(find_experiments(tmp_path)) == 2
    assert json.loads(begun.folder.summary_file.read_text())["tested"]["items"] == ""
