"""PSDS: the values of sed_scores_eval, and cases worked out by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xval.measures.events.psds import SCENARIOS, ScoredRecording, psds, psds_scores, tabulate_runs

CASES = json.loads(Path(__file__).with_name("sed_scores_eval_cases.json").read_text())


def events(*rows):
    return pd.DataFrame(list(rows), columns=["start_s", "end_s", "label"])


def figures(*recordings, labels="ab"):
    return psds_scores([tabulate_runs(each, labels) for each in recordings])


def scored(reference, *columns, **changes):
    return ScoredRecording(reference, np.array(columns, float).T, 1.0, **changes)


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_it_is_that_of_sed_scores_eval(case):
    recordings = [
        tabulate_runs(ScoredRecording(events(*each["events"]), np.array(each["scores"]), case["frame_s"]), case["labels"])
        for each in case["recordings"]
    ]
    for name, wanted in case["psds"].items():
        scenario, most = name.split()
        found = psds(recordings, SCENARIOS[scenario]._replace(most_per_h=float(most)))
        assert found == pytest.approx(wanted, abs=1e-9), name
    assert psds_scores(recordings) == {name: psds(recordings, scenario) for name, scenario in SCENARIOS.items()}


def test_scores_that_part_events_from_the_rest_reach_1_and_equal_scores_0():
    both = events((1, 3, "a"), (4, 5, "a"), (2, 4, "b"))
    right = [0.2, 0.9, 0.8, 0.3, 0.7, 0.1], [0.1, 0.2, 0.6, 0.6, 0.3, 0.5]
    assert figures(scored(both, *right)) == {"psds1": 1.0, "psds2": 1.0}
    quiet = scored(events((1, 2, "a"), (1, 2, "b")), *np.zeros((2, 40)))
    assert figures(quiet) == {"psds1": 0.0, "psds2": 0.0}


def test_a_class_without_events_is_left_out_and_nothing_annotated_is_undefined():
    only_a = events((1, 3, "a"))
    assert figures(scored(only_a, [0.1, 0.9, 0.9, 0.2], [0.9, 0.1, 0.8, 0.2])) == {"psds1": 1.0, "psds2": 1.0}
    assert all(map(math.isnan, figures(scored(events(), [0.1, 0.9], [0.9, 0.1])).values()))
    assert all(map(math.isnan, psds_scores([]).values()))


def test_false_positives_count_per_hour_and_what_is_confused_costs_more():
    """In 3600 s the event is found only at thresholds that also find one, two, ... stretches of nothing, or of the other."""
    n, most = 3600, SCENARIOS["psds2"].most_per_h
    score = np.zeros(n)
    score[100:110] = 0.5
    for place in range(40):  # of which the first ten lie in events of b
        score[1000 + 10 * place : 1005 + 10 * place] = 0.9
    reference = events((100, 110, "a"), *((1000 + 10 * place, 1005 + 10 * place, "b") for place in range(10)))
    of_b = np.zeros(n)
    for place in range(10):
        of_b[1000 + 10 * place : 1005 + 10 * place] = 1
    recording = scored(reference, score, of_b)
    found = figures(recording)
    per_h = 40 / 1  # false positives of a
    crossing = 0.5 * 10 / (50 / 3600)  # half of 10 in 50 s of b
    assert found["psds1"] == pytest.approx(1 - per_h / most)
    assert found["psds2"] == pytest.approx(0)  # the mean of 0 and 1 less their deviation, up to 400 per hour
    assert psds([tabulate_runs(recording, "ab")], SCENARIOS["psds2"]._replace(most_per_h=1000)) == pytest.approx(
        1 - (per_h + crossing) / 1000
    )


def test_what_is_ignored_counts_on_no_side():
    reference = events((1, 3, "a"), (6, 8, "a"))
    scores = [0.1, 0.9, 0.9, 0.1, 0.95, 0.95, 0.1, 0.1, 0.1, 0.1] + 30 * [0.0]
    heard = scored(reference, scores)
    assert figures(heard, labels="a")["psds1"] < 0.5
    ignored = heard._replace(ignored=events((4, 6, "a"), (6, 8, "a")))
    assert figures(ignored, labels="a") == {"psds1": 1.0, "psds2": 1.0}
    others = heard._replace(ignored=events((4, 6, "b"), (6, 8, "b")))
    assert figures(others, labels="a") == figures(heard, labels="a")


def test_smoothing_and_a_least_duration_are_those_of_the_events_that_are_found():
    reference = events((2, 6, "a"))
    scores = [0.1, 0.1, 0.8, 0.2, 0.8, 0.8, 0.1, 0.1, 0.9, 0.1, 0.1] + 30 * [0.0]
    plain, smooth, long = (scored(reference, scores, **given) for given in ({}, {"median_frames": 3}, {"min_duration_s": 2.0}))
    assert figures(plain, labels="a")["psds1"] < 0.5
    assert figures(smooth, labels="a")["psds1"] == 1
    assert figures(long, labels="a")["psds1"] == 1
