"""What is said beside the figures."""

from dataclasses import replace

import pytest

from xval.answers.comparison.choose import compare_with
from xval.answers.findings import find_findings
from xval.answers.nested_selection import choose_nested
from xval.answers.ranking import rank_instances
from xval.settings.space import SearchPlan, choice, integers, log_uniform

FIXED = {"architecture": "svm", "fold_strategy": "leave_one_out"}  # training again would change nothing


def texts(instances):
    return {finding.code: f"{finding.message} {finding.advice}" for finding in find_findings(instances)}


def with_sides(make_record, fold, validation, test, **changes):
    record = make_record(fold, {"accuracy": test, "balanced_accuracy": test}, **changes)
    record["metrics"]["validation"] = {"accuracy": validation, "balanced_accuracy": validation}
    return record


def over_items(low, high, chance=0.5, *, value=0.6, metric="balanced_accuracy"):
    score = {"items": value, "pooled": value, "of": "items", "low": low, "high": high, "covers": "models", "chance": chance}
    scores = {"test": {metric: score | {"method": "t", "strategy": "x"}}}
    return {"version": 1, "n_items": 6, "folds_lacking_classes": [], "missing": "", "figures": scores}


def with_sides_of_folds(make_instance, make_record, number, validation, test):
    """Return an instance by its validation and test figures of each fold."""
    sides = enumerate(zip(validation, test, strict=True), start=1)
    return make_instance(number, [with_sides(make_record, fold, *of) for fold, of in sides], learning_rate=number)


@pytest.mark.parametrize(
    ("first", "second", "nested", "chosen"),
    [
        (
            ([0.9, 0.2, 0.9], [0.5, 0.9, 0.6]),
            ([0.1, 0.8, 0.1], [0.9, 0.4, 0.9]),
            "0.500 ± 0.100",
            "0.667 ± 0.208, which is 0.167 better.",
        ),
        (
            ([0.9, 0.5, 0.9], [0.5, 0.5, 0.5]),
            ([0.1, 0.8, 0.1], [0.4, 0.9, 0.4]),
            "0.633 ± 0.231",
            "0.500 ± 0.000, which is 0.133 worse.",
        ),
    ],
)
def test_the_nested_figure_is_of_what_each_fold_chooses_by_its_own_validation(
    make_instance, make_record, first, second, nested, chosen
):
    instances = [with_sides_of_folds(make_instance, make_record, number, *of) for number, of in ((1, first), (2, second))]
    text = texts(instances)["XV304"]
    assert text.startswith(
        f"Choosing among 2 variants in each fold by its own validation reaches test balanced accuracy (UAR) {nested}"
    )
    assert text.endswith(f"; the chosen cnn_small, learning_rate 1 (1) reaches {chosen}")
    assert "XV304" not in texts(instances[:1])


def test_where_nothing_is_above_chance_no_choice_is_advised(make_instance, make_record):
    folds = [0.5, 0.62, 0.44, 0.58, 0.5, 0.61]
    values = ((1, folds), (2, sorted(folds)))
    instances = [with_sides_of_folds(make_instance, make_record, number, of, of) for number, of in values]
    assert {"XV303", "XV304"} <= set(texts([replace(each, over_items=over_items(0.55, 0.7)) for each in instances]))
    found = texts([replace(each, over_items=over_items(0.4, 0.7)) for each in instances])
    assert "Do not rank these" in found["XV301"]
    assert not {"XV303", "XV304"} & set(found)


def test_a_score_without_interval_is_not_called_above_chance(make_instance):
    def text(low, high):
        measured = over_items(0.55, 0.7)
        score = measured["figures"]["test"]["balanced_accuracy"]
        score |= {"low": low, "high": high, "group_chance": 0.56, "permuted": 0.59, "permuted_high": 0.65}
        return texts([replace(make_instance(1, [0.6, 0.6]), over_items=measured)])["XV302"]

    assert text(0.55, 0.7).startswith("Above chance, but no better than recognising the item: ")
    assert text(None, None).startswith("No better than recognising the item, and without an interval: ")


