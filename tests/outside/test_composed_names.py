"""File names whose letters macOS decomposes (NFD), and tables, patterns and options that compose them; and the reverse."""

import unicodedata

import pandas as pd
import pytest

SPEAKERS = ("jörg", "zoë", "ann")
FORMS = pytest.mark.parametrize(("on_disk", "written"), [("NFD", "NFC"), ("NFC", "NFD")])


def in_form(form, text):
    return unicodedata.normalize(form, text)


@pytest.fixture
def recordings(empty):
    """Return a function that names recordings in a form: u/<class>é/<speaker>_<take>.wav."""

    def write(form):
        clips = empty.recordings("raw", n_speakers=3)
        paths = []
        for path, item in zip(clips["path"], clips["item"], strict=True):
            label, name = path.split("/")
            target = empty.folder / in_form(form, f"u/{label}é/{name.replace(item, SPEAKERS[int(item[1:])])}")
            target.parent.mkdir(parents=True, exist_ok=True)
            (empty.folder / "raw" / path).rename(target)
            paths.append(in_form("NFC", target.relative_to(empty.folder).as_posix()))
        clips["path"], clips["item"] = paths, [path.split("/")[-1].split("_")[0] for path in paths]
        return clips[["path", "item", "label"]]

    return write


def went(ended, n_clips, n_items):
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{n_clips} clips of {n_items}" in ended.stdout
    assert "Lost" not in ended.stdout
    assert "Left out" not in ended.stdout


@FORMS
def test_a_table(empty, recordings, on_disk, written):
    table = recordings(on_disk)
    table["source_clip"], table["augmented"] = None, False
    table.loc[1, ["source_clip", "augmented"]] = table["path"][0], True
    table["path"] = [path.replace(".wav", ".flac") if row % 2 else path for row, path in enumerate(table["path"])]
    empty.file("clips.csv", in_form(written, table.to_csv(index=False)))
    went(empty.prepare("table", "clips.csv", "--dataset", "c"), 12, 3)
    index = pd.read_parquet(empty.folder / "data/c/corpus.parquet")
    assert set(index["item"]) == {in_form("NFC", name) for name in SPEAKERS}
    assert set(index["source_clip"].dropna()) <= set(index["clip"])


@FORMS
def test_columns_and_chosen_names(empty, recordings, on_disk, written):
    table = recordings("NFD").rename(columns={"item": "schüler", "label": "geräusch"})
    empty.file("clips.csv", in_form(on_disk, table.to_csv(index=False)))
    went(
        empty.prepare("table", "clips.csv", "--item", in_form(written, "schüler"), "--label", in_form(written, "geräusch")),
        12,
        3,
    )
    classes = in_form(written, "highé,lowé")
    went(empty.prepare("folders", "u", "--item-pattern", "([^/_]+)_", "--classes", classes, "--dataset", "f"), 12, 3)


@FORMS
def test_a_pattern(empty, recordings, on_disk, written):
    recordings(on_disk)
    pattern = in_form(written, "^(jörg|zo[ë]|an.)_")
    went(empty.prepare("folders", "u", "--item-pattern", pattern, "--dataset", "f"), 12, 3)


@FORMS
def test_events_and_words(empty, recordings, on_disk, written):
    recordings(on_disk)
    lines = [f"lowé/{speaker}_0.wav,0.02,0.1,{label}" for speaker, label in zip(SPEAKERS, ("rufé", "b", "b"), strict=True)]
    empty.file("events.csv", in_form(written, "\n".join(["path,start_s,end_s,label", *lines])))
    went(empty.prepare("events", "events.csv", "--audio-folder", "u", "--dataset", "e"), 3, 3)
    lines = [f"{speaker}_0.wav,0.02,0.1" for speaker in SPEAKERS]
    empty.file("words.csv", in_form(written, "\n".join(["path,start_s,end_s", *lines])))
    words = ("--item-pattern", "([^/_]+)_", "--dataset", "w", "--speech-table", "words.csv")
    ended = empty.prepare("folders", "u", *words)
    went(ended, 12, 3)
    assert "9 of 12 clips have no word" in ended.stdout


@FORMS
def test_a_table_of_numbers(empty, recordings, on_disk, written):
    recordings(on_disk)
    head = "FileID,File name,File folder,Voice start sample (1),Voice end sample (1)"
    lines = [f"{number},{name}_0.wav,u/lowé,100,500" for number, name in enumerate(SPEAKERS, 1)]
    empty.file("FileInfo.csv", in_form(written, "\n".join([head, *lines])))
    went(empty.prepare("events", "FileInfo.csv", "--dataset", "e"), 3, 3)
    ended = empty.prepare("bats", ".", "--dataset", "b")
    assert ended.returncode == 0, ended.stderr
    assert "3 clips of 3" in ended.stdout


@FORMS
def test_corrections(empty, recordings, on_disk, written):
    recordings(on_disk)
    words = ("folders", "u", "--item-pattern", "([^/_]+)_", "--dataset", "f")
    went(empty.prepare(*words), 12, 3)
    index = pd.read_parquet(empty.folder / "data/f/corpus.parquet")
    clip = next(clip for clip in index["clip"] if in_form("NFC", clip) == "lowé/jörg_0.wav")
    row = {
        "clip": clip,
        "verdict": "wrong",
        "old": "lowé",
        "new": "highé",
        "who": "zoë",
        "when": "",
        "why": "",
        "index_hash": "0" * 32,
    }
    empty.file("corrections.csv", in_form(written, pd.DataFrame([row]).to_csv(index=False)))
    ended = empty.prepare(*words[:-1], "g", "--corrections", "corrections.csv")
    assert ended.returncode == 0, ended.stderr
    assert "Corrected  1 label" in ended.stdout


@FORMS
def test_names_in_options_of_evaluate(finished, tmp_path, on_disk, written):
    clips = pd.read_csv(finished.folder / "audio/clips.csv")
    clips["label"] = clips["label"].replace("low", in_form(on_disk, "tiéf"))
    clips["item"] = clips["item"].replace("s0", in_form(on_disk, "zoë"))
    clips.to_csv(tmp_path / "clips.csv", index=False)
    words = ("results/small/experiment_1/instance_1/fold_1", tmp_path / "clips.csv", "--audio-folder", "audio")
    options = ("--rename", in_form(written, "tiéf=low"), "--items", in_form(written, "zoë"), "--output", tmp_path / "out")
    ended = finished.xval("evaluate", *words, *options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(pd.read_csv(tmp_path / "out/predictions.csv")) == 4
