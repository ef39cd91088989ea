"""Splits of the items that a fold does not test."""

import pandas as pd
import pytest

from xval.folds.inner import inner_folds
from xval.folds.plan import Fold

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
