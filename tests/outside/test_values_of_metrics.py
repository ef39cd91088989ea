"""The values of a metric that stand below each other are one statistic: also of a user's metric, and of what folds choose."""

import pytest

LEAST_RECALL = """
import numpy as np
from xval import metric
@metric(higher_is_better=True, bounds=(0, 1))
def least_recall(targets, predictions):
    answers = predictions.argmax(axis=1)
    return float(min(np.mean(answers[targets == number] == number) for number in np.unique(targets)))
"""


@pytest.mark.parametrize("when", ["trained", "added"])
def test_the_nested_value_of_a_metric_of_ones_own_is_that_of_the_jobs_that_are_chosen(study, when):
    study.file("mine.py", LEAST_RECALL)
    with_it = {"metrics": "auto, mine.least_recall"} if when == "trained" else {}
    study.train({"architecture": "knn", "n_neighbors": (1,)}, {"architecture": "constant"}, num_folds=3, **with_it)
    if when == "added":
        added = study.xval("rebuild", study.EXPERIMENT, "--metrics", "mine.least_recall", "--import", "mine")
        assert added.returncode == 0, added.stderr

    table = study.xval("report", study.EXPERIMENT, "--markdown").stdout

    # Every fold chooses the neighbours, so both rows are of the same jobs.
    nested, selected = [line.split("|")[2:] for line in table.splitlines() if "nested |" in line or "selected (bias" in line]
    assert "test least recall" in table
    assert "[" in nested[1]
    assert nested == selected
