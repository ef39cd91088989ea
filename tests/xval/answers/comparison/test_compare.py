"""Instances against a baseline: the numbers, by hand and by others, and what cannot be said."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from xval.answers.comparison.compare import compare
from xval.answers.comparison.competitor import Competitor
from xval.answers.comparison.text import (
    describe_claims,
    describe_columns,
    describe_limits,
    describe_plans,
    describe_result,
    describe_to_publish,
    table_rows,
)
from xval.answers.score_text import decimals
from xval.base.errors import ResultsError
from xval.measures.statistics.comparison import corrected_t, item_difference
from xval.measures.statistics.crossed import Component, add_runs
from xval.measures.statistics.planning import least_detectable
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.read import WrittenInstance
from xval.results.scores import Scores

RATIO = 0.25
NAN = math.nan


def competitor(name, folds, *, ratio=RATIO, failed=None, missing=(), no_items=(), n_clips=10, **parameters):
    """Return a competitor whose fold k tests the item sk; a fold is a figure, or a list of one per repeat.

    `failed` are errors by fold; `no_items` are folds whose items have another metric.
    """
    number, jobs, scores = int(name), {}, {}
    for fold, given in folds.items():
        for repeat, value in enumerate(given if isinstance(given, list) else [given], start=1):
            test = {"accuracy": value}
            items = {"training": [f"t{place}" for place in range(round(1 / ratio))], "validation": ["v"], "test": [f"s{fold}"]}
            of_items = {f"s{fold}": {"n_clips": n_clips, "f1" if fold in no_items else "accuracy": value}}
            jobs[number, fold, repeat] = {"status": "done", "items": items}
            scores[JobKey(number, fold, repeat)] = Scores({"test": test, "clip_test": test}, of_items)
    jobs |= {(number, fold, 1): {"status": "failed", "error": error} for fold, error in (failed or {}).items()}
    wanted = [*jobs, *((number, fold, 1) for fold in missing)]
    parameters = (
        {"task_type": "classification"} | parameters | {"comment_1": f"comment {name}", "dataset": "toy", "num_experiment": 1}
    )
    written = WrittenInstance(
        path=Path("settings.json"), instance=number, description="", settings_hash="s", parameters=parameters, sources={}
    )
    records = {JobKey(*key): record for key, record in sorted(jobs.items())}
    instance = InstanceResults(
        ExperimentFolder(Path("results")), written, records, len(wanted), 1, [JobKey(*key) for key in wanted], scores
    )
    return Competitor(name, instance, "accuracy", f"comment {name}")


def numbered(values):
    return dict(enumerate(values, start=1))


def compare_accuracy(instances, baseline, **changes):
    given = {"metric": "accuracy", "score": "test accuracy of clips", "higher_is_better": True} | changes
    return compare(instances, baseline, **given)


def test_the_numbers_of_a_pair_by_hand():
    own, other = [0.8, 0.7, 0.9, 0.6], [0.7, 0.7, 0.7, 0.5]  # differences 0.1, 0, 0.2, 0.1

    (pair,) = compare_accuracy([competitor("2", numbered(own))], competitor("1", numbered(other))).pairs

    theirs = stats.ttest_rel(own, other)
    assert (pair.mean, pair.baseline_mean, pair.difference) == pytest.approx((0.75, 0.65, 0.1))
    assert pair.interval == pytest.approx(tuple(theirs.confidence_interval()))
    assert pair.test.p == pair.p_holm == pytest.approx(theirs.pvalue)
    assert pair.fold_differences == pytest.approx({1: 0.1, 2: 0.0, 3: 0.2, 4: 0.1})
    assert pair.item_differences == pytest.approx({"s1": 0.1, "s2": 0.0, "s3": 0.2, "s4": 0.1})
    assert (pair.basis, pair.n_items, pair.n_folds, pair.n_repeats, pair.n_runs) == ("items", 4, 4, (1,), 1)
    # A noncentral t of this shift exceeds the critical value with a probability of 80 %.
    shift = pair.least_detectable / pair.test.standard_error
    assert stats.nct.sf(stats.t.ppf(0.975, 3), 3, shift) == pytest.approx(0.8, abs=1e-6)


def test_holm_adjusts_for_all_comparisons_with_the_baseline_and_no_others():
    rng = np.random.default_rng(1)
    baseline = competitor("1", numbered(rng.uniform(0.4, 0.5, 6)))
    others = [competitor(str(number), numbered(rng.uniform(0.4, 0.5 + number / 40, 6))) for number in range(2, 6)]
    equal = competitor("6", {fold: each[1] + 0.1 for fold, each in baseline.by_fold.items()})

    found = compare_accuracy([*others, equal], baseline)

    p_values = [pair.test.p for pair in found.pairs]
    assert [pair.p_holm for pair in found.pairs[:4]] == pytest.approx(multipletests(p_values[:4], method="holm")[1])
    assert math.isnan(found.pairs[4].p_holm)  # no deviation, no test, none of the family
    assert found.n_comparisons == 4
    assert {pair.level for pair in found.pairs} == {0.05 / 4}
    assert "p values were adjusted for 4 comparisons with the baseline (Holm, 1979)" in describe_to_publish(found)


def test_repeats_are_training_runs_and_no_further_items():
    own = {1: [0.6, 0.8], 2: [0.5, 0.7], 3: [0.7, 0.8]}
    baseline = {1: [0.5, 0.5], 2: [0.55, 0.55], 3: [0.6, 0.6]}

    (pair,) = compare_accuracy([competitor("2", own)], competitor("1", baseline)).pairs
    (alone,) = compare_accuracy(
        [competitor("2", {fold: of[0] for fold, of in own.items()})],
        competitor("1", {fold: of[0] for fold, of in baseline.items()}),
    ).pairs

    expected = item_difference(np.array([[0.1, 0.3], [-0.05, 0.15], [0.1, 0.2]]))
    assert (pair.difference, pair.test.standard_error) == pytest.approx((expected.value, expected.standard_error))
    assert (pair.n_repeats, pair.n_runs) == ((2,), 2)
    assert (pair.claim, alone.claim) == ("this way of training", "these models")
    assert "with the variance between training runs added" in describe_to_publish(
        compare_accuracy([competitor("2", own)], competitor("1", baseline))
    )


@pytest.mark.parametrize(("architecture", "n_runs", "claim"), [("svm", 2, "this way of training"), ("mlp", 1, "these models")])
def test_what_draws_nothing_is_the_same_with_every_seed(architecture, n_runs, claim):
    network = competitor("2", {1: [0.6, 0.8], 2: [0.5, 0.7], 3: [0.7, 0.8]})
    once = competitor("1", {1: 0.5, 2: 0.55, 3: 0.6}, architecture=architecture)

    (pair,) = compare_accuracy([network], once).pairs

    assert (pair.n_runs, pair.claim, pair.n_repeats) == (n_runs, claim, (1, 2))
    assert pair.difference == pytest.approx(0.8 / 6)


def test_more_seeds_are_planned_from_the_variance_between_runs_and_not_without_it():
    rng = np.random.default_rng(2)
    means = rng.uniform(0.5, 0.8, 6)
    own = numbered([list(mean + rng.normal(0, 0.05, 3)) for mean in means])
    other = numbered([list(mean + rng.normal(0, 0.05, 3)) for mean in means])
    (pair,) = compare_accuracy([competitor("2", own)], competitor("1", other)).pairs

    assert pair.planned(6, 3) == pytest.approx(pair.least_detectable)
    assert pair.planned(12, 5) < pair.planned(6, 5) < pair.planned(6, 3)
    of_items, of_runs = pair.test.components
    planned = add_runs(Component(of_items.variance / 2, 11), Component(of_runs.variance / 2, 5))
    assert pair.planned(12, 6) == pytest.approx(math.sqrt(planned.variance) * least_detectable(1, planned.freedom))
    first = [competitor(name, {k: v[0] for k, v in each.items()}) for name, each in (("2", own), ("1", other))]
    alone = compare_accuracy(first[:1], first[1])
    assert math.isnan(alone.pairs[0].planned(6, 5))
    assert alone.pairs[0].planned(12, 1) < alone.pairs[0].planned(6, 1) == pytest.approx(alone.pairs[0].least_detectable)
    (sizes,) = describe_plans(alone)
    assert "12 items and 1 seed: " in sizes
    assert "5 seeds" not in sizes


def test_more_seeds_never_find_less_than_those_of_now():
    own = numbered([[0.5, 0.9], [0.9, 0.52], [0.5, 0.9], [0.9, 0.5]])  # steady over folds, by luck: seeds differ a lot
    found = compare_accuracy([competitor("2", own)], competitor("1", numbered([[0.6, 0.6]] * 4)))

    now, _, more_seeds, _ = map(float, re.findall(r" (0\.\d+)[;.]", describe_plans(found)[0]))

    assert more_seeds < now


@pytest.mark.parametrize("figures", [[0.0] * 4, [0.5, 0.6, 0.7, 0.8]])
def test_scores_that_are_all_the_same_show_no_equality(figures):
    found = compare_accuracy([competitor("2", numbered(figures))], competitor("1", numbered(figures)))

    (pair,) = found.pairs
    assert (pair.verdict, found.n_comparisons, describe_plans(found)) == ("no test", 0, [])
    limit = "Instance 2: Both have the same scores for every item, so the standard error is unknown and there is no test."
    assert limit in describe_limits(found)
    assert describe_claims(found) == ["Nothing can be claimed about instance 2 and instance 1: there is no test."]


def test_many_instances_are_named_by_ranges():
    same = numbered([0.5, 0.6, 0.7, 0.8])
    found = compare_accuracy([competitor(name, same) for name in ("5", "2", "7", "3", "4")], competitor("1", same))

    assert describe_claims(found) == ["Nothing can be claimed about instances 2-5, 7 and instance 1: there is no test."]


def test_a_difference_beyond_what_the_metric_allows_is_not_promised():
    noisy, steady = competitor("2", numbered([1.0, 0.0, 1.0, 0.0])), competitor("3", numbered([0.5, 0.6, 0.5, 0.6]))
    baseline = competitor("1", numbered([0.0, 1.0, 0.1, 0.9]))
    level = competitor("4", numbered([0.02, 0.99, 0.12, 0.88]))

    (plans, *_) = describe_plans(compare_accuracy([noisy, steady], baseline, bounds=(0.0, 1.0)))
    (mixed, *_) = describe_plans(compare_accuracy([noisy, level], baseline, bounds=(0.0, 1.0)))

    assert "4 items and 1 seed (as now): none (two values differ by at most 1); 8 items" in plans
    assert re.search(r"4 items and 1 seed \(as now\): 0\.\d+, in others none;", mixed)


@pytest.mark.parametrize(("bounds", "most"), [((0, 1), 1.0), ((0, math.inf), math.inf), (None, math.inf)])
def test_the_interval_of_a_difference_is_cut_at_what_the_bounds_of_the_metric_allow(bounds, most):
    own, other = competitor("2", numbered([1.0, 1.0, 0.2])), competitor("1", numbered([0.0, 0.1, 0.5]))
    (pair,) = compare_accuracy([own], other, bounds=bounds).pairs
    (free,) = compare_accuracy([own], other).pairs

    low, high = free.interval
    assert high > 1
    assert pair.interval == (max(low, -most), min(high, most))


def test_a_lower_error_is_better():
    own, other = competitor("2", {1: 0.1, 2: 0.12, 3: 0.11}), competitor("1", {1: 0.5, 2: 0.51, 3: 0.53})

    (pair,) = compare_accuracy([own], other, metric="mse", higher_is_better=False).pairs

    assert pair.difference < 0
    assert pair.verdict == "better"


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [
        ([0.2, 0.21, 0.19, 0.2], "better"),
        ([-0.2, -0.21, -0.19, -0.2], "worse"),
        ([0.2, -0.1, 0.1, 0.0], "undecided"),
        ([0.001, -0.001, 0.001, 0.0], "practically equal"),
        ([0.0] * 4, "no test"),
        ([0.1] * 4, "no test"),
    ],
)
def test_the_verdict_follows_from_holm_and_the_rope(shift, verdict):
    baseline = [0.5, 0.625, 0.375, 0.75][: len(shift)]
    own = competitor("2", numbered(np.add(baseline, shift)))

    found = compare_accuracy([own], competitor("1", numbered(baseline)))

    assert found.pairs[0].verdict == verdict
    assert table_rows(found)[0][-1] == verdict


def test_one_item_is_not_tested():
    found = compare_accuracy([competitor("2", {1: 0.7})], competitor("1", {1: 0.5}))

    assert found.pairs[0].verdict == "no test"
    assert "Instance 2: Only 1 item tested: too few for a test." in describe_limits(found)
    assert describe_result(found, found.pairs[0]).endswith("the difference of +0.200 was not tested.")
    assert "nan" not in str(table_rows(found))
    published = describe_to_publish(found)
    assert "on the same 1 test fold of 1 item, one seed per fold." in published
    for claimed in ("nan", "differences were tested", "Holm", "Nadeau", "1 items"):
        assert claimed not in published
    assert describe_columns(found).startswith("There is no test")


@pytest.mark.parametrize(("n_folds", "verdict"), [(2, "undecided"), (3, "practically equal")])
def test_equality_takes_three_folds(n_folds, verdict):
    """Each fold tests three items, which hardly differ."""
    made = []
    for name, shift in (("1", 0.0), ("2", 0.001)):
        found = competitor(name, numbered([0.5] * n_folds))
        for key, record in found.instance.jobs.items():
            names = [f"s{key.fold}{place}" for place in range(3)]
            record["items"]["test"] = names
            items = {name: {"n_clips": 10.0, "accuracy": 0.5 + (place - 1) * shift} for place, name in enumerate(names)}
            found.instance.scores[key] = replace(found.instance.scores[key], items=items)
        made.append(found)

    (pair,) = compare_accuracy(made[1:], made[0]).pairs

    assert (pair.n_items, pair.verdict) == (3 * n_folds, verdict)


def test_folds_that_one_of_the_two_lacks_are_left_out_with_their_reasons():
    own = competitor("2", {1: 0.7, 2: 0.8, 3: NAN, 5: 0.6}, failed={4: "out of memory"})
    baseline = competitor("1", {1: 0.5, 3: 0.5, 4: 0.6, 2: 0.4, 5: 0.5}, missing=[6])

    found = compare_accuracy([own], baseline)

    assert list(found.pairs[0].fold_differences) == [1, 2, 5]
    assert (found.pairs[0].mean, found.pairs[0].baseline_mean) == pytest.approx((0.7, 1.4 / 3))
    assert describe_limits(found)[0] == (
        "Instance 2: Compared on 3 folds; excluded: fold 3 (accuracy is undefined), fold 4 (failed: out of memory), "
        "fold 6 (missing), fold 6 (missing in the baseline, instance 1)."
    )


def with_events(name, figure, without):
    """Return a competitor whose four recordings are pooled into an F1 of events, which is known without each of them."""
    plain = competitor(name, numbered([0.5] * 4), task_type="frame_classification")
    left_out = {"figures": [figure], "without": [[value] for value in without], "weights": [[5] * 4]}
    pooled = {"items": None, "pooled": figure, "of": "pooled", "left_out": left_out}
    return Competitor(name, replace(plain.instance, over_items={"figures": {"test": {"event_f1": pooled}}}), "event_f1")


def test_events_are_compared_over_items_as_other_pooled_values_are():
    own, other = (0.7, [0.68, 0.72, 0.69, 0.71]), (0.6, [0.59, 0.6, 0.61, 0.6])

    (pair,) = compare_accuracy([with_events("2", *own)], with_events("1", *other), metric="event_f1").pairs

    values = [4 * figure - 3 * np.array(without) for figure, without in (own, other)]
    expected = item_difference((values[0] - values[1])[:, np.newaxis], 0.1)
    assert (pair.basis, pair.n_items) == ("pooled", 4)
    assert pair.test.standard_error == pytest.approx(expected.standard_error)
    assert "folds are compared" not in " ".join(pair.notes)


def test_many_folds_that_are_missing_are_named_as_ranges():
    baseline = competitor("1", numbered([0.5] * 5), missing=range(6, 19))
    own = competitor("2", numbered([0.6, 0.7]), missing=range(3, 19))

    (limit,) = describe_limits(compare_accuracy([own], baseline))[:1]

    assert "excluded: folds 3-18 (missing), folds 6-18 (missing in the baseline, instance 1)." in limit


def test_an_instance_without_a_common_fold_is_left_out_and_alone_it_is_an_error():
    baseline = competitor("1", {1: 0.5, 2: 0.6})
    other, empty = competitor("2", {1: 0.6, 2: 0.8}), competitor("3", {}, failed={1: "NaN"}, missing=[2])

    found = compare_accuracy([other, empty], baseline)

    assert [pair.instance for pair in found.pairs] == ["2"]
    assert describe_limits(found)[0].startswith("Instance 3 is excluded")
    with pytest.raises(
        ResultsError, match=r"no fold on which to compare instance 1\..*fold 1 \(failed: NaN\), fold 2 \(missing\)"
    ):
        compare_accuracy([empty], baseline)


def test_a_figure_that_is_not_known_of_items_is_compared_over_folds():
    own, without = competitor("2", {1: 0.7, 2: 0.5, 3: 0.6}), competitor("1", {1: 0.4, 2: 0.5, 3: 0.6}, no_items=[1])

    found = compare_accuracy([own], without)

    (pair,) = found.pairs
    assert (pair.basis, pair.claim) == ("folds", "these models")
    assert pair.test == corrected_t(np.array([0.7 - 0.4, 0, 0]), RATIO)
    assert not pair.item_differences
    assert (
        "The metric has no value per item, so folds are compared with the corrected resampled t-test"
        in describe_limits(found)[0]
    )
    assert "corrected resampled t test (Nadeau & Bengio, 2003)" in describe_to_publish(found)


def test_unequal_numbers_of_repeats_are_said():
    found = compare_accuracy([competitor("2", {1: [0.5, 0.7], 2: [0.6], 3: 0.7})], competitor("1", {1: 0.5, 2: 0.5, 3: 0.5}))

    assert found.pairs[0].fold_differences == pytest.approx({1: 0.1, 2: 0.1, 3: 0.2})
    assert found.pairs[0].claim == "these models"  # no two whole training runs
    assert "Instance 2: Folds have 1 or 2 seeds; the mean over its seeds counts for each fold." in describe_limits(found)
    assert "averaged over 1 or 2 seeds within a fold" in describe_to_publish(found)


def test_the_paragraph_has_methods_results_and_every_source_that_it_cites():
    found = compare_accuracy(
        [competitor("2", numbered([0.8, 0.7, 0.9, 0.6, 0.8, 0.7]))], competitor("1", numbered([0.7, 0.7, 0.7, 0.5, 0.7, 0.8]))
    )

    text = describe_to_publish(found)

    methods, sources = text.split("\n\nSources.\n")
    assert ("Schuirmann, 1987" in methods, sources.count("- ")) == (True, 1)
    assert "Holm" not in text  # one comparison needs no adjustment
    assert "on the same 6 test folds of 6 items, one seed per fold." in text
    assert "without the variance between training runs: the results hold for these trained models only" in text
    assert "showed a difference within ±0.01" in text
    assert "Model 2 (comment 2) reached 0.750, the baseline 0.683 (difference +0.067, 95 % interval [" in text


def test_the_table_has_all_numbers():
    found = compare_accuracy(
        [competitor("2", {1: 0.6, 2: 0.8, 3: 0.7}), competitor("3", {1: 0.6, 2: 0.9})], competitor("1", numbered([0.5] * 3))
    )

    table = found.table

    assert table["difference_fold_3"].tolist() == pytest.approx([0.2, NAN], nan_ok=True)
    assert table["difference_item_s2"].tolist() == pytest.approx([0.3, 0.4])
    assert table.loc[0, "p_holm"] == found.pairs[0].p_holm
    assert table["verdict"].tolist() == ["undecided", "no test"]


@pytest.mark.parametrize(
    ("number", "text"), [(-2.8e-17, "0.000"), (0.0, "0.000"), (-0.25, "-0.250"), (0.0004, "0.0004"), (1234.5, "1.23e+03")]
)
def test_a_figure_has_three_decimals_or_digits_and_what_rounding_left_is_nothing(number, text):
    assert decimals(number) == text