def test_few_validation_items_are_said_where_they_rank_instances(make_instance, make_record):
    def instance(number, *validating):
        records = [with_sides(make_record, fold, 0.5, 0.5) for fold, _ in enumerate(validating, start=1)]
        for record, item in zip(records, validating, strict=True):
            record["items"] = {"training": ["a", "b"], "validation": [*item], "test": ["d", "e"]}
        return make_instance(number, records, learning_rate=number)

    text = texts([instance(1, "c", "c"), instance(2, "c", "c")])["XV105"]
    assert "Only 1 of the 5 items ranks the variants and chooses epochs" in text
    assert (
        "Only 2 of the 6 items rank the variants and choose epochs" in texts([instance(n, "c", "f") for n in (1, 2)])["XV105"]
    )
    assert "next_fold" not in text, "two folds leave no third one to validate"
    assert "XV105" not in texts([instance(1, "c", "c")])
    assert "XV105" not in texts([instance(number, "abc", "ab") for number in (1, 2)])
    assert "XV105" not in texts([instance(1, "c"), instance(2, "abc", "ab")]), "1 has not ended"


@pytest.mark.parametrize(
    ("n_folds", "changes", "said"),
    [
        (3, {}, "(validation). Set validation = next_fold"),
        (3, {"validation": "next_fold"}, "(validation). Do not"),
        (1, {"fold_strategy": "predefined"}, "(validation). Do not"),
    ],
)
def test_the_next_fold_is_advised_where_it_can_validate(make_instance, make_record, n_folds, changes, said):
    records = [with_sides(make_record, fold + 1, 0.5, 0.5) for fold in range(n_folds)]
    for record in records:
        record["items"] = {"training": ["a", "b"], "validation": ["c"], "test": ["d", "e"]}
    instances = [make_instance(number, records, learning_rate=number, **changes) for number in (1, 2)]
    assert said in texts(instances)["XV105"]


def test_seeds_are_one_choice_and_are_to_be_repeats(make_instance):
    instances = [make_instance(number, [0.5 + 0.1 * number, 0.6], seed=number) for number in (1, 2, 3)]
    found = texts(instances)
    assert "Variants 1-3 differ only in their seed" in found["XV305"]
    assert "repeats = 3" in found["XV305"]
    assert not {"XV303", "XV304"} & set(found)


def test_a_tie_is_what_the_comparison_of_the_choice_leaves_undecided(make_instance):
    def make(number, folds):
        records = [dict.fromkeys(("accuracy", "balanced_accuracy"), value) for value in folds]
        return make_instance(number, records, learning_rate=number)

    folds = [0.5, 0.62, 0.44, 0.58, 0.5, 0.61]
    near = [make(1, folds), make(2, sorted(folds))]
    far = [near[0], make(2, [value - 0.4 + 0.01 * (number % 2) for number, value in enumerate(folds)])]
    (pair,) = compare_with(choose_nested(near, rank_instances(near)), near[1:]).pairs
    low, high = (-end for end in reversed(pair.interval))
    assert texts(near)["XV303"] == (
        "No clear winner: the choice among 2 variants is not significantly better than cnn_small, learning_rate 2 (2) "
        f"(test: balanced accuracy (UAR) {-pair.difference:.3f} [{low:.3f}, {high:.3f}], against variant 2). Set "
        "fold_repeats = 3 and run again, because retraining may change these scores by more than the variants differ."
    )
    fixed = [replace(one, written=one.written.model_copy(update={"parameters": one.parameters | FIXED})) for one in near]
    assert "Test 18 more items" in texts(fixed)["XV303"]
    assert "XV303" not in texts(far)
    at_chance = replace(near[1], over_items=over_items(0.45, 0.7))
    assert "XV303" not in texts([near[0], at_chance]), "it is not to be taken, however simple"


