"""Dicts by number: {1: ..., 2: ...} are the items "1" and "2"; a mistake in a plain script is one line."""

import numpy as np
import pytest

import preprocessing
from preprocessing.store import write
from xval import XvalError

X = np.arange(24, dtype="float32").reshape(4, 3, 2)
Y = ["a", "b", "a", "b"]
WRITE = """
import numpy as np
from preprocessing.store import write

x = np.ones((2, 3, 2))
write("mine", {"2": x}, {"1": ["a", "b"]}, data_folder="data")
"""


def frames(keys) -> dict:
    return {key: [np.ones((5, 2))] for key in keys}


def test_numbers_are_items(tmp_path):
    store = write("mine", {1: X, np.int64(10): X, "anna": X}, {"1": Y, 10: Y, "anna": Y}, data_folder=tmp_path)
    assert store.items == ("1", "10", "anna")
    values, targets = store[1]
    assert np.array_equal(values, X)
    assert np.array_equal(store.predictors("10"), X)
    assert targets.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("task", ["multilabel_classification", "regression", "representation"])
def test_each_task_takes_numbers(tmp_path, task):
    y = {"multilabel_classification": [["a"], ["b"], [], ["a", "b"]], "regression": [1.0, 2.0, 3.0, 4.0]}.get(task)
    targets = None if y is None else {1: y, 2: y}
    store = preprocessing.prepare({1: X, 2: X}, targets, dataset="mine", data_folder=tmp_path, task_type=task)
    assert store.items == ("1", "2")


def test_frames_take_numbers(tmp_path):
    labels = {str(key): [["a", "b", "a", "b", "a"]] for key in (1, 2)}
    assert write("mine", frames((1, 2)), labels, data_folder=tmp_path, task_type="frame_classification").items == ("1", "2")


@pytest.mark.parametrize("key", [1.0, True, None, (1, 2), " ", np.float32(2), np.True_])
def test_other_keys_are_told(tmp_path, key):
    with pytest.raises(XvalError, match=r"Predictors: received the key .*; expected items, .*whole number such as 1"):
        write("mine", {key: X}, {key: Y}, data_folder=tmp_path)


def test_a_number_beside_its_text_is_told(tmp_path):
    with pytest.raises(XvalError, match=r"Predictors: .* 1 that is a number and one that is the text '1'"):
        write("mine", {1: X, "1": X}, {1: Y, "1": Y}, data_folder=tmp_path)
    with pytest.raises(XvalError, match=r"Targets: .* Rename one"):
        write("mine", {1: X}, {1: Y, "1": Y}, data_folder=tmp_path)


def test_a_mistake_in_a_script_is_one_line(empty):
    empty.file("mine.py", WRITE)
    said = empty.mistake("mine.py", in_workers=True)
    assert said.strip().splitlines() == [said.strip()]
    assert "only one of them has '1', '2'" in said


def test_the_traceback_is_there_for_who_asks(empty):
    empty.file("mine.py", WRITE)
    ended = empty.python("mine.py", in_workers=True, PYTHONDEVMODE="1")
    assert "Traceback" in ended.stderr
    assert "CorpusError" in ended.stderr


def test_every_error_of_the_project_is_one_line(empty):
    empty.file("broken.py", "import preprocessing\nfrom xval import XvalError\nraise XvalError('no such clip')\n")
    ended = empty.python("broken.py", in_workers=True)
    assert ended.stderr == "error: no such clip\n"
    assert ended.returncode == 1


def test_errors_of_python_keep_their_traceback(empty):
    empty.file("broken.py", "import preprocessing.store\n1 / 0\n")
    assert "Traceback" in empty.python("broken.py", in_workers=True).stderr


@pytest.mark.long
def test_the_store_needs_no_import_of_its_own(empty):
    empty.file(
        "mine.py", "import numpy as np, preprocessing\npreprocessing.store.write('m', {1: np.ones((2, 3))}, {1: [0, 1]})\n"
    )

    ended = empty.python("mine.py")

    assert ended.returncode == 0, ended.stderr
    assert (empty.folder / "data/m").is_dir()
