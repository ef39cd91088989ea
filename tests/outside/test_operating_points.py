"""What the field asks for of two classes and of numbers: sensitivity at a fixed specificity, ROC, PR and DET; Bland-Altman."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from tests.outside.conftest import write_two_classes

AT_90 = "sensitivity_at_specificity_90"


@pytest.fixture
def clinic(study):
    """Return a study of two classes that are not told apart well."""
    write_two_classes(study, 4)
    return study


def of_test_sides(study):
    tables = [study.predictions(1, fold) for fold in (1, 2)]
    return pd.concat(tables).query("side == 'test'")


def test_sensitivity_at_a_fixed_specificity_is_that_of_the_roc_and_has_an_interval(clinic):
    names = (AT_90, "sensitivity_at_specificity_95", "specificity_at_sensitivity_90")
    clinic.train({"architecture": "logistic", "C": (1.0,)}, positive_class="sick", metrics=", ".join(names))

    table = of_test_sides(clinic)
    false_alarms, found, _ = roc_curve(table["target"] == "sick", table["probability_sick"], drop_intermediate=False)
    by_scikit_learn = [
        found[false_alarms <= 0.1].max(),
        found[false_alarms <= 0.05].max(),
        1 - false_alarms[found >= 0.9].min(),
    ]
    shown = clinic.python(
        "-c",
        f"import xval; of = xval.load_scores('{clinic.EXPERIMENT}').set_index('metric'); "
        f"print(of.loc[{list(names)}, ['pooled', 'low', 'high', 'chance']].to_json(orient='values'))",
    )
    assert shown.returncode == 0, shown.stderr
    rows = np.array(json.loads(shown.stdout), float)
    assert rows[:, 0] == pytest.approx(by_scikit_learn)
    assert (rows[:, 1] < rows[:, 0]).all()
    assert (rows[:, 0] < rows[:, 2]).all()
    assert rows[:, 3] == pytest.approx([0.1, 0.05, 0.1])


def test_it_can_be_added_to_finished_runs_and_the_page_draws_the_curves(clinic):
    clinic.train({"architecture": "logistic", "C": (1.0,)}, page="without_audio")

    refused = clinic.xval("add-metrics", clinic.EXPERIMENT, AT_90)
    added = clinic.xval("add-metrics", clinic.EXPERIMENT, AT_90, "--positive-class", "sick")

    assert refused.returncode == 2
    assert "--positive-class sick" in refused.stderr
    assert added.returncode == 0, added.stderr
    assert AT_90 in added.stdout
    page, table = (clinic.results / "report.html").read_text(), of_test_sides(clinic)
    auc = roc_auc_score(table["target"] == "sick", table["probability_sick"])
    assert f"has an AUC of {auc:.3f} [" in page
    assert re.search(r"equal error rate \(EER\) of 0\.\d+ \[", page)
    assert "sick is the positive class because it is the last of the two" in page
    for caption in ("ROC: ", "Precision-recall: ", "DET: "):
        assert f"<figcaption>{caption}" in page


def test_three_classes_have_operating_points_only_of_a_class_that_is_named(study):
    study.train({"architecture": "logistic", "C": (0.01,)}, page="without_audio")
    without = (study.results / "report.html").read_text()

    study.train({"architecture": "logistic", "C": (0.01,)}, page="without_audio", positive_class="b", num_experiment=2)
    named = (study.results.parent / "experiment_2" / "report.html").read_text()

    assert "Operating points" not in without
    assert "Operating points of b" in named


def test_bland_altman_of_several_clips_by_item(study):
    study.corpus("regression")
    study.train({"architecture": "ridge", "alpha": (100.0,)}, task_type="regression", page="without_audio")
    page, table = (study.results / "report.html").read_text(), of_test_sides(study)

    difference = table["predicted_0"] - table["target_0"]
    within = difference.groupby(table["item"]).var().mean()
    between = max(0, (12 * difference.groupby(table["item"]).mean().var() - within) / 12)
    limit = 1.96 * np.sqrt(within + between)
    said = re.search(r"The bias is (\S+) \[\S+, \S+\]; the limits of agreement are (\S+) \[.*?\] and (\S+) \[", page)
    expected = [difference.mean(), difference.mean() - limit, difference.mean() + limit]
    assert [float(text) for text in said.groups()] == pytest.approx(expected, abs=0.006)
    assert "<figcaption>Bland-Altman plot" in page
    worst = difference.groupby(table["item"]).mean().abs().idxmax()
    assert f'<th scope="row">{worst}</th>' in page.split("<summary>Bias by ")[1].split("</tr>")[1]
