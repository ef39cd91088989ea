"""What tables of several instances show: which metrics, which parameters, which chance level."""

import pytest

from xval.answers.summary import chance_level, differing_parameters, direction, has_windows, metric_columns, shown_parameter


@pytest.mark.parametrize(
    ("parameters", "differing"),
    [
        (
            [
                {"learning_rate": 0.1, "comment_1": "a", "gpu_ID": "0", "n_filters": [8], "architecture": "cnn_small"},
                {"learning_rate": 0.2, "comment_1": "b", "gpu_ID": "1", "n_filters": [8], "architecture": "crnn", "n_units": 4},
            ],
            ("learning_rate", "n_units"),
        ),
        ([{"threads_per_job": 1}, {"threads_per_job": 2}], ("threads_per_job",)),  # which changes numbers
        ([{}], ()),
    ],
)
def test_parameters_that_differ_are_named_without_comments_architecture_and_devices(make_instance, parameters, differing):
    instances = [make_instance(number, [0.5], **own) for number, own in enumerate(parameters, start=1)]
    assert differing_parameters([instance.parameters for instance in instances]) == differing


def test_what_trains_networks_alone_is_not_shown_of_an_estimator(make_instance):
    shown = [
        shown_parameter(make_instance(1, [0.5], architecture=architecture, num_epochs=50, seed=3), name, "–")
        for architecture in ("svm", "cnn_small")
        for name in ("num_epochs", "seed")
    ]
    assert shown == ["–", 3, 50, 3]


def test_metrics_come_test_first_the_main_ones_before_the_order_of_their_file_with_the_loss_last(make_instance):
    first, second = {"loss": 1.0, "auc": 0.5, "macro_f1": 0.5}, {"accuracy": 0.5, "balanced_accuracy": 0.5, "older_score": 0.1}
    instances = [make_instance(1, [first]), make_instance(2, [second])]
    names = ("balanced_accuracy", "accuracy", "macro_f1", "auc", "older_score", "loss")
    assert metric_columns(instances) == tuple((side, name) for side in ("test", "validation", "training") for name in names)


def test_a_metric_that_is_undefined_in_every_fold_has_no_column_on_that_side(make_instance, make_record):
    record = make_record(1, {"accuracy": 0.5, "auc": None})
    record["metrics"]["training"]["auc"] = 0.5

    found = metric_columns([make_instance(1, [record]), make_instance(2, [{"accuracy": 0.5, "auc": None}])])

    assert [side for side, name in found if name == "auc"] == ["training"]
    assert ("test", "auc") in metric_columns([make_instance(1, [record]), make_instance(2, [{"auc": 0.5}, {"auc": None}])])


def test_metrics_beside_those_of_the_task_bring_their_direction(make_instance, make_record):
    instances = [make_instance(1, [0.5]), make_instance(2, [make_record(1, {"worst": 0.5}, further_metrics={"worst": False})])]
    assert [direction(instances, name) for name in ("accuracy", "eer", "loss", "worst", "gone")] == [
        True, False, False, False, None
    ]  # fmt: skip


def test_clips_have_figures_of_their_own_only_where_some_are_cut_into_several_examples(make_instance, make_record):
    whole = make_instance(1, [0.5])
    windows = make_record(1, {"accuracy": 0.5, "loss": 1.0}, n_examples={"training": 500, "validation": 100, "test": 50})
    cut = make_instance(2, [windows])
    assert (has_windows([whole]), has_windows([whole, cut])) == (False, True)
    assert [side for side, name in metric_columns([whole, cut]) if name == "accuracy"] == [
        "clip_test", "test", "clip_validation", "validation", "training"
    ]  # fmt: skip
    assert ("clip_test", "loss") not in metric_columns([cut])


def test_the_chance_level_comes_from_instances_with_all_their_folds(make_instance, make_record):
    def chance(number, levels):
        records = [
            make_record(fold, {"accuracy": 0.9}, chance={"test": {"accuracy": level}}) for fold, level in enumerate(levels, 1)
        ]
        return make_instance(number, records, folds_total=2)

    assert chance_level([chance(1, [0.1, 0.3]), chance(2, [0.9])], "accuracy")[:2] == pytest.approx((0.2, 0.2))
    assert chance_level([chance(1, [0.1, 0.3]), chance(2, [0.2, 0.4])], "accuracy")[:2] == pytest.approx((0.2, 0.3))
    assert chance_level([chance(1, [None, None])], "accuracy") is None
    assert chance_level([chance(1, [0.1])], "auc") is None


@pytest.mark.parametrize(("recalls", "is_shown"), [((0.5, 0.6), False), ((0.5, 0.61), True)])
def test_recall_has_no_column_where_it_is_balanced_accuracy(make_instance, recalls, is_shown):
    folds = [{"balanced_accuracy": value, "recall": recall} for value, recall in zip((0.5, 0.6), recalls, strict=True)]
    columns = metric_columns([make_instance(1, folds)])
    assert ("test", "balanced_accuracy") in columns
    assert (("test", "recall") in columns) == is_shown
