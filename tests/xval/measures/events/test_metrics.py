"""Metrics of events: the values of sed_eval, cases worked out by hand, and all matchings of small ones."""

import json
import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xval.base.errors import JobError
from xval.measures.events.metrics import count_events, count_segments
from xval.measures.events.score_names import EVENT_METRICS

PAIRS = json.loads(Path(__file__).with_name("sed_eval_pairs.json").read_text())
LABELS = PAIRS["labels"]
# sed_eval's names of ours
OVERALL = {
    "f1": "f_measure", "precision": "precision", "recall": "recall", "error_rate": "error_rate",
    "substitution_rate": "substitution_rate", "deletion_rate": "deletion_rate", "insertion_rate": "insertion_rate",
}  # fmt: skip
OF_CLASS = {name: OVERALL[name] for name in ("f1", "precision", "recall", "error_rate")}


def events(*rows):
    return pd.DataFrame(list(rows), columns=["start_s", "end_s", "label"])


def recording(pair):
    return events(*pair["reference"]), events(*pair["estimated"]), pair["duration_s"]


def segment_metrics(recordings, labels):
    return count_segments(recordings, labels).scores("segment")


def event_metrics(recordings, labels, **options):
    return count_events(recordings, labels, **options).scores("event")


def assert_equal(found, wanted, *, n_reference, n_estimated, name):
    """Compare a figure with sed_eval's, and where that divides by zero with what the docstring says of ours."""
    if name == "f1" and 0 in (n_reference, n_estimated):
        assert wanted is None
        assert found == 0 if n_reference or n_estimated else math.isnan(found)
    elif wanted is None or (name.endswith("rate") and n_reference == 0):
        assert math.isnan(found)
    else:
        assert found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("unit", "count"), [("segment", count_segments), ("event", count_events)])
@pytest.mark.parametrize("number", [*range(len(PAIRS["pairs"])), "together"])
def test_the_figures_are_those_of_sed_eval(unit, count, number):
    pairs = PAIRS["pairs"] if number == "together" else [PAIRS["pairs"][number]]
    wanted = (PAIRS["together"] if number == "together" else pairs[0])[unit]
    counts = count([recording(pair) for pair in pairs], LABELS)
    totals = {side: sum(wanted["by_class"][label][key] for label in LABELS) for side, key in (("r", "Nref"), ("e", "Nsys"))}
    scores = counts.scores(unit)
    for name, theirs in OVERALL.items():
        assert_equal(
            scores[f"{unit}_{name}"], wanted["overall"][theirs], n_reference=totals["r"], n_estimated=totals["e"], name=name
        )
    for label, ours in counts.by_class().items():
        of_class = wanted["by_class"][label]
        assert (ours["n_reference"], ours["n_estimated"]) == (of_class["Nref"], of_class["Nsys"])
        for name, theirs in OF_CLASS.items():
            assert_equal(ours[name], of_class[theirs], n_reference=of_class["Nref"], n_estimated=of_class["Nsys"], name=name)
    occurs = [(of_class["Nref"] > 0, of_class["Nsys"] > 0) for of_class in wanted["by_class"].values()]
    means = {"precision": True, "recall": True, "f1": all(r == e for r, e in occurs), "error_rate": all(r for r, _ in occurs)}
    for name, is_same in means.items():
        mean = wanted["mean_of_classes"][OVERALL[name]]
        if is_same:
            assert scores[f"{unit}_macro_{name}"] == pytest.approx(math.nan if mean is None else mean, abs=1e-9, nan_ok=True)


def test_events_by_hand():
    reference = events((1.0, 2.0, "a"), (5.0, 5.2, "a"), (8.0, 9.0, "b"), (12.0, 13.0, "b"))
    estimated = events(
        (1.2, 2.5, "a"),  # begins 0.2 s late and ends half its length late: both exactly on the limit
        (5.0, 5.5, "a"),  # ends 0.3 s late, more than the collar
        (8.1, 9.1, "a"),  # another label
        (30.0, 31.0, "b"),
    )
    found = event_metrics([(reference, estimated, 40.0)], ("a", "b"))
    assert found == pytest.approx(
        {
            "event_f1": 2 / 8,
            "event_precision": 1 / 4,
            "event_recall": 1 / 4,
            "event_error_rate": 5 / 4,
            "event_substitution_rate": 1 / 4,
            "event_deletion_rate": 2 / 4,
            "event_insertion_rate": 2 / 4,
            "event_macro_f1": (2 / 5 + 0) / 2,
            "event_macro_precision": (1 / 3 + 0) / 2,
            "event_macro_recall": (1 / 2 + 0) / 2,
            "event_macro_error_rate": (3 / 2 + 3 / 2) / 2,
        }
    )
    assert event_metrics([(reference, estimated, 40.0)], ("a", "b"), collar_s=0.3)["event_recall"] == 2 / 4
    assert event_metrics([(reference, estimated, 40.0)], ("a", "b"), collar_s=0.1)["event_recall"] == 0


def test_limits_are_exact_for_times_that_floats_cannot_hold():
    for start_s in np.arange(0, 5, 0.05):  # 0.9 - 0.7 > 0.2 in floats
        pair = (events((start_s, start_s + 1, "a")), events((start_s + 0.2, start_s + 1, "a")), 10.0)
        assert event_metrics([pair], ("a",))["event_f1"] == 1
        late = (pair[0], events((start_s + 0.200001, start_s + 1, "a")), 10.0)
        assert event_metrics([late], ("a",))["event_f1"] == 0
    frame_s = 0.1  # 3 * 0.1 > 0.3: an event of three frames does not reach into the fourth segment
    counts = count_segments([(events((0.0, 3 * frame_s, "a")), events(), 1.0)], ("a",), segment_s=0.1)
    assert counts.n_reference.tolist() == [3]


