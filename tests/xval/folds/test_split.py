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
from xval.folds.plan import Fold, FoldPlan, FoldSettings
from xval.folds.split import inner_folds, make_folds

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


def speakers(n_items, labels="ab", n_takes=2, **columns):
    """Return an index of items named by their numbers; a column has a value for each of them."""
    index = index_of({f"{number:02d}": list(labels) * n_takes for number in range(n_items)})
    return index.assign(**{name: [values[int(item)] for item in index["item"]] for name, values in columns.items()})


def changed(index, clip, **columns):
    """Return an index in which a clip has other values."""
    index = index.astype({name: object for name in columns if name in index})
    index.loc[index["clip"] == clip, [*columns]] = [*columns.values()]
    return index


def split(index, task_type="classification", **changes):
    return make_folds(
        index,
        "hash",
        task_type=task_type,
        has_classes=task_type in ("classification", "multilabel_classification"),
        settings=FoldSettings(**DEFAULTS | changes),
    )


def numbers(names):
    return tuple(map(int, names))


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
    other = make_folds(index, "other", task_type="classification", has_classes=True, settings=FoldSettings(**DEFAULTS))

    assert len({plan.hash, split(index, fold_seed=2).hash, other.hash}) == 3


@pytest.mark.parametrize(
    ("index", "settings", "tested"),
    [
        (speakers(6), {"fold_strategy": "leave_one_out", "num_folds": 99}, [(number,) for number in range(6)]),
        (speakers(6, fold=[10, 11, 12] * 2), {"fold_strategy": "predefined"}, [(0, 3), (1, 4), (2, 5)]),
        (speakers(6, phase=["test", *["training"] * 5]), {"fold_strategy": "predefined"}, [(0,)]),
    ],
)
def test_strategies_test_their_items_and_one_of_the_others_validates(index, settings, tested):
    plan = split(index, **settings)

    assert [numbers(fold.test) for fold in plan.folds] == tested
    for fold in plan.folds:
        assert len(fold.validation) == 1
        assert sorted((*fold.training, *fold.validation, *fold.test)) == sorted(index["item"].unique())


def test_predefined_phases_make_one_fold():
    index = speakers(4, phase=("test", "training", "validation", "training"))

    (fold,) = split(index, fold_strategy="predefined").folds

    assert (numbers(fold.training), numbers(fold.validation), numbers(fold.test)) == ((1, 3), (2,), (0,))


def test_holdout_is_one_fold_with_a_share_of_the_items():
    (fold,) = split(speakers(12), fold_strategy="holdout").folds

    assert len(fold.test) == 3


def test_next_fold_validates_with_the_test_items_of_the_next_fold():
    plan = split(speakers(9), validation="next_fold")

    assert [fold.validation for fold in plan.folds] == [plan.folds[1].test, plan.folds[2].test, plan.folds[0].test]


def test_labels_of_items_with_one_label_are_spread_over_the_folds_of_every_repeat():
    index = index_of({f"{label}{number}": [label] * (number + 1) for label in "abc" for number in range(8)})

    for folds in split(index, num_folds=4, fold_repeats=5).folds_by_repeat:
        for fold in folds:
            assert sorted(item[0] for item in fold.test) == ["a", "a", "b", "b", "c", "c"]


