"""Scores by group equal those of scikit-learn on the group, and intervals of gaps the t intervals of scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from xval.answers.instance_predictions import InstancePredictions
from xval.base.errors import SettingsError
from xval.extras.subgroups.columns import find_groups, group_columns
from xval.extras.subgroups.groups import describe_gap, groups_table, measure_groups
from xval.measures.statistics.differences import cut_difference
from xval.measures.task import find_task
from xval.results import tested_examples

N_ITEMS, N_CLIPS = 9, 24


@pytest.fixture(scope="module")
def table():
    """Return nine speakers with 24 clips each; gender and age are of the speaker, recorder of the clip; one has no gender."""
    rows = [
        {
            "clip": f"s{item}_{clip}",
            "item": f"s{item}",
            "gender": None if item == 8 else ("female", "male")[item % 2],
            "age": 20.0 + 5 * item,
            "recorder": ("near", "far")[clip % 2],
            "take": str(clip),
            "augmented": False,
        }
        for item in range(N_ITEMS)
        for clip in range(N_CLIPS)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def tested(table):
    """Return two repeats of predictions that are better for women and near the microphone."""
    rng = np.random.default_rng(0)
    targets = np.arange(len(table)) // 2 % 3
    noise = np.where(table["gender"] == "male", 1.6, 0.8) * np.where(table["recorder"] == "far", 1.5, 1.0)
    repeats = []
    for _ in range(2):
        scores = np.eye(3)[targets] + noise[:, None] * rng.normal(size=(len(table), 3))
        probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        arrays = (table["item"].to_numpy(), table["clip"].to_numpy(), np.ones(len(table), np.int64), targets)
        repeats.append(tested_examples.TestedExamples(*arrays, probabilities.astype(np.float32)))
    return InstancePredictions(3, find_task("classification"), tuple(repeats))


def measure_one(tested, column, metric=None):
    """Return the scores by the groups of one column, tested without other columns."""
    return measure_groups(tested, [column], metric)[0]


def right(tested):
    """Return whether each prediction is right, averaged over repeats, float64 (n_clips,)."""
    return np.mean([each.predictions.argmax(axis=1) == each.targets for each in tested.repeats], axis=0)


def within_classes(tested, groups, items, classes=(0, 1, 2)):
    """Return the accuracy of each item in each group, the mean over classes of the accuracy within each."""
    table = pd.DataFrame({"right": right(tested), "group": groups, "item": items, "target": tested.repeats[0].targets})
    table = table[table["target"].isin(classes)]
    return table.groupby(["group", "item", "target"])["right"].mean().groupby(["group", "item"]).mean()


def test_pretrained_parts_of_unknown_origin_are_noted(table, tested) -> None:
    pretrained = tested._replace(origin="pretrained part of unknown origin: onnx:encoder.onnx")
    notes = measure_one(pretrained, find_groups(table, "gender")).notes
    assert notes == (f"Instance 3: {pretrained.origin}.", *measure_one(tested, find_groups(table, "gender")).notes)


def test_pooled_scores_are_those_of_the_clips_of_each_group(table, tested) -> None:
    found = measure_one(tested, find_groups(table, "gender"))
    assert (found.metric, found.estimator) == ("balanced_accuracy", "pooled")
    for score in found.scores:
        rows = (table["gender"] == score.group).to_numpy()
        predictions = [each.predictions[rows].argmax(axis=1) for each in tested.repeats]
        expected = np.mean([balanced_accuracy_score(tested.repeats[0].targets[rows], each) for each in predictions])
        assert score.value == pytest.approx(expected, abs=1e-12)
        assert score.interval.low < score.value < score.interval.high
        assert (score.n_items, score.n_clips) == (4, 4 * N_CLIPS)
    assert "24 test clips without gender excluded." in " ".join(found.notes)
    column = find_groups(table, "gender")
    found = measure_one(tested, column._replace(names=(*column.names, "other")))  # the corpus has clips that were not tested
    assert "No clip of other was tested." in found.notes
    assert "Fewer than 6 items say little about others: female (4), male (4)" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("written", "name"), [("UAR", "balanced_accuracy"), ("acc", "accuracy"), ("sklearn:cohen_kappa_score", "cohen_kappa_score")]
)
def test_a_metric_may_be_named_as_elsewhere(table, tested, written, name) -> None:
    assert measure_one(tested, find_groups(table, "gender"), written).metric == name


@pytest.mark.parametrize(
    ("first", "last", "low", "high"),
    [
        (-63.746, -46.0845, "-63.7", "-46.1"),
        (8000.25, 48000.5, "8000.25", "48000.5"),
        (1.00011, 1.00022, "1.00011", "1.00022"),
    ],
)
def test_bins_of_numbers_are_written_in_as_few_digits_as_distinguish_them(table, first, last, low, high) -> None:
    level = np.repeat(np.linspace(first, last, 24)[None], N_ITEMS, axis=0).ravel()
    shown = find_groups(table[table["item"] < "s1"].assign(level=level[:24]), "level").names
    assert (shown[0].split()[0], shown[-1].split()[-1]) == (low, high)


def test_the_gap_between_groups_of_items_has_the_interval_of_welch(table, tested) -> None:
    tested = tested._replace(repeats=tested.repeats[:1])
    found = measure_one(tested, find_groups(table, "gender"), "accuracy")
    item_scores = within_classes(tested, table["gender"], table["item"])
    expected = stats.ttest_ind(item_scores["female"], item_scores["male"], equal_var=False).confidence_interval(0.95)
    assert (found.estimator, found.gap.higher, found.gap.lower, found.gap.is_within_items) == (
        "mean over items",
        "female",
        "male",
        False,
    )
    assert found.gap.value == pytest.approx(item_scores["female"].mean() - item_scores["male"].mean(), abs=1e-12)
    assert found.gap.interval[:2] == pytest.approx(tuple(expected), abs=1e-9)
    verdict = "It excludes 0." if expected[0] > 0 else "It includes 0: no significant gap."
    assert describe_gap(found).endswith(f"(95 % over items). {verdict}")
    assert "mean over the 3 classes that have at least 3 items in both" in describe_gap(found)


def test_the_gap_between_groups_of_clips_is_paired_within_items(table, tested) -> None:
    tested = tested._replace(repeats=tested.repeats[:1])
    found = measure_one(tested, find_groups(table, "recorder"), "accuracy")
    item_scores = within_classes(tested, table["recorder"], table["item"])
    expected = stats.ttest_rel(item_scores["near"], item_scores["far"]).confidence_interval(0.95)
    assert found.gap.is_within_items
    assert found.gap.interval[:2] == pytest.approx(tuple(expected), abs=1e-9)
    assert [each.n_items for each in found.scores] == [N_ITEMS, N_ITEMS]


@pytest.mark.parametrize("column", ["gender", "recorder"])
def test_with_several_seeds_the_interval_of_the_gap_holds_what_they_change(table, tested, column) -> None:
    gap = measure_one(tested, find_groups(table, column), "accuracy").gap
    alike = measure_one(tested._replace(repeats=tested.repeats[:1] * 2), find_groups(table, column), "accuracy").gap
    assert (gap.interval.covers, alike.interval.covers) == ("method", "models")
    by_seed = [
        measure_one(tested._replace(repeats=(repeat,)), find_groups(table, column), "accuracy").gap.value
        for repeat in tested.repeats
    ]
    assert gap.value == pytest.approx(np.mean(by_seed))


def predict(table, targets, is_right):
    """Return one repeat of predictions of class probabilities that are right where `is_right` is true."""
    predictions = np.eye(3, dtype=np.float32)[np.where(is_right, targets, (targets + 1) % 3)]
    arrays = (table["item"].to_numpy(), table["clip"].to_numpy(), np.ones(len(table), np.int64), targets, predictions)
    return InstancePredictions(3, find_task("classification"), (tested_examples.TestedExamples(*arrays),), item="actor")


@pytest.mark.parametrize("metric", ["balanced_accuracy", "accuracy", "brier"])
def test_a_class_that_one_group_lacks_makes_no_gap(table, metric):
    """The groups are as in a dataset where only normal intensity has the class neutral; class 0 is the easy one."""
    takes = table["take"].astype(int)
    targets = np.where(table["recorder"] == "near", takes // 2 % 3, 1 + takes // 2 % 2).astype(np.intp)
    is_right = (targets == 0) | (takes < 12 + table["item"].str[1].astype(int) % 3)
    found = measure_one(predict(table, targets, is_right), find_groups(table, "recorder"), metric)

    values = {score.group: score.value for score in found.scores}
    raw = abs(values["near"] - values["far"])
    assert found.gap.within == "mean over the 2 classes that have at least 3 actors in both"
    item_scores = within_classes(predict(table, targets, is_right), table["recorder"], table["item"], classes=(1, 2))
    if metric == "accuracy":
        assert found.gap.value == pytest.approx(abs(item_scores["near"].mean() - item_scores["far"].mean()))
    assert found.gap.value < raw / 2
    assert "mean over the 2 classes that have at least 3 actors in both" in describe_gap(found)


def test_where_an_item_lacks_a_class_both_groups_are_pooled(table):
    is_tested = ~((table["recorder"] == "near") & (table["item"] == "s0") & (table["take"] == "0"))  # items count differently
    is_tested &= ~((table["recorder"] == "far") & (table["item"] == "s1") & (np.arange(len(table)) % 3 == 0))
    clips = table[is_tested]
    targets = (np.flatnonzero(is_tested) % 3).astype(np.intp)
    is_right = ~((clips["item"] == "s0") & (targets == 0)) & (clips["take"].astype(int) % 5 > 0)
    found = measure_one(predict(clips, targets, is_right), find_groups(table, "recorder"), "accuracy")

    by_class = pd.DataFrame({"right": is_right, "group": clips["recorder"], "target": targets})
    pooled = by_class.groupby(["group", "target"])["right"].mean().groupby("group").mean()
    assert found.gap.value == pytest.approx(abs(pooled["near"] - pooled["far"]), abs=1e-12)


def test_groups_whose_common_classes_two_items_have_make_no_gap(table):
    shared = table["item"].isin(["s0", "s1"])
    targets = np.where(shared, 2, np.where(table["recorder"] == "near", 0, 1)).astype(np.intp)
    found = measure_one(predict(table, targets, table["recorder"] == "near"), find_groups(table, "recorder"))

    assert found.gap is None
    assert "The gap is unknown" in found.notes[-1]


def test_groups_without_a_common_class_have_no_gap(table):
    targets = np.where(table["recorder"] == "near", 0, 1).astype(np.intp)
    found = measure_one(predict(table, targets, table["take"] < "12"), find_groups(table, "recorder"))

    assert found.gap is None
    assert found.notes[-1] == (
        "The gap is unknown, because it needs two groups with at least 3 actors, in which balanced_accuracy is defined and "
        "that share a class of 3 actors in each."
    )


def test_with_more_groups_the_interval_of_the_gap_holds_for_all_pairs(table, tested) -> None:
    three = table.assign(room=[("a", "b", "c")[int(item[1]) % 3] for item in table["item"]])
    found = measure_one(tested, find_groups(three, "room"), "accuracy")
    item_scores = within_classes(tested, three["room"], three["item"])
    higher, lower = item_scores[found.gap.higher], item_scores[found.gap.lower]
    expected = stats.ttest_ind(higher, lower, equal_var=False).confidence_interval(1 - 0.05 / 3)
    assert found.gap.interval[:2] == pytest.approx(tuple(expected), abs=1e-9)
    assert "adjusted for 3 pairs of groups)" in describe_gap(found)


@pytest.mark.parametrize("is_shown", [True, False])
def test_gaps_of_several_columns_are_tested_together(table, is_shown) -> None:
    """By the procedure of Holm, if one of two gaps is significant at half the level, the other is tested at the whole level."""
    named = table.assign(accent=[("x", "y")[int(item[1]) // 2 % 2] for item in table["item"]])
    rng, takes = np.random.default_rng(1), table["take"].astype(int)
    targets = (np.arange(len(table)) % 3).astype(np.intp)
    is_near = (table["recorder"] == "near").to_numpy()
    is_right = (rng.random(len(table)) < np.where(is_near & is_shown, 0.95, 0.4)) & (takes < 22)
    columns = [find_groups(named, name) for name in ("recorder", "accent")]
    recorder, accent = measure_groups(predict(table, targets, is_right), columns, "accuracy")

    item_scores = within_classes(predict(table, targets, is_right), table["recorder"], table["item"])
    level = 0.05 / 2
    paired = stats.ttest_rel(item_scores[recorder.gap.higher], item_scores[recorder.gap.lower]).confidence_interval(1 - level)
    assert recorder.gap.interval[:2] == pytest.approx(tuple(paired), abs=1e-9)
    assert recorder.gap.is_shown == is_shown
    item_scores = within_classes(predict(table, targets, is_right), named["accent"], table["item"])
    level = 0.05 if is_shown else 0.05 / 2
    welch = stats.ttest_ind(item_scores[accent.gap.higher], item_scores[accent.gap.lower], equal_var=False)
    assert accent.gap.interval[:2] == pytest.approx(tuple(welch.confidence_interval(1 - level)), abs=1e-9)
    assert "adjusted for 2 columns)" in describe_gap(accent)


def test_the_scores_of_a_gap_are_next_to_those_of_all_clips_where_they_differ(table) -> None:
    takes = table["take"].astype(int)
    targets = np.where(table["recorder"] == "near", takes // 2 % 3, 1 + takes // 2 % 2).astype(np.intp)
    is_right = (targets == 0) | (takes < 12 + table["item"].str[1].astype(int) % 3)
    found = measure_one(predict(table, targets, is_right), find_groups(table, "recorder"))
    rows = groups_table([found]).set_index("group")

    assert found.gap_differs
    high, low = (rows.loc[name, "in the gap"] for name in (found.gap.higher, found.gap.lower))
    assert high - low == pytest.approx(found.gap.value)
    assert rows.loc[f"gap: {found.gap.higher} minus {found.gap.lower}", "value"] == pytest.approx(high - low)
    assert f"({high:.3f} minus {low:.3f}, mean over the 2 classes that have at least 3 actors in both)" in describe_gap(found)


def test_no_gap_of_shares_is_wider_than_from_minus_one_to_one(table, tested) -> None:
    sites = table.assign(site=[f"{int(item[1]) // 3}" for item in table["item"]])
    predictions = []
    for each in tested.repeats:  # all of site 2 are right, of one item of site 0 too
        is_right = sites["site"].eq("2") | sites["item"].eq("s0")
        chosen = np.where(is_right, each.targets, (each.targets + 1) % 3)
        arrays = (table["item"].to_numpy(), each.clips, each.folds, each.targets)
        predictions.append(tested_examples.TestedExamples(*arrays, np.eye(3, dtype=np.float32)[chosen]))
    column = find_groups(sites[sites["site"] != "1"], "site")
    gap = measure_one(tested._replace(repeats=tuple(predictions)), column, "accuracy").gap
    assert gap.value == pytest.approx(2 / 3)
    assert (gap.interval.low, gap.interval.high) == (pytest.approx(2 / 3 - 1.434218, abs=1e-5), 1)
    assert cut_difference(-1.4, 0.2, (0, 1)) == (-1, 0.2)
    assert cut_difference(-1.4, 3.0, None) == (-1.4, 3.0)


def test_numbers_are_cut_into_bins_of_items_with_a_note(table, tested) -> None:
    column = find_groups(table, "age")
    assert column.names == ("20 to 40", "45 to 60")
    assert "age is cut at its quantiles over items into 2 bins: 20 to 40; 45 to 60." in measure_one(tested, column).notes
    found = groups_table([measure_one(tested, column, "accuracy")])
    assert found["group"].tolist()[:2] == ["20 to 40", "45 to 60"]
    assert found["items"].tolist()[:2] == [5, 4]
    assert found["group"].tolist()[2].startswith("gap: ")
    takes = pd.DataFrame({"clip": list("abcdefgh"), "item": "x", "take": [1, 1, 2, 2, 3, 4, 5, 5], "augmented": False})
    assert find_groups(takes, "take").names == ("1 to 2", "3 to 5")
    assert find_groups(takes.assign(take=[1, 1, 1, 1, 3, 4, 5, 6]), "take").names == ("1", "3 to 6")


def test_a_group_of_two_items_has_no_interval_and_no_gap(table, tested) -> None:
    few = table.assign(dialect=["x" if item in ("s0", "s1") else None for item in table["item"]])
    found = measure_one(tested, find_groups(few, "dialect"), "accuracy")
    assert found.scores[0].interval is None
    assert found.gap is None
    assert "The gap is unknown, because it needs two groups with at least 3 items" in found.notes[-1]


def test_columns_that_name_the_item_or_the_label_make_no_groups_and_those_of_items_come_first(table) -> None:
    labels = ["no", "yes", "yes"] * (len(table) // 3)
    named = table.assign(
        label=labels,
        speaker=[item.upper() for item in table["item"]],
        number=[float(item[1]) for item in table["item"]],
        answer=[label[0] for label in labels],
        code=[float(label == "yes") for label in labels],
    )
    shown = ["recorder", "speaker", "number", "answer", "code", "age", "gender"]
    assert group_columns(named[["clip", "item", "label", "augmented", *shown]]) == ["age", "gender", "recorder"]


def test_only_columns_that_make_some_groups_are_taken_by_themselves(table) -> None:
    assert group_columns(table) == ["gender", "age", "recorder"]
    with pytest.raises(SettingsError, match=r"--by gendre: the dataset has no such column.*Did you mean 'gender'"):
        find_groups(table, "gendre")
