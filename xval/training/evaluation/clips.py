"""Test a fitted model: predictions, and metrics per example, per clip and per item.

Comes in: a model with its best weights and the fold's data. Goes out: an `Evaluation`, the figures of the record and the table
of predictions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.clips.parquet_files import write_table
from xval.base.csv_text import guarded
from xval.data.clip_average import combine_examples
from xval.data.fold import Examples, FoldData
from xval.measures import metrics
from xval.measures.statistics.thresholds import find_thresholds
from xval.measures.task import Task
from xval.measures.tasks.classification import class_metrics, confusion_matrix
from xval.measures.tasks.multilabel_classification import decide, join_decided, label_metrics, tuned_metrics
from xval.settings import further_metrics
from xval.settings.schema import Settings

if TYPE_CHECKING:
    import keras

Loss = Callable[[NDArray[Any], NDArray[np.float32]], float]
"""From targets and predictions to their mean loss."""
KEPT_SIDES = ("validation", "test")
KEPT_COLUMNS = ("item", "row", "clip", "start_s", "end_s")


@dataclass(frozen=True)
class Evaluation:
    """What a model was worth on one fold.

    Attributes:
        figures: metrics, clip_metrics, item_metrics, class_metrics, confusion_matrix, chance, n_examples and the directions of
            further metrics of the record; of several labels their thresholds, and no confusion matrix.
        predictions: A row per validation and test example: item, row, clip, start_s, end_s, side, target, predicted, and the
            probability of each class; of several labels target and predicted are all labels, joined by ``;``, predicted those
            of the whole clip, and target_<name> is 0 or 1; for regression target_<name> and predicted_<name> (names are numbers
            from 0 where the targets have none). For frames and reconstructions see their own modules.
        tables: What else is kept, by the name of its file: DataFrames for .csv or .parquet.
    """

    figures: dict[str, Any]
    predictions: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write predictions.parquet and the other tables into a folder.

        Raises:
            OSError: The disk is full.
        """
        for name, table in {"predictions.parquet": self.predictions, **self.tables}.items():
            if name.endswith(".parquet"):
                write_table(folder / name, table)
            else:
                guarded(table).to_csv(folder / name, index=False, encoding="utf-8")


@dataclass(frozen=True)
class _Clips:
    """Predictions combined over the examples of each clip."""

    items: NDArray[Any]
    targets: NDArray[Any]
    predictions: NDArray[np.float32]


def evaluate_model(
    model: "keras.Model",
    data: FoldData,
    settings: Settings,
    *,
    known: NDArray[np.float32] | None = None,
    of_training: Mapping[str, float] | None = None,
) -> Evaluation:
    """Predict the sides that are wanted and not known yet, and compute all metrics, as `evaluate_predictions` does.

    Args:
        model: With its best weights.
        data: The fold.
        settings: The parameters of the instance.
        known: Its predictions of the validation examples, float32 (n_examples, n_outputs); None: they are computed.
        of_training: Figures of the training examples, as training followed them; None: they are predicted, too.

    Returns:
        The figures and the predictions.

    Raises:
        DivergenceError: A prediction is NaN or infinite.
    """
    by_side = predict_sides(model, data, settings.batch_size, known=known, training=of_training is None)
    return evaluate_predictions(by_side, data, settings, of_training)


def predict_sides(
    model: "keras.Model", data: FoldData, batch_size: int, *, known: NDArray[np.float32] | None, training: bool
) -> dict[str, NDArray[np.float32]]:
    """Return the predictions of the sides that are evaluated; those of the validation examples may be known."""
    from xval.models.predict import predict

    by_side = {}
    for side, examples in data.sides.items():
        if side == "validation" and known is not None:
            by_side[side] = known
        elif side != "training" or training:
            by_side[side] = predict(model, examples, batch_size)
    return by_side


