"""`AnsweredRecordings`: predicted frames and events of recordings next to the annotated ones; no model is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.annotations.labels import BACKGROUND
from xval.data.clip_average import Averaging
from xval.data.frames import Recording
from xval.measures.events.finding import find_events
from xval.measures.events.metrics import RecordingEvents, count_events, count_segments
from xval.measures.events.psds import Runs, ScoredRecording, psds_scores, tabulate_runs
from xval.measures.events.score_names import EVENT_FIGURES
from xval.measures.forms import ScoreOptions

_Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class AnsweredRecordings:
    """Targets and predictions of frames, the counterpart of `Answered` whose clips are recordings.

    Attributes:
        recordings: The recordings with their labels.
        probabilities: float32 (n_frames, n_classes) for each recording.
        events: For each recording the annotated events, up to the end of its last frame, and the found ones.
        runs: For each recording the detections of each label at any threshold.
        labels: The classes of events.
        settings: How events are found.
    """

    recordings: Sequence[Recording]
    probabilities: Sequence[_Numbers]
    events: Sequence[RecordingEvents]
    runs: Sequence[tuple[Runs, ...]]
    labels: Sequence[str]
    settings: FrameSettings
    frame_s: float

    def __len__(self) -> int:
        """Return the number of recordings."""
        return len(self.recordings)

    @property
    def n_clips(self) -> int:
        """The number of recordings."""
        return len(self)

    @property
    def targets(self) -> NDArray[Any]:
        """The targets of all frames: int64 (n_frames,) class numbers, or float32 (n_frames, n_classes)."""
        return np.concatenate([recording.targets for recording in self.recordings])

    @property
    def predictions(self) -> _Numbers:
        """The predictions of all frames: float32 (n_frames, n_classes)."""
        return np.concatenate(self.probabilities)

    @property
    def weights(self) -> _Numbers:
        """The weights of all frames: float32 (n_frames,), 0 for a frame that does not count."""
        return np.concatenate([recording.weights for recording in self.recordings])

    @property
    def rows(self) -> pd.DataFrame:
        """A row per frame: item, clip, start_s, end_s, weight."""
        counts = [recording.n_frames for recording in self.recordings]
        items, clips = (
            np.repeat([getattr(labelled, name) for labelled in self.recordings], counts) for name in ("item", "clip")
        )
        starts_s = np.concatenate([np.arange(count) for count in counts]) * self.frame_s
        times = {"start_s": starts_s, "end_s": starts_s + self.frame_s, "weight": self.weights}
        return pd.DataFrame({"item": items, "clip": clips, **times})

    def counted(self) -> tuple[NDArray[Any], _Numbers]:
        """Return the targets and predictions of the frames that have a weight."""
        has_weight = self.weights > 0
        return self.targets[has_weight], self.predictions[has_weight]

    def counted_items(self) -> NDArray[Any]:
        """Return the names of the items of these frames, str (n,)."""
        counts = [int((recording.weights > 0).sum()) for recording in self.recordings]
        return np.repeat([recording.item for recording in self.recordings], counts)

    def by_clip(self, averaging: Averaging) -> "AnsweredRecordings":  # noqa: ARG002 - as of `Answered`
        """Return the frames themselves."""
        return self

    def by_item(self) -> "Iterator[tuple[str, AnsweredRecordings]]":
        """Yield each item, sorted by name, with its recordings."""
        for item in sorted({recording.item for recording in self.recordings}):
            numbers = [number for number, recording in enumerate(self.recordings) if recording.item == item]
            yield (
                item,
                replace(
                    self,
                    recordings=[self.recordings[number] for number in numbers],
                    probabilities=[self.probabilities[number] for number in numbers],
                    events=[self.events[number] for number in numbers],
                    runs=[self.runs[number] for number in numbers],
                ),
            )

    def event_figures(self) -> dict[str, float]:
        """Return the metrics of segments, of events, and of events at all thresholds."""
        scores = count_segments(self.events, self.labels, segment_s=self.settings.segment_s).scores("segment")
        scores |= count_events(self.events, self.labels).scores("event") | psds_scores(self.runs)
        return {name: scores[name] for name in EVENT_FIGURES}

    def class_events(self) -> dict[str, dict[str, Any]]:
        """Return the counts and scores of the events of each label."""
        return count_events(self.events, self.labels).by_class()

    def event_counts(self) -> NDArray[np.int64]:
        """Return the number of correct events, and of annotated and found ones together: int64 (n_items, 2), items by name."""
        counts = [count_events(own.events, self.labels) for _, own in self.by_item()]
        return np.array(
            [
                [int(item_counts.n_correct.sum()), int(item_counts.n_reference.sum() + item_counts.n_estimated.sum())]
                for item_counts in counts
            ],
            np.int64,
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return a row per event: item, clip, source (annotated, found), start_s, end_s, label."""
        tables = [
            table[["start_s", "end_s", "label"]].assign(item=recording.item, clip=recording.clip, source=source)
            for recording, recording_events in zip(self.recordings, self.events, strict=True)
            for source, table in (("annotated", recording_events.reference), ("found", recording_events.estimated))
        ]
        return {"events.csv": pd.concat(tables, ignore_index=True)[["item", "clip", "source", "start_s", "end_s", "label"]]}


def answer_recordings(
    recordings: Sequence[Recording], probabilities: Sequence[_Numbers], options: ScoreOptions
) -> AnsweredRecordings:
    """Find events in recordings.

    Args:
        recordings: Recordings with the labels of their frames.
        probabilities: float32 (n_frames, n_classes) for each recording.
        options: Has the classes, the settings for finding events and the length of a frame.
    """
    class_names, settings, frame_s = options.class_names, options.frames, options.frame_s
    if settings is None:
        raise ValueError("events need the settings of frames")
    events = [
        RecordingEvents(
            reference=_until(recording.events, recording.n_frames * frame_s),
            estimated=find_events(
                recording_probabilities,
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
        for recording, recording_probabilities in zip(recordings, probabilities, strict=True)
    ]
    labels = [name for name in class_names if name != BACKGROUND]
    columns = [list(class_names).index(name) for name in labels]
    smoothing = (settings.event_min_duration_s, settings.event_median_frames)
    runs = [
        tabulate_runs(
            ScoredRecording(
                events_of_recording.reference, scores[:, columns], frame_s, events_of_recording.ignored, *smoothing
            ),
            labels,
        )
        for events_of_recording, scores in zip(events, probabilities, strict=True)
    ]
    return AnsweredRecordings(recordings, probabilities, events, runs, labels, settings, frame_s)


def _until(events: pd.DataFrame, end_s: float) -> pd.DataFrame:
    """Cut events at the end of the last frame, because no event can be found in the incomplete frame after it."""
    kept = events[events["start_s"] < end_s]
    return kept.assign(end_s=kept["end_s"].clip(upper=end_s))
