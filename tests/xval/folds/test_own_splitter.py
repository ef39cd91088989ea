"""A splitter of one's own: a function of a table of items, or an object of scikit-learn, held to the rules of all folds."""

import sys

import pandas as pd
import pytest

from xval.base.errors import FoldsError
from xval.folds.own_splitter import hash_source
from xval.folds.plan import FoldSettings
from xval.folds.split import make_folds

SPEAKERS = [f"s{number}" for number in range(6)]


def clips(**columns):
    """Return four clips of each of six speakers, two of each label; women have even numbers."""
    rows = [
        {"clip": f"{item}/{take}", "item": item, "label": "ab"[take % 2], "audio_hash": f"{item}/{take}", "augmented": False}
        for item in SPEAKERS
        for take in range(4)
    ]
    table = pd.DataFrame(rows).assign(source_clip=None, duration_s=0.5, **columns)
    return table.assign(gender=["fm"[int(item[1]) % 2] for item in table["item"]], take=[1.0, 2.0, 3.0, 4.0] * len(SPEAKERS))


@pytest.fixture
def split(tmp_path, monkeypatch):
    """Return a function that writes a module my_folds and makes folds with a part of it."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(source, name="my_folds.split", task_type="classification", index=None, **changes):
        (tmp_path / "my_folds.py").write_text(source)
        defaults = {"num_folds": 3, "fold_repeats": 1}
        settings = FoldSettings(fold_strategy=name, **defaults | changes)
        index = clips() if index is None else index
        has_classes = task_type == "classification"
        return make_folds(index, "hash", task_type=task_type, has_classes=has_classes, settings=settings).folds

    return make


def items_by_fold(folds):
    return [fold.test for fold in folds]


PAIRS = [("s0", "s1"), ("s2", "s3"), ("s4", "s5")]


@pytest.mark.parametrize(
    "answer",
    [
        "[{'test': ['s0', 's1']}, {'test': {'s2', 's3'}}, {'test': ('s4', 's5')}]",
        "[['s0', 's1'], {'s2', 's3'}, ('s4', 's5')]",
        "[(['s0', 's1'],), (['s2', 's3'], []), {'test': ['s4', 's5'], 'validation': []}]",
        "(group['item'] for _, group in items.groupby(items.index // 2))",
    ],
)
def test_a_function_gives_the_test_items_of_each_fold_in_any_of_its_forms(split, answer):
    folds = split(f"def split(items):\n    return {answer}")

    assert items_by_fold(folds) == PAIRS
    assert [fold.number for fold in folds] == [1, 2, 3]
    for fold in folds:
        assert len(fold.validation) == 1
        assert sorted((*fold.training, *fold.validation, *fold.test)) == SPEAKERS


def test_validation_items_are_those_that_are_given_or_of_the_next_fold(split):
    source = f"def split(items):\n    return zip({PAIRS}, [['s2'], ['s5', 's4'], []])"

    folds = split(source, validation="next_fold")

    assert [fold.validation for fold in folds] == [("s2",), ("s4", "s5"), ("s0", "s1")]
    assert folds[0].training == ("s3", "s4", "s5")


def test_a_single_fold_is_a_holdout(split):
    (fold,) = split("def split(items):\n    return [{'test': items[items['gender'] == 'f']['item']}]")

    assert fold.test == ("s0", "s2", "s4")
    assert set(fold.training + fold.validation) == {"s1", "s3", "s5"}


def test_the_table_has_a_row_per_item_with_labels_and_what_is_constant_within_items(split, tmp_path):
    source = f"def split(items):\n    items.to_csv({str(tmp_path / 'table.csv')!r}, index=False)\n    return {PAIRS}"
    copies = clips()[:1].assign(clip="copy", augmented=True, source_clip="s0/0")

    split(source, index=pd.concat([clips(), copies]).sample(frac=1, random_state=0))

    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table.columns) == ["item", "clips", "duration_s", "clips:a", "clips:b", "gender"]
    assert table.to_numpy().tolist() == [[item, 4, 2.0, 2, 2, "fm"[number % 2]] for number, item in enumerate(SPEAKERS)]
    ages = clips().assign(label=[float(number) for number in range(24)])
    split(source, index=ages, task_type="regression")
    assert pd.read_csv(tmp_path / "table.csv")["label"].tolist() == [1.5, 5.5, 9.5, 13.5, 17.5, 21.5]
    split(source, index=clips().assign(label=["ab"[int(item[1]) // 3] for item in clips()["item"]]))
    assert pd.read_csv(tmp_path / "table.csv")["label"].tolist() == ["a", "a", "a", "b", "b", "b"]


@pytest.mark.parametrize("name", ["my_folds.LeaveOneGroupOut", "sklearn.model_selection.LeaveOneGroupOut", "my_folds.one"])
def test_a_class_or_an_object_of_scikit_learn_splits_items(split, name):
    folds = split("from sklearn.model_selection import LeaveOneGroupOut\none = LeaveOneGroupOut()", name)

    assert items_by_fold(folds) == [(item,) for item in SPEAKERS]


def test_what_scikit_learn_does_not_train_stays_out(split):
    source = "from sklearn.model_selection import GroupShuffleSplit as Shuffle\n"
    source += "one = Shuffle(1, test_size=2, train_size=3, random_state=0)"

    (fold,) = split(source, "my_folds.one")

    assert (len(fold.test), len(fold.training) + len(fold.validation), len(fold.validation)) == (2, 3, 1)


def test_masks_and_labels_of_clips_are_understood(split):
    source = (
        "class Own:\n"
        "    def split(self, X, y, groups):\n"
        "        assert list(y[:2]) == ['a', 'b'] and list(X['item']) == list(groups)\n"
        f"        return [(~(m := (groups == p[0]) | (groups == p[1])), m) for p in {PAIRS}]"
    )

    assert items_by_fold(split(source, "my_folds.Own")) == PAIRS


FAULTS = {
    "[]": "it returned no fold",
    "None": "received None; expected a list in which each fold is {'test': items",
    "{'test': ['s0']}": "received {'test': .*expected a list",
    "[{'tests': ['s0']}]": "fold 1: received the keys tests; expected test, and optionally validation",
    "['s0', 's1']": "fold 1: received 's0'; expected a list",
    "[(['s0'], ['s1'], ['s2'])]": "fold 1: received 3 sides",
    "[['s0', 's9', 's8']]": "fold 1: there is no item 's8', 's9'; the dataset has s0, s1, s2, s3, s4, s5",
    "[[1]]": "fold 1: there is no item 1; the dataset has s0",
    "[(['s0', 's1'], ['s1'])]": "fold 1: item 's1' is on two sides",
    "[['s0', 's1', 's2'], ['s2', 's3', 's4', 's5']]": "item 's2' is tested in folds 1, 2; several folds must test each item "
    "exactly",
    "[['s0', 's1'], ['s2', 's3']]": "item 's4' is tested in no fold",
    "[[]]": "fold 1 has no test items",
    "[['s0', 's1', 's2', 's3', 's4']]": "fold 1 tests 5 of 6 items, which leaves 1 for training and validation",
    "[(['s0', 's1'], ['s2', 's3', 's4', 's5'])]": "fold 1 has no training items",
    "[[item] for item in items['name']]": r"(my_folds\.py, line 2: )?KeyError: 'name'",
}


@pytest.mark.parametrize("answer", FAULTS)
def test_an_answer_that_is_no_folds_is_refused_and_the_function_named(split, answer):
    with pytest.raises(FoldsError, match=rf"(?s)^fold_strategy 'my_folds\.split': .*{FAULTS[answer]}"):
        split(f"def split(items):\n    return {answer}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "class one:\n    def split(self, X, y, groups):\n        return [([0, 9], [1, 5])]",
            "item 's0' is on two sides. The groups",
        ),
        ("from sklearn.model_selection import GroupShuffleSplit as G\none = G(3, random_state=0)", "is tested in"),
        (
            "from sklearn.model_selection import LeavePGroupsOut as one",
            "the class needs arguments.*Create the object in the module",
        ),
        ("one = 3", "received 3; expected a function of a table of items, or an object with split"),
        (
            "class one:\n    def split(self, X, y, groups):\n        return [([0.5], [1])]",
            r"fold 1: received \[0.5\]; expected positions",
        ),
        (
            "class one:\n    def split(self, X, y, groups):\n        return [([0], [99])]",
            r"fold 1: received \[99\]; expected positions of the 24",
        ),
        ("one = 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_an_object_that_does_not_split_items_is_refused(split, source, message):
    with pytest.raises(FoldsError, match=rf"(?s)^fold_strategy 'my_folds\.one': .*{message}"):
        split(source, "my_folds.one")


def test_another_answer_to_the_same_question_is_refused(split, monkeypatch):
    monkeypatch.setattr(sys, "turn", 0, raising=False)

    with pytest.raises(
        FoldsError,
        match=r"^fold_strategy 'my_folds\.split': it returned different folds in a second call\. Create the random generator",
    ):
        split("import sys\ndef split(items):\n    sys.turn += 1\n    return [[f's{sys.turn}']]")


def test_labels_and_audio_keep_their_rules(split):
    labels = clips().assign(label=["a" if item in PAIRS[0] else "b" for item in clips()["item"]])
    with pytest.raises(FoldsError, match=r"^fold_strategy 'my_folds\.split': fold 1: label 'a' occurs among the test items"):
        split(f"def split(items):\n    return {PAIRS}", index=labels)
    same = clips().assign(audio_hash=["same" if clip in ("s0/0", "s2/0") else clip for clip in clips()["clip"]])
    with pytest.raises(FoldsError, match=r"^fold_strategy 'my_folds\.split': .*on two sides of fold 1"):
        split(f"def split(items):\n    return {PAIRS}", index=same)


def test_a_changed_source_counts_at_once_and_has_another_hash(split, tmp_path):
    (tmp_path / "my_pairs.py").write_text("pairs = " + repr(PAIRS))
    first = split("from my_pairs import pairs\ndef split(items):\n    return pairs")
    before = hash_source("my_folds.split")

    (tmp_path / "my_pairs.py").write_text("pairs = " + repr([*PAIRS[1:], PAIRS[0]]) + "  # turned")
    second = split("from my_pairs import pairs\ndef split(items):\n    return pairs")

    assert (items_by_fold(first), items_by_fold(second)) == (PAIRS, [*PAIRS[1:], PAIRS[0]])
    assert before != hash_source("my_folds.split")
