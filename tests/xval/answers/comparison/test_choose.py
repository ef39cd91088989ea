"""Which instances are compared, in which metric, and which are refused."""

import math

import pytest

from xval.answers.comparison.choose import compare_instances
from xval.answers.comparison.text import describe_limits
from xval.base.errors import ResultsError, SettingsError
from xval.reuse.ensembles.members import find_members


@pytest.fixture
def experiment(make_results, tmp_path):
    """Three instances on three folds; the second has the best validation figures."""
    made = make_results(tmp_path, n_folds=3)
    for number in (1, 2, 3):
        made.add_instance(number, batch_size=number, comment_1=f"batch {number}", monitor="val_accuracy")
    for number, figures in {1: (0.5, 0.6, 0.7), 2: (0.8, 0.7, 0.9), 3: (0.6, 0.6, 0.6)}.items():
        add_folds(made, number, figures)
    return made


def add_folds(made, number, figures, **changes):
    for fold, figure in enumerate(figures, start=1):
        made.add_fold(number, fold, {"accuracy": figure, "loss": 1 - figure}, **changes)


def compare_in(made, *instances, metric="accuracy", **options):
    return compare_instances(made.folder.path, instances, metric=metric, **options)


def test_without_names_all_are_compared_with_the_one_that_validation_selects(experiment):
    found = compare_in(experiment)

    assert (found.baseline, found.baseline_reason) == ("2", "selected by the best mean validation accuracy")
    assert [(pair.instance, pair.comment) for pair in found.pairs] == [("1", "batch 1"), ("3", "batch 3")]
    assert found.pairs[0].test.difference == pytest.approx(-0.2)
    assert found.pairs[0].ratio == 1  # one item of each side, in these records
    assert found.pairs[0].of_items == pytest.approx({"speaker 1": -0.3, "speaker 2": -0.1, "speaker 3": -0.2})


@pytest.mark.parametrize("baseline", [1, "1"])
def test_a_baseline_may_be_named_and_is_not_compared_with_itself(experiment, baseline):
    found = compare_in(experiment, 3, "1", 3, baseline=baseline)

    assert (found.baseline, found.baseline_reason, [pair.instance for pair in found.pairs]) == ("1", "as chosen", ["3"])


def test_the_baseline_of_some_instances_is_the_best_of_these(experiment):
    assert compare_in(experiment, 1, 3).baseline_reason == "selected by the best mean validation accuracy of these"


@pytest.mark.parametrize(("metric", "rope", "is_said"), [("accuracy", 0.01, False), ("loss", 0.01, True), ("loss", 0.2, False)])
def test_a_rope_for_shares_is_questioned_for_a_metric_that_is_none(experiment, metric, rope, is_said):
    limits = " ".join(describe_limits(compare_in(experiment, metric=metric, rope=rope)))
    assert ("±0.01 suits shares, and this metric is none" in limits) is is_said


def test_an_instance_that_was_never_begun_is_refused_where_it_is_named(experiment):
    (experiment.folder.path / "instance_901").mkdir()  # as by a try that was killed before it wrote its settings

    with pytest.raises(ResultsError, match=r"no instance 901\. Available: 1, 2, 3"):
        compare_in(experiment, 1, 2, baseline=901)
    with pytest.raises(ResultsError, match="no instance 901"):
        find_members(experiment.folder, [1, 901])
    assert len(compare_in(experiment).pairs) == 2


def test_the_ratio_counts_the_items_that_really_trained(experiment):
    items = {"training": ["a", "b", "c", "d"], "validation": ["e"], "test": ["f", "g"]}
    of_items = {"test": {"f": {"n_clips": 3, "accuracy": 0.5}, "g": {"n_clips": 1, "accuracy": 0.9}}}
    for number, figure in ((4, 0.6), (5, 0.6), (6, 0.7)):
        experiment.add_instance(number, batch_size=number)
        add_folds(experiment, number, (figure,) * 3, items=items, item_metrics=of_items)

    (mean, other) = compare_in(experiment, 5, 6, baseline=4).pairs

    assert (mean.ratio, mean.n_items) == (0.5, 2)
    assert mean.flips.n_items == 2  # 0.6 is the mean of 0.5 and 0.9 over clips
    assert other.flips is None  # 0.7 is not
    assert compare_in(experiment, 1, baseline=4).pairs[0].ratio == 1  # the larger one, where instances differ


def test_records_of_several_repeats_of_a_fold_are_averaged(experiment):
    from dataclasses import replace

    from xval.answers.comparison.competitor import Competitor
    from xval.results.find_instances import find_instances

    (found,) = find_instances(experiment.folder.path, [1])
    again = {key._replace(repeat=2): record | {"repeat": 2} for key, record in found.done.items()}

    competitor = Competitor("1", replace(found, jobs={**found.jobs, **again}), "accuracy")

    assert {fold: sorted(of) for fold, of in competitor.by_fold.items()} == {1: [1, 2], 2: [1, 2], 3: [1, 2]}


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

    assert found.figure == "test accuracy of clips"
    assert found.pairs[0].mean == 0.75


