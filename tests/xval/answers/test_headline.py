"""The three lines on every kind of experiment: which case is chosen, and with which words."""

import re
from dataclasses import replace
from string import Formatter

import pytest

from xval.answers import nested_selection
from xval.answers.comparison.choose import compare_with
from xval.answers.headline import _Fields, find_headline
from xval.answers.line_cases import CASES, CHOSEN, FIRST, ONE, SCORED, SCORED_CHOSEN
from xval.answers.nested_selection import choose_nested
from xval.answers.ranking import rank_instances

FOLDS = [0.5, 0.62, 0.44, 0.58, 0.5, 0.61]
LOWER = [value - 0.3 + 0.01 * (number % 2) for number, value in enumerate(FOLDS)]


def with_interval(instance, low, high, *, chance=0.5, metric="balanced_accuracy"):
    mean = instance.over_folds("test", metric)["mean"]
    score = {"items": mean, "pooled": mean, "of": "items", "low": low, "high": high, "method": "t", "strategy": "s"}
    scores = {"test": {metric: score | {"chance": chance}}}
    over_items = {"version": 1, "n_items": 6, "folds_lacking_classes": [], "missing": "", "figures": scores}
    return replace(instance, over_items=over_items)


@pytest.fixture
def nested_low(monkeypatch):
    """Give the nested value an interval: there are no predictions to measure it of."""
    given = {"low": 0.51}
    monkeypatch.setattr(
        nested_selection, "over_items_of", lambda nested, _: with_interval(nested, given["low"], 0.65).over_items
    )
    return given


@pytest.fixture
def make(make_instance, nested_low):
    """Return a function that makes an instance with an interval of its main figure."""

    def made(number, folds, *, name="", low=0.45, high=0.65, **parameters):
        values = [value if isinstance(value, dict) else {"accuracy": value, "balanced_accuracy": value} for value in folds]
        instance = make_instance(number, values, **{"comment_1": name or f"net {number}", "n_units": number} | parameters)
        return with_interval(instance, low, high) if instance.folds else instance

    return made


def lines_of(instances):
    headline = find_headline(instances)
    for line in headline:
        assert re.search(r"[.]$|--latex[.]$", line), line
        assert not re.search(r"\bnan\b|[{}]|  |\.\.", line.lower()), line
    return headline._replace(evidence=headline.evidence.replace(" in balanced accuracy (UAR)", ""))  # accuracy ranks here


def with_facts(instance, **facts):
    return replace(instance, jobs={key: record | facts for key, record in instance.jobs.items()})


def with_levels(instance, **levels):
    instance.over_items["figures"]["test"]["balanced_accuracy"] |= levels
    return instance


def validates_better(make):
    """Return two instances of which the one with the best validation figures is worse on the test."""
    first = make(1, LOWER, low=0.51)
    high = {"accuracy": 0.95, "balanced_accuracy": 0.95}
    scores = {key: replace(each, sides={**each.sides, "validation": high}) for key, each in first.scores.items()}
    return [replace(first, scores=scores), make(2, FOLDS, low=0.51)]


