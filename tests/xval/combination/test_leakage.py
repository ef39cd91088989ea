import json

import pytest

from xval.combination.leakage import judge
from xval.errors import FoldsError
from xval.folds import Fold

FOLD = Fold(2, ("a", "b"), ("c",), ("d",))


@pytest.fixture
def make_model(tmp_path):
    """Return a function that lays out a fold folder of an instance and returns the path of its model."""

    def make(training=("a", "b"), validation=("c",), dataset="speech"):
        folder = tmp_path / "instance_1" / "fold_2"
        folder.mkdir(parents=True)
        if training is not None:
            items = {"training": list(training), "validation": list(validation), "test": ["x"]}
            (folder / "record.json").write_text(json.dumps({"format_version": 1, "items": items}))
        if dataset is not None:
            (folder.parent / "settings.json").write_text(json.dumps({"format_version": 1, "parameters": {"dataset": dataset}}))
        return folder / "model.keras"

    return make


def test_a_model_of_the_same_fold_is_clean(make_model):
    assert judge(make_model(), FOLD, "speech").state == "clean"


@pytest.mark.parametrize("sides", [{"training": ("a", "d")}, {"validation": ("d",)}])
@pytest.mark.parametrize("dataset", ["speech", None])
def test_a_model_that_has_seen_a_test_item_is_refused(make_model, sides, dataset):
    with pytest.raises(FoldsError, match=r"trained on d, which fold 2 tests.*Write \{fold\} in the path"):
        judge(make_model(**sides, dataset=dataset), FOLD, "speech")


def test_items_that_validate_are_told_of(make_model):
    verdict = judge(make_model(training=("a", "c"), validation=("b",)), FOLD, "speech")

    assert verdict.state == "validation"
    assert "the validation figures are too good" in verdict.reason


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"training": None}, "there is no record.json beside it"),
        ({"dataset": None}, "there is no settings.json of its instance"),
        ({"dataset": "music", "training": ("d",)}, "it was trained on another corpus, 'music'"),
    ],
)
def test_what_cannot_be_known_is_said(make_model, made, reason):
    verdict = judge(make_model(**made), FOLD, "speech")

    assert verdict.state == "unknown"
    assert reason in verdict.reason
