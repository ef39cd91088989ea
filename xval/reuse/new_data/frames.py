"""The figures of a model that labels frames, on recordings with annotated events.

Comes in: recordings, and the probabilities of their frames. Goes out: `Figures` of frames, segments and events.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.annotations import intervals
from preprocessing.annotations.labels import BACKGROUND, COLUMNS, POLICIES, Resolved, frame_labels, resolve_recordings
from preprocessing.annotations.settings import FrameSettings
from xval.base.errors import CorpusError, SettingsError
from xval.data.frames import Recording
from xval.measures import metrics
from xval.measures.events.frame_figures import (
    event_figures,
    item_figures,
    recording_events,
    recording_runs,
    tabulate_events,
    tabulate_frames,
)
from xval.measures.events.metrics import RecordingEvents, count_events
from xval.measures.statistics.intervals import Interval, figure_interval
from xval.measures.task import FRAME_CLASSIFICATION
from xval.measures.tasks.classification import class_metrics, confusion_matrix
from xval.reuse.new_data.calibration import measure_calibration
from xval.reuse.new_data.figures import Figures, metric_intervals
from xval.reuse.new_data.labelled_clips import LabelledClips
from xval.reuse.new_data.labels import MatchedLabels, match_labels


class AnnotatedRecordings(NamedTuple):
    """The annotated events of recordings.

    Attributes:
        known: By clip, the events whose labels the model knows, and the disputed stretches.
        unknown: By clip, the other events: start_s, end_s, label.
        labels: The labels of all annotated events.
    """

    known: dict[str, Resolved]
    unknown: dict[str, pd.DataFrame]
    labels: MatchedLabels


def read_annotations(
    clips: LabelledClips, class_names: Sequence[str], policy: str, renames: Mapping[str, str]
) -> AnnotatedRecordings:
    """Combine the annotations of each recording.

    Args:
        clips: Recordings with annotations.
        class_names: Of the model.
        policy: See `preprocessing.annotations.labels.resolve`.
        renames: From labels of the data to classes of the model.

    Returns:
        The events, without recordings that the policy's annotator has not annotated.

    Raises:
        SettingsError: The policy is unknown, or a renamed label does not occur.
        CorpusError: No event has a label that the model knows.
    """
    if clips.annotations is None:
        raise CorpusError(f"{clips.name}: has no annotated events.")
    annotations = clips.annotations[clips.annotations["clip"].isin(clips.table["clip"])].rename(columns={"clip": "path"})
    events = annotations.loc[annotations["start_s"].notna(), "label"]
    matched = match_labels(events[events != BACKGROUND].tolist(), class_names, renames)
    try:
        resolved = resolve_recordings(annotations.assign(label=annotations["label"].replace(dict(renames))), policy)
    except SettingsError as error:
        raise SettingsError(f"{error} Give one of {', '.join(POLICIES)}, or an annotator, with --annotation-policy.") from error
    named = [name for name in class_names if name != BACKGROUND]
    known, unknown = {}, {}
    for clip, (heard, disputed) in resolved.items():
        known[clip] = Resolved(heard[heard["label"].isin(named)], disputed[disputed["label"].isin(named)])
        unknown[clip] = heard[~heard["label"].isin([*named, BACKGROUND])]
    lacking = tuple(name for name in matched.lacking if name != BACKGROUND)
    return AnnotatedRecordings(known, unknown, matched._replace(lacking=lacking))


def label_frames(
    item: str,
    clip: str,
    annotated: AnnotatedRecordings,
    n_frames: int,
    class_names: Sequence[str],
    settings: FrameSettings,
    sample_rate_hz: int,
) -> Recording:
    """Return a recording with the labels of its frames.

    With one class per frame, a frame that overlaps an event of an unknown label has no class of the model: the frame and what
    is found there do not count. With any number of labels per frame, such an event changes nothing.
    """
    events, disputed = annotated.known[clip]
    size = settings.frame_samples(sample_rate_hz)
    labels = frame_labels(
        events, disputed, class_names, n_frames=n_frames, frame_samples=size, sample_rate_hz=sample_rate_hz,
        overlap=settings.frame_overlap, form=settings.label_form,
    )  # fmt: skip
    weights, unknown = labels.weights, annotated.unknown[clip]
    if settings.label_form == "multi_class" and len(unknown):
        edges = np.arange(n_frames + 1, dtype=np.int64) * size
        stretches = intervals.union(intervals.from_seconds(unknown["start_s"], unknown["end_s"], sample_rate_hz))
        weights = np.where(intervals.covered(stretches, edges) > 0, np.float32(0), weights)
        rows = [unknown.assign(label=name)[list(COLUMNS)] for name in class_names if name != BACKGROUND]
        disputed = pd.concat([*([disputed] if len(disputed) else []), *rows], ignore_index=True)
    return Recording(item, clip, 0, labels.targets, weights, events, disputed)


def measure_frames(
    recordings: Sequence[Recording],
    probabilities: Sequence[NDArray[np.float32]],
    class_names: Sequence[str],
    settings: FrameSettings,
    sample_rate_hz: int,
) -> Figures:
    """Compute all figures of recordings, at least one.

    Args:
        recordings: With the labels of their frames.
        probabilities: Of each recording float32 (n_frames, n_classes).
        class_names: Of the model.
        settings: Of its frames and events.
        sample_rate_hz: Of its features.

    Raises:
        CorpusError: No frame counts.
        DivergenceError: A prediction is NaN or infinite.
    """
    counted = [recording.weights > 0 for recording in recordings]
    targets = np.concatenate([each.targets[kept] for each, kept in zip(recordings, counted, strict=True)])
    predictions = np.concatenate([each[kept] for each, kept in zip(probabilities, counted, strict=True)])
    if not len(targets):
        raise CorpusError("No frame counts: in all of them annotators disagree, or an event has a label that is unknown.")
    frame_figures = metrics.compute(FRAME_CLASSIFICATION.name, targets, predictions)
    frame_s = settings.frame_s(sample_rate_hz)
    events = recording_events(recordings, probabilities, class_names, settings, frame_s)
    runs = recording_runs(events, probabilities, class_names, settings, frame_s)
    labels = [name for name in class_names if name != BACKGROUND]
    by_class = count_events(events, labels).by_class()
    rows = {name: {f"event_{key}": value for key, value in of_class.items()} for name, of_class in by_class.items()}
    is_one_class = settings.label_form == "multi_class"
    if is_one_class:
        of_frames = class_metrics(targets, predictions, class_names)
        rows = {
            name: {"precision": of["precision"], "recall": of["recall"], "f1": of["f1"], "n_frames": of["n_clips"]}
            | rows.get(name, {})
            for name, of in of_frames.items()
        }
    tables = [tabulate_frames(*each, class_names, frame_s) for each in zip(recordings, probabilities, strict=True)]
    items = np.repeat([each.item for each in recordings], [int(kept.sum()) for kept in counted])
    rows_of = [np.flatnonzero(items == item) for item in np.unique(items)]
    frame_intervals = metric_intervals(FRAME_CLASSIFICATION, frame_figures, rows_of, targets, predictions)
    interval = _event_interval([recording.item for recording in recordings], events, labels)
    return Figures(
        unit=FRAME_CLASSIFICATION.unit,
        metrics=frame_figures | event_figures(events, runs, class_names, settings),
        intervals=frame_intervals | ({} if interval is None else {"event_f1": interval}),
        item_metrics=item_figures(recordings, probabilities, events, runs, class_names, settings),
        predictions=pd.concat(tables, ignore_index=True),
        class_metrics=pd.DataFrame.from_dict(rows, orient="index").rename_axis("class"),
        confusion_matrix=confusion_matrix(targets, predictions) if is_one_class else None,
        calibration=measure_calibration(targets, predictions) if is_one_class else None,
        events=tabulate_events(recordings, events),
    )


def _event_interval(items: Sequence[str], events: Sequence[RecordingEvents], labels: Sequence[str]) -> Interval | None:
    """Return the interval of the F1 score of events, over items."""
    counts = []
    for item in sorted(set(items)):
        of_item = count_events([each for each, name in zip(events, items, strict=True) if name == item], labels)
        counts.append([int(of_item.n_correct.sum()), int(of_item.n_reference.sum() + of_item.n_estimated.sum())])
    by_item = np.array(counts)

    def f1(numbers: NDArray[np.intp]) -> float:
        n_correct, n_both = by_item[numbers].sum(axis=0)
        return 2 * n_correct / n_both if n_both else float("nan")

    return figure_interval(len(by_item), f1)