REACHED = "net 1 reaches balanced accuracy (UAR) 0.542 [0.510, 0.650] on unseen items; chance is 0.500."
SCORED_LOW = "net 1 scored balanced accuracy (UAR) 0.542 [0.450, 0.650]."
INVALID = "Not valid as a test: net 1 scored 0.542."
REMOVE = "xval audit results lists them. Remove them and run again."
ALONE = "Above chance. There is no second model to compare it with"
EQUAL = "practically equal to net 2 (2)"
CAVEAT = "These results hold for these trained models; retraining may change them."
RESEMBLYZER = {"features": "embedding", "embedding_model": "resemblyzer"}
NEARLY = [value - 0.0005 * (number % 2) for number, value in enumerate(FOLDS)]
FAILED = {"status": "failed", "error": "the loss is NaN", "fold": 3, "seconds": 5.0}
MADE = {
    "nothing finished": (
        lambda make: [make(1, [], folds_total=2)],
        ("No fold is finished yet.", "There is nothing to report yet.", "Run the experiment."),
    ),
    "all failed": (
        lambda make: [make(1, [FAILED | {"fold": fold} for fold in (1, 2)])],
        ("No fold is finished: 2 jobs failed.", "There is nothing to report yet.",
         "Fix the error, then run the same command again."),
    ),
    "none selected": (
        lambda make: [make(number, [{"balanced_accuracy": None, "auc": None}], rank_by="auc") for number in (1, 2)],
        ("No variant can be selected, because none has a validation AUC.",
         "Only validation may choose a variant, so do not report any of them as the best.",
         "Choose another rank_by, or let more items validate (validation_fraction)."),
    ),
    "undefined": (
        lambda make: [make(1, [{"balanced_accuracy": None, "accuracy": 0.5}] * 3)],
        ("net 1 has no balanced accuracy (UAR) on unseen items, because it is undefined there.",
         "There is nothing to report yet.", "Read the other metrics, or test more items."),
    ),
    "leaked": (
        lambda make: [with_facts(make(1, FOLDS, **RESEMBLYZER), embedder_leakage={"state": "leaked", "reason": "x"})],
        (INVALID, "resemblyzer was trained on clips or items that are tested here.", REMOVE),
    ),
    "near-duplicates": (
        lambda make: [with_facts(make(1, FOLDS), near_duplicates=2)],
        (INVALID, "Some tested clips are nearly identical to training clips.", REMOVE),
    ),
    "unfinished": (
        lambda make: [make(1, FOLDS[:2], folds_total=4)],
        ("Preliminary: balanced accuracy (UAR) 0.560 from 2 of 4 folds of net 1.", "Do not report this yet.",
         "Run the same command again to finish (without --folds, if you gave it)."),
    ),
    "failed": (
        lambda make: [make(1, [*FOLDS[:2], FAILED])],
        ("Preliminary: balanced accuracy (UAR) 0.560 from 2 of 3 folds of net 1.",
         "Do not report this yet, because 1 job of net 1 failed.",
         "Fix the error, then run the same command again to finish."),
    ),
    "another variant unfinished": (
        lambda make: [make(1, FOLDS[:2], low=0.51), make(2, FOLDS[:1], low=0.51, folds_total=2)],
        ("", "", "Run the experiment again to finish net 2 (2)."),
    ),
    "at chance": (
        lambda make: [make(1, FOLDS, low=0.45)],
        (SCORED_LOW, "Not above chance: the interval includes 0.500.",
         "Check labels and learning curves; then train longer (num_epochs) or add items."),
    ),
    "an estimator at chance": (
        lambda make: [make(1, FOLDS, low=0.45, architecture="svm")],
        (SCORED_LOW, "Not above chance: the interval includes 0.500.",
         "Check the labels; then try other features or add items."),
    ),
    "worse than chance": (
        lambda make: [make(1, FOLDS, low=0.45, high=0.49)],
        ("net 1 scored balanced accuracy (UAR) 0.542 [0.450, 0.490].",
         "Not above chance: the whole interval is worse than 0.500.",
         "Check labels and learning curves; then train longer (num_epochs) or add items."),
    ),
    "at chance, no interval": (
        lambda make: [with_levels(make(1, [0.5] * 6), low=None, high=None)],
        ("net 1 scored balanced accuracy (UAR) 0.500.", "Not above chance, which is 0.500.",
         "Check labels and learning curves; then train longer (num_epochs) or add items."),
    ),
    "perfect": (
        lambda make: [make(1, [1.0] * 6, low=0.9, high=1.0)],
        ("", "Every test item has the best possible score, which is suspicious.",
         "Look for what reveals the label, such as length, silence or names, or test harder clips."),
    ),
    "perfect decisions": (
        lambda make: [make(1, [1.0] * 6, low=0.9, high=1.0, item_decision="mean")],
        ("", "Above chance. Every test item has the best possible score.",
         "Test more items: these are all decided correctly, so they show neither errors nor differences."),
    ),
    "knows the item": (
        lambda make: [with_levels(make(1, FOLDS, low=0.51), group_chance=0.56, permuted=0.5, permuted_high=0.52)],
        (REACHED, "Above chance (0.500), but no better than recognising the item (0.560).",
         "Compare with 0.560 instead of chance, or test items of other groups (train_where, test_where)."),
    ),
    "alone": (
        lambda make: [make(1, FOLDS, low=0.51)],
        (REACHED, f"{ALONE}.", "Add a baseline, for example architecture = svm."),
    ),
    "an estimator alone": (
        lambda make: [make(1, FOLDS, low=0.51, architecture="svm")],
        (REACHED, f"{ALONE}.", "Add a baseline, for example architecture = cnn_small."),
    ),
    "same settings": (
        lambda make: [make(number, FOLDS, low=0.51, n_units=1, name="net") for number in (1, 2)],
        ("", f"{ALONE}, because variants 1 and 2 have the same settings and seed.",
         "Remove variant 2, or change the setting in which they should differ."),
    ),
    "other seeds": (
        lambda make: [make(number, FOLDS, low=0.51, n_units=1, seed=number) for number in (1, 2)],
        ("", f"{ALONE}, because the variants differ only in their seed.",
         "Declare one variant with repeats = 2: it reports the mean over seeds, not the best of them."),
    ),
    "not comparable": (
        lambda make: [make(1, FOLDS, low=0.51), make(2, FOLDS, low=0.51, test_where='language == "en"')],
        ("", "Above chance. The other variants cannot be compared with it.",
         "Add a baseline, for example architecture = svm."),
    ),
    "others leaked": (
        lambda make: [make(1, FOLDS, low=0.51), with_facts(make(2, LOWER, low=0.51), near_duplicates=1)],
        ("", "Do not compare it with net 2 (2), which was trained on clips or items that are tested here.", REMOVE),
    ),
    "another is better": (
        validates_better,
        ("", "On the tested items net 2 (2) scored significantly better than the chosen one (p < 0.001).",
         "Let more items validate (validation = next_fold), because validation chose another variant than the test would."),
    ),
    "some equal": (
        lambda make: [make(1, FOLDS, low=0.51), make(2, NEARLY, low=0.51), make(3, LOWER, low=0.51)],
        ("", f"Choosing by validation is significantly better than net 3 (3) (adjusted p < 0.001) and {EQUAL}. {CAVEAT}",
         "Use the cheapest of the equal ones. Ready to report: xval report results --latex."),
    ),
    "all equal": (
        lambda make: [make(1, FOLDS, low=0.51), make(2, NEARLY, low=0.51)],
        ("", f"Choosing by validation is {EQUAL}: the difference is less than 0.01.",
         "Use the cheapest of them. Ready to report: xval report results --latex."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MADE)
def test_each_case_has_its_lines(make, case):
    """Lines that are empty here are of no interest in this case."""
    make_instances, wanted = MADE[case]
    lines = lines_of(make_instances(make))
    assert [line if said else "" for line, said in zip(lines, wanted, strict=True)] == list(wanted)


def test_what_is_not_above_chance_is_not_claimed(make, nested_low):
    nested_low["low"] = 0.45
    _, evidence, step = lines_of([make(1, FOLDS, low=0.45), make(2, LOWER, low=0.1, high=0.3)])
    assert evidence == "Not above chance: the interval includes 0.500."
    assert step.startswith("Do not rank these models. Check labels and learning curves")


def test_of_a_chosen_instance_the_nested_interval_decides(make, nested_low):
    """Its own interval excludes chance, as that of the best of many does by luck."""
    nested_low["low"] = 0.45
    instances = [make(1, FOLDS, low=0.51), make(2, sorted(FOLDS), low=0.51)]
    assert lines_of(instances).evidence == "Not above chance: the interval includes 0.500."
    assert lines_of(instances).result.startswith("Choosing among 2 variants by validation accuracy scored")
    nested_low["low"] = 0.51
    assert "is above chance, but not" in lines_of([make(1, FOLDS, low=0.45), instances[1]]).evidence


def test_where_instances_compete_the_nested_value_stands_first_and_then_the_own_one(make):
    result, *_ = lines_of([make(1, FOLDS, low=0.51), make(2, LOWER, low=0.1, high=0.3)])
    assert result == (
        "Report balanced accuracy (UAR) 0.542 [0.510, 0.650] on unseen items (chance 0.500): the nested estimate for choosing "
        "among 2 variants by validation accuracy. The chosen one, net 1 (1), scored 0.542 (accuracy 0.542)."
    )


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([LOWER], rf"net 1 \(1\) is significantly better than net 2 \(2\) \(p < 0.001\). {CAVEAT}"),
        ([sorted(FOLDS)], r"Choosing by validation is above chance, but not significantly better than net 2 \(2\)."),
        (
            [sorted(FOLDS), LOWER],
            (
                r"Choosing by validation is significantly better than net 3 \(3\) \(adjusted p < 0.001\). "
                rf"No significant difference from net 2 \(2\) \(adjusted p = 0.\d{{3}}\). {CAVEAT}"
            ),
        ),
        ([LOWER] * 3, rf"net 1 \(1\) is significantly better than all 3 others \(adjusted p < 0.001\). {CAVEAT}"),
        (
            [sorted(FOLDS)] * 3,
            r"Choosing by validation is above chance, but not significantly better than any of the 3 others.",
        ),
    ],
)
def test_the_evidence_is_what_the_comparison_says(make, others, said):
    instances = [make(number, folds, low=0.51) for number, folds in enumerate([FOLDS, *others], start=1)]
    assert re.fullmatch(said, lines_of(instances).evidence), lines_of(instances).evidence


