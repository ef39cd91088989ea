"""Datasets of the Hugging Face library, written by the library itself, read without its decoder and without a network."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from preprocessing.__main__ import main
from preprocessing.corpora.huggingface import default_audio_folder, list_clips
from preprocessing.corpus import open_corpus
from xval.base.errors import CorpusError


def encoded(number: int, form: str = "FLAC") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(number).normal(0, 0.1, 8000), 16000, format=form)
    return file.getvalue()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Six recordings of three speakers in two splits, with words as classes and as numbers."""
    import datasets

    features = datasets.Features(
        {
            "audio": datasets.Audio(decode=False),
            "label": datasets.ClassLabel(names=["no", "yes"]),
            "speaker": datasets.Value("int64"),
            "age": datasets.Value("float64"),
        }
    )

    def part(numbers: range, labels: list[int | None]) -> Any:
        content = {
            "audio": [{"bytes": encoded(number), "path": f"../{number}.flac"} for number in numbers],
            "label": labels,
            "speaker": [None if number == 3 else number // 2 for number in numbers],
            "age": [20.5 + number for number in numbers],
        }
        return datasets.Dataset.from_dict(content).cast(features)  # encoding would ask for torchcodec

    folder = tmp_path_factory.mktemp("hub") / "words"
    parts = {"train": part(range(4), [0, 1, 1, None]), "test": part(range(4, 6), [0, 1])}
    datasets.DatasetDict(parts).save_to_disk(str(folder))
    return str(folder)


def test_rows_become_files_with_class_item_and_phase(source: str, tmp_path: Path) -> None:
    clips = list_clips(tmp_path, source=source, item="speaker")
    assert clips[["path", "item", "label", "phase"]].to_numpy().tolist() == [
        ["test/000000.flac", "2", "no", "test"],
        ["test/000001.flac", "2", "yes", "test"],
        ["train/000000.flac", "0", "no", "training"],
        ["train/000001.flac", "0", "yes", "training"],
        ["train/000002.flac", "1", "yes", "training"],
    ]
    assert clips.attrs["note"] == "1 of 6 rows lacks label or item; other columns: age"
    assert (tmp_path / "test/000001.flac").read_bytes() == encoded(5)


def test_audio_that_is_there_is_not_written_again(source: str, tmp_path: Path) -> None:
    list_clips(tmp_path, source=source)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.flac")}
    (tmp_path / "train/000000.flac").write_bytes(b"cut off")
    list_clips(tmp_path, source=source)
    now = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.flac")}
    assert [path.name for path in written if written[path] != now[path]] == ["000000.flac"]
    assert (tmp_path / "train/000000.flac").read_bytes() == encoded(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "word"}, r"--label word: the dataset has no such column\. Available: age, label, speaker"),
        ({"item": "spaeker"}, "--item spaeker: .*Did you mean 'speaker'"),
        (
            {"audio": "sound"},
            r"--audio sound: this is not a column of audio\. Columns of audio: audio; all: audio, label, speaker, age",
        ),
        ({"label": "age"}, r"--label age: the labels are numbers\. To predict them, give --task-type regression"),
        ({"source": "nobody/nothing"}, r"nobody/nothing: not the folder of a dataset, and not in the cache.*load_dataset"),
    ],
)
def test_what_cannot_be_is_refused_with_what_there_is(
    source: str, tmp_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        list_clips(tmp_path / "audio", **{"source": source, **options})
    assert not list(tmp_path.iterdir())


def test_a_folder_of_parquet_files_is_read_as_well(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.load_from_disk(source)["train"].to_parquet(str(tmp_path / "words" / "train.parquet"))
    clips = list_clips(tmp_path / "audio", source=str(tmp_path / "words"), item="speaker")
    assert clips[["item", "label"]].to_numpy().tolist() == [["0", "no"], ["0", "yes"], ["1", "yes"]]
    assert "phase" not in clips


def test_a_regression_takes_the_numbers(source: str, tmp_path: Path) -> None:
    assert list_clips(tmp_path, source=source, label="age", task_type="regression")["label:age"].tolist()[:2] == [24.5, 25.5]


def test_a_dataset_becomes_a_store_without_a_decoder_of_the_library(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["huggingface", source, "--item", "speaker", "--data-folder", str(tmp_path), "--workers", "1"]) == 0
    assert "words: 5 clips of 3 speakers (0, 1, 2), 2 classes (no, yes)" in capsys.readouterr().out
    corpus = open_corpus("words", tmp_path)
    assert corpus.audio_folder == default_audio_folder(tmp_path, source=source) == tmp_path / "words" / "audio"
    assert "torchcodec" not in sys.modules
