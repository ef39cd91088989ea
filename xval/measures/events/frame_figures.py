"""The events that a model finds in recordings, and the figures of frames, segments and events, without the model.

Comes in: recordings with their labels, and the probabilities of their frames. Goes out: annotated and found events side
by side; dicts of figures.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.annotations.labels import BACKGROUND
from preprocessing.annotations.settings import FrameSettings
from xval.data.frames import Recording
from xval.measures import metrics
from xval.measures.events.finding import find_events
from xval.measures.events.metrics import RecordingEvents, event_metrics, segment_metrics
from xval.measures.events.psds import Runs, ScoredRecording, psds_figures, tabulate_runs
from xval.measures.task import FRAME_CLASSIFICATION
from xval.measures.tasks.frame_classification import EVENT_METRICS, SCORE_METRICS

# The rates that error_rate is the sum of, and the means over classes of others, are left out: the workbook has to be read.
EVENT_FIGURES = {
    f"{unit}_{name}": EVENT_METRICS[f"{unit}_{name}"]
    for unit in ("event", "segment")
    for name in ("f1", "precision", "recall", "error_rate", "macro_f1")
} | SCORE_METRICS
"""The names of the figures of events and segments, and whether more of each is better."""


def recording_events(
    recordings: Sequence[Recording],
    probabilities: Sequence[NDArray[np.float32]],
    class_names: Sequence[str],
    settings: FrameSettings,
    frame_s: float,
) -> list[RecordingEvents]:
    """Return for each recording the annotated events, up to the end of its last frame, and the found ones.

    Args:
        recordings: With their labels.
        probabilities: Of each recording float32 (n_frames, n_classes).
        class_names: Of the columns; with one class per frame the first is the background.
        settings: How events are found.
        frame_s: Length of a frame.
    """
    return [
        RecordingEvents(
            reference=_until(recording.events, recording.n_frames * frame_s),
            estimated=find_events(
                of_recording,
                class_names,
                frame_s=frame_s,
                threshold=settings.event_threshold,
                median_frames=settings.event_median_frames,
                min_duration_s=settings.event_min_duration_s,
                form=settings.label_form,
            ),
            duration_s=recording.n_frames * frame_s,
            ignored=recording.disputed,
        )
        for recording, of_recording in zip(recordings, probabilities, strict=True)
    ]


def recording_runs(
    events: Sequence[RecordingEvents],
    probabilities: Sequence[NDArray[np.float32]],
    class_names: Sequence[str],
    settings: FrameSettings,
    frame_s: float,
) -> list[tuple[Runs, ...]]:
    """Return for each recording what any threshold finds of each label; arguments as of `recording_events`, and its answer."""
    labels = [name for name in class_names if name != BACKGROUND]
    columns = [list(class_names).index(name) for name in labels]
    smoothing = (settings.event_min_duration_s, settings.event_median_frames)
    return [
        tabulate_runs(ScoredRecording(each.reference, scores[:, columns], frame_s, each.ignored, *smoothing), labels)
        for each, scores in zip(events, probabilities, strict=True)
    ]


def event_figures(
    events: Sequence[RecordingEvents], runs: Sequence[tuple[Runs, ...]], class_names: Sequence[str], settings: FrameSettings
) -> dict[str, float]:
    """Return the metrics of segments, of events, and of events at all thresholds over some recordings."""
    labels = [name for name in class_names if name != BACKGROUND]
    found = segment_metrics(events, labels, segment_s=settings.segment_s) | event_metrics(events, labels) | psds_figures(runs)
    return {name: found[name] for name in EVENT_FIGURES}


def item_figures(
    recordings: Sequence[Recording],
    probabilities: Sequence[NDArray[np.float32]],
    events: Sequence[RecordingEvents],
    runs: Sequence[tuple[Runs, ...]],
    class_names: Sequence[str],
    settings: FrameSettings,
    further: Mapping[str, metrics.Metric] | None = None,
) -> dict[str, dict[str, float]]:
    """Return the metrics of the recordings of each item; of an item without a frame that counts, those of its events alone."""
    found = {}
    for item in sorted({recording.item for recording in recordings}):
        numbers = [number for number, recording in enumerate(recordings) if recording.item == item]
        counted = np.concatenate([recordings[number].weights > 0 for number in numbers])
        targets = np.concatenate([recordings[number].targets for number in numbers])[counted]
        predictions = np.concatenate([probabilities[number] for number in numbers])[counted]
        of_frames = metrics.compute(FRAME_CLASSIFICATION.name, targets, predictions, further) if len(targets) else {}
        both = [events[number] for number in numbers], [runs[number] for number in numbers]
        of_events = event_figures(*both, class_names, settings)
        found[item] = {"n_clips": len(numbers)} | of_frames | of_events
    return found


def tabulate_frames(
    recording: Recording, probabilities: NDArray[np.float32], class_names: Sequence[str], frame_s: float
) -> pd.DataFrame:
    """Return a row per frame of a recording.

    Args:
        recording: With its labels.
        probabilities: float32 (n_frames, n_classes).
        class_names: Of the columns.
        frame_s: Length of a frame.

    Returns:
        item, clip, start_s, end_s, weight, target, predicted (several classes at once: target_<name> in their place), and
        probability_<name>.
    """
    names = np.array(class_names, dtype=object)
    starts_s = np.arange(recording.n_frames) * frame_s
    columns: dict[str, Any] = {"item": recording.item, "clip": recording.clip, "start_s": starts_s}
    columns |= {"end_s": starts_s + frame_s, "weight": recording.weights}
    if recording.targets.ndim == 1:
        columns |= {"target": names[recording.targets], "predicted": names[probabilities.argmax(axis=1)]}
    else:
        columns |= {f"target_{name}": recording.targets[:, number] for number, name in enumerate(names)}
    return pd.DataFrame(columns | {f"probability_{name}": probabilities[:, number] for number, name in enumerate(names)})


def tabulate_events(recordings: Sequence[Recording], events: Sequence[RecordingEvents]) -> pd.DataFrame:
    """Return a row per event of some recordings, at least one: item, clip, source (annotated, found), start_s, end_s, label."""
    tables = [
        table[["start_s", "end_s", "label"]].assign(item=recording.item, clip=recording.clip, source=source)
        for recording, of_recording in zip(recordings, events, strict=True)
        for source, table in (("annotated", of_recording.reference), ("found", of_recording.estimated))
    ]
    return pd.concat(tables, ignore_index=True)[["item", "clip", "source", "start_s", "end_s", "label"]]


def _until(events: pd.DataFrame, end_s: float) -> pd.DataFrame:
    """Cut events at the end of the last frame; in the rest of the recording, shorter than a frame, none can be found."""
    kept = events[events["start_s"] < end_s]
    return kept.assign(end_s=kept["end_s"].clip(upper=end_s))
