"""FMA: the table with two header rows, artists as items, the official split, numbers as targets, and what is refused."""

import csv
from pathlib import Path

import pytest

from preprocessing.clips.table import check_clips
from preprocessing.corpora import find_corpus
from preprocessing.corpora.fma import default_dataset, list_clips
from xval.base.errors import CorpusError

COLUMNS = {
    "album": "comments date_created date_released engineer favorites id information listens producer tags title tracks type",
    "artist": "active_year_begin active_year_end associated_labels bio comments date_created favorites id latitude location "
    "longitude members name related_projects tags website wikipedia_page",
    "set": "split subset",
    "track": "bit_rate comments composer date_created date_recorded duration favorites genre_top genres genres_all information "
    "interest language_code license listens lyricist number publisher tags title",
}
PAIRS = [(group, name) for group, names in COLUMNS.items() for name in names.split()]
TRACKS = {
    2: {"artist.id": 1, "album.id": 1, "set.split": "training", "track.genre_top": "Hip-Hop", "track.listens": 1293},
    5: {"artist.id": 1, "album.id": 1, "set.split": "training", "track.genre_top": "Hip-Hop", "track.listens": 1151},
    10: {"artist.id": 6, "album.id": 6, "set.split": "validation", "track.genre_top": "Pop", "track.listens": 50135},
    20: {"artist.id": 4, "album.id": 4, "set.split": "test", "track.genre_top": "", "track.listens": 361},
    144: {"artist.id": 52, "album.id": 61, "set.split": "test", "track.genre_top": "Rock", "track.listens": ""},
}