def test_regression_spreads_the_range_of_the_first_target_over_folds():
    index = index_of({f"s{number:02d}": [number - 3.0, number + 3.0] for number in range(16)})
    several = index.drop(columns="label").assign(**{"label:valence": index["label"], "label:arousal": index["label"] % 4})
    swapped = several[["clip", "item", "audio_hash", "augmented", "source_clip", "label:arousal", "label:valence"]]

    plan = split(index, "regression", num_folds=4)

    for fold in plan.folds:
        assert sorted(int(item[1:]) // 4 for item in fold.test) == [0, 1, 2, 3]
    assert split(several, "regression", num_folds=4).hash == plan.hash
    assert split(swapped, "regression", num_folds=4).hash != plan.hash


@pytest.mark.parametrize("strategy", ["balanced", "leave_one_out", "holdout"])
@pytest.mark.parametrize("n_items", [3, 5])
def test_a_regression_may_have_few_items(strategy, n_items):
    index = index_of({f"session_{number}": [float(number), number + 0.5] for number in range(n_items)})

    plan = split(index, "regression", fold_strategy=strategy)

    assert all(fold.training and fold.validation and fold.test for fold in plan.folds)


def test_a_clip_counts_for_each_of_its_labels():
    """Three items have dog and rain, three bird and none: folds of three have one of each kind."""
    both, other = ["dog;rain", "dog", ""], ["bird", "bird", ""]
    index = index_of({f"s{number}": both if number < 3 else other for number in range(6)})

    plan = split(index, "multilabel_classification")

    assert [sorted(int(item[1:]) < 3 for item in fold.test) for fold in plan.folds] == [[False, True]] * 3


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


def test_augmented_clips_count_for_nothing():
    index = speakers(6)
    copies = index.assign(
        augmented=True, source_clip=index["clip"], clip=index["clip"] + "+", audio_hash=index["audio_hash"] + "+"
    )

    assert split(pd.concat([index, copies])).folds == split(index).folds


RARE = "1 label of only one item: '{}' \\(item 's0'\\)"
LEAVES_ONE = "fold 1 tests 2 of 3 items, which leaves 1 for training and validation"


@pytest.mark.parametrize(
    ("index", "changes", "message"),
    [
        (speakers(6), {"num_folds": 7}, r"num_folds=7 is more than the 6 items of the dataset; expected 2 to 6"),
        (speakers(3), {"num_folds": 4}, r"num_folds=4 is more than the 3 items of the dataset; expected 3, or"),
        (speakers(6), {"num_folds": 1}, r"num_folds=1; expected 2 to 6"),
        (speakers(6), {"num_folds": 2, "validation": "next_fold"}, r"needs at least three folds; received 2"),
        (speakers(3), {"num_folds": 2}, LEAVES_ONE),
        (
            speakers(2),
            {"num_folds": 2},
            r"^the dataset has 2 items \(00, 01\), but training, validation and test need one each",
        ),
        (index_of({f"s{n}": ["a", *["rare"] * (n == 0)] for n in range(4)}), {}, RARE.format("rare")),
        (
            index_of({f"s{n}": ["dog;wind" if n == 0 else "dog"] for n in range(4)}),
            {"task_type": "multilabel_classification"},
            RARE.format("wind"),
        ),
        (speakers(6), {"fold_strategy": "predefined"}, r"^fold_strategy=predefined needs a column fold or phase"),
        (
            changed(speakers(4, phase=["training"] * 4), "00/1", phase="test"),
            {"fold_strategy": "predefined"},
            r"item '00' is in phase training and in phase test",
        ),
        (
            changed(speakers(4, fold=[1, 2, 1, 2]), "01/2", fold=None),
            {"fold_strategy": "predefined"},
            r"^column fold is empty for clip '01/2'",
        ),
        (speakers(4, fold=[1] * 4), {"fold_strategy": "predefined"}, "column fold has only the value 1; expected at least two"),
        (
            speakers(4, phase=["test", "training", "training", "dev"]),
            {"fold_strategy": "predefined"},
            "column phase has dev, test, training; expected training and test, optionally validation",
        ),
        (speakers(4, phase=["training"] * 4), {"fold_strategy": "predefined"}, "column phase has training; expected"),
    ],
)
def test_folds_that_cannot_be_are_refused(index, changes, message):
    with pytest.raises(FoldsError, match=message):
        split(index, **changes)


def stretches(*given):
    """Return an index of six items whose first clips are stretches of one file."""
    index = speakers(6).assign(path=lambda rows: rows["clip"], start_s=float("nan"), end_s=float("nan"))
    for item, (begin, end) in enumerate(given):
        index = changed(index, f"{item:02d}/0", path="talk.wav", start_s=begin, end_s=end)
    return index


COPY = {"source_clip": "00/0", "augmented": True, "audio_hash": "new", "clip": "copy", "item": "01"}


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (
            changed(speakers(6), "05/0", audio_hash="00/0"),
            r"identical audio on two sides of fold .*'00/0'.*'05/0' of item '05'",
        ),
        (pd.concat([speakers(6), speakers(1)[:1].assign(**COPY)]), "copies of one source clip on two sides"),
        (
            changed(changed(speakers(6), "00/1", source_clip="00/0"), "03/0", source_clip="00/1"),
            r"copies of one source clip .* '00' .* '03'",  # a copy of a copy
        ),
        (stretches((0.0, 1.0), (0.9, 2.0)), r"overlapping segments of one file on two sides of fold \d"),
        # The second ends before the third begins, but the first reaches over both.
        (stretches((0.0, 9.0), (1.0, 2.0), (3.0, 4.0)), r"overlapping segments.* '0[02]'"),
    ],
)
def test_audio_on_two_sides_is_refused(index, message):
    with pytest.raises(FoldsError, match=message):
        split(index, fold_strategy="leave_one_out")


