import numpy as np
import pandas as pd
import pytest

from xval.base.errors import FoldsError
from xval.folds.for_sklearn import ClipFolds
from xval.folds.plan import Fold, FoldPlan

PLAN = FoldPlan((Fold(1, ("a",), ("b",), ("c",)), Fold(2, ("b",), ("c",), ("a",))), {}, "hash")
ROWS = [
    ("a", "x", False),
    ("a", "y", False),
    ("a", "y", True),
    ("b", "x", False),
    ("c", "y", False),
    ("c", "x", True),
    ("d", "x", False),
]
CLIPS = pd.DataFrame(ROWS, columns=["item", "label", "augmented"])


@pytest.mark.parametrize(
    ("validation", "expected"),
    [
        ("train", [([0, 1, 2, 3], [4]), ([3, 4, 5], [0, 1])]),
        ("leave_out", [([0, 1, 2], [4]), ([3], [0, 1])]),
    ],
)
def test_rows_of_the_clips_train_and_are_tested_and_copies_only_train(validation, expected):
    folds = ClipFolds(PLAN, CLIPS, validation)

    assert [(train.tolist(), test.tolist()) for train, test in folds.split(CLIPS, CLIPS["label"], CLIPS["item"])] == expected
    assert folds.get_n_splits() == len(list(folds.split())) == 2
    assert repr(folds) == f"<ClipFolds: 2 folds of 7 clips, validation={validation!r}>"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"X": np.zeros((5, 3))},
            r"X has 5 rows, but the dataset has 7 clips, 2 of them augmented copies\. .*experiment\.folds\(\)\.clips",
        ),
        ({"X": CLIPS, "y": [0, 1]}, "y has 2 rows"),
        ({"y": CLIPS["label"][::-1]}, "y has the column label of the clips in another order"),
        ({"y": np.array([0, 0, 0, 1, 1, 1, 0])}, "y has the column label .* write it as other texts"),
        ({"groups": np.roll(CLIPS["item"], 1)}, "groups has the column item of the clips in another order"),
    ],
)
def test_what_is_not_in_the_order_of_the_clips_is_refused(given, message):
    with pytest.raises(FoldsError, match=f"split: {message}"):
        next(ClipFolds(PLAN, CLIPS).split(**given))


@pytest.mark.parametrize("y", [range(7), [0, 1, 1, 0, 1, 0, 0], list("hhhmmmh"), np.zeros((7, 2)), np.linspace(0, 1, 7)])
def test_another_target_and_numbers_of_the_classes_are_taken(y):
    assert len(list(ClipFolds(PLAN, CLIPS).split(CLIPS, y=y, groups=list("1122334")))) == 2


def test_validation_items_train_or_are_left_out():
    with pytest.raises(FoldsError, match=r"received validation='test'; allowed: 'train', 'leave_out'"):
        ClipFolds(PLAN, CLIPS, "test")
