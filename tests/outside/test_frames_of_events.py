"""Frames of recordings: events that the targets leave out are told, when the corpus is prepared and when it is trained on."""

import numpy as np
import pandas as pd
import pytest
import soundfile

pytestmark = pytest.mark.long


@pytest.fixture
def recordings(empty):
    """Return a folder with six recordings of 2 s, and a function that writes a table of the same events in each: e.csv."""
    rng = np.random.default_rng(0)
    for number in range(6):
        soundfile.write(empty.folder / f"n{number}.wav", 0.1 * rng.normal(size=8000), 4000)

    def prepare(*events):
        rows = [
            {"path": f"n{number}.wav", "item": f"s{number}", "start_s": begin, "end_s": end, "label": label}
            for number in range(6)
            for begin, end, label in events
        ]
        pd.DataFrame(rows).to_csv(empty.folder / "e.csv", index=False)
        ended = empty.prepare("events", "e.csv", "--dataset", "frames", "--task-type", "frame_classification")
        assert ended.returncode == 0, ended.stderr
        return " ".join(ended.stdout.split())

    empty.prepare_events = prepare
    return empty


SHORT = "are in no frame, too short for label_frame_s=0.05 at frame_overlap=0.5"
SHARED = "frames with events have several classes, of which label_form=multi_class keeps only one"


def test_events_that_are_too_short_for_a_frame_are_told(recordings):
    said = recordings.prepare_events((0.5, 1.0, "call"), (1.301, 1.31, "click"), (1.5, 1.52, "call"))
    assert f"12 of 18 events {SHORT} (click: all 6, call: 6 of 12). Lower these in the experiment" in said
    assert SHARED not in said


def test_classes_that_are_heard_at_once_are_told(recordings):
    said = recordings.prepare_events((0.5, 1.0, "call"), (0.5, 1.0, "song"), (1.5, 1.8, "song"))
    assert f"60 of 96 {SHARED} (frames lost: song: 60 of 96). Give --set label_form=multi_label in the experiment" in said
    assert SHORT not in said


def test_what_has_its_frames_is_not_told(recordings):
    said = recordings.prepare_events((0.5, 1.0, "call"), (1.0, 1.5, "song"), (1.2, 1.6, "song"))
    assert SHORT not in said
    assert SHARED not in said


def test_a_run_tells_it_for_its_own_settings(recordings):
    recordings.prepare_events((0.5, 1.0, "call"), (0.5, 1.0, "song"), (1.301, 1.31, "click"))
    own = {"architecture": "sincnet", "n_filters": 4, "kernel_length": 7, "n_conv_filters": (4,), "n_units": (8,)}
    frames = {"dataset": "frames", "task_type": "frame_classification", "num_folds": 3, "num_epochs": 1, "sequence_frames": 4}
    recordings.script({**own, "label_form": "multi_label"}, **frames, sample_rate_hz=4000, features="waveform")

    ended = recordings.run("--folds", 1)

    assert ended.returncode == 0, ended
    said = " ".join(ended.stdout.split())
    assert f"6 of 18 events {SHORT} (click: all 6)" in said
    assert SHARED not in said
