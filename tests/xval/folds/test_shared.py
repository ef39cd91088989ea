"""Columns, files and nearly equal clips that several items share."""

import pandas as pd
import pytest

from xval.folds.plan import Fold
from xval.folds.shared_audio import describe_shared_file, find_shared_files, find_tested
from xval.folds.shared_columns import SharedColumn, find_shared_columns, first_on_two_sides

LABELS = {
    "both": [0, 1] * 12,  # of each item
    "of pairs": [item // 2 % 2 for item in range(12) for _ in range(2)],
    "none": [0] * 24,
}


def clips(values, label="both", name="speaker"):
    """Return two clips of each of twelve items, with the values of the items in a column."""
    items = [item for item in range(12) for _ in range(2)]
    return pd.DataFrame({"item": items, "label": LABELS[label], name: [values[item] for item in items]})


PAIRS = [f"v{item // 2}" for item in range(12)]
NUMBERS = [item // 2 for item in range(12)]


@pytest.mark.parametrize(
    ("name", "values", "label", "wanted"),
    [
        ("speaker", PAIRS, "both", (6, 12, False, True)),
        ("Speaker_ID", PAIRS, "of pairs", (6, 12, True, True)),
        ("speaker", PAIRS, "none", (6, 12, False, True)),
        ("farm", PAIRS, "of pairs", (6, 12, True, False)),
        ("farm", [*PAIRS[:8], *[None] * 4], "both", (4, 8, False, False)),
        ("farm", [*["a"] * 4, *["b"] * 4, *["c"] * 4], "both", None),  # three for twelve items: a condition
        ("speaker", [*["a"] * 6, *["b"] * 6], "both", (2, 12, False, True)),
        ("gender", [*["a"] * 6, *["b"] * 6], "both", None),
        ("speaker", ["a"] * 12, "both", None),
        ("speaker", [None] * 12, "both", None),
        ("speaker", [*PAIRS[:8], *"abcd"], "both", None),  # four of eight values have several items
        ("speaker", [*PAIRS[:8], *"aabc"], "both", (7, 12, False, True)),
        ("age", [20, 31, 47, 52, 58, 64] * 2, "both", None),
        ("room", NUMBERS, "both", (6, 12, False, False)),
        ("room", [number + 0.5 for number in NUMBERS], "both", None),
        ("speaker", [number + 0.5 for number in NUMBERS], "both", (6, 12, False, True)),
    ],
)
def test_columns_that_may_name_who_speaks_are_found(name, values, label, wanted):
    assert find_shared_columns(clips(values, label, name), [name]) == ([SharedColumn(name, *wanted)] if wanted else [])


def test_columns_that_vary_within_items_and_other_names_of_the_label_are_left_out_and_leaks_come_first():
    table = clips(PAIRS, "of pairs", "farm").assign(take=[f"v{row // 3}" for row in range(24)])
    table = table.assign(speaker=table["farm"], sex=table["label"], subject=table["label"])

    found = find_shared_columns(table, ["take", "sex", "subject", "farm", "speaker"])

    assert [(column.column, column.is_leak) for column in found] == [("speaker", True), ("farm", False)]
    assert found[0].describe() == "12 items share 6 values of the column 'speaker', which fixes the label"
    assert found[0]._replace(fixes_label=False).describe("session") == "12 sessions share 6 values of the column 'speaker'"
    assert found[0].advice == "Make 'speaker' the item (--item speaker) to test on unseen ones, and run again"


def test_the_first_fold_that_tests_a_value_of_another_side_is_named():
    table = clips([*PAIRS[:6], *[None] * 6])
    apart, in_training, in_validation = (
        Fold(1, (2, 3, 6), (4, 5), (0, 1, 7)), Fold(2, (1, 2), (4, 5), (0,)), Fold(3, (4, 5), (1, 2), (0,)),
    )  # fmt: skip

    assert first_on_two_sides(table, "speaker", [apart]) is None
    assert first_on_two_sides(table, "speaker", [apart, in_validation, in_training]) == 3
    assert first_on_two_sides(table, "speaker", [in_training]) == 2


def test_files_with_segments_of_several_items_are_found():
    rows = [
        ("b.wav", "anna", False), ("b.wav", "ben", False), ("a.wav", "ben", False), ("a.wav", "ben", False),
        ("a.wav", "carl", True), ("", "anna", False), ("", "ben", False), (None, "carl", False),
    ]  # fmt: skip
    index = pd.DataFrame(rows, columns=["path", "item", "augmented"])

    (group,) = find_shared_files(index)

    assert group.index.tolist() == [0, 1]
    assert describe_shared_file(group) == "segments of the file 'b.wav' belong to the items 'anna' and 'ben'"
    more = pd.concat([group, group.assign(item=["carl", "dora"])])
    assert describe_shared_file(more) == "segments of the file 'b.wav' belong to the items 'anna' and 'ben' and 2 more"
    assert list(find_shared_files(index.drop(columns="path"))) == []


@pytest.mark.parametrize(
    ("used", "tested"),
    [
        ({}, ["c1", "c3"]),
        ({"training": ["a1"]}, ["c3"]),  # a2 is not used, and c3 equals a validation clip
        ({"training": ["a2"], "validation": []}, ["c1"]),
        ({"test": ["c3"]}, ["c3"]),
    ],
)
def test_tested_clips_that_nearly_equal_others_are_found_on_either_side_of_a_pair(used, tested):
    rows = [
        ("a2", "a", "c1", "c"),
        ("c3", "c", "b1", "b"),
        ("c2", "c", "c4", "c"),
        ("a1", "a", "b1", "b"),
        ("c2", "c", "d1", "d"),
    ]
    pairs = pd.DataFrame(rows, columns=["clip", "item", "other_clip", "other_item"])

    assert find_tested(pairs, Fold(1, ("a",), ("b",), ("c",)), used) == tested
