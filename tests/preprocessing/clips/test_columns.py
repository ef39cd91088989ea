"""Further columns of a corpus: they are kept with one type each, and change neither folds nor features."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.clips.columns import COLUMNS_NAME, collect_columns, with_columns, write_columns
from preprocessing.corpora.table import list_clips
from preprocessing.corpus import make_corpus
from xval.base.errors import CorpusError

HEADER = "path,item,label,gender,age,recorder,duration_s,source_clip,augmented,empty\n"
ROWS = (
    "a.wav,s1,x,female,30,007,99,,,",
    "b.wav,s1,y,female,30,12,99,,,",
    "c.wav,s2,x,,41.5,12,99,,,",
    "d.wav,s2,x,,,12,99,c.wav,true,",
)


def make(folder: Path, text: str):
    (folder / "audio").mkdir(exist_ok=True)
    for number, name in enumerate("abcd"):
        soundfile.write(folder / "audio" / f"{name}.wav", np.full(400, 0.1 * (number + 1)), 8000)
    table = folder / "audio" / "toy.csv"
    table.write_text(text)
    clips = list_clips(table.parent, table=table)
    return make_corpus(clips, table.parent, dataset="toy", data_folder=folder / "data", corpus="table")[0]


def test_further_columns_stand_beside_the_index_with_one_type_each(tmp_path: Path) -> None:
    corpus = make(tmp_path, HEADER + "\n".join(ROWS))
    found = with_columns(corpus.index, corpus.folder).set_index("clip")
    assert found.loc[["a.wav", "b.wav", "c.wav"], ["age", "recorder"]].to_numpy().tolist() == [
        [30.0, "007"],
        [30.0, "12"],
        [41.5, "12"],
    ]
    assert found.loc["a.wav", "gender"] == "female"
    assert pd.isna(found.loc["c.wav", "gender"])
    assert np.isnan(found.loc["d.wav", "age"])
    assert found.loc["a.wav", "duration_s"] == pytest.approx(0.05)  # measured, not as the table says
    assert "empty" not in found


def test_what_no_workbook_holds_becomes_a_blank() -> None:
    clips = pd.DataFrame({"note": pd.Series(["loud\x07\nthen quiet", "\x1b", "\udce9x"], dtype=object)})
    assert collect_columns(clips, ["a", "b", "c"])["note"].tolist() == ["loud  then quiet", None, "x"]


def test_a_copy_that_is_not_listed_has_the_values_of_its_source(tmp_path: Path) -> None:
    index = pd.DataFrame({"clip": ["a", "a_copy"], "source_clip": [None, "a"]})
    write_columns(tmp_path, index, pd.DataFrame({"clip": ["a"], "language": ["de"]}))
    assert with_columns(index, tmp_path)["language"].tolist() == ["de", "de"]


def test_the_level_of_each_clip_is_a_column_unless_one_is_listed(tmp_path: Path) -> None:
    corpus = make(tmp_path, HEADER + "\n".join(ROWS))
    levels = with_columns(corpus.index, corpus.folder).set_index("clip")["level_dbfs"]
    assert levels[["a.wav", "b.wav"]].tolist() == pytest.approx([-20, 20 * np.log10(0.2)], abs=0.01)
    assert levels["d.wav"] == pytest.approx(20 * np.log10(0.4), abs=0.01)  # a copy has its own
    listed = make(tmp_path, HEADER.replace("age", "level_dbfs") + "\n".join(ROWS))
    assert with_columns(listed.index, listed.folder).set_index("clip").loc["a.wav", "level_dbfs"] == 30


def test_another_column_keeps_the_hash_of_the_index_and_none_removes_the_file(tmp_path: Path) -> None:
    without = HEADER.replace("gender,age,recorder,duration_s,", "")
    bare = [",".join(cell for place, cell in enumerate(row.split(",")) if place not in (3, 4, 5, 6)) for row in ROWS]
    hashes = {make(tmp_path, HEADER + "\n".join(ROWS)).index_hash}
    assert (tmp_path / "data" / "toy" / COLUMNS_NAME).exists()
    corpus = make(tmp_path, without + "\n".join(bare))
    assert {*hashes, corpus.index_hash} == hashes
    assert "age" not in with_columns(corpus.index, corpus.folder)
    write_columns(corpus.folder, corpus.index, None)
    assert not (corpus.folder / COLUMNS_NAME).exists()
    pd.testing.assert_frame_equal(with_columns(corpus.index, corpus.folder), corpus.index)


def test_columns_of_other_clips_are_an_error(tmp_path: Path) -> None:
    corpus = make(tmp_path, HEADER + "\n".join(ROWS))
    pd.DataFrame({"clip": ["a.wav"], "age": [30.0]}).to_parquet(corpus.folder / COLUMNS_NAME)
    with pytest.raises(CorpusError, match=r"columns\.parquet: damaged, or from another dataset"):
        with_columns(corpus.index, corpus.folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: pd.concat([table, table]), "appears twice"),
        (lambda table: table.rename(columns={"age": "item"}), "'item' is not an extra column"),
        (lambda table: table.assign(age=True), "'age' holds bool; expected numbers or text"),
        (lambda table: table.rename(columns={"clip": "=x"}), "no columns 'clip'"),
    ],
)
def test_columns_that_were_edited_are_refused(tmp_path: Path, change, message: str) -> None:
    index = pd.DataFrame({"clip": ["a", "b"], "item": ["s", "t"], "source_clip": None})
    table = pd.DataFrame({"clip": ["a", "b"], "age": [30.0, 31.0]})
    write_columns(tmp_path, index, table)
    change(table).to_parquet(tmp_path / COLUMNS_NAME, index=False)

    with pytest.raises(CorpusError, match=rf"columns\.parquet: damaged.*{message}"):
        with_columns(index, tmp_path)
