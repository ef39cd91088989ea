"""One stretch of audio in two clips of a list counts twice: it is asked about."""

import pandas as pd
import pytest

import preprocessing
from xval import XvalError

SMALL = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}


def table(study, *further):
    """Write recordings and a table of them with stretches, and further lines: path, item, label, start_s, end_s."""
    clips = study.recordings()[["path", "item", "label"]].assign(start_s="", end_s="")
    clips = pd.concat([clips, pd.DataFrame(further, columns=clips.columns)], ignore_index=True)
    clips.to_csv(study.folder / "audio/t.csv", index=False)
    return "table", "audio/t.csv", "--dataset", "t"


@pytest.mark.parametrize(
    "further",
    [
        [("low/s0_0.wav", "s0", "low", 0.0, 0.1)],
        [("low/s0_0.wav", "s0", "high", 0.05, "")],
        [("low/../low/s0_0.wav", "s0", "low", 0.02, 0.1), ("low/s1_0.wav", "s1", "low", 0.02, 0.1)],
    ],
)
def test_a_file_and_a_part_of_it_are_asked_about(empty, further):
    words = table(empty, *further)
    said = empty.mistake("-m", "preprocessing", *words)
    assert "The clips 'low/s0_0.wav" in said
    assert "' overlap, so what they share would count twice" in said
    assert "give --overlaps keep." in said
    assert ("Such pairs in all: 2." in said) == (len(further) > 1)
    ended = empty.prepare(*words, "--overlaps", "keep")
    assert f"{24 + len(further)} clips of 6" in ended.stdout, ended.stderr
    checked = empty.python("-m", "preprocessing", *words, "--check", "--headers-only").stdout
    assert "Problem    the list of clips: The clips 'low/s0_0.wav" in checked


def test_the_report_on_such_a_list_does_not_call_it_usable(empty):
    words = table(empty, ("low/s0_0.wav", "s0", "low", 0.0, 0.1), ("low/s1_0.wav", "s1", "low", 0.0, 5e-3))

    checked = empty.python("-m", "preprocessing", *words, "--check")

    (page,) = (empty.folder / "data").rglob("quality.html")
    text = page.read_text(encoding="utf-8")
    assert "too short" in text, checked.stdout
    assert "The list of clips cannot be used." in text
    assert "Experiments can use this dataset." not in text


def test_stretches_that_touch_or_are_copies_are_not(empty):
    clips = empty.recordings()[["path", "item", "label"]]
    begin, end = clips.assign(start_s=0.0, end_s=0.105), clips.assign(start_s=0.1, end_s="")
    pd.concat([begin, end]).to_csv(empty.folder / "audio/t.csv", index=False)
    ended = empty.prepare("table", "audio/t.csv", "--dataset", "t")
    assert "48 clips of 6" in ended.stdout, ended.stderr


def test_events_may_overlap(empty):
    empty.recordings()
    lines = [
        f"s{number}_0.wav,{start},{start + 0.1},{label}" for number in range(6) for start, label in ((0.01, "a"), (0.05, "b"))
    ]
    empty.file("audio/low/e.csv", "\n".join(["path,start_s,end_s,label", *lines]))
    ended = empty.prepare("events", "audio/low/e.csv", "--dataset", "e")
    assert "12 clips of 6" in ended.stdout, ended.stderr


def test_from_python(empty, monkeypatch):
    monkeypatch.chdir(empty.folder)
    words = table(empty, ("low/s0_0.wav", "s0", "low", 0.0, 0.1))
    with pytest.raises(XvalError, match="overlap, so what they share would count twice"):
        preprocessing.prepare(words[1], dataset="t", settings=SMALL, workers=1, quiet=True)
    store = preprocessing.prepare(words[1], dataset="t", settings=SMALL, workers=1, quiet=True, overlaps="keep")
    assert sum(store.counts.values()) == 25


