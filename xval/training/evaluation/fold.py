"""Test a fitted model: predictions, and scores of examples, clips and items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.clips.parquet_files import write_table
from xval.base.csv_text import guarded
from xval.data.fold import Examples, FoldData
from xval.data.frames import FrameExamples
from xval.jobs.observers import Observers
from xval.measures.answered import Answered
from xval.measures.calibration import at_temperature, temperature_of_clips
from xval.measures.events.recordings import answer_recordings
from xval.measures.forms import ScoreOptions
from xval.measures.metrics import Metric
from xval.measures.side import Side
from xval.measures.task import Task
from xval.results.scores import Scores, write_scores
from xval.settings import further_metrics
from xval.settings.schema import Settings

if TYPE_CHECKING:
    import keras

Loss = Callable[[NDArray[Any], NDArray[np.float32]], float]
"""Function from targets and predictions to their mean loss."""
KEPT_SIDES = ("validation", "test")
KEPT_COLUMNS = ("item", "row", "clip", "start_s", "end_s")


@dataclass(frozen=True)
class Evaluation:
    """The scores and predictions of a model on one fold.

    Attributes:
        scores: The scores of the examples of each side, of the clips of sides with predictions, of each test item, and of
            chance.
        facts: Further entries of the record: class_names, class_metrics, confusion_matrix, n_examples and the directions of
            further metrics; with several labels their thresholds instead of a confusion matrix; the temperature of a calibrated
            network.
        predictions: A row per validation and test example: item, row, clip, start_s, end_s, side, and the columns of
            `Task.encode`; with several labels, the predicted ones are those of the whole clip. A row per frame has its weight
            instead of its row.
        tables: Further tables to store, by file name: DataFrames for .csv or .parquet.
    """

    scores: Scores
    facts: dict[str, Any]
    predictions: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write scores.parquet, predictions.parquet and the other tables into a folder."""
        write_scores(folder, self.scores)
        for name, table in {"predictions.parquet": self.predictions, **self.tables}.items():
            if name.endswith(".parquet"):
                write_table(folder / name, table)
            else:
                guarded(table).to_csv(folder / name, index=False, encoding="utf-8")


def evaluate_model(
    model: "keras.Model",
    data: FoldData,
    settings: Settings,
    *,
    known: NDArray[np.float32] | None = None,
    training_scores: Mapping[str, float] | None = None,
    observers: Observers | None = None,
) -> Evaluation:
    """Predict the requested sides that are not known yet, and compute all metrics like `evaluate_predictions`.

    With calibration = temperature the predictions are those of the model with the temperature from its validation clips.

    Args:
        model: The model with its best weights.
        data: The fold.
        settings: The parameters of the instance.
        known: float32 (n_examples, *output_shape), its predictions for the validation examples; None: they are computed.
        training_scores: Scores of the training examples from the training itself; None: they are predicted as well. A model
            that reconstructs its input is always tested on them, but their predictions are not stored.
        observers: Receive a note if a model cannot be calibrated; its predictions then stay unchanged.

    Returns:
        The scores and the predictions; also embeddings if a model that reconstructs its input has a layer of this name.

    Raises:
        DivergenceError: A prediction is NaN or infinite.
    """
    from xval.models.predict import predict
    from xval.training.evaluation.reconstruction import rebuild_sides

    if settings.task.target == "input":
        sides, embeddings = rebuild_sides(model, data, settings.batch_size)
        return _evaluate(sides, data, settings, {}, None, embeddings)
    by_side = {}
    for side, examples in data.sides.items():
        if side == "validation" and known is not None:
            by_side[side] = known
        elif side != "training" or training_scores is None:
            by_side[side] = predict(model, examples, settings.batch_size)
    if settings.calibration == "none":
        return evaluate_predictions(by_side, data, settings, training_scores)
    validation = data.sides["validation"]
    clips, items = (validation.table[name].to_numpy(dtype=str) for name in ("clip", "item"))
    temperature = (observers or Observers()).by_product(
        "calibration",
        lambda: temperature_of_clips(by_side["validation"], validation.targets, clips, items, settings.clip_average),
    )
    if temperature is None:
        return evaluate_predictions(by_side, data, settings, training_scores)
    by_side = {side: at_temperature(predictions, temperature) for side, predictions in by_side.items()}
    evaluation = evaluate_predictions(by_side, data, settings, training_scores)
    return replace(evaluation, facts=evaluation.facts | {"temperature": temperature})


def evaluate_predictions(
    by_side: Mapping[str, NDArray[np.float32]],
    data: FoldData,
    settings: Settings,
    training_scores: Mapping[str, float] | None = None,
    loss: Loss | None = None,
) -> Evaluation:
    """Compute all metrics of the predictions for every side.

    `loss` is the data term without the L2 penalty, so that instances with different penalties are comparable. `clip_average`
    combines the predictions of examples into that of a clip, and `item_decision` those of clips into that of an item. `chance`
    is the score of always predicting the class shares (or the mean target) of the training examples. Frames with weight 0 do
    not count.

    Args:
        by_side: float32 (n_examples, *output_shape) for each side, in the order of its examples.
        data: The fold.
        settings: The parameters of the instance; of them task_type, loss, metrics, clip_average and those of frames.
        training_scores: Scores of the training side if it has no predictions.
        loss: Function from targets and predictions to the loss; None: the loss of the settings, by Keras.

    Raises:
        DivergenceError: A prediction is NaN or infinite.
    """
    options = settings.score_options(data.class_names)
    sides = {side: _answered(data.sides[side], predictions, options) for side, predictions in by_side.items()}
    return _evaluate(sides, data, settings, {} if training_scores is None else {"training": training_scores}, loss, {})


