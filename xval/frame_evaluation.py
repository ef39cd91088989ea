"""Test a model that labels frames: metrics of frames, of segments and of events, and the events themselves.

Comes in: a fitted model and the fold's data. Goes out: an `Evaluation`; its clips are recordings, and events.csv has what was
annotated in them and what was found. Next: job.py writes them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval import further_metrics, metrics
from xval.evaluation import KEPT_SIDES, Evaluation, data_loss
from xval.event_metrics import METRICS as EVENT_METRICS
from xval.event_metrics import Recording as RecordingEvents
from xval.event_metrics import event_metrics, segment_metrics
from xval.events import find_events
from xval.fold_data import FoldData
from xval.frame_examples import BACKGROUND, FrameExamples, frame_samples
from xval.training import measured, predict

if TYPE_CHECKING:
    import pandas as pd

# The rates that error_rate is the sum of, and the means over classes of others, are left out: the workbook has to be read.
_EVENT_METRICS = {
    f"{unit}_{name}": EVENT_METRICS[f"{unit}_{name}"]
    for unit in ("event", "segment")
    for name in ("f1", "precision", "recall", "error_rate", "macro_f1")
}


def evaluate_frames(model: keras.Model, data: FoldData, settings: Mapping[str, Any]) -> Evaluation:
    """Predict the frames of every side and compute all metrics.

    Frames of weight 0 count nowhere. The metrics of segments and events stand beside those of frames. `chance` is what a model
    gets that ignores the audio and always answers with the share of each class among the training frames.

    Args:
        model: With its best weights.
        data: The fold.
        settings: The parameters of the instance.

    Returns:
        The figures; a row per validation and test frame (item, clip, start_s, end_s, side, weight, target, predicted and the
        probability of each class; with several classes at once target_<name> in place of target and predicted); events.csv.

    Raises:
        DivergenceError: A prediction is NaN or infinite.
    """
    sides = {side: examples for side, examples in data.sides.items() if isinstance(examples, FrameExamples)}
    by_side = {side: predict(model, examples, settings["batch_size"]) for side, examples in sides.items()}
    joined = {side: sides[side].join(predictions) for side, predictions in by_side.items()}
    events = {side: _find_events(sides[side], joined[side], data.class_names, settings) for side in sides}
    further = further_metrics.load("frame_classification", settings["metrics"])

    def measure(side: str, predictions: NDArray[np.float32], found: Sequence[RecordingEvents]) -> dict[str, float]:
        of_frames = measured(sides[side], predictions)
        return {
            "loss": data_loss(*of_frames, settings, len(data.class_names)),
            **metrics.compute("frame_classification", *of_frames, further),
            **_event_figures(found, data.class_names, settings),
        }

    shares = _class_shares(measured(sides["training"], by_side["training"])[0], len(data.class_names))
    constant = np.broadcast_to(shares, by_side["test"].shape)
    of_constant = _find_events(sides["test"], sides["test"].join(constant), data.class_names, settings)
    found = {side: measure(side, by_side[side], events[side]) for side in sides}
    figures: dict[str, Any] = {
        "n_examples": {side: len(examples) for side, examples in sides.items()},
        "n_training_examples": len(data.training),
        "class_names": list(data.class_names),
        "metrics": found,
        "clip_metrics": {side: found[side] for side in KEPT_SIDES},
        "further_metrics": {name: each.higher_is_better for name, each in further.items()} | _EVENT_METRICS,
        "item_metrics": {
            "test": _item_metrics(sides["test"], joined["test"], events["test"], data.class_names, settings, further)
        },
        "chance": {"test": measure("test", constant, of_constant)},
    }
    test_targets, test_predictions = measured(sides["test"], by_side["test"])
    if settings["label_form"] == "multi_class":
        figures["class_metrics"] = {"test": metrics.class_metrics(test_targets, test_predictions, data.class_names)}
        figures["confusion_matrix"] = {"test": metrics.confusion_matrix(test_targets, test_predictions)}
    predictions = _tabulate_frames(sides, joined, data.class_names, settings)
    return Evaluation(figures, predictions, {"events.csv": _tabulate_events(sides, events)})


def _find_events(
    examples: FrameExamples, joined: Sequence[NDArray[np.float32]], class_names: Sequence[str], settings: Mapping[str, Any]
) -> list[RecordingEvents]:
    """Return for each recording what was annotated, as far as there are frames to find it in, and what is found."""
    frame_s = frame_samples(settings) / settings["sample_rate_hz"]
    return [
        RecordingEvents(
            reference=_until(recording.events, recording.n_frames * frame_s),
            estimated=find_events(
                probabilities,
                class_names,
                frame_s=frame_s,
                threshold=settings["event_threshold"],
                median_frames=settings["event_median_frames"],
                min_duration_s=settings["event_min_duration_s"],
                form=settings["label_form"],
            ),
            duration_s=recording.n_frames * frame_s,
            ignored=recording.disputed,
        )
        for recording, probabilities in zip(examples.recordings, joined, strict=True)
    ]


def _until(events: "pd.DataFrame", end_s: float) -> "pd.DataFrame":
    """Return events without what lies behind the last frame, a rest of less than a frame in which none can be found."""
    kept = events[events["start_s"] < end_s]
    return kept.assign(end_s=kept["end_s"].clip(upper=end_s))


def _event_figures(
    events: Sequence[RecordingEvents], class_names: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, float]:
    """Return the metrics of segments and of events over some recordings."""
    labels = [name for name in class_names if name != BACKGROUND]
    found = segment_metrics(events, labels, segment_s=settings["segment_s"]) | event_metrics(events, labels)
    return {name: found[name] for name in _EVENT_METRICS}


def _item_metrics(
    examples: FrameExamples,
    joined: Sequence[NDArray[np.float32]],
    events: Sequence[RecordingEvents],
    class_names: Sequence[str],
    settings: Mapping[str, Any],
    further: Mapping[str, metrics.Metric],
) -> dict[str, dict[str, float]]:
    """Return the metrics of the recordings of each item; of an item without a frame that counts, those of its events alone."""
    found = {}
    for item in sorted({recording.item for recording in examples.recordings}):
        numbers = [number for number, recording in enumerate(examples.recordings) if recording.item == item]
        counted = np.concatenate([examples.recordings[number].weights > 0 for number in numbers])
        targets = np.concatenate([examples.recordings[number].targets for number in numbers])[counted]
        predictions = np.concatenate([joined[number] for number in numbers])[counted]
        of_frames = metrics.compute("frame_classification", targets, predictions, further) if len(targets) else {}
        of_events = _event_figures([events[number] for number in numbers], class_names, settings)
        found[item] = {"n_clips": len(numbers)} | of_frames | of_events
    return found


def _class_shares(targets: NDArray[Any], n_classes: int) -> NDArray[np.float32]:
    """Return the share of the frames that have each class, float32 (1, n_classes)."""
    if targets.ndim > 1:
        return np.asarray(np.mean(targets, axis=0, keepdims=True, dtype=np.float64), np.float32)
    return (np.bincount(targets, minlength=n_classes) / len(targets))[None].astype(np.float32)


def _tabulate_frames(
    sides: Mapping[str, FrameExamples],
    joined: Mapping[str, Sequence[NDArray[np.float32]]],
    class_names: Sequence[str],
    settings: Mapping[str, Any],
) -> "pd.DataFrame":
    """Return a row per frame of the kept sides."""
    import pandas as pd

    frame_s = frame_samples(settings) / settings["sample_rate_hz"]
    names = np.array(class_names, dtype=object)
    tables = []
    for side in KEPT_SIDES:
        for recording, probabilities in zip(sides[side].recordings, joined[side], strict=True):
            starts_s = np.arange(recording.n_frames) * frame_s
            columns: dict[str, Any] = {"item": recording.item, "clip": recording.clip, "start_s": starts_s}
            columns |= {"end_s": starts_s + frame_s, "side": side, "weight": recording.weights}
            if recording.targets.ndim == 1:
                columns |= {"target": names[recording.targets], "predicted": names[probabilities.argmax(axis=1)]}
            else:
                columns |= {f"target_{name}": recording.targets[:, number] for number, name in enumerate(names)}
            columns |= {f"probability_{name}": probabilities[:, number] for number, name in enumerate(names)}
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _tabulate_events(sides: Mapping[str, FrameExamples], events: Mapping[str, Sequence[RecordingEvents]]) -> "pd.DataFrame":
    """Return a row per event: item, clip, side, source (annotated, found), start_s, end_s, label."""
    import pandas as pd

    tables = [
        table[["start_s", "end_s", "label"]].assign(item=recording.item, clip=recording.clip, side=side, source=source)
        for side in KEPT_SIDES
        for recording, of_recording in zip(sides[side].recordings, events[side], strict=True)
        for source, table in (("annotated", of_recording.reference), ("found", of_recording.estimated))
    ]
    events_of_all = pd.concat(tables, ignore_index=True)
    return events_of_all[["item", "clip", "side", "source", "start_s", "end_s", "label"]]