def test_another_experiment_is_compared_on_the_same_folds_and_named_by_its_path(experiment, make_results, tmp_path):
    other = make_results(tmp_path, number=2, n_folds=3)
    other.add_instance(1, batch_size=64)
    add_folds(other, 1, (0.7, 0.7, 0.8))

    found = compare_in(experiment, f"{other.folder.path}:1", baseline=1)

    assert [pair.instance for pair in found.pairs] == [f"{other.folder.path}:1"]
    assert found.pairs[0].mean == pytest.approx(2.2 / 3)
    assert compare_in(experiment, 1, f"{other.folder.path}:1").baseline == f"{other.folder.path}:1"


def test_an_experiment_with_other_folds_is_refused(experiment, make_results, tmp_path):
    from xval.base.json_files import write_json

    other = make_results(tmp_path, number=2, n_folds=3)
    content = {"hash": "g", "index_hash": "i", "settings": {}}
    deal = {"number": 1, "training": ["x"], "validation": ["y"], "test": ["speaker 2"]}
    write_json(other.folder.folds_file, content | {"folds": [deal]})
    other.add_instance(1)
    other.add_fold(1, 1, {"accuracy": 0.5}, folds_hash="g")

    with pytest.raises(ResultsError, match=r"other folds than .*\(g and f: the fold settings differ\)"):
        compare_in(experiment, 1, f"{other.folder.path}:1")
    write_json(other.folder.folds_file, content | {"index_hash": "j", "folds": [deal]})
    with pytest.raises(ResultsError, match=r"\(g and f: the corpora differ\)"):
        compare_in(experiment, 1, f"{other.folder.path}:1")


def test_another_task_is_refused(experiment):
    experiment.add_instance(4, task_type="regression")
    add_folds(experiment, 4, (0.6, 0.6, 0.6))

    with pytest.raises(ResultsError, match=r"several tasks.*1: classification, 4: regression"):
        compare_in(experiment, 1, 4)


def test_failed_missing_and_stale_folds_are_named(experiment, make_failure):
    from xval.base.json_files import write_json

    experiment.add_instance(4)
    add_folds(experiment, 4, (0.6,))
    hashes = {"instance": 4, "settings_hash": "s4", "folds_hash": "f", "code_hash": "c", "store": "x", "seed": 1}
    failed = experiment.folder.begin_fold(4, 2)
    write_json(failed / "record.json", make_failure(2, "the loss is NaN") | hashes)
    experiment.folder.publish(failed, 4, 2)
    experiment.add_fold(4, 3, {"accuracy": 0.9}, folds_hash="of other folds")

    found = compare_in(experiment, 1, baseline=4)

    assert list(found.pairs[0].of_folds) == [1]
    assert describe_limits(found)[0] == (
        "Instance 1: Compared on 1 fold; left out: fold 2 (failed: the loss is NaN in the baseline, instance 4), "
        "fold 3 (missing in the baseline, instance 4)."
    )


def test_undefined_folds_are_named(experiment):
    experiment.add_instance(4)
    for fold, value in enumerate((0.6, None, 0.6), start=1):
        experiment.add_fold(4, fold, {"accuracy": value})

    found = compare_in(experiment, 4, baseline=1)

    assert list(found.pairs[0].of_folds) == [1, 3]
    assert "left out: fold 2 (accuracy is undefined)" in describe_limits(found)[0]
    assert math.isfinite(found.pairs[0].test.p)


def test_instances_that_differ_in_the_seed_alone_are_no_competitors(experiment):
    for number, seed in ((4, 1), (5, 2)):
        experiment.add_instance(number, seed=seed, comment_1=f"seed {seed}")
        add_folds(experiment, number, (0.6, 0.6, 0.6))
    experiment.add_instance(6, seed=3, batch_size=64)
    add_folds(experiment, 6, (0.6, 0.6, 0.6))

    with pytest.raises(ResultsError, match=r"instances 4, 5 differ in the seed alone \(1, 2\).*repeats = 2"):
        compare_in(experiment)
    assert compare_in(experiment, 4, 6).pairs  # they differ in more


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

    with pytest.raises(ResultsError, match=r"--metric loss: the instances measure different things.*loss"):
        compare_in(experiment, metric="loss")


def test_a_metric_that_an_instance_lacks_is_an_error_that_names_it(experiment):
    experiment.add_instance(4)
    experiment.add_fold(4, 1, {"balanced_accuracy": 0.6})

    with pytest.raises(ResultsError, match="instance 4 has no accuracy"):
        compare_in(experiment)


@pytest.mark.parametrize(
    ("instances", "error", "message"),
    [
        (["three"], SettingsError, "instance 'three': wanted is a number, such as 3, or one of another experiment"),
        ([1], SettingsError, "1 instance to compare; wanted are two or more"),
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
    with pytest.raises(ResultsError, match=r"tested on other clips.*1: none; 4: language == "):
        compare_in(experiment, 1, 4)
