"""Columns that a user chooses, further ones that resemble those of xval, and tables of events whose label has another name."""

import numpy as np
import pytest
import soundfile

RATE_HZ = 4000


def rows(study, header, further=()):
    """Write recordings and a table of them: path, item, label, then further cells, under a header."""
    clips = study.recordings()
    lines = [",".join([path, item, label, *further]) for path, item, label in clips[["path", "item", "label"]].to_numpy()]
    study.file("audio/t.csv", "\n".join([header, *lines]) + "\n")
    return "table", "audio/t.csv", "--dataset", "t"


@pytest.mark.parametrize(
    ("path", "item", "label"),
    [("fname", "uploader", "labels"), ("fname", "folder", "tag"), ("paths", "uploader", "tag"), ("fname", "who", "phrase"),
     ("Path", "Item", "Label"), ("start", "fold_", "lable")],
)  # fmt: skip
def test_chosen_columns_are_never_misspelt(empty, path, item, label):
    words = rows(empty, f"{path},{item},{label}")
    ended = empty.prepare(*words, "--path", path, "--item", item, "--label", label)
    assert ended.returncode == 0, ended.stderr
    assert "24 clips of 6" in ended.stdout
    assert "2 classes" in ended.stdout
    assert "Note" not in ended.stdout


def test_several_chosen_columns(empty):
    words = rows(empty, "path,item,labels,phrase", ["x"])
    ended = empty.prepare(*words, "--label", "labels,phrase")
    assert "2 classes (high_x, low_x)" in ended.stdout, ended.stderr


def test_further_columns_pass(empty):
    names = ("start", "end", "phrase", "folder", "labels", "paths", "items", "clips", "phases_of_moon")
    ended = empty.prepare(*rows(empty, f"path,item,label,{','.join(names)}", ["0.5"] * len(names)))
    assert ended.returncode == 0, ended.stderr
    assert "24 clips of 6" in ended.stdout
    for name, known in {"start": "start_s", "phrase": "phase", "folder": "fold"}.items():
        said = f"The column '{name}' is kept as an extra column; to use it, name it '{known}'."
        assert said in ended.stdout
    assert ended.stdout.count("The column '") == 5  # end and clips, too


@pytest.mark.parametrize(("name", "meant"), [("Phase", "phase"), ("flod", "fold"), ("folds", "fold"), ("Start S", "start_s")])
def test_slips_are_still_named(empty, name, meant):
    said = empty.mistake("-m", "preprocessing", *rows(empty, f"path,item,label,{name}", ["1"]))
    assert f"unknown column '{name}'. " in said
    assert f"Did you mean '{meant}'?" in said


def events(study, header, cell="call"):
    rng = np.random.default_rng(0)
    (study.folder / "audio").mkdir()
    lines = [header]
    for site in range(6):
        soundfile.write(study.folder / f"audio/site{site}.wav", 0.1 * rng.normal(size=2 * RATE_HZ), RATE_HZ)
        lines += [f"site{site}.wav,{start},{start + 0.2},{cell if start < 1 else 'siren'}" for start in (0.3, 1.2)]
    study.file("strong.csv", "\n".join(lines) + "\n")
    return "events", "strong.csv", "--audio-folder", "audio", "--dataset", "e"


@pytest.mark.long
@pytest.mark.parametrize(("column", "frames"), [("event_label", ("--task-type", "frame_classification")), ("Common Name", ())])
def test_the_usual_names_of_labels_are_named_in_events(empty, column, frames):
    words = (*events(empty, f"filename,onset,offset,{column}"), *frames)
    for other in ("class", "Species", "tag", "event", "call_type", "Labels"):
        text = (empty.folder / "strong.csv").read_text().replace(column, other)
        name = empty.file("other.csv", text).name
        assert f"give --label {other.lower()};" in empty.mistake("-m", "preprocessing", "events", name, *words[2:])
    plain = column.lower().replace(" ", "_")
    said = empty.mistake("-m", "preprocessing", *words)
    assert f"no column 'label'. If it is '{plain}', give --label {plain}; if every event is of one class, --label none." in said
    features = {"features": "waveform"} if frames else {}
    assert "siren" in empty.prepare(*words, "--label", column, **features).stdout
    ended = empty.prepare(*words, "--label", "none", **features)
    assert ended.returncode == 0, ended.stderr
    assert "siren" not in ended.stdout
    assert "has no column" not in ended.stdout


@pytest.mark.parametrize("column", ["context", "file_type", "event_id", "class_number"])
def test_a_table_of_events_without_labels_says_so(empty, column):
    ended = empty.prepare(*events(empty, f"filename,onset,offset,{column}"))
    assert ended.returncode == 0, ended.stderr
    assert "Note       strong.csv has no column 'label', so every event is labelled 'event'" in ended.stdout


def test_mixtures_of_events(empty):
    words = events(empty, "filename,onset,offset,event_label")
    for number in range(2):
        (empty.folder / "quiet").mkdir(exist_ok=True)
        soundfile.write(empty.folder / f"quiet/{number}.wav", 0.01 * np.random.default_rng(number).normal(size=40_000), RATE_HZ)
    said = empty.mistake("-m", "augmentation", "mix", "audio", "quiet", "mixed", "--annotation", words[1], "--workers", "1")
    assert "give --label event_label" in said