@pytest.mark.parametrize(
    ("metric", "value", "low", "high", "is_named"),
    [
        ("balanced_accuracy", 0.6, 0.55, 0.7, False),
        ("balanced_accuracy", 0.6, 0.45, 0.7, True),
        ("balanced_accuracy", 0.3, 0.2, 0.4, True),
        ("balanced_accuracy", 0.6, None, None, False),  # without an interval its value counts
        ("balanced_accuracy", 0.5, None, None, True),
        ("balanced_accuracy", 0.4, None, None, True),
        ("rmse", 0.6, 0.2, 0.4, False),  # an error is better below
        ("rmse", 0.6, 0.4, 0.6, True),
    ],
)
def test_who_is_not_above_chance_is_named(make_instance, metric, value, low, high, is_named):
    task = "regression" if metric == "rmse" else "classification"
    found = make_instance(4, [{metric: value, "loss": 0.3}] * 6, task_type=task)
    said = texts([replace(found, over_items=over_items(low, high, value=value, metric=metric))])
    assert ("cnn_small (4), because" in said.get("XV301", "")) is is_named


SURE, FAR = "{} (4) is overconfident", "Some predictions of {} (4) are far off"
SHARES = "Probabilities of {} (4) do not match how often classes occur"
UNUSABLE = "Do not use its probabilities"
REGRESSION, SVM = {"task_type": "regression"}, {"architecture": "svm"}


@pytest.mark.parametrize(
    ("loss", "parameters", "fault", "advice"),
    [
        (0.9, {}, SURE, ". Set calibration = temperature, or try monitor = val_loss, label_smoothing or fewer num_epochs."),
        (0.9, {"calibration": "temperature"}, SURE, ". Try monitor = val_loss, label_smoothing or fewer num_epochs."),
        (0.9, SVM, SURE, ". Let more items validate (validation_fraction)."),
        (0.9, REGRESSION, FAR, "Look at the worst predictions; try a lower learning_rate or fewer num_epochs."),
        (0.9, REGRESSION | SVM, FAR, "Look at the worst predictions; let more items validate (validation_fraction)."),
        (0.45, {}, SHARES, ". Set calibration = temperature, or train longer (num_epochs)."),
        (0.45, {"calibration": "temperature"}, SHARES, ". Train longer (num_epochs)."),
        (0.45, SVM, SHARES, ". Let more items validate (validation_fraction)."),
        (0.45, {"class_weights": "balanced"}, SHARES, ", because class_weights and sampling make rare classes look frequent."),
        (0.3, {}, "", ""),
    ],
)
def test_who_is_surer_than_it_should_be_is_advised_what_it_can_do(make_instance, loss, parameters, fault, advice):
    """Guessing has the loss 0.5 in these records; the validation loss is 0.1 above that of the test; ln 2 is 0.69."""
    metric, interval = ("rmse", (0.1, 0.3)) if parameters.items() >= REGRESSION.items() else ("balanced_accuracy", (0.55, 0.7))
    made = make_instance(4, [{metric: 0.6, "loss": loss}] * 6, **parameters)
    who = parameters.get("architecture", "cnn_small")
    said = f"{fault.format(who)}: its validation loss is worse than that of guessing. {UNUSABLE * (fault != FAR)}{advice}"
    assert texts([replace(made, over_items=over_items(*interval, metric=metric))]).get("XV206", "") == (said if fault else "")
    at_chance = replace(made, over_items=over_items(0.45, 0.7, metric=metric))
    assert "XV206" not in texts([at_chance])


def with_epochs(make_record, best_epochs, **changes):
    records = [make_record(fold, {"accuracy": 0.5}, best_epoch=best, epochs=3) for fold, best in enumerate(best_epochs, 1)]
    return records if not changes else [record | changes for record in records]


def test_training_that_ended_too_early_is_said_with_the_setting(make_instance, make_record):
    found = [
        make_instance(1, with_epochs(make_record, [3, 3, 2, 3])),
        make_instance(2, with_epochs(make_record, [3, 2, 2, 1])),
        make_instance(3, with_epochs(make_record, [3, 3, 3, 3]), restore_best_weights=False),
        make_instance(4, with_epochs(make_record, [3, 3, 3, 3], best_epoch=None)),
    ]
    text = texts(found)["XV203"]
    assert text.startswith("The best epoch is the last one in variant 1 (3/4), so training ended")
    assert "num_epochs" in text
    assert "XV203" not in texts(found[1:])


