"""Names that differ in notation alone are asked about, whatever they name; and others are left in peace."""

import numpy as np
import pandas as pd
import pytest

from preprocessing.store import write
from xval import XvalError

pytestmark = pytest.mark.long

WAYS = {
    "numbers": ("1", "01", "1.0"),
    "separators": ("spk_1", "spk-1", "spk 1"),
    "dots": ("spk1", "spk.1", "SPK_01"),
    "dashes": ("spk-1", "spk–1", "spk‑1"),
    "quotes": ("s1", '"s1"', "“s1”"),
    "width": ("s1", "s1\u200b", "\ufeffs1"),
    "blanks": ("s 1", "s\u00a01", "s\u30001"),
    "digits": ("1", "１", "+1"),
    "case": ("s1", "S1", "S 1"),
}
DIFFERENT = (
    ("1", "10", "s1", "s11", "-1", "A"),
    ("1.5", "15", "1_5", "spk1_a", "spk1-b", "A-"),
    ("01", "02", "03", "04", "05", "06"),
)
X = np.arange(24, dtype="float32").reshape(4, 3, 2)


def table(study, items, column="item"):
    """Write recordings and a table whose first items, or classes, have these names."""
    clips = study.recordings()
    before = list(dict.fromkeys(clips["item"]))
    if column == "item":
        clips["item"] = clips["item"].replace(dict(zip(before, items, strict=False)))
    else:
        clips["label"] = [items[number % len(items)] for number in range(len(clips))]
    clips[["path", "item", "label"]].to_csv(study.folder / "audio/clips.csv", index=False)
    return "table", "audio/clips.csv", "--dataset", "c"


@pytest.mark.parametrize(
    ("ways", "column"),
    [*((ways, "item") for ways in WAYS.values()), (WAYS["numbers"], "label"), (WAYS["separators"], "label")],
    ids=[*WAYS, "classes", "other classes"],
)
def test_names_that_differ_in_notation_alone_are_asked_about(empty, ways, column):
    if column == "label" and ways == WAYS["numbers"]:
        ways = (*ways[:2], "a")  # classes that are all numbers lose their .0 anyhow

    said = empty.mistake("-m", "preprocessing", *table(empty, ways, column))

    assert f"The {'items' if column == 'item' else 'classes'} '" in said
    assert ". Are they the same? If so, give --similar-names one; if not, give --similar-names several." in said
    assert "Traceback" not in said


@pytest.mark.parametrize("names", DIFFERENT)
def test_other_names_are_not_asked_about(empty, names):
    ended = empty.prepare(*table(empty, names))
    assert ended.returncode == 0, ended.stderr
    assert "24 clips of 6 items" in ended.stdout


def test_both_answers_go_on(empty):
    words = table(empty, ("1", "01", "1.0"))
    assert "24 clips of 4 items (1, s3, s4, s5)" in empty.prepare(*words, "--similar-names", "one").stdout
    assert "24 clips of 6 items (01, 1, 1.0, s3, s4, s5)" in empty.prepare(*words, "--similar-names", "several").stdout
    checked = empty.python("-m", "preprocessing", *words, "--check", "--headers-only").stdout
    assert "Problem    the list of clips: The items '01', '1' and '1.0' differ only in notation" in checked
    checked = empty.python("-m", "preprocessing", *words, "--check", "--headers-only", "--similar-names", "one").stdout
    assert "24 clips of 4 items" in checked
    assert "Refused" not in checked


def test_one_of_classes_and_of_several_labels(empty):
    words = table(empty, ("dog_bark", "dog-bark", "rain", "rain"), "label")
    assert "2 classes (dog-bark, rain)" in empty.prepare(*words, "--similar-names", "one").stdout
    words = table(empty, ("dog;rain", "Dog", "rain", "dog;wind"), "label")
    several = ("--task-type", "multilabel_classification")
    assert "The labels 'Dog' and 'dog' differ" in empty.mistake("-m", "preprocessing", *words, *several)
    assert "3 classes (dog, rain, wind)" in empty.prepare(*words, *several, "--similar-names", "one").stdout