def _answered(examples: Examples, predictions: NDArray[np.float32], options: ScoreOptions) -> Side:
    if isinstance(examples, FrameExamples):
        return answer_recordings(examples.recordings, examples.join(predictions), options)
    return Answered(examples.table[list(KEPT_COLUMNS)], examples.targets, predictions)


def _evaluate(
    sides: Mapping[str, Side],
    data: FoldData,
    settings: Settings,
    followed: Mapping[str, Mapping[str, float]],
    loss: Loss | None,
    tables: Mapping[str, Mapping[str, pd.DataFrame]],
) -> Evaluation:
    """Return the scores of the predictions of each side, and those that training ``followed``.

    ``tables`` has further tables of each side, by file name.
    """
    task, further = settings.task, _further(settings, data)
    class_names = data.class_names if task.has_classes else ()  # a corpus of classes may be rebuilt
    options = replace(settings.score_options(class_names), further=further, known={})
    clips = {side: sides[side].by_clip(settings.averaging) for side in KEPT_SIDES}
    trained = _trained_targets(data)
    thresholds = task.find_thresholds(clips["validation"])
    constant_thresholds = None
    if thresholds is not None:
        constant_thresholds = task.find_thresholds(task.answer_constantly(clips["validation"], trained, options))
    options = replace(options, thresholds=thresholds)
    if loss is None:
        from xval.models.losses import data_loss

        loss = partial(data_loss, settings=settings, data=data)
    compute_loss = loss

    def with_loss(side: Side, scores: dict[str, float]) -> dict[str, float]:
        return {"loss": scores[task.loss_metric] if task.loss_metric else compute_loss(*side.counted())} | scores

    tested = task.evaluate(clips["test"], options)
    clip_scores = {"validation": task.measure(clips["validation"], options), "test": tested.metrics}
    measured = {
        side: with_loss(answered, clip_scores[side] if clips.get(side) is answered else task.measure(answered, options))
        for side, answered in sides.items()
    }
    constant = task.answer_constantly(sides["test"], trained, options)
    by_chance = task.measure(constant, replace(options, thresholds=constant_thresholds, known=None))
    directions = {name: metric.higher_is_better for name, metric in further.items()} | dict(task.recorded_metrics)
    scores = Scores(
        {
            **followed,
            **measured,
            **{
                f"clip_{side}": measured[side] if by_clip is sides[side] else clip_scores[side]
                for side, by_clip in clips.items()
            },
            "chance": with_loss(constant, by_chance),
        },
        tested.item_metrics,
    )
    facts: dict[str, Any] = {
        "n_examples": {side: len(examples) for side, examples in data.sides.items()},
        "n_training_examples": len(data.training),
        "class_names": list(class_names),
        **({"further_metrics": directions} if task.takes_further_metrics else {}),
        **{name: {"test": class_scores} for name, class_scores in tested.classes.items()},
        **task.count_classes(clips["validation"], class_names),
    }
    if thresholds is not None:
        facts["thresholds"] = dict(zip(class_names, thresholds.tolist(), strict=True))
        is_untuned = ~clips["validation"].counted()[0].any(axis=0)
        facts["untuned_labels"] = [class_names[number] for number in np.flatnonzero(is_untuned)]
    kept = {side: sides[side] for side in KEPT_SIDES}
    names = class_names or data.store.target_names
    predictions = {side: _tabulate(task, answered, names, thresholds) for side, answered in kept.items()}
    by_side = {side: answered.tables() for side, answered in kept.items()}
    tables_by_name = {name: {side: by_side[side][name] for side in by_side} for name in by_side["test"]} | dict(tables)
    return Evaluation(
        scores, facts, _joined(predictions), {name: _joined(side_tables) for name, side_tables in tables_by_name.items()}
    )


def _further(settings: Settings, data: FoldData) -> dict[str, Metric]:
    """Return the further metrics of the settings."""
    return further_metrics.load(settings.task_type, settings.metrics, settings.positive_number(data.class_names))


def _trained_targets(data: FoldData) -> NDArray[Any]:
    """Return the training targets; for recordings, those of all frames that count."""
    training = data.sides["training"]
    if isinstance(training, FrameExamples):
        return np.asarray(training.targets[training.weights > 0])
    return data.training.targets


def _tabulate(task: Task, answered: Side, names: Sequence[str], thresholds: NDArray[np.float64] | None) -> pd.DataFrame:
    """Return the rows of a side with the columns of targets and predictions."""
    rows = answered.rows
    columns = task.encode(answered.targets, answered.predictions, names, thresholds, rows["clip"].factorize()[0])
    return pd.concat([rows, pd.DataFrame(columns)], axis=1)


def _joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the tables of sides, with the side in a column after those that identify a row."""
    joined = []
    for side, table in tables.items():
        place = next(number for number, name in enumerate(table) if name not in KEPT_COLUMNS)
        joined.append(table.copy())
        joined[-1].insert(place, "side", side)
    return pd.concat(joined, ignore_index=True)
