"""Labels and items that are missing in arrays and lists, as a table's column has them after ``tolist()``."""

import numpy as np
import pandas as pd
import pytest

import preprocessing
from preprocessing.store import write
from xval import XvalError

MISSING = {"NaN": float("nan"), "None": None, "NA": pd.NA, "NaT": pd.NaT, "empty": "", "blank": "  "}
X = np.random.default_rng(0).normal(size=(8, 6, 4)).astype("float32")
ITEMS = ["p", "p", "q", "q", "r", "r", "s", "s"]
LABELS = ["a", "b"] * 4
FORMS = {"list": list, "array": lambda values: np.array(values, dtype=object), "series": pd.Series}
forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
missing = pytest.mark.parametrize("value", MISSING.values(), ids=MISSING)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "data").exists()  # nothing is written of what is refused


def by_item(values):
    return {item: [value for name, value in zip(ITEMS, values, strict=True) if name == item] for item in "pqrs"}


@forms
@missing
def test_a_missing_label_is_refused_with_its_place(form, value):
    labels = [*LABELS[:-1], value]

    with pytest.raises(XvalError, match=r"Arrays: example 7 has no label; every example needs one \(received"):
        preprocessing.prepare(X, form(labels), ITEMS, dataset="corpus")
    with pytest.raises(XvalError, match=r"Item 's', row 1 has no label; every example needs one \(received"):
        write("corpus", by_item(X), {item: form(values) for item, values in by_item(labels).items()})


@forms
@missing
def test_a_missing_item_is_refused_with_its_place(form, value):
    with pytest.raises(XvalError, match=r"Arrays: example 2 has no item; every example needs one .* Missing in all: 2\."):
        preprocessing.prepare(X, LABELS, form([*ITEMS[:2], value, value, *ITEMS[4:]]), dataset="corpus")


@forms
@pytest.mark.parametrize("value", ["nan", "None", "<NA>"])
def test_an_item_whose_text_means_that_it_is_missing_is_refused(form, value):
    with pytest.raises(XvalError, match=r"Arrays: example 2 has no item.*If this is a name, change its spelling"):
        preprocessing.prepare(X, LABELS, form([*ITEMS[:2], value, value, *ITEMS[4:]]), dataset="corpus")


@missing
@pytest.mark.parametrize("column", ["label", "item"])
def test_a_missing_cell_of_a_data_frame_is_refused_with_its_row(column, value):
    clips = pd.DataFrame({"path": [f"{number}.wav" for number in range(8)], "item": ITEMS, "label": LABELS})
    clips[column] = [*clips[column][:-1], value]

    with pytest.raises(XvalError, match=f"DataFrame: row 7 has no {column}; every example needs one"):
        preprocessing.prepare(clips, dataset="corpus")


def test_text_that_numpy_has_made_of_nan_is_missing_too():
    with pytest.raises(XvalError, match="example 7 has no label"):
        preprocessing.prepare(X, np.array([*LABELS[:-1], np.nan]), ITEMS, dataset="corpus")
    with pytest.raises(XvalError, match="example 7 has no item"):
        preprocessing.prepare(X, LABELS, np.array([*ITEMS[:-1], np.nan]), dataset="corpus")


@pytest.mark.parametrize("value", [np.nan, None, pd.NA], ids=["NaN", "None", "NA"])
@pytest.mark.parametrize("labels", ["list", "text", "within"])
def test_a_missing_one_of_several_labels_is_refused(value, labels):
    last = {
        "list": ([["a"], ["b"]] * 4, value),
        "text": (["a;b", "b"] * 4, value),
        "within": ([["a"], ["b"]] * 4, ["a", value]),
    }
    values, wrong = last[labels]

    with pytest.raises(XvalError, match=r"Item 's', row 1"):
        write("corpus", by_item(X), by_item([*values[:-1], wrong]), task_type="multilabel_classification")


@pytest.mark.parametrize("value", [np.nan, None, pd.NA, np.inf], ids=["NaN", "None", "NA", "infinite"])
@pytest.mark.parametrize("shape", ["numbers", "rows"])
def test_a_missing_target_of_regression_is_refused(value, shape):
    values = [1.0, 2.0] * 3 + [1.5, value]
    rows = values if shape == "numbers" else [[number, 1.0] for number in values]

    with pytest.raises(XvalError, match=r"Item 's'.*(row 1|expected finite numbers)"):
        write("corpus", by_item(X), by_item(rows), task_type="regression")


def test_a_frame_without_label_and_a_class_without_name_are_refused():
    frames = {item: [values] for item, values in by_item(X[:, :, 0]).items()}
    frames = {item: [np.array(sequences[0])] for item, sequences in frames.items()}
    labels = {item: [["a", "background"]] for item in frames}
    with pytest.raises(XvalError, match=r"Item 's', sequence 0, frame 1 has no label"):
        write("corpus", frames, labels | {"s": [["a", np.nan]]}, task_type="frame_classification")
    for name in ("", " ", np.nan, None):
        with pytest.raises(XvalError, match="classes: received the name"):
            write("corpus", by_item(X), by_item([0, 1] * 4), class_names=["a", name])


def test_a_class_that_is_called_nan_stays(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    labels = ["nan", "ba"] * 4  # a syllable

    store = write("corpus", by_item(X), by_item(labels), data_folder=tmp_path / "other")

    assert store.class_names == ("ba", "nan")


def test_an_empty_list_says_that_an_example_has_no_label(tmp_path):
    values = [["a"], []] * 4

    store = write("corpus", by_item(X), by_item(values), task_type="multilabel_classification", data_folder=tmp_path / "other")

    assert store.targets("s").tolist() == [[1.0], [0.0]]
