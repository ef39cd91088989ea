"""Frames to events: cases worked out by hand, and the way back from labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.annotations.labels import frame_labels, resolve
from xval.base.errors import SettingsError
from xval.measures.events.finding import find_events

NAMES = ("background", "a", "b")


def one_hot(classes, n_classes=3):
    return np.eye(n_classes, dtype=np.float32)[classes]


def rows(events):
    return [tuple(row) for row in events.to_numpy()]


def test_runs_of_frames_are_events():
    found = find_events(one_hot([1, 1, 0, 2, 1, 0, 0, 2]), NAMES, frame_s=0.05)
    assert rows(found) == [(0.0, 0.1, "a"), (0.15, 0.2, "b"), (0.2, 0.25, "a"), (0.35, 0.4, "b")]
    assert list(found.columns) == ["start_s", "end_s", "label"]
    assert rows(find_events(one_hot([0, 0]), NAMES, frame_s=0.05)) == []
    assert rows(find_events(np.zeros((0, 3), np.float32), NAMES, frame_s=0.05, median_frames=3)) == []


def test_a_median_fills_short_holes_drops_short_runs_and_repeats_the_edges():
    classes = [1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1]
    assert rows(find_events(one_hot(classes), NAMES, frame_s=1.0, median_frames=3)) == [
        (0.0, 1.0, "a"),  # the first frame, repeated, outvotes the second
        (4.0, 7.0, "a"),
        (11.0, 13.0, "a"),
    ]


def test_short_events_are_dropped_after_the_frames_are_joined():
    classes = [1, 1, 1, 0, 1, 1, 0, 2]
    assert rows(find_events(one_hot(classes), NAMES, frame_s=0.05, min_duration_s=0.15)) == [(0.0, 0.15, "a")]
    assert len(find_events(one_hot(classes), NAMES, frame_s=0.05, min_duration_s=0.1)) == 2
    # 0.14 / 0.02 is more than 7 in floats
    assert rows(find_events(one_hot([1] * 7), NAMES, frame_s=0.02, min_duration_s=0.14)) == [(0.0, 0.14, "a")]
    assert rows(find_events(one_hot([1, 0, 1]), NAMES, frame_s=0.1, median_frames=3, min_duration_s=0.3)) == [(0.0, 0.3, "a")]


def test_a_threshold_of_one_class_per_frame_looks_past_the_background():
    probabilities = np.float32([[0.5, 0.3, 0.2], [0.5, 0.2, 0.3], [0.8, 0.1, 0.1], [0.1, 0.5, 0.4]])
    assert rows(find_events(probabilities, NAMES, frame_s=1.0)) == [(3.0, 4.0, "a")]
    assert rows(find_events(probabilities, NAMES, frame_s=1.0, threshold=0.3)) == [
        (0.0, 1.0, "a"), (1.0, 2.0, "b"), (3.0, 4.0, "a"),
    ]  # fmt: skip
    assert rows(find_events(probabilities, NAMES, frame_s=1.0, threshold=0.6)) == []


def test_several_labels_may_be_active_at_once():
    probabilities = np.float32([[0.9, 0.6], [0.5, 0.49], [0.2, 0.8]])
    assert rows(find_events(probabilities, ("a", "b"), frame_s=1.0, form="multi_label")) == [
        (0.0, 1.0, "b"), (0.0, 2.0, "a"), (2.0, 3.0, "b"),
    ]  # fmt: skip
    assert rows(find_events(probabilities, ("a", "b"), frame_s=1.0, form="multi_label", threshold=0.85)) == [(0.0, 1.0, "a")]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.sampled_from(["multi_class", "multi_label"]))
def test_labels_made_of_the_events_are_the_frames_again(classes, form):
    names = NAMES if form == "multi_class" else NAMES[1:]
    probabilities = one_hot(classes) if form == "multi_class" else one_hot(classes)[:, 1:]
    events = find_events(probabilities, names, frame_s=0.05, form=form)
    resolved = resolve(events.assign(annotator=""), "union") if len(events) else (events, events)
    found = frame_labels(*resolved, names, n_frames=len(classes), frame_samples=800, sample_rate_hz=16000, form=form)
    wanted = np.array(classes) if form == "multi_class" else probabilities
    assert np.array_equal(found.targets, wanted)


def test_what_cannot_be_is_refused():
    probabilities = one_hot([0, 1])
    for options, message in (
        ({"threshold": 1.5}, "event threshold 1.5; expected 0 to 1"),
        ({"threshold": np.nan}, "expected 0 to 1"),
        ({"median_frames": 4}, r"a median filter of 4 frames; expected 1 \(none\), 3, 5"),
        ({"min_duration_s": -1.0}, "a least duration of -1 s"),
    ):
        with pytest.raises(SettingsError, match=message):
            find_events(probabilities, NAMES, frame_s=0.05, **options)
    with pytest.raises(SettingsError, match=r"received probabilities \(2, 3\); expected \(n_frames, 2\)"):
        find_events(probabilities, NAMES[:2], frame_s=0.05)