def database(folder, *, has_files):
    """Write a database in audformat: emotions of segments, and perhaps of their files; whether each is loud, as a truth."""
    audformat = pytest.importorskip("audformat")
    made = audformat.Database("moods")
    made.schemes["speaker"] = audformat.Scheme("str")
    made.schemes["emotion"] = audformat.Scheme(labels=["glad", "sad"])
    made.schemes["loud"] = audformat.Scheme("bool")
    files = sorted(f"low/s{number}_{take}.wav" for number in range(6) for take in (0, 2))

    def column(table, name, values):
        table[name] = audformat.Column(scheme_id=name)
        table[name].set(values)

    made["files"] = audformat.Table(audformat.filewise_index(files))
    column(made["files"], "speaker", [file[4:6] for file in files])
    column(made["files"], "loud", [bool(number % 2) for number in range(12)])
    if has_files:
        column(made["files"], "emotion", ["glad", "sad"] * 6)
    made["segments"] = audformat.Table(audformat.segmented_index(files, ["0.02s"] * 12, ["0.1s"] * 12))
    column(made["segments"], "emotion", ["glad", "sad"] * 6)
    made.save(str(folder))


@pytest.mark.long
def test_a_label_of_files_and_of_segments_is_asked_about(empty):
    empty.recordings()
    database(empty.folder / "audio", has_files=True)
    words = ("audformat", "audio", "--label", "emotion", "--dataset", "d")
    said = empty.mistake("-m", "preprocessing", *words)
    assert (
        "emotion is in the table files, of files, and in segments, of segments: low/s0_0.wav would count twice (12 such" in said
    )
    assert "Give --table files or --table segments; for both, give --table files,segments --overlaps keep." in said
    assert "12 clips of 6" in empty.prepare(*words, "--table", "files").stdout
    assert "12 clips of 6" in empty.prepare(*words, "--table", "segments").stdout
    assert "give --overlaps keep" in empty.mistake("-m", "preprocessing", *words, "--table", "files,segments")
    assert "24 clips of 6" in empty.prepare(*words, "--table", "files,segments", "--overlaps", "keep").stdout


def test_truths_of_audformat_are_classes(empty):
    empty.recordings()
    database(empty.folder / "audio", has_files=False)
    ended = empty.prepare("audformat", "audio", "--label", "loud", "--dataset", "d")
    assert "2 classes (False, True)" in ended.stdout, ended.stderr
    assert "2 classes (glad, sad)" in empty.prepare("audformat", "audio", "--label", "emotion", "--dataset", "d").stdout


@pytest.mark.long
def test_truths_of_hugging_face_are_classes(empty):
    datasets = pytest.importorskip("datasets")
    clips = empty.recordings()
    made = datasets.Dataset.from_dict(
        {
            "audio": [str(empty.folder / "audio" / path) for path in clips["path"]],
            "loud": [label == "high" for label in clips["label"]],
            "speaker": clips["item"].tolist(),
        }
    ).cast_column("audio", datasets.Audio(decode=False))
    rows = [{"path": None, "bytes": (empty.folder / "audio" / path).read_bytes()} for path in clips["path"]]
    made = made.remove_columns("audio").add_column("audio", rows).cast_column("audio", datasets.Audio())
    made.save_to_disk(str(empty.folder / "saved"))
    ended = empty.prepare("huggingface", "saved", "--label", "loud", "--item", "speaker", "--dataset", "h")
    assert "2 classes (False, True)" in ended.stdout, ended.stderr


def test_truths_of_a_data_frame_are_classes(empty, monkeypatch):
    monkeypatch.chdir(empty.folder)
    clips = empty.recordings()[["path", "item", "label"]]
    clips["label"] = clips["label"] == "high"
    words = {"dataset": "t", "audio_folder": "audio", "settings": SMALL, "workers": 1, "quiet": True}
    assert preprocessing.prepare(clips, **words).class_names == ("False", "True")
