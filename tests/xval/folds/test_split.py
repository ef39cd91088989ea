import json
import sys
from collections import Counter
from dataclasses import asdict

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from xval.base.errors import FoldsError
from xval.base.file_forms import form_of
from xval.folds.plan import FoldPlan, FoldSettings
from xval.folds.split import make_folds

DEFAULTS = {
    "num_folds": 3,
    "fold_strategy": "balanced",
    "fold_seed": 1,
    "validation": "fraction",
    "validation_fraction": 0.2,
    "test_fraction": 0.25,
    "fold_repeats": 1,
}


def index_of(labels_of_items, **columns):
    """Return an index with a clip for each label of each item."""
    rows = [
        {"clip": f"{item}/{number}", "item": item, "label": label, "audio_hash": f"{item}/{number}", "augmented": False}
        for item, labels in labels_of_items.items()
        for number, label in enumerate(labels)
    ]
    return pd.DataFrame(rows).assign(source_clip=None, **columns)


def speakers(n_items, labels="ab", n_takes=2):
    return index_of({f"speaker_{number:02d}": list(labels) * n_takes for number in range(n_items)})


def split(index, task_type="classification", **changes):
    return make_folds(
        index,
        "hash",
        task_type=task_type,
        has_classes=task_type in ("classification", "multilabel_classification"),
        settings=FoldSettings(**DEFAULTS | changes),
    )


