"""PSDS, the polyphonic sound detection score: from 0 to 1, over all thresholds of the scores of frames.

Defined by Bilen et al. (A Framework for the Robust Evaluation of Sound Event Detection, ICASSP 2020). Every threshold that
changes a decision is used, as by Ebbers, Haeb-Umbach and Serizel (Threshold Independent Evaluation of Sound Event Detection
Scores, ICASSP 2022). Tested against sed_scores_eval 0.0.4. It differs in one point: a class without annotated events is skipped
here, where the score is undefined there.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.annotations import intervals
from preprocessing.annotations.intervals import NS_PER_S, Intervals
from xval.measures.events.metrics import label_intervals

_Numbers = NDArray[np.float64]
_Counts = NDArray[np.int64]
_NS_PER_H = 3600 * NS_PER_S


class Scenario(NamedTuple):
    """The conditions for a detected event, and the costs of errors.

    Attributes:
        detection: Smallest share of a detection that is in annotated events of its class (DTC).
        annotated: Smallest share of an annotated event that is in such detections (GTC).
        crossing: Smallest share of a wrong detection that is in annotated events of another class (CTTC).
        crossing_cost: Additional cost of a confusion with another class (alpha_CT).
        spread_cost: Number of standard deviations over classes to subtract from the mean over classes (alpha_ST).
        most_per_h: Effective false positives per hour up to which the curve counts (e_max).
    """

    detection: float
    annotated: float
    crossing: float
    crossing_cost: float
    spread_cost: float
    most_per_h: float


SCENARIOS = {
    "psds1": Scenario(0.7, 0.7, 0.3, 0.0, 1.0, 100.0),
    "psds2": Scenario(0.1, 0.1, 0.3, 0.5, 1.0, 100.0),
}
"""The scenarios of DCASE, task 4, since 2021: 1 rewards exact times, 2 rewards not confusing classes."""


class ScoredRecording(NamedTuple):
    """A recording with the scores of its frames.

    Attributes:
        reference: The annotated events: start_s, end_s, label.
        scores: float (n_frames, n_labels), of consecutive frames from the beginning; higher is more confident.
        ignored: Segments that do not count for a label: start_s, end_s, label; None: there are none.
        min_duration_s: Shorter events are not detected.
        median_frames: Odd length of the median filter over the scores of each label, as over active frames in `find_events`.
    """

    reference: pd.DataFrame
    scores: NDArray[np.floating]
    frame_s: float
    ignored: pd.DataFrame | None = None
    min_duration_s: float = 0.0
    median_frames: int = 1


class Runs(NamedTuple):
    """All detections of a class in a recording at any threshold, and the annotated events that they overlap.

    Attributes:
        highest: float64 (n_runs,), the highest threshold at which a run is found.
        lowest: float64 (n_runs,), the lower limit of these thresholds, not included.
        lengths_ns: int64 (n_runs,), lengths of the runs.
        covered_in_run_ns: int64 (n_labels, n_runs), the length of each run that is in annotated events of each label.
        events_ns: int64 (n_events,): lengths of the annotated events of the class.
        pairs: int64 (n_pairs, 3): number of the event, number of the run, ns that they share.
        label_ns: int64 (n_labels,): length of all annotated events of each label.
    """

    highest: _Numbers
    lowest: _Numbers
    lengths_ns: _Counts
    covered_in_run_ns: _Counts
    events_ns: _Counts
    pairs: _Counts
    label_ns: _Counts
    duration_ns: int


def tabulate_runs(recording: ScoredRecording, labels: Sequence[str]) -> tuple[Runs, ...]:
    """Return the runs of each label, at most as many as frames; `labels` names the columns of the scores."""
    edges = np.rint(np.arange(len(recording.scores) + 1) * recording.frame_s * NS_PER_S).astype(np.int64)
    events = [label_intervals(recording.reference, label) for label in labels]
    covered_ns = np.array([_until(events_of_label, edges) for events_of_label in events]).reshape(len(labels), len(edges))
    if recording.median_frames > 1 and len(recording.scores):
        from scipy.ndimage import median_filter

        size = (recording.median_frames, 1)
        recording = recording._replace(scores=median_filter(recording.scores, size=size, mode="nearest"))
    return tuple(_tabulate(recording, number, label, events, covered_ns, edges) for number, label in enumerate(labels))


def psds_scores(recordings: Sequence[tuple[Runs, ...]]) -> dict[str, float]:
    """Return the PSDS of each of `SCENARIOS` from the runs of `tabulate_runs`, 0 to 1; NaN without an annotated event."""
    return {name: psds(recordings, scenario) for name, scenario in SCENARIOS.items()}


def psds(recordings: Sequence[tuple[Runs, ...]], scenario: Scenario) -> float:
    """Return the PSDS of one scenario, 0 to 1; NaN without an annotated event."""
    curves = [
        curve for class_recordings in zip(*recordings, strict=True) if (curve := _curve(class_recordings, scenario)) is not None
    ]
    if not curves:
        return math.nan
    steps = np.concatenate([costs for costs, _ in curves])
    steps = np.unique(np.concatenate([steps[steps < scenario.most_per_h], [0.0, scenario.most_per_h]]))
    reached = np.array([np.append(0.0, best)[np.searchsorted(costs, steps[:-1], side="right")] for costs, best in curves])
    effective = np.maximum(reached.mean(axis=0) - scenario.spread_cost * reached.std(axis=0), 0)
    return float(effective @ np.diff(steps) / scenario.most_per_h)


def _tabulate(
    recording: ScoredRecording, number: int, label: str, events: Sequence[Intervals], covered_ns: _Counts, edges: _Counts
) -> Runs:
    """Return the runs of a label; `covered_ns`, int64 (n_labels, n_frames + 1), excludes time that is ignored for it."""
    first, stop, highest, lowest = _find_runs(recording.scores[:, number])
    ignored = label_intervals(recording.ignored, label)
    counted = edges
    parts = [event[np.newaxis] for event in events[number]]
    if len(ignored):
        counted = _until(intervals.subtract(edges[np.newaxis, [0, -1]], ignored), edges)
        covered_ns = np.array([_until(intervals.subtract(events_of_label, ignored), edges) for events_of_label in events])
        parts = [part for event in parts if len(part := intervals.subtract(event, ignored))]
    lengths = counted[stop] - counted[first]
    kept = (lengths > 0) & (edges[stop] - edges[first] >= recording.min_duration_s * NS_PER_S)
    pairs = [np.empty((0, 3), np.int64)]
    for event, part in enumerate(parts):
        event_until = _until(part, edges)
        shared_ns = event_until[stop] - event_until[first]
        runs = np.flatnonzero((shared_ns > 0) & kept)
        pairs.append(np.column_stack([np.full_like(runs, event), runs, shared_ns[runs]]))
    return Runs(
        highest,
        np.where(kept, lowest, highest),  # found by no threshold
        lengths,
        covered_ns[:, stop] - covered_ns[:, first],
        np.array([intervals.total(part) for part in parts], np.int64),
        np.concatenate(pairs),
        covered_ns[:, -1],
        int(counted[-1]),
    )


def _until(events: Intervals, edges: _Counts) -> _Counts:
    """Return the total length of the events before each edge: int64 (n_frames + 1,), ns."""
    return np.append(0, np.cumsum(intervals.covered(events, edges)))


def _find_runs(scores: NDArray[np.floating]) -> tuple[_Counts, _Counts, _Numbers, _Numbers]:
    """Return first frame, end, lowest score, and higher score of the neighbours of each run that some threshold finds."""
    open_runs: list[tuple[int, float]] = []
    rows: list[tuple[int, int, float, float]] = []
    for place, score in enumerate([*scores.tolist(), -math.inf]):
        first = place
        while open_runs and open_runs[-1][1] > score:
            first, highest = open_runs.pop()
            rows.append((first, place, highest, max(score, open_runs[-1][1] if open_runs else -math.inf)))
        if not open_runs or open_runs[-1][1] < score:
            open_runs.append((first, score))
    columns = np.array(rows, np.float64).reshape(-1, 4).T
    return columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2], columns[3]


def _curve(recordings: Sequence[Runs], scenario: Scenario) -> tuple[_Numbers, _Numbers] | None:
    """Return increasing effective false positives per hour, and the highest share of found events up to each.

    None: no events.
    """
    n_events = sum(len(runs.events_ns) for runs in recordings)
    if not n_events:
        return None
    duration_h = sum(runs.duration_ns for runs in recordings) / _NS_PER_H
    label_h = np.sum([runs.label_ns for runs in recordings], axis=0) / _NS_PER_H
    others = max(1, int(np.count_nonzero(label_h)) - 1)
    prices = np.divide(scenario.crossing_cost / others, label_h, out=np.zeros_like(label_h), where=label_h > 0)
    tables = [_steps(runs, scenario, 1 / duration_h, prices) for runs in recordings]
    levels, costs, n_found = (np.concatenate(parts) for parts in zip(*tables, strict=True))
    order = np.argsort(-levels, kind="stable")
    levels, costs, n_found = levels[order], np.cumsum(costs[order]), np.cumsum(n_found[order])
    last = np.append(levels[1:] != levels[:-1], True) & np.isfinite(levels)
    costs, detected_shares = np.maximum(costs[last], 0), n_found[last] / n_events
    order = np.lexsort((-detected_shares, costs))
    return costs[order], np.maximum.accumulate(detected_shares[order])


def _steps(runs: Runs, scenario: Scenario, price: float, prices: _Numbers) -> tuple[_Numbers, _Numbers, _Numbers]:
    """Return the thresholds, from high to low, at which cost and number of found events change, and the changes."""
    own = runs.pairs  # of the class itself
    common = np.bincount(own[:, 1], own[:, 2], minlength=len(runs.highest))
    is_right = common >= scenario.detection * runs.lengths_ns
    crosses = runs.covered_in_run_ns >= scenario.crossing * np.maximum(runs.lengths_ns, 1)
    cost = np.where(is_right, 0.0, price + prices @ crosses)
    event, run, shared = own[is_right[own[:, 1]]].T
    events, levels = np.tile(event, 2), np.concatenate([runs.highest[run], runs.lowest[run]])
    order = np.lexsort((-levels, events))
    events, levels = events[order], levels[order]
    covered_ns = np.cumsum(np.concatenate([shared, -shared])[order])  # of each event in turn; at its end nothing is left
    last = np.append((events[1:] != events[:-1]) | (levels[1:] != levels[:-1]), True)[: len(events)]
    events, levels, covered_ns = events[last], levels[last], covered_ns[last]
    is_found = (covered_ns > 0) & (covered_ns >= scenario.annotated * runs.events_ns[events])
    before = np.append(False, is_found[:-1] & (events[1:] == events[:-1]))[: len(events)]
    changes = is_found.astype(np.float64) - before
    none = np.zeros(len(cost))
    return (
        np.concatenate([runs.highest, runs.lowest, levels]),
        np.concatenate([cost, -cost, np.zeros(len(levels))]),
        np.concatenate([none, none, changes]),
    )