@pytest.mark.parametrize(
    "index", [changed(speakers(6), "05/0", audio_hash="05/1"), stretches((0.0, 1.0), (1.0, 2.0), (2.0, 3.0))]
)
def test_audio_shared_within_an_item_and_adjacent_segments_are_no_leak(index):
    assert len(split(index, fold_strategy="leave_one_out").folds) == 6


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


UNLIKE = index_of({f"s{number}": ["a", "b"] * (number + 1) for number in range(9)})
EQUAL = index_of({f"speaker_{number:02d}": list("abab") for number in range(12)})


@pytest.mark.parametrize(("index", "wanted"), [(EQUAL, "20a427d38dd649fc"), (UNLIKE, "82c2ee4c62f762ce")])
def test_repeats_differ_test_each_item_once_and_leave_those_before_as_they_were(index, wanted):
    once, twice, four = (split(index, fold_repeats=n_fold_repeats) for n_fold_repeats in (1, 2, 4))

    assert (once.hash, once.repeat_hashes) == (wanted, (wanted,))  # a version that draws others names the change
    assert "fold_repeats" not in once.settings
    assert (twice.folds[:3], four.folds[:6]) == (once.folds, twice.folds)
    assert four.repeat_hashes[:2] == twice.repeat_hashes
    assert [four.hash_of(number) for number in (1, 3, 4, 12)] == [four.repeat_hashes[repeat] for repeat in (0, 0, 1, 3)]
    assert (four.hash_of(13), four.fold_repeat_of(12)) == ("", 4)
    assert len({four.hash, *four.repeat_hashes}) == 5
    assert [fold.number for fold in four.folds] == list(range(1, 13))
    assert len({frozenset(fold.test for fold in folds) for folds in four.folds_by_repeat}) == 4
    for folds in four.folds_by_repeat:
        assert sorted(item for fold in folds for item in fold.test) == sorted(index["item"].unique())
        assert max(len(fold.test) for fold in folds) - min(len(fold.test) for fold in folds) <= 1
    written = {"folds": [asdict(fold) for fold in four.folds], "settings": four.settings, "index_hash": "hash"}
    assert form_of(FoldPlan).validate_json(json.dumps(written)) == four


def test_a_repeat_that_leaves_a_label_untrained_is_drawn_again():
    rare = index_of({f"s{number}": ["a", "b"] + ["rare"] * (number in (2, 5)) for number in range(9)})

    for fold in split(rare, fold_repeats=8).folds:
        assert {"s2", "s5"} & set(fold.training)


@pytest.mark.parametrize(("n_items", "num_folds", "possible"), [(4, 4, 1), (4, 2, 3)])
def test_more_repeats_than_the_items_allow_are_refused_with_the_number_that_is_possible(n_items, num_folds, possible):
    assert split(speakers(n_items), num_folds=num_folds, fold_repeats=possible).n_fold_repeats == possible
    with pytest.raises(
        FoldsError, match=rf"in {possible} ways?.* Use fold_repeats={possible}, fewer folds, or the setting repeats"
    ):
        split(speakers(n_items), num_folds=num_folds, fold_repeats=possible + 1)


ITEMS = tuple("abcdefgh")
COLUMNS = ("item", "clip", "audio_hash", "label", "augmented", "source_clip")
ROWS = [(item, f"{item}_{label}", f"{item}_{label}", label, False, None) for item in ITEMS for label in "xy"]
INDEX = pd.DataFrame(ROWS, columns=COLUMNS)


@pytest.mark.parametrize(("n_folds", "sizes"), [(0, [2]), (4, [2, 2, 2, 2])])
def test_of_a_fold_of_all_items_some_score_and_none_is_tested(make_settings, n_folds, sizes):
    settings = make_settings(validation_fraction=0.25, fold_strategy="leave_one_out", validation="next_fold").fold_settings()
    whole = Fold(0, ITEMS, (), ())

    found = inner_folds(whole, n_folds, INDEX, task_type="classification", has_classes=True, settings=settings)

    assert [len(fold.validation) for fold in found] == sizes
    for fold in found:
        assert (fold.number, fold.test) == (0, ())
        assert sorted((*fold.training, *fold.validation)) == list(ITEMS)
    assert len({item for fold in found for item in fold.validation}) == sum(sizes)


def test_the_validation_items_of_a_fold_score_it(make_settings):
    fold = Fold(3, ("a", "b"), ("c",), ("d",))
    found = inner_folds(fold, 0, INDEX, task_type="classification", has_classes=True, settings=make_settings().fold_settings())
    assert found == [Fold(3, ("a", "b"), ("c",), ())]
