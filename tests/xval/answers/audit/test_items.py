"""What the audit asks of any plan of folds: each item is tested once in each deal, whatever the strategy is called."""

import pytest

from xval.answers.audit.items import _tested_otherwise
from xval.folds.plan import Fold, FoldPlan


@pytest.mark.parametrize("strategy", ["balanced", "leave_one_out", "predefined", "my_folds.split", "one that is new"])
def test_an_item_that_several_folds_test_is_named_whatever_the_strategy(strategy):
    folds = (Fold(1, ("b",), ("c",), ("a",)), Fold(2, ("c",), ("b",), ("a",)))

    faults = _tested_otherwise(FoldPlan(folds, {"fold_strategy": strategy}, "i"))

    assert [fault.message for fault in faults] == [
        "folds.json: 'b', 'c' is tested in no fold",
        "folds.json: 'a' is tested in several folds",
    ]


@pytest.mark.parametrize("strategy", ["holdout", "predefined", "my_folds.split"])
def test_a_single_split_tests_some_items_alone(strategy):
    assert _tested_otherwise(FoldPlan((Fold(1, ("b",), ("c",), ("a",)),), {"fold_strategy": strategy}, "i")) == []
