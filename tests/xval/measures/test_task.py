"""A contract that every task meets, so that a new one is tested without a new test; and what a task decides."""

from typing import get_args

import keras
import numpy as np
import pytest

from preprocessing.clips.table import TASK_TYPES
from preprocessing.store import layout
from xval.base.errors import SettingsError
from xval.measures import metrics
from xval.measures import task as tasks
from xval.measures.tasks import classification, regression
from xval.settings.schema import names_of_loss

ALL = [form for task in tasks.all_tasks().values() for form in (task, *task.variants.values())]
every_task = pytest.mark.parametrize("task", ALL, ids=lambda task: f"{task.name}-{task.activation}")
every_loss = pytest.mark.parametrize(("task", "loss"), [(task, loss) for task in ALL for loss in task.losses])


def test_tasks_are_those_of_the_types_of_the_metrics_and_of_preprocessing():
    names = tuple(tasks.all_tasks())

    assert get_args(layout.TaskType) == names
    assert metrics.task_types() == tuple(sorted(names))
    assert names == TASK_TYPES
    assert {name: task.name for name, task in tasks.all_tasks().items()} == {name: name for name in names}


def test_a_task_has_the_label_forms_that_it_names():
    assert {form for task in tasks.all_tasks().values() for form in task.variants} <= set(get_args(tasks.LabelForm))
    assert tasks.find_task("frame_classification", "multi_label").activation == "sigmoid"
    assert tasks.find_task("frame_classification", "multi_class").activation == "softmax"
    assert tasks.find_task("classification", "multi_label") is classification.TASK


def test_an_unknown_task_gets_a_suggestion():
    with pytest.raises(SettingsError, match=r"unknown task_type 'clasification'\. .*Did you mean 'classification'\?"):
        tasks.find_task("clasification")


@every_loss
def test_a_loss_is_known_to_keras_has_a_value_per_example_and_a_metric_for_its_targets(task, loss):
    assert task.loss_name(loss) == loss
    form = task.target_form(loss)
    assert form in get_args(tasks.TargetForm)
    found = getattr(keras.metrics, task.training_metric_classes[form])(name=task.training_metric)
    assert isinstance(found, keras.metrics.Metric)
    targets = np.eye(3, dtype=np.float32)[[0, 2, 1, 1]] if task.has_classes else np.ones((4, 3), np.float32)
    if loss.startswith("sparse"):
        targets = targets.argmax(axis=1)

    values = keras.losses.get(loss)(targets, np.full((4, 3), 1 / 3, np.float32))

    assert keras.ops.shape(values) == (4,)


@every_task
def test_a_task_has_its_kind_of_target(task):
    assert task.stratifies_classes == (task.target == "clip" and task.has_classes)
    assert task.needs_labels == (task.target != "input")
    assert not task.has_thresholds or task.final_metrics
    assert (task.activation == "linear") == (not task.has_classes)
    assert set(task.training_metric_classes) == set(task.losses.values())


@every_task
def test_the_metrics_of_a_task_are_known_and_have_other_names_than_those_of_keras(task):
    known = {*metrics.metric_names(task.name), *task.final_metrics}

    assert {*task.main_metrics, task.item_metric, *task.relative_metrics} <= known
    assert set(task.main_metrics) - set(task.relative_metrics)  # one that needs no training data, for new data
    assert task.training_metric in metrics.metric_names(task.name)
    assert not set(task.final_metrics) & set(metrics.metric_names(task.name))
    assert {type(task.higher_is_better(name)) for name in known} == {bool}
    assert set(task.loss_metrics) <= {"loss", *known}
    assert not set(task.keras_metrics) & {"loss", *known}
    assert all(hasattr(keras.metrics, found.class_name) for found in task.keras_metrics.values())


@every_task
def test_losses_are_compared_by_parameters_that_there_are(task):
    names = names_of_loss(task)
    assert {"loss", "example_length_s"} <= set(names)
    assert ("normalization" in names) == (task.target == "input")
    assert ("label_frame_s" in names) == (task.target == "frame")


@every_task
def test_monitors_are_the_losses_and_the_validation_metrics(task):
    found = task.monitors(["own"])

    assert found[:3] == ("val_loss", "loss", task.training_metric)
    validated = {task.training_metric} if task.target == "input" else {*metrics.metric_names(task.name), "own"}
    assert set(found[3:]) == {f"val_{name}" for name in validated}


@pytest.mark.parametrize("written", ["MeanSquaredError", "mean_squared_error", "mse", "MSE"])
def test_losses_go_by_each_of_the_names_that_keras_has(written):
    assert regression.TASK.loss_name(written) == "mean_squared_error"


def test_auto_is_the_usual_loss_of_the_task():
    assert classification.TASK.loss_name("auto") == "sparse_categorical_crossentropy"
    assert regression.TASK.loss_name("auto") == "mean_squared_error"
    assert tasks.find_task("frame_classification", "multi_label").loss_name("auto") == "binary_crossentropy"


def test_a_loss_of_another_task_is_refused():
    with pytest.raises(SettingsError, match="unknown loss 'huber' for classification"):
        classification.TASK.loss_name("huber")
