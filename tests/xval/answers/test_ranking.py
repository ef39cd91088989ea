"""Who is best, who is selected, and the table that a run ends with."""

import pytest

from xval.answers.findings import find_findings
from xval.answers.ranking import Best, Ranking, describe_selection, find_best, rank_instances, summary_table
from xval.answers.score_text import format_chance, format_interval, format_time
from xval.answers.summary import ChanceLevel


def with_windows(make_record, fold, metrics):
    return make_record(fold, metrics, n_examples={"training": 500, "validation": 100, "test": 50})


MIXED = [
    [{"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.9, "loss": 2.0}],
    [{"accuracy": 0.6, "loss": 0.5}, {"accuracy": 0.7, "loss": 1.6}],
]
ERRORS = [[{"rmse": number, "ccc": number}] * 2 for number in (1, 2)]


@pytest.mark.parametrize(
    ("task", "folds", "side", "metric", "best"),
    [
        ("classification", MIXED, "test", "accuracy", {1}),
        ("classification", MIXED, "training", "accuracy", {1}),
        ("classification", MIXED, "test", "loss", {2}),
        ("regression", ERRORS, "test", "rmse", {1}),
        ("regression", ERRORS, "test", "ccc", {2}),
        ("classification", [[0.5], [0.6]], "test", "accuracy", {2}),
        ("classification", [[0.3, 0.3], [0.1 + 0.2, 0.1 + 0.2]], "test", "accuracy", {1, 2}),
        ("classification", [[0.5, 0.6]], "test", "accuracy", set()),
        ("classification", [[{"auc": None}], [{"auc": 0.5}]], "test", "auc", set()),
        ("classification", [[{"old": 1}], [{"old": 2}]], "test", "old", set()),
    ],
    ids=[
        "a high score", "of training", "a low loss", "a low error", "a high concordance", "of one fold each",
        "what rounding tells apart is equal", "nobody is best alone", "or where others have no value",
        "or without a known direction",
    ],
)  # fmt: skip
def test_the_best_mean_of_a_metric(make_instance, task, folds, side, metric, best):
    instances = [make_instance(number, values, task_type=task) for number, values in enumerate(folds, start=1)]
    assert find_best(instances, side, metric) == Best(frozenset(best))


def test_a_mean_over_fewer_folds_does_not_compete(make_instance, make_failure):
    instances = [
        make_instance(1, [0.5, 0.6, 0.7]),
        make_instance(2, [0.9, 0.9, make_failure(3)]),
        make_instance(3, [0.95], folds_total=3),
        make_instance(4, [{"accuracy": 0.9}, {"accuracy": 0.9}, {"accuracy": None}]),
    ]
    assert find_best(instances, "test", "accuracy").mean == {1}
    assert rank_instances(instances).instances == (1, 2, 4, 3)


@pytest.mark.parametrize(
    ("facts", "validation_items", "ranked"),
    [
        ({"method": "stack"}, ["y"], (1,)),
        ({"method": "choose"}, ["y"], (1,)),
        ({"method": "stack"}, ["y", "z"], (901, 1)),
        ({"method": "mean"}, ["y"], (901, 1)),
        ({}, ["y"], (901, 1)),
    ],
)
def test_validation_scores_of_the_one_item_that_an_ensemble_was_fitted_to_do_not_rank_it(
    make_instance, make_record, facts, validation_items, ranked
):
    items, names = {"training": ["x"], "validation": validation_items, "test": ["t"]}, ("accuracy", "balanced_accuracy")
    records = [make_record(fold, dict.fromkeys(names, 0.9), items=items, **facts) for fold in (1, 2)]
    ensemble = make_instance(901, records, architecture="ensemble")
    instances = [make_instance(1, [dict.fromkeys(names, value) for value in (0.5, 0.6)]), ensemble]

    assert rank_instances(instances).instances == ranked
    is_ranked = len(ranked) == 2
    assert find_best(instances, "validation", "accuracy").mean == ({901} if is_ranked else set())
    assert find_best(instances, "test", "accuracy").mean == {901}
    said = {finding.code: finding.line for finding in find_findings(instances)}
    assert ("Validation does not rank ensemble (901), " in said.get("XV306", "")) is not is_ranked
    assert ("XV304" in said) is is_ranked
    assert rank_instances([ensemble]).selected == 901


def test_while_no_instance_has_all_folds_the_furthest_ones_compete(make_instance):
    instances = [make_instance(number, [0.1 * number] * 2, folds_total=6) for number in (1, 2)]
    assert find_best(instances, "test", "accuracy").mean == {2}


def test_instances_that_differ_in_their_seed_alone_have_one_rank_and_are_best_together(make_instance):
    instances = [
        make_instance(1, [0.5, 0.6], seed=1, comment_1="a"),
        make_instance(2, [0.8, 0.9], seed=2, comment_1="b"),
        make_instance(3, [0.75, 0.79], seed=1, learning_rate=0.1),
    ]
    assert rank_instances(instances).instances == (3, 1, 2)
    assert find_best(instances, "test", "accuracy").mean == {3}
    assert find_best(instances[:2], "test", "accuracy").mean == {1, 2}


UNEQUAL = {"balanced_accuracy": 0.5, "accuracy": 0.9, "loss": 1.0}, {"balanced_accuracy": 0.6, "accuracy": 0.8, "loss": 2.0}
EQUAL = {"balanced_accuracy": 0.5, "loss": 2.0}, {"balanced_accuracy": 0.5, "loss": 1.0}
BY_LOSS, OLD = {"rank_by": "loss"}, {"rank_by": "old_score"}
REGRESSION = {"task_type": "regression", "rank_by": "auto"}
UNLIKE_LOSSES = [
    {"loss": "kl_divergence"}, {"calibration": "temperature"}, {"example_length_s": 2.0},
    {"class_weights": "balanced"}, {"sampling": "balanced"}, {"weight_column": "share"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "first", "second", "ranking"),
    [
        (({"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.6, "loss": 2.0}), {}, {},
         Ranking((2, 1), "validation", "accuracy", loss_decides=True)),
        (EQUAL, BY_LOSS, BY_LOSS, Ranking((2, 1), "validation", "loss")),
        (EQUAL, {"rank_by": "auto"}, {"rank_by": "auto"}, Ranking((2, 1), "validation", "balanced_accuracy", True)),
        (EQUAL, {"rank_by": "auto"}, {"rank_by": "auto", "class_weights": "balanced"},
         Ranking((1, 2), "validation", "balanced_accuracy")),
        *((UNEQUAL, BY_LOSS, BY_LOSS | changes, Ranking((2, 1), "validation", "balanced_accuracy", False,
           f"instances that differ in {name} have no comparable loss")) for changes in UNLIKE_LOSSES for name in changes),
        (UNEQUAL, {"rank_by": "accuracy"}, BY_LOSS, Ranking((2, 1), "validation", "balanced_accuracy", True,
         "instances differ in rank_by: accuracy, loss")),
        (UNEQUAL, OLD, OLD, Ranking((2, 1), "validation", "balanced_accuracy", True,
         "not every instance has a validation old score")),
        (({"rmse": 1.0, "loss": 2.0}, {"rmse": None, "loss": 1.0}), REGRESSION, REGRESSION,
         Ranking((2, 1), "validation", "loss", False, "not every instance has a validation RMSE")),
    ],
    ids=["the metric of rank_by", "a loss", "of equal ones the loss", "unless losses do not compare",
         *(f"no loss of unlike {name}" for changes in UNLIKE_LOSSES for name in changes), "no two metrics",
         "no metric that is gone", "the loss where one lacks the main metric"],
)  # fmt: skip
def test_what_ranks(make_instance, scores, first, second, ranking):
    ranked = rank_instances([make_instance(1, scores[:1], **first), make_instance(2, scores[1:], **second)])
    assert ranked == ranking._replace(values=ranked.values, ranks={number: n for n, number in enumerate(ranking.instances, 1)})


def test_the_selection_says_why_the_main_metric_does_not_rank(make_instance):
    instances = [make_instance(1, [{"rmse": 1.0, "loss": 2.0}], **REGRESSION)]
    instances += [make_instance(2, [{"rmse": None, "loss": 1.0}], **REGRESSION)]
    assert "(1.100; not every instance has a validation RMSE)" in describe_selection(instances)


def test_test_scores_never_rank(make_instance, make_record):
    good_on_test = make_record(1, {"accuracy": 0.9})
    good_on_test["metrics"]["validation"]["accuracy"] = 0.1
    instances = [make_instance(1, [good_on_test]), make_instance(2, [0.2])]
    assert rank_instances(instances).selected == 2


def test_clips_rank_where_they_are_cut_into_windows(make_instance, make_record):
    record = with_windows(make_record, 1, {"accuracy": 0.3})
    record["clip_metrics"]["validation"]["accuracy"] = 0.95
    instances = [make_instance(1, [record]), make_instance(2, [0.5])]
    assert rank_instances(instances)[:3] == ((1, 2), "clip_validation", "accuracy")


def test_in_a_tie_the_lower_number_is_selected(make_instance):
    assert rank_instances([make_instance(9, [0.1 + 0.2]), make_instance(2, [0.3])]).selected == 2


def test_without_any_finished_fold_nothing_is_selected(make_instance, make_failure):
    instances = [make_instance(1, [make_failure(1)])]
    assert rank_instances(instances).selected is None
    assert describe_selection(instances) == "No fold is finished yet."
    assert summary_table(instances)[1] == [("1", "cnn_small", "-", "-", "-", "0:00:05", "0/1, 1 failed")]
    undefined = [make_instance(1, [{"accuracy": 0.5, "auc": None}], rank_by="auc")]  # the validation items have one class
    assert describe_selection(undefined) == "No variant is selected, because none has a validation AUC."


def test_the_best_of_some_come_by_number_and_unranked_ones_only_where_there_is_room():
    ranking = Ranking((5, 1, 3), "validation", "accuracy")
    assert ranking.best_of([1, 2, 3, 4, 5], 2) == [1, 5]
    assert ranking.best_of([1, 2, 4], 2) == [1, 2]


def test_the_table_marks_the_selected_and_says_how_many_folds_a_mean_has(make_instance, make_failure):
    scores = [{"accuracy": 0.5, "balanced_accuracy": 0.4}, {"accuracy": 0.7, "balanced_accuracy": 0.4}]
    instances = [
        make_instance(1, scores, comment_1="plain"),
        make_instance(2, [scores[0], make_failure(2)], comment_1="=1+1", architecture="crnn"),
    ]
    header, rows, *_ = summary_table(instances)
    assert header == (
        "instance", "name",
        "validation accuracy", "test balanced accuracy (UAR)", "test accuracy", "time", "folds",
    )  # fmt: skip
    assert rows == [
        ("1 *", "plain", "0.700 ± 0.141", "0.400 ± 0.000", "0.600 ± 0.141", "0:00:20", "2/2"),
        (
            "2",
            "=1+1",
            "0.600 (1 of 2 folds)",
            "0.400 (1 of 2 folds)",
            "0.500 (1 of 2 folds)",
            "0:00:15",
            "1/2, 1 failed",
        ),
    ]


def test_the_table_has_clips_and_windows_side_by_side_where_clips_are_cut(make_instance, make_record):
    record = with_windows(make_record, 1, {"accuracy": 0.5, "balanced_accuracy": 0.4})
    record["clip_metrics"]["test"] = {"accuracy": 0.9, "balanced_accuracy": 0.8}
    header, (row,), *_ = summary_table([make_instance(1, [record])])
    assert list(zip(header[3:7], row[3:7], strict=True)) == [
        ("test clip balanced accuracy (UAR)", "0.800"), ("test clip accuracy", "0.900"),
        ("test balanced accuracy (UAR)", "0.400"), ("test accuracy", "0.500"),
    ]  # fmt: skip


def test_a_metric_beside_those_of_the_task_ranks_and_is_best_by_its_own_direction(make_instance, make_record):
    instances = [
        make_instance(number, [make_record(1, {"worst": 0.1 * number}, further_metrics={"worst": False})], rank_by="worst")
        for number in (1, 2)
    ]
    assert rank_instances(instances)[:3] == ((1, 2), "validation", "worst")
    assert find_best(instances, "test", "worst").mean == {1}


def test_the_selection_is_explained_with_chance(make_instance):
    instances = [make_instance(1, [{"accuracy": 0.5, "balanced_accuracy": 0.4}]), make_instance(2, [{"accuracy": 0.3}])]
    assert describe_selection(instances[:1]).startswith("cnn_small (1) has a mean validation accuracy of 0.600. On the test")
    assert describe_selection(instances) == (
        "cnn_small (1) is selected: best mean validation accuracy (0.600). "
        "On the test items it reaches balanced accuracy (UAR) 0.400 (chance 0.500), accuracy 0.500 (chance 0.500)."
    )


def test_scores_as_text():
    assert [format_time(seconds) for seconds in (0, 59.6, 3661)] == ["0:00:00", "0:01:00", "1:01:01"]
    assert format_chance(ChanceLevel(0.1, 0.1004)) == "chance 0.100"
    assert format_chance(ChanceLevel(0.1, 0.12)) == "chance 0.100 to 0.120"
    assert format_chance(None) == "chance NaN"


def test_errors_of_reconstruction_rank_only_where_they_are_in_the_same_units(make_instance):
    def made(*normalizations, rank_by):
        scores = [{"mse": 0.1, "loss": 0.1, "explained_variance": 0.2}, {"mse": 9.0, "loss": 9.0, "explained_variance": 0.8}]
        return [
            make_instance(number, [found], task_type="representation", rank_by=rank_by, normalization=normalization)
            for number, (found, normalization) in enumerate(zip(scores, normalizations, strict=True), start=1)
        ]

    for rank_by in ("loss", "mse"):
        assert rank_instances(made("per_bin", "per_bin", rank_by=rank_by)).instances == (1, 2)
        assert rank_instances(made("per_bin", "none", rank_by=rank_by))[:3] == ((2, 1), "validation", "explained_variance")


def test_a_table_of_too_many_instances_has_the_best_ones_in_their_order(make_instance):
    instances = [make_instance(number, [accuracy]) for number, accuracy in enumerate((0.5, 0.9, 0.4, 0.8), start=1)]

    _, rows, *_ = summary_table(instances, most=2)

    assert [row[0] for row in rows] == ["2 *", "4"]
    assert len(summary_table(instances)[1]) == 4


@pytest.mark.parametrize(
    ("changes", "mean", "text"),
    [
        ({"of": "items"}, 0.6, ", over items 0.700 [0.500, 0.800]"),
        ({"of": "items"}, 0.7001, " [0.500, 0.800]"),
        ({"of": "pooled"}, 0.7, ", pooled 0.300 [0.500, 0.800]"),
        ({"of": "pooled"}, 0.3, " [0.500, 0.800]"),
        ({"of": "pooled"}, None, ", pooled 0.300 [0.500, 0.800]"),
        ({"of": "pooled", "low": None, "high": None}, 0.7, ", pooled 0.300"),
        ({"of": "items", "low": None, "high": None}, 0.6, ""),
        ({"of": "pooled", "pooled": None}, 0.7, ", pooled NaN"),
        ({"of": "items", "items": None}, 0.7, ""),
    ],
)
def test_the_score_that_an_interval_is_of_is_named_unless_it_is_the_mean_over_folds(changes, mean, text):
    assert format_interval({"items": 0.7, "pooled": 0.3, "low": 0.5, "high": 0.8} | changes, mean) == text


def test_seeds_share_a_rank_but_one_that_lacks_folds_ranks_as_any_variant_that_does(make_instance):
    instances = [
        make_instance(1, [0.9], folds_total=2, seed=1),
        make_instance(2, [0.6, 0.6], seed=1, batch_size=7),
        make_instance(3, [0.7, 0.7], seed=2),
        make_instance(4, [0.9, 0.9], seed=1, batch_size=8),
    ]
    ranking = rank_instances(instances)
    assert ranking.instances == (4, 3, 2, 1)
    assert dict(ranking.ranks) == {4: 1, 3: 2, 2: 3, 1: 4}
    own = {instance.number: instance.over_folds("validation", "accuracy")["mean"] for instance in instances}
    assert dict(ranking.values) == own