def test_up_to_four_variants_are_named(make):
    instances = [
        make(number, folds, low=0.51, name=name)
        for number, (name, folds) in enumerate(
            [("a", FOLDS), ("svm", sorted(FOLDS)), ("knn", sorted(FOLDS)), ("mlp", LOWER), ("forest", sorted(FOLDS))], start=1
        )
    ]
    assert "No significant difference from svm (2), knn (3) and forest (5) (" in lines_of(instances).evidence
    renamed = [*instances[:-1], make(5, sorted(FOLDS), low=0.51, name="forest, 2 parts")]
    assert "No significant difference from variants 2-3, 5 (" in lines_of(renamed).evidence


def test_of_several_open_comparisons_the_least_p_is_given(make):
    nearly = [value - 0.06 + 0.04 * (number % 3) for number, value in enumerate(FOLDS)]
    instances = [make(number, folds, low=0.51) for number, folds in enumerate((FOLDS, sorted(FOLDS), nearly, LOWER), start=1)]
    pairs = compare_with(choose_nested(instances, rank_instances(instances)), instances[1:]).pairs
    p_values = {f"{pair.p_holm:.3f}" for pair in pairs if pair.verdict == "undecided"}
    assert len(p_values) == 2
    said = f"No significant difference from net 2 (2) and net 3 (3) (adjusted p >= {min(p_values)})."
    assert said in lines_of(instances).evidence