def test_events_are_asked_about_before_their_audio_is_read(empty):
    empty.recordings()
    lines = [f"s{number}_0.wav,0.02,0.1,{label},{who}" for number, label, who in zip(
        range(4), ("call", "Call", "song", "song"), ("anna", "bo", "anna", "bo"), strict=True)]  # fmt: skip
    empty.file("audio/low/events.csv", "\n".join(["path,start_s,end_s,label,annotator", *lines]))
    words = ("events", "audio/low/events.csv", "--dataset", "e")
    frames = ("--task-type", "frame_classification")
    for further in ((), frames):
        assert "classes 'Call' and 'call' differ only in case" in empty.mistake("-m", "preprocessing", *words, *further)
    ended = empty.prepare(*words, *frames, "--similar-names", "one", features="waveform")
    assert "2 classes" in ended.stdout.replace("3 classes", "2 classes with background"), ended.stderr
    text = (empty.folder / "audio/low/events.csv").read_text().replace("Call", "call").replace("s3_0", "s2_0")
    empty.file("audio/low/events.csv", text.replace("0.1,song,bo", "0.11,song,ANNA"))
    assert "annotators 'ANNA' and 'anna'" in empty.mistake("-m", "preprocessing", *words, *frames)


def test_files_are_different_whatever_their_names(empty):
    clips = empty.recordings()
    for number, name in enumerate(("1.wav", "01.wav", "a_1.wav", "a-1.wav", "A 1.wav")):
        (empty.folder / "audio" / clips["path"][number]).rename(empty.folder / "audio/low" / name)
    ended = empty.prepare("folders", "audio", "--dataset", "f")
    assert ended.returncode == 0, ended.stderr
    assert "24 clips" in ended.stdout


@pytest.mark.parametrize("keys", [("1", "01"), (1, "1.0"), ("spk_1", "spk-1"), ("s1", "s1\u200b"), ("Zoé", "Zoe\u0301")])
def test_keys_of_arrays(tmp_path, keys):
    with pytest.raises(XvalError, match=r"The items .* differ only in notation\. Are they the same"):
        write("mine", dict.fromkeys((*keys, "other"), X), {key: list("abab") for key in (*keys, "other")}, data_folder=tmp_path)


def test_classes_of_arrays(tmp_path):
    with pytest.raises(XvalError, match="The classes '0' and '00' differ only in notation"):
        write("mine", {"s": X}, {"s": ["0", "00", "1", "1"]}, data_folder=tmp_path)
    assert write("mine", {"s": X}, {"s": [-1, 1, -2, 2]}, data_folder=tmp_path).class_names == ("1", "2", "-1", "-2")


def test_a_data_frame(empty, monkeypatch):
    import preprocessing

    monkeypatch.chdir(empty.folder)
    clips = empty.recordings()
    clips["item"] = clips["item"].replace({"s0": "S-1", "s2": "s01"})
    clips = pd.DataFrame(clips[["path", "item", "label"]])
    with pytest.raises(XvalError, match="'S-1', 's01' and 's1' differ only in notation"):
        preprocessing.prepare(clips, dataset="c", audio_folder="audio")
    with pytest.raises(XvalError, match=r"similar_names: received 'yes'\. Available: ask, one, several"):
        preprocessing.prepare(clips, dataset="c", audio_folder="audio", similar_names="yes")
    small = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
    store = preprocessing.prepare(
        clips, dataset="c", audio_folder="audio", similar_names="one", settings=small, workers=1, quiet=True
    )
    assert store.items == ("s1", "s3", "s4", "s5")


def test_start_takes_the_answer(empty):
    words = table(empty, ("1", "01"))[1]

    said = empty.mistake("-m", "xval", "quickstart", words, "--minutes", "0")
    ended = empty.xval("quickstart", words, "--minutes", "0", "--similar-names", "one")
    again = empty.xval("quickstart", words, "--minutes", "0", "--similar-names", "one")

    assert "give --similar-names one; if not, give --similar-names several." in said
    assert "`quickstart` has no" not in said
    assert ended.returncode == 0, ended.stderr
    assert "24 clips of 5 items" in ended.stdout
    assert again.returncode == 0, again.stderr
    several = empty.mistake("-m", "xval", "quickstart", words, "--minutes", "0", "--similar-names", "several")
    assert "has another item for" in several


def test_cross_validate_takes_the_answer(empty):
    table(empty, ("1", "01"))
    empty.file(
        "use.py",
        "import sys, xval\n"
        "small = dict(sample_rate_hz=4000, n_fft=64, win_length=64, hop_length=32, n_mels=8)\n"
        "answer = {} if len(sys.argv) < 2 else {'similar_names': sys.argv[1]}\n"
        "results, _ = xval.cross_validate('audio/clips.csv', refit=False, quiet=True, architecture='mlp', num_epochs=1,\n"
        "                                 num_folds=2, workers=1, executor='inline', page='none', **answer, **small)\n"
        "print(sorted(results.predictions['item'].unique()))\n",
    )

    asked, ended = empty.python("use.py"), empty.python("use.py", "one")

    assert 'In Python: similar_names="one"' in asked.stderr
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.split(",")) == 5
