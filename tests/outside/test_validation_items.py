"""Validation items are spread over all folds, and results keep the folds that they were made on."""

import json
from collections import Counter

import pandas as pd
import pytest


def validating(study):
    """Return in how many folds each item validates."""
    sides = pd.read_csv(study.results / "phases.csv").set_index("item")
    return (sides == "validation").sum(axis=1)


def test_over_the_folds_all_items_validate(study):
    study.train({"architecture": "constant"}, fold_strategy="leave_one_out")

    assert dict(validating(study)) == dict.fromkeys(("s0", "s1", "s2", "s3", "s4", "s5"), 1)


@pytest.mark.long
def test_more_repetitions_go_on_with_those_who_have_not_validated_yet(study):
    study.train({"architecture": "constant"}, num_folds=3)
    assert sorted(validating(study)) == [0, 0, 0, 1, 1, 1]
    before = study.record()["folds_hash"]

    study.train({"architecture": "constant"}, num_folds=3, fold_repeats=2)

    assert Counter(validating(study)) == {1: 6}
    assert study.record()["folds_hash"] == before
    assert len(json.loads((study.results / "folds.json").read_text())["folds"]) == 6
