import json

import pytest

from xval.combination.leakage import judge
from xval.errors import FoldsError
from xval.folds.split import Fold

FOLD = Fold(2, ("a", "b"), ("c",), ("d",))


@pytest.fixture
def make_model(tmp_path):
    """Return a function that lays out what a run leaves beside a model, and returns the path of the model."""

    def make(training=("a", "b"), validation=("c",), described=None):
        items = {"training": list(training), "validation": list(validation), "test": ["x"]}
        (tmp_path / "record.json").write_text(json.dumps({"format_version": 1, "items": items}))
        seen = {"seen_items": {"speech": sorted([*training, *validation])}} if described is None else described
        (tmp_path / "model.json").write_text(json.dumps({"format_version": 1, **seen}))
        return tmp_path / "model.keras"

    return make


def test_a_model_of_the_same_fold_is_clean(make_model):
    assert judge(make_model(), FOLD, "speech").state == "clean"


@pytest.mark.parametrize(
    "made",
    [
        {"training": ("a", "d")},
        {"validation": ("d",)},
        {"training": ("d",), "described": {}},
        {"described": {"seen_items": {"speech": ["a", "b", "c", "d"]}, "initial_model_items": "unseen"}},
    ],
    ids=["trained", "chosen", "by the record alone", "seen by the model that it started from"],
)
def test_a_model_that_has_seen_a_test_item_is_refused(make_model, made):
    with pytest.raises(FoldsError, match=r"trained on d, which fold 2 tests.*Write \{fold\} in the path"):
        judge(make_model(**made), FOLD, "speech")


def test_items_that_validate_are_told_of(make_model):
    verdict = judge(make_model(training=("a", "c"), validation=("b",)), FOLD, "speech")

    assert verdict.state == "validation"
    assert "the validation figures are too good" in verdict.reason


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ({}, "nothing beside it says all"),
        ({"seen_items": {"speech": ["a"]}, "initial_model_items": "unknown"}, "or the model that it started from"),
        ({"seen_items": {"music": ["d"]}}, r"it was trained on another corpus too (music)"),
        ({"seen_items": {"speech": ["a"], "music": ["d"]}}, r"it was trained on another corpus too (music)"),
    ],
)
def test_what_cannot_be_known_is_said(make_model, described, reason):
    verdict = judge(make_model(described=described), FOLD, "speech")

    assert verdict.state == "unknown"
    assert reason in verdict.reason


def test_a_model_with_nothing_beside_it_is_unknown(tmp_path):
    assert judge(tmp_path / "model.keras", FOLD, "speech").state == "unknown"
