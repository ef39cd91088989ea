"""Test a model that labels frames: metrics of frames, of segments and of events, and the events themselves.

Comes in: a fitted model and the fold's data. Goes out: an `Evaluation`; its clips are recordings, and events.csv has what was
annotated in them and what was found.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.data.fold import FoldData, measured
from xval.data.frames import FrameExamples
from xval.measures import metrics
from xval.measures.events.frame_figures import (
    EVENT_FIGURES,
    event_figures,
    item_figures,
    recording_events,
    recording_runs,
    tabulate_events,
    tabulate_frames,
)
from xval.measures.events.metrics import RecordingEvents
from xval.measures.events.psds import Runs
from xval.measures.task import FRAME_CLASSIFICATION
from xval.measures.tasks.classification import class_metrics, confusion_matrix
from xval.models.losses import data_loss
from xval.settings import further_metrics
from xval.settings.schema import Settings
from xval.training.evaluation.clips import KEPT_SIDES, Evaluation, constant_answer, predict_sides

_Runs = Sequence[tuple[Runs, ...]]


def evaluate_frames(
    model: keras.Model,
    data: FoldData,
    settings: Settings,
    *,
    known: NDArray[np.float32] | None = None,
    of_training: Mapping[str, float] | None = None,
) -> Evaluation:
    """Predict the frames of the sides that are wanted and not known yet, and compute all metrics.

    Frames of weight 0 count nowhere. The metrics of segments and events stand beside those of frames. `chance` is what a model
    gets that ignores the audio and always answers with the share of each class among the training frames.

    Args:
        model: With its best weights.
        data: The fold.
        settings: The parameters of the instance.
        known: Its predictions of the validation examples, float32 (n_examples, n_frames, n_classes); None: they are computed.
        of_training: Figures of the training frames, as training followed them; None: they are predicted, too.

    Returns:
        The figures; a row per validation and test frame (item, clip, start_s, end_s, side, weight, target, predicted and the
        probability of each class; with several classes at once target_<name> in place of target and predicted); events.csv.

    Raises:
        DivergenceError: A prediction is NaN or infinite.
    """
    by_side = predict_sides(model, data, settings.batch_size, known=known, training=of_training is None)
    return evaluate_frame_predictions(by_side, data, settings, of_training)


def evaluate_frame_predictions(
    by_side: Mapping[str, NDArray[np.float32]],
    data: FoldData,
    settings: Settings,
    of_training: Mapping[str, float] | None = None,
) -> Evaluation:
    """Compute all metrics of the predictions of frames, as `evaluate_frames` does.

    Args:
        by_side: For each side float32 (n_examples, n_frames, n_classes), in the order of its sequences.
        data: The fold.
        settings: The parameters of the instance.
        of_training: Figures of the training frames, where they have no predictions.

    Raises:
        DivergenceError: A prediction is NaN or infinite.
    """
    sides = {side: examples for side, examples in data.sides.items() if isinstance(examples, FrameExamples)}
    joined = {side: sides[side].join(predictions) for side, predictions in by_side.items()}
    frames, frame_s = settings.frame_settings(), settings.frame_settings().frame_s(settings.sample_rate_hz)
    events = {
        side: recording_events(sides[side].recordings, joined[side], data.class_names, frames, frame_s) for side in by_side
    }
    runs = {side: recording_runs(events[side], joined[side], data.class_names, frames, frame_s) for side in by_side}
    further = further_metrics.load(FRAME_CLASSIFICATION.name, settings.metrics)

    def measure(side: str, predictions: NDArray[np.float32], found: Sequence[RecordingEvents], runs: _Runs) -> dict[str, float]:
        of_frames = measured(sides[side], predictions)
        return {
            "loss": data_loss(*of_frames, settings, data),
            **metrics.compute(FRAME_CLASSIFICATION.name, *of_frames, further),
            **event_figures(found, runs, data.class_names, frames),
        }

    training = sides["training"]
    shares = constant_answer(training.targets[training.weights > 0], len(data.class_names))
    constant = np.broadcast_to(shares, by_side["test"].shape)
    recordings = sides["test"].recordings
    shares_of_frames = sides["test"].join(constant)
    of_constant = recording_events(recordings, shares_of_frames, data.class_names, frames, frame_s)
    constant_runs = recording_runs(of_constant, shares_of_frames, data.class_names, frames, frame_s)
    found = {} if of_training is None else {"training": dict(of_training)}
    found |= {side: measure(side, by_side[side], events[side], runs[side]) for side in by_side}
    figures: dict[str, Any] = {
        "n_examples": {side: len(examples) for side, examples in sides.items()},
        "n_training_examples": len(data.training),
        "class_names": list(data.class_names),
        "metrics": found,
        "clip_metrics": {side: found[side] for side in KEPT_SIDES},
        "further_metrics": {name: each.higher_is_better for name, each in further.items()} | EVENT_FIGURES,
        "item_metrics": {
            "test": item_figures(recordings, joined["test"], events["test"], runs["test"], data.class_names, frames, further)
        },
        "chance": {"test": measure("test", constant, of_constant, constant_runs)},
    }
    test_targets, test_predictions = measured(sides["test"], by_side["test"])
    if settings.label_form == "multi_class":
        figures["class_metrics"] = {"test": class_metrics(test_targets, test_predictions, data.class_names)}
        figures["confusion_matrix"] = {"test": confusion_matrix(test_targets, test_predictions)}
    predictions = _tabulate_frames(sides, joined, data.class_names, frame_s)
    return Evaluation(figures, predictions, {"events.csv": _tabulate_events(sides, events)})


def _tabulate_frames(
    sides: Mapping[str, FrameExamples],
    joined: Mapping[str, Sequence[NDArray[np.float32]]],
    class_names: Sequence[str],
    frame_s: float,
) -> pd.DataFrame:
    """Return a row per frame of the kept sides."""
    tables = []
    for side in KEPT_SIDES:
        for recording, probabilities in zip(sides[side].recordings, joined[side], strict=True):
            table = tabulate_frames(recording, probabilities, class_names, frame_s)
            table.insert(list(table).index("weight"), "side", side)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _tabulate_events(sides: Mapping[str, FrameExamples], events: Mapping[str, Sequence[RecordingEvents]]) -> pd.DataFrame:
    """Return a row per event: item, clip, side, source (annotated, found), start_s, end_s, label."""
    tables = []
    for side in KEPT_SIDES:
        table = tabulate_events(sides[side].recordings, events[side])
        table.insert(list(table).index("source"), "side", side)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