def test_the_best_matching_is_found_where_taking_the_first_fit_fails():
    # the first reference fits both estimates, the second only the first of them
    reference, estimated = events((1.0, 2.0, "a"), (0.85, 2.0, "a")), events((1.0, 2.0, "a"), (1.15, 2.0, "a"))
    assert event_metrics([(reference, estimated, 3.0)], ("a",))["event_f1"] == 1


@st.composite
def crowded(draw):
    one = st.tuples(st.integers(0, 6), st.integers(1, 8), st.sampled_from("ab")).map(
        lambda each: (each[0] / 10, (each[0] + each[1]) / 10, each[2])
    )
    return [draw(st.lists(one, max_size=5)) for _ in range(2)]


@settings(max_examples=60, deadline=None)
@given(crowded())
def test_no_other_matching_is_better(drawn):
    reference, estimated = drawn

    def value(ref, est):
        near = abs(ref[0] - est[0]) <= 0.2 + 1e-9 and abs(ref[1] - est[1]) <= max(0.2, (ref[1] - ref[0]) / 2) + 1e-9
        return np.array([near and ref[2] == est[2], near and ref[2] != est[2]], dtype=int)

    few, many = sorted([reference, estimated], key=len)
    swapped = few is not reference
    best = max(
        tuple(sum((value(b, a) if swapped else value(a, b) for a, b in zip(few, chosen, strict=True)), np.zeros(2, int)))
        for chosen in permutations(many, len(few))
    )
    counts = count_events([(events(*reference), events(*estimated), 5.0)], ("a", "b"))
    assert (int(counts.n_correct.sum()), counts.n_substitutions) == best
    assert counts.n_deletions == len(reference) - sum(best)
    assert counts.n_insertions == len(estimated) - sum(best)


def test_what_is_not_defined_is_nan():
    nothing = events()
    silent = event_metrics([(nothing, nothing, 2.0)], ("a",)) | segment_metrics([(nothing, nothing, 2.0)], ("a",))
    assert {name: math.isnan(value) for name, value in silent.items()} == dict.fromkeys(EVENT_METRICS, True)
    invented = segment_metrics([(nothing, events((0, 1, "a")), 2.0)], ("a", "b"))
    assert invented["segment_f1"] == invented["segment_macro_f1"] == invented["segment_precision"] == 0
    assert all(math.isnan(invented[f"segment_{name}"]) for name in ("recall", "error_rate", "macro_error_rate"))
    assert event_metrics([(events((0, 1, "a")), nothing, 2.0)], ("a",))["event_error_rate"] == 1
    assert set(event_metrics([], ("a",)) | segment_metrics([], ("a",))) == set(EVENT_METRICS)
    assert [name for name, higher in EVENT_METRICS.items() if higher] == [
        name for name in EVENT_METRICS if not name.endswith("_rate")
    ]


def test_what_is_ignored_counts_on_neither_side():
    reference, disputed = events((1.0, 2.0, "a")), events((2.0, 3.6, "a"))
    for estimated in (
        events((1.0, 2.0, "a")),
        events((1.0, 3.6, "a")),  # goes on into the dispute
        events((1.0, 3.7, "a")),  # and a little beyond: what is left is shorter than the collar
        events((1.0, 2.0, "a"), (2.5, 3.0, "a")),  # lies within it
    ):
        for count in (count_segments, count_events):
            found = count([(reference, estimated, 6.0, disputed)], ("a",))
            counted = [found.n_reference.tolist(), found.n_estimated.tolist(), found.n_correct.tolist()]
            assert counted == [[1], [1], [1]], (count, estimated)
    # another label is not in dispute there, and 0.4 s of the last second are known
    other = events((1.0, 2.0, "a"), (2.2, 3.0, "b"), (5.0, 6.0, "a"))
    assert count_events([(reference, other, 6.0, disputed)], ("a", "b")).n_insertions == 2
    assert count_segments([(reference, other, 6.0, disputed)], ("a", "b")).n_insertions == 2
    # what is left of an event is short, but has a partner
    cut = count_events([(events((0.9, 1.0, "a")), events((0.9, 1.6, "a")), 6.0, events((1.0, 2.0, "a")))], ("a",))
    assert (cut.n_correct.tolist(), cut.n_estimated.tolist(), cut.n_insertions) == ([1], [1], 0)


def test_an_event_of_no_class_is_refused():
    with pytest.raises(JobError, match=r"an event has the unknown label 'cal'\. Available: call\. Did you mean 'call'"):
        event_metrics([(events((0, 1, "cal")), events(), 2.0)], ("call",))
    with pytest.raises(JobError, match="'background'"):
        segment_metrics([(events(), events((0, 1, "background")), 2.0)], ("call",))


def test_a_long_recording_takes_no_time_to_speak_of():
    rng = np.random.default_rng(0)
    starts = np.sort(rng.uniform(0, 36000, 5000))
    reference = pd.DataFrame({"start_s": starts, "end_s": starts + 0.5, "label": "a"})
    estimated = reference.assign(start_s=starts + rng.normal(0, 0.1, 5000))
    assert event_metrics([(reference, estimated, 36001.0)], ("a",))["event_f1"] > 0.9
    assert segment_metrics([(reference, estimated, 36001.0)], ("a",))["segment_f1"] > 0.9