def write_tracks(folder: Path, tracks: dict[int, dict[str, object]] = TRACKS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "tracks.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["", *(group for group, _ in PAIRS)])
        table.writerow(["", *(name for _, name in PAIRS)])
        table.writerow(["track_id", *[""] * len(PAIRS)])
        for track, cells in tracks.items():
            known = {"artist.bio": "<p>A band,\nof two lines</p>", "track.duration": 100 + track, **cells}
            table.writerow([track, *(known.get(f"{group}.{name}", "") for group, name in PAIRS)])


def write_audio(folder: Path, *tracks: int, ending: str = "mp3") -> None:
    for track in tracks:
        path = folder / f"{track // 1000:03}" / f"{track:06}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_tracks(tmp_path / "fma_metadata")
    write_audio(tmp_path / "fma_small", 2, 10, 20, 144)
    (tmp_path / "fma_small" / "checksums").touch()
    return tmp_path


def test_a_table_with_an_empty_third_line_is_read(corpus: Path) -> None:
    path = corpus / "fma_metadata" / "tracks.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], "\n", *lines[3:]]))
    assert len(list_clips(corpus)) == 3


def test_artist_genre_and_split_of_the_tracks_that_are_there(corpus: Path) -> None:
    clips = list_clips(corpus)
    assert clips[["path", "item", "label", "phase"]].to_numpy().tolist() == [
        ["fma_small/000/000002.mp3", "1", "Hip-Hop", "training"],
        ["fma_small/000/000010.mp3", "6", "Pop", "validation"],
        ["fma_small/000/000144.mp3", "52", "Rock", "test"],
    ]
    assert set(clips.columns) == {"path", "item", "label", "phase", "album", "track"}
    assert clips["track"].tolist() == ["2", "10", "144"]
    assert clips.attrs["note"] == "1 of 4 tracks has no genre_top and is skipped."
    check_clips(clips, corpus, task_type=find_corpus("fma").task_type(label="genre_top"))


def test_the_folder_of_the_tracks_finds_the_table_beside_it(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_clips(corpus / "fma_small")["path"].tolist()[0] == "000/000002.mp3"
    monkeypatch.chdir(corpus / "fma_small")
    assert len(list_clips(Path())) == 3


def test_the_table_may_lie_elsewhere(corpus: Path) -> None:
    (corpus / "fma_metadata").rename(corpus / "fma_small" / "tables")
    for metadata in (corpus / "fma_small" / "tables", corpus / "fma_small" / "tables" / "tracks.csv", Path("tables")):
        assert len(list_clips(corpus / "fma_small", metadata=metadata)) == 3


def test_other_items_and_names(corpus: Path) -> None:
    assert list_clips(corpus, item="album")["item"].tolist() == ["1", "6", "61"]
    assert list_clips(corpus, item="track")["item"].tolist() == ["2", "10", "144"]
    assert list_clips(corpus, label="artist")["label"].tolist() == ["1", "6", "4", "52"]
    assert list_clips(corpus, label="genre_top,artist")["label"].tolist() == ["Hip-Hop_1", "Pop_6", "Rock_52"]


def test_numbers_are_regressed(corpus: Path) -> None:
    clips = list_clips(corpus, label="listens")
    assert clips["label:listens"].tolist() == [1293.0, 50135.0, 361.0]
    several = list_clips(corpus, label="listens,duration")
    assert several[["label:listens", "label:duration"]].to_numpy().tolist() == [[1293, 102], [50135, 110], [361, 120]]
    for label, table in (("listens", clips), ("listens, duration", several)):
        assert find_corpus("fma").task_type(label=label, item="artist") == "regression"
        check_clips(table, corpus, task_type="regression")
    assert (default_dataset(label="genre_top"), default_dataset(label="listens, duration")) == ("fma", "fma_listens_duration")
    with pytest.raises(CorpusError, match=r"numbers .* and names cannot be predicted together"):
        list_clips(corpus, label="listens,genre_top")


def test_converted_copies_are_the_same_tracks(corpus: Path) -> None:
    write_audio(corpus / "wav", 2, ending="wav")
    assert list_clips(corpus / "wav")["item"].tolist() == ["1"]


def test_what_does_not_fit_together_is_an_error(corpus: Path) -> None:
    with pytest.raises(CorpusError, match=r"--label genre: unknown.*Did you mean 'genre_top'"):
        list_clips(corpus, label="genre")
    with pytest.raises(CorpusError, match=r"None of the 4 tracks .* has a artist_latitude in tracks.csv"):
        list_clips(corpus, label="artist_latitude")
    write_audio(corpus / "fma_small", 155066)
    with pytest.raises(CorpusError, match=r"lacks 1 of 5 tracks: fma_small/155/155066\.mp3"):
        list_clips(corpus)
    write_audio(corpus / "fma_large", 2)
    with pytest.raises(
        CorpusError, match=r"one track twice: fma_large/000/000002\.mp3 and fma_small/.*Give a folder that has it once"
    ):
        list_clips(corpus)


def test_a_missing_or_wrong_table_is_an_error(corpus: Path) -> None:
    tracks = corpus / "fma_metadata" / "tracks.csv"
    text = tracks.read_text()
    tracks.write_text("feature,chroma_cens\nstatistics,kurtosis\n")
    with pytest.raises(
        CorpusError, match=r"has no column artist\.id\. Expected: two header rows.* Found: feature,chroma_cens\."
    ):
        list_clips(corpus)
    tracks.write_text("")
    with pytest.raises(CorpusError, match="Found: nothing"):
        list_clips(corpus)
    tracks.write_text(text.replace("\n2,", "\ntwo,"))
    with pytest.raises(CorpusError, match=r"cannot be read as the table of tracks: .*two"):
        list_clips(corpus)
    tracks.write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match=r"cannot be read: .*utf-8"):
        list_clips(corpus)
    tracks.unlink()
    with pytest.raises(CorpusError, match=r"No fma_metadata/tracks\.csv, neither in .* nor next to it.*fma_metadata\.zip"):
        list_clips(corpus)


def test_a_wrong_folder_names_what_was_expected_and_found(corpus: Path) -> None:
    with pytest.raises(CorpusError, match=r"There is no folder.*gone.*fma_small/\{000\}/\{000002\}\.mp3"):
        list_clips(corpus / "gone")
    with pytest.raises(CorpusError, match=r"has no fma_small/.*Found: tracks\.csv"):
        list_clips(corpus / "fma_metadata")
    (corpus / "fma_small" / "000" / "song.mp3").touch()
    with pytest.raises(CorpusError, match=r"not named like fma_small/.*: fma_small/000/song\.mp3"):
        list_clips(corpus)
