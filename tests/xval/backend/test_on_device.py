"""What a record says of its GPU, with a stand-in for the GPU."""

import weakref

import keras
import numpy as np
import pytest

from xval.backend import on_device
from xval.backend.devices import Gpu


class Steps:
    not_recorded = ""


class UnrecordedSteps:
    not_recorded = "a layer draws on the host"


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(on_device, "find_gpus", lambda: (Gpu("Card A", 24576, "580.1"),))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa")


@pytest.mark.parametrize(
    ("steps", "epochs"),
    [
        (None, "from the CPU"),
        (Steps(), "on the device"),
        (UnrecordedSteps(), "on the device, step by step: a layer draws on the host"),
    ],
)
def test_a_record_names_the_gpu_and_how_epochs_ran(gpu, model, steps, epochs):
    if steps:
        object.__setattr__(model, "_xval_device_steps", steps)

    assert on_device.describe(model) == {
        "gpu": {"name": "Card A", "driver": "580.1", "memory_mb": 24576, "epochs": epochs}  # TensorFlow tells no peak
    }


def test_a_record_of_a_job_on_the_cpu_names_no_gpu(gpu, model, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert on_device.describe(model) == {}


def test_a_model_that_trains_no_longer_gives_back_what_was_recorded_for_it(model):
    steps = Steps()
    object.__setattr__(model, "_xval_device_steps", steps)
    model.train_function = steps

    on_device.release(model)

    assert model.train_function is None
    assert "_xval_device_steps" not in vars(model)


def test_the_device_keeps_an_array_no_longer_than_the_host():
    held, array = on_device._Held(), np.zeros((2, 3), np.float32)
    on_device_alone = weakref.ref(held.hold(array))
    assert on_device_alone() is held.hold(array)

    del array

    assert on_device_alone() is None
