"""What every task does with what a model answered, those of new files too; a task of a scratch file needs no other."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from preprocessing.annotations.annotation_settings import FrameSettings
from xval.base.errors import CorpusError
from xval.data.clip_average import Averaging
from xval.data.frames import Recording
from xval.measures import metrics
from xval.measures import task as tasks
from xval.measures.answered import Answered
from xval.measures.events.recordings import answer_recordings
from xval.measures.forms import ScoreOptions
from xval.measures.tasks import classification, multilabel_classification, regression, representation

ALL = [form for task in tasks.all_tasks().values() for form in (task, *task.variants.values())]
every_task = pytest.mark.parametrize("task", ALL, ids=lambda task: f"{task.name}-{task.activation}")
NAMES = ("background", "call", "song")
LABELS = ("bark", "call", "song")
FRAMES = FrameSettings(
    label_form="multi_class", label_frame_s=0.1, sequence_frames=4, frame_overlap=0.5, annotation_policy="union",
    event_threshold=None, event_median_frames=1, event_min_duration_s=0.0, segment_s=0.5,
)  # fmt: skip
STEPS = '''
"""Ordered classes: an answer is wrong by as many steps as it lies away."""

import numpy as np

from xval.measures.forms import ClipAnswers
from xval.measures.metrics import metric
from xval.measures.tasks.classification import Classification, check  # noqa: F401


@metric(higher_is_better=False, is_mean=True)
def steps(targets, predictions):
    """Return the mean distance of the predicted and the true class."""
    return float(np.mean(np.abs(predictions.argmax(axis=1) - targets)))


class OrderedClassification(Classification):
    corpus_type = built_like = "classification"
    main_metrics = ("steps",)
    item_metric = "steps"
    keras_metrics = {}

    def answer_clips(self, table, clip_of, options):
        found = super().answer_clips(table, clip_of, options)
        numbers = {name: number for number, name in enumerate(options.class_names)}
        away = [abs(numbers[one] - numbers[two]) for one, two in zip(found.true, found.answer)]
        return found._replace(error=np.array(away, float))


TASK = OrderedClassification()
'''


@pytest.fixture
def ordered(tmp_path, monkeypatch):
    """Return the task of a file that lies beside those of the project, and nothing else knows of it."""
    (tmp_path / "ordered_classification.py").write_text(STEPS, encoding="utf-8")
    package = sys.modules[metrics.PACKAGE]
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    caches = (tasks.all_tasks, metrics.task_types)
    for cached in caches:
        cached.cache_clear()
    yield tasks.find_task("ordered_classification")
    monkeypatch.undo()
    sys.modules.pop(f"{metrics.PACKAGE}.ordered_classification")
    metrics._METRICS.pop("ordered_classification")
    for cached in caches:
        cached.cache_clear()


def answer(task, seed=0, n_clips=12):
    """Return made-up answers, two examples a clip and three clips an item; frames, 4 of each recording."""
    rng = np.random.default_rng(seed)
    n_outputs = 3 if task.has_classes or task.target == "clip" else 1
    targets = task.made_up_targets(n_clips, n_outputs)
    predictions = rng.dirichlet(np.ones(3), n_clips).astype(np.float32)
    if task.target == "frame":
        parts = np.arange(n_clips).reshape(-1, 4)
        empty = pd.DataFrame({"start_s": [], "end_s": [], "label": []})
        recordings = [
            Recording(f"item {number}", f"clip {number}", 0, targets[own], np.float32([1, 1, 1, 0]), empty, empty)
            for number, own in enumerate(parts)
        ]
        return answer_recordings(recordings, [predictions[own] for own in parts], options_of(task))
    clips = np.repeat(np.arange(n_clips // 2), 2)
    rows = pd.DataFrame({"item": [f"item {clip // 3}" for clip in clips], "clip": [f"clip {clip}" for clip in clips]})
    if task.target == "input":
        return Answered(rows, np.float32(targets[:, 0] ** 2), predictions[:, 0])
    return Answered(rows, targets[clips], predictions)


def options_of(task):
    form = "multi_label" if task.activation == "sigmoid" else "multi_class"
    names = NAMES if form == "multi_class" else LABELS
    options = ScoreOptions(names, frames=FRAMES.model_copy(update={"label_form": form}), frame_s=0.1)
    return replace(options, thresholds=np.full(3, 0.4)) if task.has_thresholds else options


def tabulate(task, side):
    table = pd.DataFrame(task.encode(side.targets, side.predictions, options_of(task).class_names, options_of(task).thresholds))
    rows = side.rows if "start_s" in side.rows else side.rows.assign(start_s=0.0, end_s=1.0)
    return pd.concat([rows.reset_index(drop=True), table], axis=1)


@every_task
def test_columns_give_back_the_targets_and_predictions_to_the_bit(task):
    side = answer(task)

    names = options_of(task).class_names

    targets, predictions = task.decode(tabulate(task, side), names).complete()
    columns = task.encode(None, side.predictions, names, np.full(3, 0.5))
    unknown = task.decode({name: pd.Series(values) for name, values in columns.items()}, names)

    assert (targets.dtype, predictions.dtype) == (side.targets.dtype, side.predictions.dtype)
    np.testing.assert_array_equal(targets, side.targets)
    np.testing.assert_array_equal(predictions, side.predictions)
    assert unknown.targets is None
    np.testing.assert_array_equal(unknown.predictions, side.predictions)


@every_task
def test_a_number_that_is_not_finite_is_refused(task):
    side = answer(task)
    table = tabulate(task, side)
    number = next(name for name in table if name.startswith(("probability", "predicted_", "squared_error")))
    table.loc[0, number] = np.nan

    with pytest.raises(ValueError, match="NaN or infinite values among the predictions"):
        task.decode(table, options_of(task).class_names).complete()


@every_task
def test_a_side_has_figures_of_all_and_of_each_item(task):
    side, options = answer(task), options_of(task)

    found = task.evaluate(side, options)

    assert {*task.main_metrics, task.item_metric} <= set(found.metrics)
    assert list(found.item_metrics) == sorted(set(side.rows["item"]))
    for item, own in side.by_item():
        assert found.item_metrics[item] == pytest.approx({"n_clips": len(own)} | task.measure(own, options), nan_ok=True)
    assert task.evaluate(side, options, by_item=False).item_metrics == {}


@every_task
def test_the_worst_answers_come_first_and_are_told_in_words(task):
    side = answer(task)
    table = tabulate(task, side)
    codes = pd.factorize(table["clip"])[0]
    found = task.answer_clips(table, codes, options_of(task))
    clips = pd.DataFrame({"clip": table["clip"].drop_duplicates().to_numpy()})
    clips = clips.assign(true=found.true, answer=found.answer, sure=found.sure, error=found.error, **found.numbers)

    worst = task.worst(clips)

    assert worst["error"].is_monotonic_decreasing
    assert worst["error"].iloc[0] > 0
    told = task.describe(worst.iloc[0].to_dict())
    assert told.error or told.sure
    assert not told.is_right


@every_task
def test_a_constant_answer_is_the_same_for_all(task):
    side = answer(task)
    targets = side.counted()[0]

    constant = task.answer_constantly(side, targets, options_of(task))

    values = constant.counted()[1]
    assert values.shape == side.counted()[1].shape
    np.testing.assert_array_equal(values, targets if task.target == "input" else np.tile(values[:1], (len(values), 1)))


def test_clips_combine_their_examples_and_errors_their_means():
    rows = pd.DataFrame({"item": ["a", "a", "b"], "clip": ["2", "2", "1"]})
    classes = Answered(rows, np.array([1, 1, 0]), np.float32([[0.2, 0.8], [0.6, 0.4], [1, 0]])).by_clip(
        Averaging("probabilities")
    )
    errors = Answered(rows, np.float32([1, 3, 5]), np.float32([2, 4, 6])).by_clip(Averaging("probabilities"))

    assert classes.rows.to_numpy().tolist() == [["a", "2"], ["b", "1"]]
    assert classes.targets.tolist() == [1, 0]
    np.testing.assert_allclose(classes.predictions, [[0.4, 0.6], [1, 0]], rtol=1e-6)
    assert (errors.targets.tolist(), errors.predictions.tolist()) == ([2, 5], [3, 6])


class Data:
    """Labels of clips from elsewhere."""

    def __init__(self, *labels):
        self.name, self.annotations = "new", None
        self.table = pd.DataFrame({"clip": map(str, range(len(labels))), "item": "a", "label": labels})
        self.target_columns = {"label": "label"}


def test_labels_of_new_data_become_targets():
    one = classification.TASK.read_labels(Data("song", "owl", "call"), NAMES, {}, "")
    several = multilabel_classification.TASK.read_labels(Data("song;owl", "", "call"), NAMES, {"owl": "call"}, "")
    numbers = regression.TASK.read_labels(Data(1.5, 2.0), ("0",), {}, "")
    nothing = representation.TASK.read_labels(Data("", ""), (), {}, "")

    assert (one.targets.tolist(), one.kept.tolist()) == ([2, -1, 1], [True, False, True])
    assert one.reasons[1] == "not a class of the model: owl"
    assert several.targets.tolist() == [[0, 1, 1], [0, 0, 0], [0, 1, 0]]
    assert numbers.targets.tolist() == [[1.5], [2.0]]
    assert nothing.targets is None
    with pytest.raises(CorpusError, match="None of the labels is a class of the model"):
        classification.TASK.read_labels(Data("owl"), NAMES, {}, "")


def test_a_task_of_a_file_of_its_own_is_found_and_does_all_that_tasks_do(ordered):
    side, options = answer(ordered), options_of(ordered)
    table = tabulate(ordered, side)

    assert list(tasks.all_tasks())[-1] == ordered.name == "ordered_classification"
    assert metrics.metric_names(ordered.name) == ("steps",)
    np.testing.assert_array_equal(ordered.decode(table, NAMES).predictions, side.predictions)
    away = np.abs(side.predictions.argmax(axis=1) - side.targets)
    found = ordered.evaluate(side, options)
    assert found.metrics == {"steps": pytest.approx(away.mean())}
    assert set(found.classes) == {"class_metrics", "confusion_matrix"}
    test_the_worst_answers_come_first_and_are_told_in_words(ordered)
    assert ordered.read_labels(Data("call"), NAMES, {}, "").targets.tolist() == [1]
