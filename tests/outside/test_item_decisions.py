"""Where each item has one decision, what is said is of items and of all of their clips; nothing calls them single clips."""

import re

import numpy as np
import pandas as pd
import pytest

from preprocessing.store import write

pytestmark = pytest.mark.long

N_PATIENTS, N_CLIPS = 12, 4


def decide(study, n_clips=N_CLIPS, difference=1.0):
    """Train an estimator that makes one decision for each of 12 items."""
    rng = np.random.default_rng(0)
    predictors = {
        f"p{n:02}": rng.normal(difference * (n % 2) + 0.3 * rng.normal(), 1, (n_clips, 6, 4)).astype("float32")
        for n in range(N_PATIENTS)
    }
    targets = {item: [("healthy", "ill")[int(item[1:]) % 2]] * n_clips for item in predictors}
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="classification")
    return study.train({"architecture": "svm", "C": (1.0,)}, item_decision="mean", num_folds=3, page="complete").stdout


def test_decisions_are_no_single_clips(empty):
    """All clips of an item count, in the three lines, in findings, in tables and in a plan."""
    said = decide(empty)
    assert "Not above chance: the interval includes" in said
    assert "XV102" not in said
    assert "clips" not in said
    page = (empty.results / "report.html").read_text()
    assert "one clip" not in page
    assert "not by clip" not in page
    assert "Confusion matrix: number of items" in page
    assert "Accuracy of the decision for each item" in page
    table = empty.xval("report", empty.EXPERIMENT, "--latex").stdout
    assert "pooled over all test items" in table
    assert "test examples" not in table
    counts = empty.score_table().query("metric == 'n_clips'")["value"]
    assert set(counts) == {N_CLIPS}


def test_scores_that_counted_decisions_are_read(empty):
    """Scores of an earlier version had one clip for each decision; their predictions have the clips."""
    decide(empty)
    for path in empty.results.glob("instance_1/fold_*/scores.parquet"):
        rows = pd.read_parquet(path)
        rows.loc[rows["metric"] == "n_clips", "value"] = 1.0
        rows.to_parquet(path, index=False)
    said = empty.run().stdout
    assert "Not above chance: the interval includes" in said
    assert "XV102" not in said


def test_decisions_of_single_clips_are_a_random_split(empty):
    """Where each item has one clip indeed, that stays to be said."""
    said = decide(empty, n_clips=1)
    assert "on unseen" not in said
    assert "XV102" in said


def test_a_plan_has_the_clips_of_a_decision(empty):
    """The pilot is of so many clips of each item."""
    decide(empty, difference=0.3)
    planned = empty.xval("sample-size", "--from", empty.EXPERIMENT)
    assert f"12 items with {N_CLIPS} clips" in planned.stdout, planned.stdout + planned.stderr


def test_the_decisions_of_new_data_have_their_clips(empty):
    decide(empty)
    evaluated = empty.xval("evaluate", f"{empty.EXPERIMENT}/instance_1/fold_1/model.skops", "small")
    (row,) = [line for line in evaluated.stdout.splitlines() if line.startswith("p00 ")]
    assert row.split()[-1] == str(N_CLIPS), evaluated.stdout


@pytest.mark.parametrize(
    ("n_ill", "advice"),
    [
        (2, "Record more patients of the class 'ill'; more clips of the same ones do not help."),
        (3, "Record more patients of the class 'ill'; more clips of the same ones do not help."),
        (6, "Test more patients: these are all decided correctly, so they show neither errors nor differences."),
    ],
)
def test_patients_who_are_all_decided_right_get_one_advice(empty, n_ill, advice):
    """The three lines, the findings and compare say the same."""
    rng = np.random.default_rng(0)
    levels = {f"p{n:02}": 5.0 * (n < n_ill) for n in range(N_PATIENTS)}
    predictors = {item: rng.normal(level, 1, (N_CLIPS, 6, 4)).astype("float32") for item, level in levels.items()}
    targets = {item: ["ill" if level else "healthy"] * N_CLIPS for item, level in levels.items()}
    write("small", predictors, targets, data_folder=empty.folder / "data", task_type="classification")
    empty.script(
        *({"architecture": name, "C": (1.0,)} for name in ("svm", "logistic")),
        item_decision="mean", num_folds=2, validation_fraction=0.4, validation="fraction", item_name="patient",
    )  # fmt: skip

    said, compared = empty.run("--details").stdout, empty.xval("compare", empty.EXPERIMENT).stdout

    assert "1.000" in said
    advices = [line for line in said.splitlines() if line.startswith("Next:") or re.match("- XV(104|301|303)", line)]
    advices += [line for line in compared.splitlines() if line.startswith(("Record", "Test more", "All variants", "Set"))]
    assert len(advices) >= 3
    assert all(line.endswith(advice) for line in advices), advices
