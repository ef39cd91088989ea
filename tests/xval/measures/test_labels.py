"""Labels of data and classes of a model: what fits, what is named, what is asked back."""

import pytest

from xval.base.errors import CorpusError, SettingsError
from xval.measures.labels import describe_unknown, match_label_sets, match_labels, near_class, read_renames

CLASSES = ("cat", "dog", "guinea pig")


def test_unknown_labels_are_counted_and_lacking_classes_named():
    found = match_labels(["dog", "Wolf", "cat", "fox", "fox"], CLASSES, {})

    assert found.targets.tolist() == [1, -1, 0, -1, -1]
    assert found.unknown == {"fox": 2, "Wolf": 1}
    assert list(found.unknown) == ["fox", "Wolf"]
    assert found.lacking == ("guinea pig",)


def test_renamed_labels_are_known():
    found = match_labels(["Dog", "wolf", "cat"], CLASSES, read_renames(["Dog=dog", "wolf = dog"]))

    assert found.targets.tolist() == [1, 1, 0]
    assert found.unknown == {}


@pytest.mark.parametrize(
    ("label", "near"),
    [("Dog", "dog"), (" dog", "dog"), ("guinea_pig", "guinea pig"), ("Guinea-Pig", "guinea pig"), ("gunea pig", "guinea pig"),
     ("elephant", None)],
)  # fmt: skip
def test_near_misses_are_found(label, near):
    assert near_class(label, CLASSES) == near


def test_the_advice_can_be_pasted_into_a_shell():
    lines = describe_unknown({"Guinea Pig": 2, "fox": 1}, CLASSES)

    assert lines == ["'Guinea Pig' (2); did you mean 'guinea pig'? --rename 'Guinea Pig=guinea pig'", "'fox' (1)"]
    assert describe_unknown({f"species {number}": 2 for number in range(14)}, CLASSES)[-1] == "and 4 more labels (8)"


def test_what_cannot_be_renamed_is_refused():
    with pytest.raises(SettingsError, match="expected LABEL=CLASS"):
        read_renames(["Dog"])
    with pytest.raises(SettingsError, match="'Dog' is already renamed to 'dog'"):
        read_renames(["Dog=dog", "Dog=cat"])
    with pytest.raises(SettingsError, match=r"the data have no label 'Dgo'.*Did you mean 'Dog'"):
        match_labels(["Dog"], CLASSES, {"Dgo": "dog"})
    with pytest.raises(SettingsError, match=r"the model has no class 'dgo'.*Did you mean 'dog'"):
        match_labels(["Dog"], CLASSES, {"Dog": "dgo"})


def test_labels_of_another_kind_are_an_error_that_names_both():
    with pytest.raises(CorpusError, match=r"None of the labels is a class of the model \(cat, dog.*'Dog' \(2\); did you mean"):
        match_labels(["Dog", "Dog"], CLASSES, {})


def test_the_labels_of_a_clip_are_matched_one_by_one():
    texts = ["Dog;rain", "", "wind;rain", "wind"]

    found, targets = match_label_sets(texts, ("dog", "rain", "bird"), {"Dog": "dog"})

    assert targets.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert found.unknown == {"wind": 2}
    assert found.lacking == ("bird",)
    with pytest.raises(SettingsError, match="the data have no label 'cat'"):
        match_label_sets(texts, ("dog",), {"cat": "dog"})
