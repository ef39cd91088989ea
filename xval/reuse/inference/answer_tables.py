"""Predictions of a model as tables: a row for each clip, window, segment or frame, or the events of recordings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.annotations.annotation_settings import FrameSettings
from xval.data.clip_average import combine_examples
from xval.measures.events.finding import find_events
from xval.models.saved.description import ModelDescription
from xval.reuse.inference.batches import Answers
from xval.reuse.inference.request import Per
from xval.reuse.inference.sets import Sets
from xval.reuse.inference.sources import ClipToPredict, LeftOut

Thresholds = NDArray[np.float64]


def tabulate(
    source: ClipToPredict,
    answers: Answers,
    per: Per,
    description: ModelDescription,
    thresholds: Thresholds,
    sets: Sets | None = None,
) -> pd.DataFrame:
    """Return the rows of one source."""
    if description.frames is not None:
        return _tabulate_frames(source, answers, per, description, description.frames, thresholds)
    start_s, end_s, values = answers.inputs.start_s, answers.inputs.end_s, answers.values
    novelty = answers.novelty.mean(axis=0)
    if per == "file":
        start_s, end_s, novelty = start_s[:1], end_s[-1:], novelty.mean(keepdims=True)
        codes = np.zeros(values.shape[1], np.int64)
        values = np.stack([combine_examples(member_values, codes, description.clip_average) for member_values in values])
    columns = _columns(values.mean(axis=0), description, thresholds)
    if sets is not None:
        columns = sets.columns(values, description.class_names, novelty, is_silent=answers.inputs.is_silent) | columns
    return table_of(source, start_s, end_s, columns if np.isnan(novelty).all() else columns | {"novelty": novelty})


def _columns(values: NDArray[np.float32], description: ModelDescription, thresholds: Thresholds) -> dict[str, Any]:
    """Return the columns of predictions, from float32 (n_rows, n_outputs)."""
    names = description.class_names or description.target_names or tuple(map(str, range(values.shape[1])))
    return description.task.encode(None, values, names, thresholds)


def _tabulate_frames(
    source: ClipToPredict,
    answers: Answers,
    per: Per,
    description: ModelDescription,
    frames: FrameSettings,
    thresholds: Thresholds,
) -> pd.DataFrame:
    """Return the events of a recording, or its frames."""
    frame_s = frames.frame_s(description.feature_settings.sample_rate_hz)
    probabilities = answers.values.mean(axis=0)
    if per == "segment":
        starts_s = source.offset_s + np.arange(len(probabilities)) * frame_s
        return table_of(source, starts_s, starts_s + frame_s, _columns(probabilities, description, thresholds))
    events = find_events(
        probabilities,
        description.class_names,
        frame_s=frame_s,
        threshold=frames.event_threshold,
        median_frames=frames.event_median_frames,
        min_duration_s=frames.event_min_duration_s,
        form=frames.label_form,
    )
    events.insert(0, "path", source.name)
    first, stop = ((events[name] / frame_s).round().astype(int) for name in ("start_s", "end_s"))
    columns = map(description.class_names.index, events["label"])
    means = [probabilities[a:b, column].mean() for a, b, column in zip(first, stop, columns, strict=True)]
    events["probability"] = np.array(means, np.float32)
    events[["start_s", "end_s"]] += source.offset_s
    return events


def joined(
    tables: Sequence[pd.DataFrame], answers: Mapping[int, Answers], sources: Sequence[ClipToPredict], left_out: list[LeftOut]
) -> pd.DataFrame:
    """Return the tables of all predicted sources, given by number, as one table with notes in its ``attrs``."""
    nothing = pd.DataFrame(columns=["path", "start_s", "end_s"])
    table = pd.concat(
        [source_table for source_table in tables if len(source_table)] or tables[:1] or [nothing], ignore_index=True
    )
    table.attrs["left_out"] = left_out
    table.attrs["silent"] = [
        sources[number].name for number, source_answers in answers.items() if source_answers.inputs.is_silent
    ]
    table.attrs["cut"] = sum(source_answers.inputs.is_cut for source_answers in answers.values())
    return table


def table_of(source: ClipToPredict, start_s: NDArray[Any], end_s: NDArray[Any], columns: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of a source with their times."""
    return pd.DataFrame({"path": source.name, "start_s": start_s, "end_s": end_s, **columns})