@given(
    n_items=st.integers(3, 40),
    num_folds=st.integers(2, 12),
    seed=st.integers(0, 5),
    fraction=st.floats(0.01, 0.9),
    sizes=st.lists(st.integers(1, 9), min_size=40, max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_balanced_folds_cover_every_item_once_and_never_overlap(n_items, num_folds, seed, fraction, sizes):
    assume(num_folds <= n_items and n_items - -(-n_items // num_folds) >= 2)
    index = index_of({f"s{number}": ["a", "b"] * sizes[number] for number in range(n_items)})

    plan = split(index, num_folds=num_folds, fold_seed=seed, validation_fraction=fraction)

    tested = [item for fold in plan.folds for item in fold.test]
    assert sorted(tested) == sorted(index["item"].unique())
    assert max(len(fold.test) for fold in plan.folds) - min(len(fold.test) for fold in plan.folds) <= 1
    for fold in plan.folds:
        sides = [set(fold.training), set(fold.validation), set(fold.test)]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides)) == n_items


@given(st.integers(3, 20), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_folds_do_not_depend_on_the_order_of_the_index(n_items, seed):
    index = speakers(n_items)
    shuffled = index.sample(frac=1, random_state=seed)

    assert split(index, fold_seed=seed).hash == split(shuffled, fold_seed=seed).hash


def test_the_hash_follows_the_folds_and_the_corpus():
    index = speakers(12)
    plan = split(index)

    assert split(index).hash == plan.hash
    assert split(index, fold_seed=2).hash != plan.hash
    assert (
        make_folds(index, "other", task_type="classification", has_classes=True, settings=FoldSettings(**DEFAULTS)).hash
        != plan.hash
    )


def test_leave_one_out_tests_each_item_alone_whatever_num_folds():
    plan = split(speakers(6), fold_strategy="leave_one_out", num_folds=99)

    assert [fold.test for fold in plan.folds] == [(f"speaker_{number:02d}",) for number in range(6)]
    assert all(len(fold.validation) == 1 and len(fold.training) == 4 for fold in plan.folds)


def test_labels_are_spread_over_folds_when_items_have_one_label_each():
    index = index_of({f"{label}{number}": [label] for label in "abc" for number in range(8)})

    for fold in split(index, num_folds=4).folds:
        assert sorted(item[0] for item in fold.test) == ["a", "a", "b", "b", "c", "c"]


def test_regression_spreads_the_range_of_the_target_over_folds():
    index = index_of({f"s{number:02d}": [float(number)] for number in range(16)})

    for fold in split(index, "regression", num_folds=4).folds:
        quartiles = [int(item[1:]) // 4 for item in fold.test]
        assert sorted(quartiles) == [0, 1, 2, 3]


def test_several_targets_are_spread_by_the_first():
    index = index_of({f"s{number:02d}": [float(number)] for number in range(16)})
    several = index.drop(columns="label").assign(**{"label:valence": index["label"], "label:arousal": index["label"] % 4})

    plan = split(several, "regression", num_folds=4)

    assert plan.hash == split(index, "regression", num_folds=4).hash
    swapped = several[["clip", "item", "audio_hash", "augmented", "source_clip", "label:arousal", "label:valence"]]
    assert split(swapped, "regression", num_folds=4).hash != plan.hash


def test_validation_never_takes_the_last_training_item_of_a_label():
    index = index_of({"a1": ["a"], "a2": ["a"], **{f"b{number}": ["b"] for number in range(6)}})

    for fold in split(index, num_folds=2, validation_fraction=0.5).folds:
        assert any(item.startswith("a") for item in fold.training)


@pytest.mark.parametrize(
    ("index", "settings", "most"),
    [
        (speakers(12), {"num_folds": 4}, 1),
        (speakers(16), {"num_folds": 8}, 2),
        (speakers(16), {"fold_strategy": "leave_one_out"}, 3),
        (speakers(12), {"num_folds": 4, "fold_repeats": 3}, 2),
        (
            index_of({f"{label}{number}": [label] * (4 + number % 3) for label in "abc" for number in range(10)}),
            {"num_folds": 5},
            1,
        ),
    ],
)
def test_validation_is_spread_over_the_items(index, settings, most):
    plan = split(index, **settings)

    times = Counter(item for fold in plan.folds for item in fold.validation)
    assert max(times.values()) == most
    assert len(times) == min(index["item"].nunique(), times.total())


def test_labels_of_validation_come_before_its_spreading():
    index = index_of(
        {**{f"a{number:02d}": ["a"] * (1 + number % 4) for number in range(24)}, **{f"b{n}": ["b"] * 3 for n in range(6)}}
    )

    for fold in split(index, num_folds=6, validation_fraction=0.4).folds:
        assert sum(item.startswith("b") for item in fold.validation) == 2


def test_next_fold_validates_with_the_test_items_of_the_next_fold():
    plan = split(speakers(9), validation="next_fold")

    assert [fold.validation for fold in plan.folds] == [plan.folds[1].test, plan.folds[2].test, plan.folds[0].test]


def test_holdout_is_one_fold_with_a_share_of_the_items():
    plan = split(speakers(12), fold_strategy="holdout")

    assert len(plan.folds) == 1
    assert len(plan.folds[0].test) == 3


def test_predefined_folds_are_taken_from_the_column():
    index = speakers(6)
    index["fold"] = index["item"].str[-1].astype(int) % 3 + 10

    plan = split(index, fold_strategy="predefined")

    assert [fold.test for fold in plan.folds] == [
        ("speaker_00", "speaker_03"), ("speaker_01", "speaker_04"), ("speaker_02", "speaker_05"),
    ]  # fmt: skip


def test_predefined_phases_make_one_fold():
    index = speakers(4)
    index["phase"] = index["item"].map(
        dict(zip(index["item"].unique(), ("test", "training", "validation", "training"), strict=True))
    )

    (fold,) = split(index, fold_strategy="predefined").folds

    assert (fold.training, fold.validation, fold.test) == (("speaker_01", "speaker_03"), ("speaker_02",), ("speaker_00",))


def test_phases_without_validation_take_it_from_the_training_items():
    index = speakers(6)
    index["phase"] = ["test" if item == "speaker_00" else "training" for item in index["item"]]

    (fold,) = split(index, fold_strategy="predefined").folds

    assert fold.test == ("speaker_00",)
    assert len(fold.validation) == 1
    assert len(fold.training) == 4


def test_augmented_clips_count_for_nothing():
    index = speakers(6)
    copies = index.assign(
        augmented=True, source_clip=index["clip"], clip=index["clip"] + "+", audio_hash=index["audio_hash"] + "+"
    )

    assert split(pd.concat([index, copies])).folds == split(index).folds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_folds": 7}, r"num_folds=7 is more than the 6 items of the dataset; expected 2 to 6"),
        ({"num_folds": 1}, r"num_folds=1; expected 2 to 6"),
        ({"num_folds": 2, "validation": "next_fold"}, r"needs at least three folds; received 2"),
        ({"fold_strategy": "predefined"}, r"needs a column fold or phase"),
    ],
)
def test_impossible_wishes_are_refused(changes, message):
    with pytest.raises(FoldsError, match=message):
        split(speakers(6), **changes)


def test_a_fold_that_leaves_one_item_for_training_and_validation_is_refused():
    with pytest.raises(FoldsError, match="fold 1 tests 2 of 3 items, which leaves 1 for training and validation"):
        split(speakers(3), num_folds=2)


def count_calls(n_items):
    """Return how many functions are called to split so many items."""
    index, calls = index_of({f"s{number}": list("abcdefghij") for number in range(n_items)}), []
    sys.setprofile(lambda _frame, event, _argument: calls.append(event) if event in ("call", "c_call") else None)
    try:
        split(index, num_folds=5)
    finally:
        sys.setprofile(None)
    return len(calls)


def test_the_work_of_a_split_grows_as_the_items_do():
    assert count_calls(1000) < 2.5 * count_calls(500)


def test_two_items_are_too_few():
    with pytest.raises(FoldsError, match="the dataset has 2 items"):
        split(speakers(2), num_folds=2)


def test_a_label_of_one_item_only_is_refused():
    index = index_of({"s1": ["a", "rare"], "s2": ["a"], "s3": ["a"], "s4": ["a"]})

    with pytest.raises(FoldsError, match=r"1 label of only one item: 'rare' \(item 's1'\)"):
        split(index)


def test_an_item_with_two_phases_is_refused():
    index = speakers(4)
    index["phase"] = ["test", *["training"] * (len(index) - 1)]

    with pytest.raises(FoldsError, match=r"item 'speaker_00' is in phase test and in phase training"):
        split(index, fold_strategy="predefined")


def test_identical_audio_under_two_items_is_refused():
    index = speakers(6)
    index.loc[index["clip"] == "speaker_05/0", "audio_hash"] = "speaker_00/0"

    with pytest.raises(FoldsError, match=r"identical audio on two sides of fold .*'speaker_00/0'.*'speaker_05/0'"):
        split(index, fold_strategy="leave_one_out")


def test_identical_audio_within_one_item_is_no_leak():
    index = speakers(6)
    index.loc[index["clip"] == "speaker_05/0", "audio_hash"] = "speaker_05/1"

    assert len(split(index).folds) == 3


def test_a_copy_of_a_clip_under_another_item_is_refused():
    index = speakers(6)
    copy = index[index["clip"] == "speaker_00/0"].assign(
        item="speaker_01", clip="copy", source_clip="speaker_00/0", augmented=True, audio_hash="new"
    )

    with pytest.raises(FoldsError, match="copies of one source clip on two sides"):
        split(pd.concat([index, copy]), fold_strategy="leave_one_out")


@pytest.mark.parametrize("strategy", ["balanced", "leave_one_out", "holdout"])
@pytest.mark.parametrize("n_items", [3, 4, 5])
def test_a_regression_may_have_few_items(strategy, n_items):
    index = index_of({f"session_{number}": [float(number), number + 0.5] for number in range(n_items)})

    plan = split(index, "regression", fold_strategy=strategy)

    assert all(fold.training and fold.validation and fold.test for fold in plan.folds)


def with_stretches(*stretches):
    """Return an index of six items whose first clips are stretches of one file."""
    index = speakers(6).assign(path=lambda rows: rows["clip"], start_s=float("nan"), end_s=float("nan"))
    for item, (begin, end) in enumerate(stretches):
        row = index.index[index["item"] == f"speaker_{item:02d}"][0]
        index.loc[row, ["path", "start_s", "end_s"]] = ["talk.wav", begin, end]
    return index


def test_stretches_of_one_file_that_overlap_are_refused_under_two_items():
    split(with_stretches((0.0, 1.0), (1.0, 2.0), (2.0, 3.0)))
    with pytest.raises(FoldsError, match=r"overlapping segments of one file on two sides of fold \d"):
        split(with_stretches((0.0, 1.0), (0.9, 2.0)), fold_strategy="leave_one_out")
    # The second ends before the third begins, but the first reaches over both.
    with pytest.raises(FoldsError, match=r"overlapping segments.* 'speaker_0[02]'"):
        split(with_stretches((0.0, 9.0), (1.0, 2.0), (3.0, 4.0)), fold_strategy="leave_one_out")


def test_a_copy_of_a_copy_is_followed_to_its_source():
    index = speakers(6)
    index.loc[1, "source_clip"] = index.loc[0, "clip"]
    stranger = index.index[index["item"] == "speaker_03"][0]
    index.loc[stranger, "source_clip"] = index.loc[1, "clip"]
    with pytest.raises(FoldsError, match=r"copies of one source clip .* 'speaker_00' .* 'speaker_03'"):
        split(index, fold_strategy="leave_one_out")


UNLIKE = index_of({f"s{number}": ["a", "b"] * (number + 1) for number in range(9)})


@pytest.mark.parametrize(("index", "wanted"), [(speakers(12), "20a427d38dd649fc"), (UNLIKE, "82c2ee4c62f762ce")])
def test_deals_differ_test_each_item_once_and_leave_those_before_as_they_were(index, wanted):
    once, twice, four = (split(index, fold_repeats=n_fold_repeats) for n_fold_repeats in (1, 2, 4))

    assert (once.hash, once.deal_hashes) == (wanted, (wanted,))  # a version that draws others names the change
    assert "fold_repeats" not in once.settings
    assert (twice.folds[:3], four.folds[:6]) == (once.folds, twice.folds)
    assert four.deal_hashes[:2] == twice.deal_hashes
    assert [four.hash_of(number) for number in (1, 3, 4, 12)] == [four.deal_hashes[deal] for deal in (0, 0, 1, 3)]
    assert (four.hash_of(13), four.fold_repeat_of(12)) == ("", 4)
    assert len({four.hash, *four.deal_hashes}) == 5
    assert [fold.number for fold in four.folds] == list(range(1, 13))
    assert len({frozenset(fold.test for fold in deal) for deal in four.folds_by_repeat}) == 4
    for deal in four.folds_by_repeat:
        assert sorted(item for fold in deal for item in fold.test) == sorted(index["item"].unique())
        assert max(len(fold.test) for fold in deal) - min(len(fold.test) for fold in deal) <= 1
    written = {"folds": [asdict(fold) for fold in four.folds], "settings": four.settings, "index_hash": "hash"}
    assert form_of(FoldPlan).validate_json(json.dumps(written)) == four


def test_deals_are_nearly_as_balanced_as_the_first():
    index = index_of({f"{label}{number}": [label] * (number + 1) for label in "abc" for number in range(8)})

    for deal in split(index, num_folds=4, fold_repeats=5).folds_by_repeat:
        for fold in deal:
            assert sorted(item[0] for item in fold.test) == ["a", "a", "b", "b", "c", "c"]


def test_a_deal_that_leaves_a_label_untrained_is_dealt_again():
    rare = index_of({f"s{number}": ["a", "b"] + ["rare"] * (number in (2, 5)) for number in range(9)})

    for fold in split(rare, fold_repeats=8).folds:
        assert {"s2", "s5"} & set(fold.training)


@pytest.mark.parametrize(("n_items", "num_folds", "possible"), [(4, 4, 1), (4, 2, 3)])
def test_more_deals_than_the_items_allow_are_refused_with_the_number_that_is_possible(n_items, num_folds, possible):
    assert split(speakers(n_items), num_folds=num_folds, fold_repeats=possible).n_fold_repeats == possible
    with pytest.raises(
        FoldsError, match=rf"in {possible} ways?.* Use fold_repeats={possible}, fewer folds, or the setting repeats"
    ):
        split(speakers(n_items), num_folds=num_folds, fold_repeats=possible + 1)


def test_a_clip_counts_for_each_of_its_labels():
    """Three items have dog and rain, three bird and none: folds of three have one of each kind, and lonely labels are named."""
    both, other = ["dog;rain", "dog", ""], ["bird", "bird", ""]
    index = index_of({f"s{number}": both if number < 3 else other for number in range(6)})

    plan = split(index, "multilabel_classification")

    assert [sorted(int(item[1:]) < 3 for item in fold.test) for fold in plan.folds] == [[False, True]] * 3
    index.loc[index["item"] == "s0", "label"] = "dog;wind"
    with pytest.raises(FoldsError, match=r"1 label of only one item: 'wind' \(item 's0'\)"):
        split(index, "multilabel_classification")