def evaluate_predictions(
    by_side: Mapping[str, NDArray[np.float32]],
    data: FoldData,
    settings: Settings,
    of_training: Mapping[str, float] | None = None,
    loss: Loss | None = None,
) -> Evaluation:
    """Compute all metrics of the predictions for every side.

    `loss` is the data term alone, without the L2 penalty, so that instances with other penalties compare. A clip's prediction
    combines those of its examples as `clip_average` says. `chance` is what a model gets that ignores the audio and always
    answers with the class shares (the mean target) of the training examples.

    Args:
        by_side: For each side float32 (n_examples, n_outputs), in the order of its examples.
        data: The fold.
        settings: The parameters of the instance; of them task_type, loss, metrics and clip_average.
        of_training: Figures of the training side, where it has no predictions.
        loss: Gives the loss of targets and predictions; None: that of the settings, by Keras.

    Returns:
        The figures and the predictions.

    Raises:
        DivergenceError: A prediction is NaN or infinite.
    """
    task, class_names = settings.task, data.class_names
    clips = {side: _average_clips(data.sides[side], by_side[side], settings.clip_average) for side in KEPT_SIDES}
    further = further_metrics.load(task.name, settings.metrics)
    constant = constant_answer(data.training.targets, len(class_names))
    thresholds = of_constant = None
    if task.has_clip_labels:
        validated = clips["validation"]
        thresholds = find_thresholds(validated.targets, validated.predictions)
        of_constant = find_thresholds(validated.targets, np.repeat(constant, len(validated.targets), axis=0))

    compute_loss = loss or _keras_loss(settings, data)
    known: dict[bytes, dict[str, float]] = {}

    def compute(
        targets: NDArray[Any], predictions: NDArray[np.float32], thresholds: NDArray[np.float64] | None = thresholds
    ) -> dict[str, float]:
        """Return the metrics, computed once where clips have one example each, or a side one item."""
        key = targets.tobytes() + predictions.tobytes()
        if key not in known:
            tuned = tuned_metrics(targets, predictions, thresholds)
            known[key] = metrics.compute(task.name, targets, predictions, further) | tuned
        return dict(known[key])

    def measure(
        targets: NDArray[Any], predictions: NDArray[np.float32], thresholds: NDArray[np.float64] | None = thresholds
    ) -> dict[str, float]:
        return {"loss": compute_loss(targets, predictions)} | compute(targets, predictions, thresholds)

    test = clips["test"]
    figures: dict[str, Any] = {
        "n_examples": {side: len(examples) for side, examples in data.sides.items()},
        "n_training_examples": len(data.training),
        "class_names": list(class_names),
        "metrics": ({} if of_training is None else {"training": dict(of_training)})
        | {side: measure(data.sides[side].targets, predictions) for side, predictions in by_side.items()},
        "further_metrics": {name: found.higher_is_better for name, found in further.items()} | dict(task.final_metrics),
        "clip_metrics": {side: compute(found.targets, found.predictions) for side, found in clips.items()},
        "item_metrics": {"test": _item_metrics(test, compute)},
        "chance": {"test": measure(data.sides["test"].targets, np.repeat(constant, len(by_side["test"]), axis=0), of_constant)},
    }
    if task.has_classes:
        figures |= _class_figures(clips, class_names, thresholds)
    predicted: dict[str, NDArray[Any]] = {}
    if thresholds is not None:
        for side, found in clips.items():  # thresholds are those of clips, so that all examples of a clip have its labels
            of_clips = np.array(join_decided(decide(found.predictions, thresholds), class_names), dtype=object)
            predicted[side] = of_clips[data.sides[side].table["clip"].factorize()[0]]
    return Evaluation(figures, _tabulate(data, by_side, task, predicted))


def _class_figures(
    clips: Mapping[str, _Clips], class_names: tuple[str, ...], thresholds: NDArray[np.float64] | None
) -> dict[str, Any]:
    """Return the figures of each class; of several labels, which have thresholds, those of each label."""
    test = clips["test"]
    if thresholds is None:
        return {
            "class_metrics": {"test": class_metrics(test.targets, test.predictions, class_names)},
            "confusion_matrix": {"test": confusion_matrix(test.targets, test.predictions)},
        }
    return {
        "class_metrics": {"test": label_metrics(test.targets, test.predictions, class_names, thresholds)},
        "thresholds": dict(zip(class_names, thresholds.tolist(), strict=True)),
        "untuned_labels": [class_names[n] for n in np.flatnonzero(~clips["validation"].targets.any(axis=0))],
    }


def _keras_loss(settings: Settings, data: FoldData) -> Loss:
    from xval.models.losses import data_loss

    return lambda targets, predictions: data_loss(targets, predictions, settings, data)


def constant_answer(targets: NDArray[Any], n_classes: int) -> NDArray[np.float32]:
    """Return the answer that ignores the audio: the shares of the classes, or the mean target, float32 (1, n_outputs).

    Args:
        targets: Of what trains: int64 (n,) class numbers, or float32 (n, n_outputs).
        n_classes: Number of classes; 0 where there are none.
    """
    if targets.ndim == 1:
        return (np.bincount(targets, minlength=n_classes) / len(targets))[None].astype(np.float32)
    return np.asarray(np.mean(targets, axis=0, keepdims=True, dtype=np.float64), np.float32)


def _average_clips(examples: Examples, predictions: NDArray[np.float32], clip_average: str) -> _Clips:
    """Combine the predictions of the examples of each clip; that of a single example stays as it is."""
    codes = examples.table["clip"].factorize()[0]
    first = np.unique(codes, return_index=True)[1]
    combined = combine_examples(predictions, codes, clip_average)
    return _Clips(examples.table["item"].to_numpy()[first], examples.targets[first], combined)


def _item_metrics(
    clips: _Clips, compute: Callable[[NDArray[Any], NDArray[np.float32]], dict[str, float]]
) -> dict[str, dict[str, float]]:
    found = {}
    for item in sorted(set(clips.items)):
        of_item = clips.items == item
        found[str(item)] = {"n_clips": int(of_item.sum())} | compute(clips.targets[of_item], clips.predictions[of_item])
    return found


def _tabulate(
    data: FoldData, by_side: Mapping[str, NDArray[np.float32]], task: Task, predicted: Mapping[str, NDArray[Any]]
) -> pd.DataFrame:
    tables = []
    for side in KEPT_SIDES:
        examples, predictions = data.sides[side], by_side[side]
        table = examples.table[list(KEPT_COLUMNS)].assign(side=side)
        columns: dict[str, NDArray[Any]] = {}
        if task.has_clip_classes:
            names = np.array(data.class_names, dtype=object)
            table = table.assign(target=names[examples.targets], predicted=names[predictions.argmax(axis=1)])
        elif task.has_clip_labels:
            of_labels = join_decided(examples.targets, data.class_names)
            table = table.assign(target=of_labels, predicted=predicted[side])
            columns = {f"target_{name}": examples.targets[:, number] for number, name in enumerate(data.class_names)}
        if task.has_classes:
            columns |= {f"probability_{name}": predictions[:, number] for number, name in enumerate(data.class_names)}
        else:
            for number, name in enumerate(data.store.target_names):
                columns[f"target_{name}"] = examples.targets[:, number]
                columns[f"predicted_{name}"] = predictions[:, number]
        tables.append(pd.concat([table, pd.DataFrame(columns)], axis=1))
    return pd.concat(tables, ignore_index=True)