def test_the_next_step_of_a_tie_is_repetitions_where_they_are_cheap_and_else_more_items(make):
    instances = [make(1, FOLDS, low=0.51), make(2, sorted(FOLDS), low=0.51)]
    assert lines_of(instances).next.startswith("Set fold_repeats = 3 and run again")
    slow = [replace(one, jobs={key: {**record, "seconds": 1000.0} for key, record in one.jobs.items()}) for one in instances]
    assert lines_of(slow).next == (
        "Test 18 more items to confirm the difference of 0.030 between choosing by validation and variant 2; until then use "
        "the cheapest."
    )
    assert lines_of([make(1, FOLDS, low=0.51), make(2, LOWER, low=0.1)]).next.startswith("Ready to report: xval report ")


def test_several_trainings_are_this_way_of_training(make, make_record):
    def trained_twice(number, folds):
        records = [
            make_record(fold, dict.fromkeys(("accuracy", "balanced_accuracy"), value + 0.01 * number * repeat), repeat=repeat)
            for fold, value in enumerate(folds, start=1)
            for repeat in (1, 2)
        ]
        one = make(number, records, low=0.51, repeats=2)
        return replace(one, n_folds=len(folds))

    evidence = lines_of([trained_twice(1, FOLDS), trained_twice(2, LOWER)]).evidence
    assert re.fullmatch(r"net 1 \(1\) is significantly better than net 2 \(2\) \(p [<=] 0.\d{3}\).", evidence), evidence


def test_what_draws_nothing_is_not_advised_to_train_with_other_seeds(make):
    def step(**parameters):
        return lines_of([make(1, FOLDS, low=0.51, **parameters), make(2, sorted(FOLDS), low=0.51, **parameters)]).next

    assert step(architecture="svm").startswith("Set fold_repeats = 3")
    assert step(fold_strategy="leave_one_out").startswith("Set repeats = 3")
    assert step(architecture="svm", fold_strategy="leave_one_out").startswith("Test 18 more items to confirm")


def test_an_error_is_reached_too_and_no_interval_claims_nothing(make_instance):
    regression = make_instance(1, [{"rmse": 12.5}, {"rmse": 13.5}], task_type="regression", monitor="val_loss")
    result, evidence, _ = lines_of([regression])
    assert result == "cnn_small reaches RMSE 13.000 on unseen items; chance is 0.500."
    assert evidence == "There is no confidence interval, so the score shows little about other items."


@pytest.mark.parametrize(
    ("task", "metric", "said"),
    [
        (
            "multilabel_classification",
            "mean_average_precision",
            "mean average precision (mAP) 0.500 [0.400, 0.600] on unseen items",
        ),
        ("frame_classification", "macro_f1", "macro F1 0.500 [0.400, 0.600] on unseen items"),
        ("representation", "explained_variance", "explained variance 0.500 [0.400, 0.600] on unseen items"),
    ],
)
def test_every_task_has_its_lines(make_instance, task, metric, said):
    instance = make_instance(1, [{metric: 0.4}, {metric: 0.6}], task_type=task, monitor="val_loss")
    assert said in lines_of([with_interval(instance, 0.4, 0.6, chance=0.1, metric=metric)]).result


def test_every_field_of_the_texts_is_known():
    texts = [*(text for lines in CASES.values() for text in lines), *FIRST.values(), ONE, CHOSEN, SCORED, SCORED_CHOSEN]
    fields = {field for text in texts for _, field, *_ in Formatter().parse(text) if field}
    assert {field for field in fields if not hasattr(_Fields, field)} == {"experiment"}
