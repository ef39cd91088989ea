"""The three lines on every kind of experiment; each is one sentence that is short enough."""

from dataclasses import replace

import pytest

from xval.answers import nested_selection
from xval.answers.headline import MOST_WORDS, find_headline

FOLDS = [0.5, 0.62, 0.44, 0.58, 0.5, 0.61]
LOWER = [value - 0.3 + 0.01 * (number % 2) for number, value in enumerate(FOLDS)]


def with_interval(instance, low, high, *, value=None, chance=0.5, metric="balanced_accuracy"):
    mean = instance.over_folds("test", metric)["mean"] if value is None else value
    figure = {
        "items": mean,
        "pooled": mean,
        "of": "items",
        "low": low,
        "high": high,
        "method": "t",
        "chance": chance,
        "strategy": "s",
    }
    over_items = {
        "version": 1, "n_items": 6, "folds_lacking_classes": [], "missing": "", "figures": {"test": {metric: figure}},
    }  # fmt: skip
    return replace(instance, over_items=over_items)


@pytest.fixture
def nested_low(monkeypatch):
    """Give the nested value an interval: there are no predictions to measure it of."""
    given = {"low": 0.51}
    monkeypatch.setattr(nested_selection, "_kept", lambda nested: with_interval(nested, given["low"], 0.65).over_items)
    return given


@pytest.fixture
def make(make_instance, nested_low):
    """Return a function that makes an instance with an interval of its main figure."""

    def made(number, folds, *, name="", low=0.45, high=0.65, **parameters):
        values = [value if isinstance(value, dict) else {"accuracy": value, "balanced_accuracy": value} for value in folds]
        instance = make_instance(number, values, comment_1=name or f"net {number}", n_units=number, **parameters)
        return with_interval(instance, low, high) if instance.folds else instance

    return made


def lines_of(instances):
    headline = find_headline(instances)
    for line in headline:
        assert len(line.split()) <= MOST_WORDS, line
        assert line.endswith(".")
        assert line.count(". ") == 0, line
        assert "nan" not in line.lower()
    return headline


def test_an_instance_alone_is_compared_with_chance(make):
    found, claim, step = lines_of([make(3, FOLDS, name="SVM on MFCC", low=0.51)])
    assert found == "SVM on MFCC (instance 3) reaches 0.542 balanced accuracy on new items [0.51, 0.65]; chance 0.500."
    assert claim == "It is above chance; it is not compared with anything."
    assert step == "Add an instance to compare it with, such as architecture = svm."
    assert lines_of([make(1, FOLDS, architecture="svm", low=0.51)]).next.endswith("architecture = cnn_small.")


def test_what_is_not_above_chance_is_not_claimed(make, nested_low):
    nested_low["low"] = 0.45
    _, claim, step = lines_of([make(1, FOLDS, low=0.45), make(2, LOWER, low=0.1, high=0.3)])
    assert claim == "You cannot claim that it is above chance."
    assert step.startswith("Look at the labels and the curves")


def test_of_a_chosen_instance_the_nested_interval_decides(make, nested_low):
    """Its own interval excludes chance, as that of the best of many does by luck."""
    nested_low["low"] = 0.45
    instances = [make(1, FOLDS, low=0.51), make(2, sorted(FOLDS), low=0.51)]
    assert lines_of(instances).claim == "You cannot claim that it is above chance."
    nested_low["low"] = 0.51
    assert lines_of([make(1, FOLDS, low=0.45), instances[1]]).claim.startswith("It is above chance, but")


def test_where_instances_compete_the_nested_value_stands_first_and_the_own_one_with_how_much_better_it_is(make):
    found, *_ = lines_of([make(1, FOLDS, low=0.51), make(2, LOWER, low=0.1, high=0.3)])
    assert found.startswith("Report 0.542 balanced accuracy on new items")
    assert "(choice among 2 instances); chance" in found
    assert found.endswith("; chance 0.500; chosen: net 1 (instance 1), alone 0.542 (no better).")


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([LOWER], "These trained models are better than net 2 (instance 2)."),
        ([sorted(FOLDS)], "It is above chance, but you cannot claim that it is better than net 2 (instance 2)."),
        (
            [sorted(FOLDS), LOWER],
            "These trained models are better than net 3 (instance 3); you cannot claim that of net 2 (instance 2).",
        ),
        ([LOWER] * 3, "These trained models are better than any of the other 3 instances."),
        ([sorted(FOLDS)] * 3, "It is above chance, but you cannot claim that it is better than any of the other 3 instances."),
    ],
)
def test_what_may_be_claimed_is_what_the_comparison_says(make, others, said):
    instances = [make(number, folds, low=0.51) for number, folds in enumerate([FOLDS, *others], start=1)]
    assert lines_of(instances).claim == said


def test_three_or_four_instances_are_named_where_there_is_room(make):
    instances = [
        make(number, folds, low=0.51, name=name)
        for number, (name, folds) in enumerate(
            [("a", FOLDS), ("svm", sorted(FOLDS)), ("knn", sorted(FOLDS)), ("mlp", LOWER), ("forest", sorted(FOLDS))], start=1
        )
    ]
    assert lines_of(instances).claim.endswith("; you cannot claim that of svm, knn and forest (instances 2-3, 5).")
    renamed = [*instances[:-1], make(5, sorted(FOLDS), low=0.51, name="forest, 2 parts")]
    assert lines_of(renamed).claim.endswith("; you cannot claim that of instances 2-3, 5.")