def searched(make_instance, space, drawn):
    return make_instance(1, [0.5] * len(drawn), drawn=drawn, search=SearchPlan(space, 10).to_text())


def test_a_search_that_ends_at_its_edge_is_said_with_the_range(make_instance):
    space = {"learning_rate": log_uniform(1e-4, 1e-2), "n_units": integers(8, 64), "kind": choice(["a", "b"])}
    chosen = [(0.0099, 30, "a"), (0.0085, 40, "a"), (0.001, 8, "a")]
    found = searched(make_instance, space, [dict(zip(space, of_fold, strict=True)) for of_fold in chosen])
    text = texts([found])["XV204"]
    assert "The best learning_rate of variant 1 is near the highest value searched, 0.01 (2 of 3 folds). Widen" in text
    inside = [dict(zip(space, of_fold, strict=True)) for of_fold in [chosen[2], *chosen[1:]]]
    assert "XV204" not in texts([searched(make_instance, {"n_units": integers(8, 64)}, inside[1:])])


def test_a_network_that_is_worse_than_an_estimator_is_said(make_instance):
    """Validation figures lie 0.1 above those of the test; the loss, which ranks, is of calibrated probabilities."""

    def instance(number, accuracies, **changes):
        scores = [{"balanced_accuracy": accuracy, "loss": 0.9 - 0.1 * number} for accuracy in accuracies]
        return make_instance(number, scores, monitor="val_loss", learning_rate=number, **changes)

    estimator = instance(5, [0.5, 0.7], architecture="svm")
    networks = [instance(1, [0.3, 0.4]), instance(2, [0.6, 0.7]), instance(3, [0.2], folds_total=2)]
    text = texts([*networks, estimator])["XV205"]
    assert text.startswith("The network cnn_small, learning_rate 1 (1) is worse than the estimator svm (5): ")
    assert "balanced accuracy (UAR) 0.450 against 0.700. Train longer (num_epochs)" in text
    assert "XV205" not in texts([networks[1], estimator])
    assert "XV205" not in texts(networks)


NETWORK = "Check labels and learning curves; then train longer (num_epochs) or add items."
WEIGHTS = "Set class_weights = balanced, because most predictions are the most frequent class."


@pytest.mark.parametrize(
    ("parameters", "facts", "advice"),
    [
        ({}, {}, NETWORK),
        (SVM, {}, "Check the labels; then try other features or add items."),
        ({"architecture": "constant"}, {}, "Add a variant that reads the audio, for example architecture = svm."),
        ({}, {"best_epoch": 3, "epochs": 3}, "Raise num_epochs, because training ended while it was still improving."),
        ({"item_decision": "mean"}, {}, "Record more items; more clips of the same ones do not help."),
        ({}, {"confusion_matrix": {"test": [[9, 0], [3, 1]]}}, WEIGHTS),
        ({"architecture": "knn"}, {"confusion_matrix": {"test": [[9, 0], [3, 1]]}}, "Check the labels; "),  # has no weights
        ({"class_weights": "balanced"}, {"confusion_matrix": {"test": [[9, 0], [3, 1]]}}, NETWORK),
        ({}, {"confusion_matrix": {"test": [[8, 0], [3, 1]]}}, NETWORK),  # not more than twice as frequent
        ({}, {"confusion_matrix": {"test": [[9, 0], [2, 2]]}}, NETWORK),  # not most of the others
    ],
)
def test_what_is_at_chance_is_advised_what_may_help_it(make_instance, make_record, parameters, facts, advice):
    records = [make_record(fold, {"balanced_accuracy": 0.6}, **facts) for fold in range(1, 6)]
    at_chance = replace(make_instance(1, records, **parameters), over_items=over_items(0.4, 0.7))
    assert f"includes chance or is worse. {advice}" in texts([at_chance])["XV301"]


