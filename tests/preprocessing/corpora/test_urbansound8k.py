"""UrbanSound8K: the fold, the class and the source that stand in the path."""

from pathlib import Path

import pytest

from preprocessing.corpora.urbansound8k import list_clips

PATHS = ("audio/fold1/101415-3-0-2.wav", "audio/fold10/100648-1-0-0.wav", "audio/fold5/100032-3-0-0.wav")


@pytest.fixture
def folder(tmp_path: Path, lay_out) -> Path:
    hidden = ("audio/fold5/.DS_Store", "audio/fold5/._100032-3-0-0.wav")
    return lay_out(tmp_path, *PATHS, *hidden, "metadata/UrbanSound8K.csv")


def test_the_fold_is_the_item_and_the_class_the_label(folder: Path) -> None:
    assert list_clips(folder).to_dict("list") == {
        "path": list(PATHS),
        "item": ["1", "10", "5"],
        "label": ["dog_bark", "car_horn", "dog_bark"],
        "fold": [1, 10, 5],
        "source": ["101415", "100648", "100032"],
        "occurrence": ["0", "0", "0"],
        "slice": ["2", "0", "0"],
    }


def test_the_source_may_be_the_item(folder: Path) -> None:
    assert list_clips(folder, item="source")["item"].tolist() == ["101415", "100648", "100032"]


def test_every_number_has_its_class(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, *(f"fold2/7-{number}-0-0.wav" for number in range(10)))
    assert list_clips(tmp_path)["label"].tolist() == [
        *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
        *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
    ]