def test_long_names_leave_sentences_short(make):
    instances = [
        make(number, folds, low=0.51, name=f"the best of all recipes with many words in its name, variant {number}")
        for number, folds in enumerate([FOLDS, sorted(FOLDS)], start=1)
    ]
    assert lines_of(instances).claim == "It is above chance, but you cannot claim that it is better than instance 2."


def test_the_next_step_of_a_tie_is_repetitions_where_they_are_cheap_and_else_more_items(make):
    instances = [make(1, FOLDS, low=0.51), make(2, sorted(FOLDS), low=0.51)]
    assert lines_of(instances).next.startswith("Run three repetitions (fold_repeats = 3)")
    slow = [replace(one, jobs={key: {**record, "seconds": 1000.0} for key, record in one.jobs.items()}) for one in instances]
    assert lines_of(slow).next == (
        "Take the simpler of instances 1 and 2, or test 18 more items to show the observed difference of 0.030 to instance 2."
    )
    assert lines_of([make(1, FOLDS, low=0.51), make(2, LOWER, low=0.1)]).next.startswith("Report it: python -m xval report")


def test_several_trainings_are_this_way_of_training(make, make_record):
    def trained_twice(number, folds):
        records = [
            make_record(fold, dict.fromkeys(("accuracy", "balanced_accuracy"), value + 0.01 * number * repeat), repeat=repeat)
            for fold, value in enumerate(folds, start=1)
            for repeat in (1, 2)
        ]
        one = make(number, records, low=0.51, repeats=2)
        return replace(one, n_folds=len(folds))

    claim = lines_of([trained_twice(1, FOLDS), trained_twice(2, LOWER)]).claim
    assert claim == "The choice is better than net 2 (instance 2)."


def test_what_draws_nothing_is_not_advised_to_train_with_other_seeds(make):
    def step(**parameters):
        return lines_of([make(1, FOLDS, low=0.51, **parameters), make(2, sorted(FOLDS), low=0.51, **parameters)]).next

    assert step(architecture="svm").startswith("Run three repetitions (fold_repeats = 3)")
    assert step(fold_strategy="leave_one_out").startswith("Run three repetitions (repeats = 3)")
    assert step(architecture="svm", fold_strategy="leave_one_out").startswith(
        "Take the simpler of instances 1 and 2, or test 18 more items"
    )


def test_estimators_at_chance_are_not_advised_to_train_longer(make):
    assert lines_of([make(1, FOLDS, low=0.45, architecture="svm")]).next == "Look at the labels, or try other features."


def test_missing_and_failed_folds_come_first(make, make_failure):
    whole = make(1, FOLDS[:2], low=0.51)
    _, claim, step = lines_of(
        [
            make(
                1,
                FOLDS[:2],
                low=0.51,
            ),
            replace(make(2, FOLDS[:1], low=0.51), n_folds=2),
        ]
    )
    assert step == "Run the missing folds: 2 of net 2 (instance 2)."
    _, claim, step = lines_of([replace(whole, n_folds=4)])
    assert claim == "Claim nothing about it yet: 2 of its 4 folds are missing."
    assert step == "Run the missing folds: 3-4 of net 1 (instance 1)."
    failed = replace(
        whole,
        jobs={**whole.jobs, next(iter(whole.jobs))._replace(fold=3): make_failure(3)},
        n_folds=3,
    )
    assert lines_of([failed]).next == "Fix what failed (1 job of net 1 (instance 1)), then run the command again."


def test_nothing_finished_says_what_to_do(make_instance, make_failure):
    assert lines_of([make_instance(1, [], folds_total=2)]) == (
        "No fold is finished yet.", "There is nothing to claim yet.", "Run the experiment.",
    )  # fmt: skip
    assert lines_of([make_instance(1, [make_failure(1), make_failure(2)])]).found == "No fold is finished: 2 jobs failed."


def test_without_a_validation_value_nothing_is_selected(make):
    undefined = [make(number, [{"balanced_accuracy": None, "auc": None}], rank_by="auc") for number in (1, 2)]
    assert lines_of(undefined).found == "No instance is selected, because none has a validation auc."


def test_an_error_is_reached_too_and_no_interval_claims_nothing(make_instance):
    regression = make_instance(1, [{"rmse": 12.5}, {"rmse": 13.5}], task_type="regression", monitor="val_loss")
    found, claim, _ = lines_of([regression])
    assert found == "cnn_small (instance 1) reaches 13.000 rmse on new items; chance 0.500."
    assert claim == "Claim nothing about it yet: its value has no interval over items."


@pytest.mark.parametrize(
    ("task", "metric", "said"),
    [
        ("multilabel_classification", "mean_average_precision", "0.500 mean average precision on new items [0.40, 0.60]"),
        ("frame_classification", "macro_f1", "0.500 macro f1 on new items [0.40, 0.60]"),
        ("representation", "explained_variance", "0.500 explained variance on new items [0.40, 0.60]"),
    ],
)
def test_every_task_has_its_lines(make_instance, task, metric, said):
    instance = make_instance(1, [{metric: 0.4}, {metric: 0.6}], task_type=task, monitor="val_loss")
    assert said in lines_of([with_interval(instance, 0.4, 0.6, chance=0.1, metric=metric)]).found