def test_missing_folds_are_counted(make_instance, make_failure):
    instances = [make_instance(1, [0.5, 0.6]), make_instance(2, [0.5, make_failure(2)]), make_instance(3, [], folds_total=2)]
    assert "Variants 2 (1/2), 3 (0/2) lack folds, so means skip" in texts(instances)["XV201"]
    assert "Fix the error (sheet folds of results.xlsx) and run the same command again" in texts(instances)["XV201"]
    assert "failed" not in texts([instances[0], instances[2]])["XV201"]
    assert "XV201" not in texts(instances[:1])


def test_few_items_and_a_random_split_are_said(make_instance, make_record):
    assert texts([make_instance(1, [0.5] * 5)])["XV104"].startswith("Only 5 items were tested;")
    assert "XV104" not in texts([make_instance(1, [0.5] * 6)])
    assert "XV102" not in texts([make_instance(1, [0.5] * 6)])
    for n_clips, said in (([1] * 9, "Each of the 9 items has one clip"), ([1] * 8 + [2], "8 of 9 items have one clip")):
        clips = {f"clip {number}": {"n_clips": n_of_item, "accuracy": 1.0} for number, n_of_item in enumerate(n_clips)}
        found = texts([make_instance(1, [make_record(1, {"accuracy": 1.0}, item_metrics={"test": clips})])])
        assert found["XV102"].startswith(f"{said}, as in a random split. If several clips are of one speaker")


def test_nothing_is_said_before_a_fold_is_finished(make_instance, make_failure):
    assert find_findings([make_instance(1, [make_failure(1)])]) == []


def test_instances_of_other_clips_do_not_compare(make_instance):
    def finding(*conditions):
        found = [make_instance(number, [0.5, 0.6], **each) for number, each in enumerate(conditions, start=1)]
        return texts(found).get("XV108", "")

    english = 'language == "en"'
    assert "differ in test_where, so their test scores are of different clips" in finding({}, {"test_where": english})
    assert "differ in test_where and train_where" in finding({}, {"test_where": english, "train_where": english})
    assert finding({"train_where": english}, {"train_where": english}) == ""


def test_cautions_about_the_corpus_are_said_once_with_the_instances_that_they_concern(make_instance):
    instances = [make_instance(number, [0.5, 0.6], learning_rate=number) for number in (1, 2)]
    cautions = ["all are upsampled", "some are padded"], ["all are upsampled"]
    for instance, of_instance in zip(instances, cautions, strict=True):
        instance.written.cautions.extend(of_instance)
    found = {finding.message: tuple(finding.where) for finding in find_findings(instances) if finding.code == "XV103"}
    assert found == {"All are upsampled.": (), "Some are padded (variant 1).": (1,)}


def test_missing_repeats_are_said_where_every_fold_is_there(make_instance, make_record, make_failure):
    records = [make_record(fold, {"accuracy": 0.5, "balanced_accuracy": 0.5}) for fold in (1, 2)]
    second = make_record(1, {"accuracy": 0.6, "balanced_accuracy": 0.6}, repeat=2)

    text = texts([make_instance(1, [*records, second, make_failure(2) | {"repeat": 2}], repeats=2, folds_total=2)])["XV202"]

    assert text.startswith("Variant 1 (3/4 jobs) lacks seeds, so means are over the finished ones")
    whole = make_instance(1, [*records, second, make_record(2, second["metrics"]["test"], repeat=2)], repeats=2, folds_total=2)
    assert "XV202" not in texts([whole])


def test_a_training_that_diverged_is_named_and_its_last_good_epoch_is_no_sign_of_too_few(make_instance):
    instance = make_instance(1, [0.5, 0.6])
    for record in instance.jobs.values():
        record |= {"best_epoch": 3, "epochs": 3, "diverged": {"epoch": 4, "reason": "loss is nan"}}

    found = texts([instance])

    assert found["XV207"].startswith("Training diverged in variant 1 (2/2), so ")
    assert "XV203" not in found
