"""Annotations taken together, and what they say of frames: cases worked out by hand, and sample by sample."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.annotations.labels import frame_labels, resolve, resolve_recordings
from xval.base.errors import CorpusError, SettingsError

BAT_RATE_HZ = 250_000
FILEINFO = [(47553, 95094), (298537, 349426)]
ANNOTATION = [(298537, 607056)]
NONE = pd.DataFrame({"start_s": [], "end_s": [], "label": []})


def annotations(*rows):
    return pd.DataFrame(rows, columns=["start_s", "end_s", "label", "annotator"])


def events(*rows):
    return pd.DataFrame(rows, columns=["start_s", "end_s", "label"])


def samples_of(table, rate_hz):
    return [(round(start * rate_hz), round(end * rate_hz)) for start, end in zip(table["start_s"], table["end_s"], strict=True)]


BATS = annotations(
    *((start / BAT_RATE_HZ, end / BAT_RATE_HZ, "call", "fileinfo") for start, end in FILEINFO),
    *((start / BAT_RATE_HZ, end / BAT_RATE_HZ, "call", "annotation") for start, end in ANNOTATION),
)


@pytest.mark.parametrize(
    ("policy", "heard", "disputed", "frames", "ignored"),
    [
        ("fileinfo", FILEINFO, [], [*range(4, 8), *range(24, 28)], []),
        ("annotation", ANNOTATION, [], range(24, 49), []),
        ("union", [FILEINFO[0], ANNOTATION[0]], [], [*range(4, 8), *range(24, 49)], []),
        ("intersection", [FILEINFO[1]], [], range(24, 28), []),
        (
            "ignore_disagreement",
            [FILEINFO[1]],
            [FILEINFO[0], (349426, 607056)],
            range(24, 28),
            [*range(4, 8), *range(28, 49)],
        ),
    ],
)
@pytest.mark.parametrize("form", ["multi_class", "multi_label"])
def test_the_known_case_of_the_bats(policy, heard, disputed, frames, ignored, form):
    found = resolve(BATS, policy)
    assert samples_of(found.events, BAT_RATE_HZ) == heard
    assert samples_of(found.disputed, BAT_RATE_HZ) == disputed
    # frames of 12500 samples; frame 3 has 2447 of the first call and frame 7 has 7594, where 6250 are needed
    targets, weights = frame_labels(
        *found,
        ("background", "call") if form == "multi_class" else ("call",),
        n_frames=52,
        frame_samples=12_500,
        sample_rate_hz=BAT_RATE_HZ,
        form=form,
    )
    assert targets.dtype == (np.int64 if form == "multi_class" else np.float32)
    assert targets.shape == ((52,) if form == "multi_class" else (52, 1))
    assert np.flatnonzero(targets).tolist() == list(frames)
    assert weights.dtype == np.float32
    assert np.flatnonzero(weights == 0).tolist() == ignored
    assert set(weights) <= {0, 1}


def test_labels_are_resolved_apart_and_touching_events_are_one():
    given_rows = annotations((0, 1, "a", "x"), (1, 2, "a", "x"), (0, 2, "b", "x"), (0.5, 3, "a", "y"))
    found = resolve(given_rows, "ignore_disagreement")
    assert found.events.to_numpy().tolist() == [[0.5, 2.0, "a"]]
    assert found.disputed.to_numpy().tolist() == [[0.0, 0.5, "a"], [0.0, 2.0, "b"], [2.0, 3.0, "a"]]
    assert resolve(given_rows, "x").events.to_numpy().tolist() == [[0.0, 2.0, "a"], [0.0, 2.0, "b"]]


def test_who_heard_nothing_disagrees_but_who_did_not_listen_does_not():
    one = annotations((1, 2, "a", "x"))
    assert len(resolve(one, "ignore_disagreement").disputed) == 0
    assert resolve(one, "intersection").events.to_numpy().tolist() == [[1.0, 2.0, "a"]]
    listened = annotations((1, 2, "a", "x"), (np.nan, np.nan, "", "y"))
    assert resolve(listened, "ignore_disagreement").disputed.to_numpy().tolist() == [[1.0, 2.0, "a"]]
    assert len(resolve(listened, "y").events) == len(resolve(listened, "intersection").events) == 0
    nothing = resolve(annotations((np.nan, np.nan, "", "")), "ignore_disagreement")
    assert len(nothing.events) == len(nothing.disputed) == 0


def test_recordings_that_the_believed_annotator_did_not_annotate_are_left_out():
    rows = pd.concat(
        [
            annotations((1, 2, "a", "x"), (1, 3, "a", "y")).assign(path="1.wav"),
            annotations((1, 2, "a", "y")).assign(path="2.wav"),
            annotations((np.nan, np.nan, "", "x")).assign(path="3.wav"),
        ]
    )
    assert list(resolve_recordings(rows, "x")) == ["1.wav", "3.wav"]
    assert list(resolve_recordings(rows, "y")) == ["1.wav", "2.wav"]
    assert {path: len(found.events) for path, found in resolve_recordings(rows, "union").items()} == {
        "1.wav": 1,
        "2.wav": 1,
        "3.wav": 0,
    }
    with pytest.raises(SettingsError, match=r"unknown annotation policy 'unio'.*Available: .*x, y\. Did you mean 'union'"):
        resolve_recordings(rows, "unio")


def labels_of(table, names, disputed=NONE, **changed):
    options = {"n_frames": 4, "frame_samples": 10, "sample_rate_hz": 10} | changed
    return frame_labels(table, disputed, names, **options)


def test_half_of_a_frame_is_enough_and_a_sample_less_is_not():
    names = ("background", "a")
    assert labels_of(events((0.5, 1.4, "a")), names).targets.tolist() == [1, 0, 0, 0]
    assert labels_of(events((0.5, 1.5, "a")), names).targets.tolist() == [1, 1, 0, 0]
    assert labels_of(events((0.5, 1.5, "a")), names, overlap=0.6).targets.tolist() == [0, 0, 0, 0]
    assert labels_of(events((0.2, 0.3, "a")), names, overlap=0.1).targets.tolist() == [1, 0, 0, 0]
    # two pieces together cover half; two that overlap do not cover more for that
    assert labels_of(events((0, 0.2, "a"), (0.7, 1, "a")), names).targets.tolist() == [1, 0, 0, 0]
    assert labels_of(events((0, 0.4, "a"), (0, 0.4, "a")), names).targets.tolist() == [0, 0, 0, 0]
    assert labels_of(events((2, 9, "a")), names).targets.tolist() == [0, 0, 1, 1]
    # a third of 3 samples is one of them, though 1 / 3 * 3 may miss it
    assert labels_of(events((0, 0.1, "a")), names, frame_samples=3, overlap=1 / 3).targets.tolist() == [1, 0, 0, 0]


def test_of_two_classes_the_larger_share_wins_and_the_first_in_a_tie():
    both = events((0, 0.6, "a"), (0.3, 1, "b"), (1, 1.5, "a"), (1.5, 2, "b"), (2, 3, "a"), (2, 3, "b"))
    assert labels_of(both, ("background", "a", "b")).targets.tolist() == [2, 1, 1, 0]
    assert labels_of(both, ("background", "b", "a")).targets.tolist() == [1, 1, 1, 0]
    assert labels_of(both, ("a", "b"), form="multi_label").targets.tolist() == [[1, 1], [1, 1], [1, 1], [0, 0]]


def test_a_dispute_counts_where_it_changes_the_target():
    names = ("background", "a", "b")
    disputed = events((0.9, 1.1, "a"), (2, 3, "b"))
    found = labels_of(events((0, 0.9, "a"), (2, 3, "a")), names, disputed)
    assert found.targets.tolist() == [1, 0, 1, 0]
    assert found.weights.tolist() == [1, 1, 1, 1]  # slivers at an edge; and b only ties with a
    assert labels_of(events((2, 2.9, "a")), names, disputed).weights.tolist() == [1, 1, 0, 1]
    multi_label = labels_of(events((2, 3, "a")), ("a", "b"), disputed, form="multi_label")
    assert multi_label.weights.tolist() == [1, 1, 0, 1]


def test_events_labelled_background_are_no_events_and_unknown_labels_are_refused():
    assert labels_of(events((0, 4, "background")), ("background", "a")).targets.tolist() == [0, 0, 0, 0]
    assert labels_of(NONE, ("background",)).targets.tolist() == [0, 0, 0, 0]
    with pytest.raises(CorpusError, match=r"have the label 'cal', which is not a class.*Did you mean 'call'"):
        labels_of(events((0, 4, "cal")), ("background", "call"))
    with pytest.raises(CorpusError, match="label 'x'"):
        labels_of(NONE, ("background", "call"), events((0, 1, "x")))
    for wrong in ({"overlap": 0}, {"overlap": 1.1}, {"overlap": float("nan")}, {"frame_samples": 0}):
        with pytest.raises(SettingsError, match="above 0 and at most 1"):
            labels_of(NONE, ("background",), **wrong)


drawn_events = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 20), st.sampled_from("ab")).map(lambda e: (e[0], e[0] + e[1], e[2])),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(drawn_events, drawn_events, st.integers(1, 9), st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0]))
def test_labels_are_those_that_counting_samples_gives(first, second, frame_samples, overlap):
    rate_hz = 16000
    n_frames = 80 // frame_samples
    rows = [
        (start / rate_hz, end / rate_hz, label, who)
        for who, drawn in (("x", first), ("y", second))
        for start, end, label in drawn
    ]
    rows += [(np.nan, np.nan, "", who) for who in "xy"]
    heard = {(who, label): np.zeros(n_frames * frame_samples, bool) for who in "xy" for label in "ab"}
    for who, drawn in (("x", first), ("y", second)):
        for start, end, label in drawn:
            heard[who, label][start:end] = True

    def counted(who):
        shares = np.stack([heard[who, label].reshape(n_frames, -1).mean(axis=1) for label in "ab"], axis=1)
        return shares >= overlap - 1e-9

    options = {"n_frames": n_frames, "frame_samples": frame_samples, "sample_rate_hz": rate_hz, "overlap": overlap}
    for who in "xy":
        found = frame_labels(*resolve(annotations(*rows), who), ("a", "b"), form="multi_label", **options)
        assert np.array_equal(found.targets, counted(who))
        assert found.weights.all()
    ignored = frame_labels(*resolve(annotations(*rows), "ignore_disagreement"), ("a", "b"), form="multi_label", **options)
    # where a frame counts, both annotators alone would have given it this target
    kept = ignored.weights > 0
    for who in "xy":
        assert np.array_equal(ignored.targets[kept], counted(who)[kept])
