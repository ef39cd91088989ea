"""The arithmetic of benchmarks/whole_job.py: parts that add up to the whole, the tail, the number of multiplications."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def job_seconds(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return import_module("_job_seconds")


def test_parts_add_up_to_the_whole_and_a_file_that_an_earlier_step_wrote_last_has_none(job_seconds):
    parts = job_seconds.divide(100.0, [("plan", 101.5), ("folds", 110.0), ("workbook", 108.0), ("exit", 110.25)])

    assert parts == {"plan": 1.5, "folds": 8.5, "workbook": 0.0, "exit": 0.25}
    assert sum(parts.values()) == 10.25


@pytest.mark.parametrize(
    ("spans", "busy_s"),
    [
        ([(0, 4), (5, 9)], 8),  # one worker: what is between its jobs is no work
        ([(0, 4), (0, 6), (4, 10), (6, 7)], 7),  # two workers: the second has nothing from 7 on
        ([(0, 4), (0, 4), (4, 9)], 4),
    ],
)
def test_the_tail_is_what_is_left_when_a_worker_has_no_job(job_seconds, spans, busy_s):
    assert job_seconds.all_busy_s(spans) == busy_s


def test_multiplications_are_those_of_the_convolutions_and_the_last_layer(job_seconds):
    first, second, last = 5 * 4 * 9 * 1 * 2, 2 * 2 * 9 * 2 * 3, 1 * 3 * 7  # five frames are halved to two

    assert job_seconds.multiplications(5, 4, 7, n_filters=(2, 3)) == first + second + last


def test_training_multiplies_three_times_for_each_example_and_epoch(job_seconds, tmp_path):
    from preprocessing import store

    made = store.write("made", {"a": np.zeros((2, 65, 40), np.float32)}, {"a": ["x", "y"]}, data_folder=tmp_path)
    record = {"class_names": ["x", "y"], "n_training_examples": 2000}

    counted = job_seconds.training_scores([record | {"epochs": 3}, record | {"epochs": 5}], made.folder)

    assert counted == 3 * 2000 * 8 * job_seconds.multiplications(65, 40, 2)
