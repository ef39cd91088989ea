"""The scores of segments and events over all test items of an instance: pooled, with intervals and chance.

Frames without weight, where annotators disagree, are ignored for all labels because the files do not name the label.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.annotations.labels import BACKGROUND
from xval.measures.events.metrics import Counts, RecordingEvents, count_events, count_segments
from xval.measures.events.psds import SCENARIOS, Runs, ScoredRecording, psds, tabulate_runs
from xval.measures.events.score_names import EVENT_METRICS, SCORE_METRICS
from xval.measures.metrics import Chance
from xval.measures.statistics.intervals import FEWEST_ITEMS, Bootstrap, left_out, score_interval, sum_left_out
from xval.results.item_scores import ItemScore, LeftOut, make_item_score
from xval.results.tested_examples import Frames, read_frames

_COLUMNS = ["start_s", "end_s", "label"]
_MOST_RUNS = 20_000_000  # times items: each is left out once for an interval; more would take minutes
_Both = tuple[Counts, Counts]
_Tables = dict[str, list[tuple[Runs, ...]]]  # of the recordings of each item


def measure_events(
    runs: Sequence[Sequence[Path]],
    class_names: Sequence[str],
    settings: FrameSettings,
    record_scores: Mapping[str, ItemScore],
    bootstrap: Bootstrap | None = None,
) -> dict[str, ItemScore]:
    """Return the scores of segments and events.

    Chance is the best of these predictions: no event; any one label all the time; if frames have several labels, all labels all
    the time.

    Args:
        runs: The folders of the finished folds, by training run as in `group_runs`; the counts of a run are added.
        class_names: Class names of the model, perhaps with `BACKGROUND`.
        settings: Settings of frames and events.
        record_scores: The scores of the records, with their means over items; only these are computed.
        bootstrap: As for `score_interval`; with a bootstrap, scores of all thresholds have no interval, because they are slow.
    """
    labels = [name for name in class_names if name != BACKGROUND]
    scored = [name for name in SCORE_METRICS if name in record_scores]
    read = [
        [recording for folder in folders for recording in _recordings(read_frames(folder, labels if scored else ()), labels)]
        for folders in runs
    ]
    recordings = [(item, events) for run_recordings in read for item, events, _ in run_recordings]
    items = sorted({item for item, _ in recordings})
    by_run = [
        [_count([events for name, events, _ in run_recordings if name == item], labels, settings) for item in items]
        for run_recordings in read
    ]
    by_item = [_add(counts) for counts in zip(*by_run, strict=True)]
    run_figures = [_figures(_add(counts)) for counts in by_run]
    pooled = _figures(_add(by_item))
    without = [
        [_figures(_add([counts[place] for place in range(len(items)) if place not in own])) for counts in by_run]
        for own in (left_out(len(items)) if len(items) >= FEWEST_ITEMS else ())
    ]
    weights = np.array([[_n_events(counts) for counts in by_item]], np.float64)
    answers = {"never an event": [], **{f"always '{label}'": [label] for label in labels}}
    if settings.label_form == "multi_label":
        answers["always all events"] = labels
    by_answer = {
        answer: _figures(_count([_answer(events, on) for _, events in recordings], labels, settings))
        for answer, on in answers.items()
    }

    item_scores = {}
    for name in (name for name in EVENT_METRICS if name in record_scores):

        def compute(drawn: NDArray[np.intp], name: str = name) -> float:
            return _figures(_add([by_item[number] for number in drawn]))[name]

        sign = 1 if EVENT_METRICS[name] else -1
        reached = {answer: sign * values[name] for answer, values in by_answer.items() if not math.isnan(values[name])}
        best = max(reached, key=reached.__getitem__, default=None)
        bounds = (0.0, math.inf) if name.endswith("_rate") else (0.0, 1.0)
        run_values = [scores[name] for scores in run_figures]
        interval = score_interval(len(items), compute, bounds=bounds, runs=run_values, weights=weights, bootstrap=bootstrap)
        chance = Chance(math.nan, "") if best is None else Chance(sign * reached[best], best)
        item_scores[name] = make_item_score(record_scores[name]["items"], pooled[name], "pooled", interval, chance)
        _keep_left_out(item_scores[name], run_values, [[of[name] for of in runs] for runs in without], weights)
    return item_scores | (_measure_scores(read, items, labels, settings, record_scores, weights, bootstrap) if scored else {})


def _measure_scores(
    read: Sequence[Sequence[tuple[str, RecordingEvents, pd.DataFrame]]],
    items: Sequence[str],
    labels: Sequence[str],
    settings: FrameSettings,
    record_scores: Mapping[str, ItemScore],
    weights: NDArray[np.float64],
    bootstrap: Bootstrap | None,
) -> dict[str, ItemScore]:
    """Return the scores of events at all thresholds; chance is the score of frames with equal probabilities."""
    by_training: list[_Tables] = [{item: [] for item in items} for _ in read]
    silent = []
    for number, item, events, rows in (
        (number, *recording) for number, run_recordings in enumerate(read) for recording in run_recordings
    ):
        scores = rows[[f"probability_{label}" for label in labels]].to_numpy(np.float32)
        frame_s = events.duration_s / len(rows)
        smoothing = (settings.event_min_duration_s, settings.event_median_frames)
        recording = ScoredRecording(events.reference, scores, frame_s, events.ignored, *smoothing)
        by_training[number][item].append(tabulate_runs(recording, labels))
        silent.append(tabulate_runs(recording._replace(scores=np.zeros_like(scores)), labels))
    n_runs = sum(
        len(label_runs.lengths_ns)
        for by_item in by_training
        for item_runs in by_item.values()
        for runs in item_runs
        for label_runs in runs
    )
    everyone = np.arange(len(items))
    item_scores = {}
    for name in (name for name in SCORE_METRICS if name in record_scores):

        def compute(drawn: NDArray[np.intp], name: str = name, of: Sequence[_Tables] = by_training) -> float:
            return psds([runs for by_item in of for number in drawn for runs in by_item[items[number]]], SCENARIOS[name])

        is_quick = not bootstrap and n_runs * len(items) <= _MOST_RUNS
        interval, by_run, without = None, [], []
        if is_quick:
            by_run = [compute(everyone, of=[by_item]) for by_item in by_training]
            interval = score_interval(
                len(items), compute, bounds=(0.0, 1.0), runs=by_run if len(by_run) > 1 else [], weights=weights
            )
            without = [
                [compute(np.delete(everyone, own), of=[by_item]) for by_item in by_training] for own in left_out(len(items))
            ]
        chance = Chance(psds(silent, SCENARIOS[name]), "the same score for all frames")
        item_scores[name] = make_item_score(record_scores[name]["items"], compute(everyone), "pooled", interval, chance)
        _keep_left_out(item_scores[name], by_run, without, weights)
    return item_scores


def _keep_left_out(score: ItemScore, run_scores: list[float], without: list[list[float]], weights: NDArray[np.float64]) -> None:
    """Store the score of each training run over all items and without each item in turn, if all of these are defined."""
    if len(without) >= FEWEST_ITEMS and np.isfinite(run_scores).all() and np.isfinite(without).all():
        score["left_out"] = LeftOut(figures=run_scores, without=without, weights=sum_left_out(weights).astype(int).tolist())


def _recordings(frames: Frames, labels: Sequence[str]) -> Iterable[tuple[str, RecordingEvents, pd.DataFrame]]:
    """Yield the item, the events and the frames of each recording."""
    for (item, clip), rows in frames.table.groupby(["item", "clip"], sort=True):
        own = frames.events[frames.events["clip"] == str(clip)]
        unknown = rows.loc[rows["weight"] == 0, ["start_s", "end_s"]]
        yield (
            str(item),
            RecordingEvents(
                reference=own.loc[own["source"] == "annotated", _COLUMNS],
                estimated=own.loc[own["source"] == "found", _COLUMNS],
                duration_s=float(rows["end_s"].max()),
                ignored=pd.concat([unknown.assign(label=label) for label in labels]) if len(unknown) else None,
            ),
            rows,
        )


def _answer(events: RecordingEvents, labels: Sequence[str]) -> RecordingEvents:
    """Return a recording in which some labels are predicted all the time."""
    rows = [(0.0, events.duration_s, label) for label in labels]
    return events._replace(estimated=pd.DataFrame(rows, columns=_COLUMNS))


def _count(recordings: Sequence[RecordingEvents], labels: Sequence[str], settings: FrameSettings) -> _Both:
    return count_segments(recordings, labels, segment_s=settings.segment_s), count_events(recordings, labels)


def _add(counts: Sequence[_Both]) -> _Both:
    segments, events = (
        Counts(kind_counts[0].labels, *(sum(getattr(item_counts, name) for item_counts in kind_counts) for name in _SUMMED))
        for kind_counts in zip(*counts, strict=True)
    )
    return segments, events


def _n_events(counts: _Both) -> int:
    """Return the number of annotated and predicted events together, at least 1."""
    return max(1, int(counts[1].n_reference.sum() + counts[1].n_estimated.sum()))


_SUMMED = ("n_reference", "n_estimated", "n_correct", "n_substitutions", "n_deletions", "n_insertions")


def _figures(counts: _Both) -> dict[str, float]:
    return counts[0].scores("segment") | counts[1].scores("event")
