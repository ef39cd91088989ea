"""When a model should abstain, from the predictions of a run; the page shows it."""

import numpy as np
import pandas as pd
import pytest

from xval.answers.read import read_instance
from xval.extras.abstention.abstention import measure_abstention
from xval.measures.calibration import at_temperature
from xval.report.request import PageRequest
from xval.report.write import write_page
from xval.results.folder import ExperimentFolder

NEAREST = {"architecture": "knn", "n_neighbors": [5]}


@pytest.fixture
def folder(project, in_process):
    """Return results of a baseline on six speakers, each of whom validated a fold; its predictions are made less confident."""
    project.write_script(NEAREST, num_folds=6, validation="next_fold")
    assert project.run().returncode == 0
    for path in project.results.glob("instance_1/fold_*/predictions.parquet"):
        table = pd.read_parquet(path)
        columns = [name for name in table if name.startswith("probability_")]
        doubts = np.random.default_rng(0).dirichlet(np.ones(len(columns)), len(table))
        table[columns] = at_temperature(0.5 * table[columns].to_numpy() + 0.5 * doubts, 1.5)
        table.to_parquet(path)
    return ExperimentFolder(project.results)


def test_sets_are_as_good_as_five_speakers_allow_and_are_on_the_page(folder):
    found = measure_abstention(read_instance(folder, 1))

    assert (len(found.items), found.n_speakers, found.n_classes) == (6, 5, 3)
    assert [(at.coverage, at.n_needed, at.scores is None) for at in found.sets] == [
        (0.8, 4, False), (0.9, 9, True), (0.95, 19, True),
    ]  # fmt: skip
    assert found.shown is found.sets[0]
    scores = found.sets[0].scores
    assert scores.coverage.mean >= 0.8
    assert 1 < scores.size.mean < 3
    assert scores.by_item.mean(axis=0) == pytest.approx([scores.coverage.mean, scores.size.mean, scores.predicted.mean])
    assert "At a coverage of 80 %" in found.sentence
    assert "calibrated on the predictions for 5 validation items (conformal prediction)." in found.sentence

    write_page(folder, PageRequest(with_audit=False))
    page = (folder.path / "report.html").read_text()
    assert "Abstaining from uncertain predictions" in page
    assert "needs 9 validation items; with fewer, sets contain all 3 classes" in page
    assert "At a requested coverage of 0.8:" in page
