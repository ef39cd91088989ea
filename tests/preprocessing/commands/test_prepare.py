"""A corpus prepared from Python is the one that the command line makes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import preprocessing
from preprocessing.__main__ import main
from preprocessing.corpus import open_corpus
from xval.base.errors import CorpusError, SettingsError, XvalError

SMALL = {"sample_rate_hz": 8000, "n_fft": 128, "win_length": 128, "hop_length": 64, "n_mels": 12}
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Write six clips of three speakers in two class folders; return their table."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for speaker in ("anna", "bob", "cleo"):
        for label in ("no", "yes"):
            path = Path("words") / label / f"{speaker}_1.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, RNG.normal(0, 0.1, 1000), 8000)
            rows.append((str(path), speaker, label))
    return pd.DataFrame(rows, columns=["path", "item", "label"])


def test_class_folders_make_the_store_that_the_command_makes(capsys: pytest.CaptureFixture[str]) -> None:
    store = preprocessing.prepare("words", item_pattern="([a-z]+)_", settings=SMALL, workers=1)

    printed = capsys.readouterr().out
    assert "folders: 6 clips of 3 items (anna, bob, cleo), 2 classes (no, yes)" in printed
    assert "python experiments/" not in printed
    words = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    assert main(["folders", "words", "--item-pattern", "([a-z]+)_", "--dataset", "other", "--workers", "1", *words]) == 0
    same = open_corpus("other", Path("data"))
    assert (Path("data") / "other" / "features" / store.key / "store.json").is_file()
    assert same.index_hash == open_corpus("folders", Path("data")).index_hash


def test_a_table_and_a_data_frame_are_prepared_alike(clips: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    clips.to_csv("clips.csv", index=False)
    stores = [
        preprocessing.prepare("clips.csv", settings=SMALL, workers=1, quiet=True),
        preprocessing.prepare(clips, dataset="frame", settings=SMALL, workers=1, data_folder="elsewhere", quiet=True),
    ]

    assert capsys.readouterr().out == ""
    assert [str(store.folder.parent.parent) for store in stores] == ["data/clips", "elsewhere/frame"]
    assert stores[0].key == stores[1].key
    assert stores[0].class_names == ("no", "yes")


def test_arrays_are_taken_by_item_or_with_an_item_for_each_example() -> None:
    x = RNG.normal(size=(6, 3, 2))
    y, items = np.array(["a", "b"] * 3), ["s1", "s1", "s2", "s2", "s3", "s3"]
    rows = {"s1": slice(0, 2), "s2": slice(2, 4), "s3": slice(4, 6)}

    one = preprocessing.prepare(x, y, items, dataset="one")
    two = preprocessing.prepare({s: x[i] for s, i in rows.items()}, {s: y[i] for s, i in rows.items()}, dataset="two")

    assert open_corpus("one", Path("data")).index_hash == open_corpus("two", Path("data")).index_hash
    assert one.counts == two.counts == {"s1": 2, "s2": 2, "s3": 2}
    numbers = preprocessing.prepare(x, np.arange(6.0), items, dataset="numbers", task_type="regression")
    assert numbers.task_type == "regression"


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((), {}, SettingsError, "expected a folder, a table, a DataFrame or arrays"),
        (("wrds",), {}, CorpusError, "wrds: there is no such folder or table"),
        (("words",), {"item_patern": "x"}, SettingsError, "unknown option 'item_patern'.*Did you mean 'item_pattern'"),
        (("words",), {"settings": {"n_mel": 3}}, SettingsError, "unknown setting.*Did you mean 'n_mels'"),
        (("words",), {"task_type": "regression"}, SettingsError, "--task-type regression: these labels are for classification"),
        ((), {"corpus": "folders"}, SettingsError, "source is missing"),
        ((), {"corpus": "foldrs"}, CorpusError, "Did you mean 'folders'"),
        ((np.ones((2, 3)), ["a", "b"], ["s"]), {"dataset": "x"}, CorpusError, "2 predictors, 2 targets and items of shape"),
        ((np.ones((2, 3)), ["a", "b"]), {"dataset": "x"}, SettingsError, "do not match in form"),
        ((np.ones((2, 3)), ["a", "b"], ["s", "t"]), {}, SettingsError, r"dataset is missing\. Give"),
        ((np.ones((2, 3)),), {}, SettingsError, "without targets"),
        ((np.ones((2, 3)), ["a", "b"], ["s", "t"]), {"settings": SMALL}, SettingsError, "has no effect on arrays"),
        ((np.ones((2, 3)), ["a", "b"], ["s", "t"]), {"audio_folder": "."}, SettingsError, "audio_folder: has no effect"),
        (
            (np.ones((3, 3)), ["a", "b", "a"], ["s", None, np.nan]),
            {"dataset": "x"},
            CorpusError,
            "example 1 has no item; .* Missing in all: 2",
        ),
        ((pd.DataFrame(columns=["path"]),), {"dataset": "a/b"}, CorpusError, "Dataset name 'a/b'"),
    ],
)
def test_mistakes_are_raised_with_what_is_allowed(
    arguments: tuple[object, ...], options: dict[str, object], error: type[XvalError], message: str
) -> None:
    with pytest.raises(error, match=message):
        preprocessing.prepare(*arguments, **options)
    assert not Path("data").exists()
