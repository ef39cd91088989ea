"""Items that are smaller than a speaker are found by a column that names the speakers, before results are reported."""

import numpy as np
import pandas as pd
import pytest
import soundfile

pytestmark = pytest.mark.long

SMALL = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
WORDS = ("table", "audio/t.csv", "--dataset", "t")


def record(study, *, label, column="speaker", values="v{speaker}", n_speakers=6):
    """Write 3 sessions of each speaker, 2 clips each, labelled by a function of both, in a table with a further column."""
    rng = np.random.default_rng(0)
    (study.folder / "audio").mkdir()
    rows = []
    for speaker, session, clip in np.ndindex(n_speakers, 3, 2):
        path = f"s{speaker}_{session}_{clip}.wav"
        tone = np.sin(np.arange(900) * (0.2 + 0.25 * speaker))
        soundfile.write(study.folder / "audio" / path, 0.2 * tone + 0.02 * rng.normal(size=900), 4000)
        value = values.format(speaker=speaker) if isinstance(values, str) else values[speaker]
        rows.append((path, f"{speaker}-{session}", label(speaker, clip), value))
    pd.DataFrame(rows, columns=["path", "session", "label", column]).to_csv(study.folder / "audio/t.csv", index=False)


def of_speaker(speaker, _clip):
    return "ab"[speaker in (0, 3, 4)]


def of_clip(_speaker, clip):
    return "ab"[clip]


def prepared(study):
    ended = study.prepare(*WORDS, "--item", "session")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def trained(study, **settings):
    return study.train(
        {"architecture": "svm", "C": (1.0,)}, dataset="t", num_folds=3, page="complete", **SMALL, **settings
    ).stdout


def test_labels_that_follow_from_the_speaker_are_no_result(empty):
    """Random labels of speakers, items that are sessions: the score is that of a model that recognises the speaker."""
    record(empty, label=of_speaker)
    what = "18 sessions share 6 values of the column 'speaker', which fixes the label"
    assert what in prepared(empty)
    said = trained(empty)
    assert f"The dataset: {what}, so one 'speaker' is in training and test. Make 'speaker' the item (--item speaker)" in said
    lines = said[said.index("Result:") :]
    assert "Sessions of one 'speaker' are in training and test, and the 'speaker' determines the label." in lines
    assert "Prepare the dataset with --item speaker and run again." in lines
    assert "XV109" in lines
    assert "above chance" not in lines
    audit = empty.xval("audit", "results/t/experiment_1")
    assert audit.returncode == 1
    assert "FAILED        shared columns" in audit.stdout
    assert what in audit.stdout
    assert what in (empty.folder / "results/t/experiment_1/report.html").read_text().replace("&#39;", "'")
    silenced = empty.run("--set", "silence=XV109").stdout
    assert "Not valid as a test" not in silenced
    assert "XV109" not in silenced


def test_speakers_whose_labels_differ_are_a_warning(empty):
    """Then the score may be that of the sound; but it is no score on new speakers."""
    record(empty, label=of_clip, column="bird", values="{speaker}")
    prepared(empty)
    said = trained(empty)
    assert "XV109" in said
    assert "Not valid as a test" not in said
    audit = empty.xval("audit", "results/t/experiment_1")
    assert "warning       shared columns" in audit.stdout
    assert audit.returncode == 0


def test_what_else_fixes_the_label_is_named_as_the_next_step(empty):
    """A farm is nobody who is heard, but its cows may be known by its barn."""
    record(empty, label=of_speaker, column="farm")
    prepared(empty)
    said = trained(empty)
    assert "Prepare the dataset with --item farm if results are to hold for new ones, because the 'farm' determines" in said


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("gender", ["f", "m", "f", "m", "f", "m"]),
        ("age", [20, 31, 47, 20, 31, 55]),
        ("dialect", ["n", "n", "m", "m", "s", "s"]),
        ("speaker", ["a", "b", "a", "b", "b", "a"]),  # another name of the label
    ],
)
def test_conditions_of_items_are_no_speakers(empty, column, values):
    record(empty, label=lambda speaker, _clip: "xy"[speaker in (0, 2, 5)], column=column, values=values)
    assert "share" not in prepared(empty)
    checked = empty.python("-m", "preprocessing", *WORDS, "--check", "--item", "session", "--headers-only").stdout
    assert "items share a column" not in checked


def test_the_check_of_a_corpus_names_the_column(empty):
    record(empty, label=of_clip)
    checked = empty.python("-m", "preprocessing", *WORDS, "--check", "--item", "session", "--headers-only").stdout
    assert "sessions share a column: 1 column" in checked or "items share a column: 1 column" in checked
    assert "make that column the session" in checked or "make that column the item" in checked


def test_folds_that_keep_the_speaker_together_are_right(empty):
    """The column is on two sides of no fold where the corpus brings such folds along."""
    record(empty, label=of_clip)
    table = pd.read_csv(empty.folder / "audio/t.csv")
    table["fold"] = 1 + table["speaker"].str[1:].astype(int) % 3
    table.to_csv(empty.folder / "audio/t.csv", index=False)
    prepared(empty)
    said = trained(empty, fold_strategy="predefined", validation="next_fold")
    assert "share" not in said
    assert "XV109" not in said
    assert "ok            shared columns" in empty.xval("audit", "results/t/experiment_1").stdout
