"""Tables of events: which column the items are, and lines that contradict each other."""

import numpy as np
import pandas as pd
import pytest
import soundfile

import preprocessing

SPEAKERS = {"n1": "anna", "n2": "anna", "n3": "bob", "n4": "bob", "n5": "eve", "n6": "eve"}


@pytest.fixture
def events(empty):
    """Return a folder with recordings of 1 s, and a function that writes a table of a call and a song in each: e.csv."""
    rng = np.random.default_rng(0)
    for name in SPEAKERS:
        soundfile.write(empty.folder / f"{name}.wav", 0.1 * rng.normal(size=4000), 4000)

    def write(*further, item="item"):
        rows = [
            {"path": f"{name}.wav", item: speaker, "start_s": begin, "end_s": begin + 0.2, "label": label}
            for name, speaker in SPEAKERS.items()
            for begin, label in ((0.1, "call"), (0.6, "song"))
        ]
        pd.DataFrame([*rows, *further]).to_csv(empty.folder / "e.csv", index=False)

    empty.write_events = write
    return empty


def prepared(study, *options):
    return study.prepare("events", "e.csv", "--dataset", "e", *options)


def items(study):
    return set(pd.read_parquet(study.folder / "data/e/corpus.parquet")["item"])


@pytest.mark.parametrize("task", ["classification", "frame_classification"])
@pytest.mark.parametrize("column", ["item", "Item"])
def test_a_column_item_is_the_item_as_in_tables(events, task, column):
    events.write_events(item=column)

    ended = prepared(events, "--task-type", task)

    assert ended.returncode == 0, ended.stderr
    assert items(events) == {"anna", "bob", "eve"}


def test_recordings_are_the_items_where_the_user_says_so(events):
    events.write_events()
    assert prepared(events, "--item", "recording").returncode == 0
    assert items(events) == {f"{name}.wav" for name in SPEAKERS}


def test_python_reads_the_column_too(events, monkeypatch):
    events.write_events()
    monkeypatch.chdir(events.folder)
    preprocessing.prepare(corpus="events", annotation="e.csv", dataset="e", settings={"sample_rate_hz": 4000})
    assert items(events) == {"anna", "bob", "eve"}


def test_a_column_that_is_likely_the_item_is_told(events):
    events.write_events(item="Speaker ID")

    said = prepared(events).stdout

    assert "each recording is an item" in said
    assert "--item speaker_id" in said


def test_a_line_without_event_beside_events_is_a_fault(events):
    events.write_events({"path": "n1.wav", "item": "anna"}, {"path": "n2.wav", "item": "anna"})

    said = events.mistake("-m", "preprocessing", "events", "e.csv")

    assert "line 14: has no start and end, so n1.wav has no event, but line 3 has one" in said
    assert "line 15" in said
    ended = prepared(events, "--drop-bad-rows")
    assert ended.returncode == 0, ended.stderr
    assert "Skipped 2 of 14 rows with faults" in ended.stdout


def test_what_another_annotator_did_not_hear_is_no_contradiction(events):
    rows = [
        {"path": f"{name}.wav", "start_s": begin, "end_s": end, "label": label, "annotator": who}
        for name in SPEAKERS
        for begin, end, label, who in ((0.1, 0.3, "call", "ann"), (None, None, None, "ben"))
    ]
    pd.DataFrame([*rows, {"path": "n1.wav", "start_s": 0.5, "end_s": 0.6, "label": "song", "annotator": "ann"}]).to_csv(
        events.folder / "e.csv", index=False
    )
    for task in ("classification", "frame_classification"):
        ended = prepared(events, "--task-type", task)
        assert ended.returncode == 0, ended.stderr
