"""xval compare, as typed: the table, the paragraph, the numbers as csv."""

import json
import subprocess
import sys

import pandas as pd
import pytest

ACCURACIES = {1: (0.5, 0.6, 0.7, 0.5), 2: (0.9, 0.8, 0.9, 0.75), 3: (0.5, 0.7, 0.6, 0.6)}


@pytest.fixture
def experiment(make_results, tmp_path):
    """An experiment as a run leaves it, without models: three instances on four folds of one item."""
    made = make_results(tmp_path / "results", n_folds=4)
    for number, scores in ACCURACIES.items():
        made.add_instance(number, comment_1=f"[width] {number}", batch_size=number)
        for fold, score in enumerate(scores, start=1):
            made.add_fold(number, fold, {"balanced_accuracy": score, "accuracy": score, "loss": 1.0})
    return made.folder.path


def test_the_table_stands_above_the_limits_the_plan_and_the_paragraph(command, experiment):
    code, printed, errors = command("compare", experiment)

    assert (code, errors) == (0, "")
    order = [
        "Test balanced accuracy (UAR) of clips (higher is better), instance minus baseline.",
        "Baseline: instance 2 (selected by the best mean validation accuracy), 0.838 (mean over items).",
        "You can claim that instances 1, 3 are worse than instance 2.",
        "This is a claim about these trained models, on unseen items.",
        "p is adjusted for 2 comparisons (Holm) and decides; each interval is for a single comparison.",
        "True difference that would be shown with a probability of 80% (level 0.05 over 2 comparisons, from the steadiest",
        "Methods. Test balanced accuracy (UAR) of clips, mean over items, was compared between models 1, 3 and the",
        "Results. Choosing among 3 variants in each fold by its own validation reaches test balanced accuracy (UAR)",
        "Model 1 ([width] 1) reached 0.575, the baseline 0.838",
        "Sources.",
    ]
    places = [printed.find(text) for text in order]
    assert -1 not in places
    assert places == sorted(places)
    (row,) = [line.split() for line in printed.splitlines() if line.split()[:1] == ["3"]]
    assert row[:5] == ["3", "[width]", "3", "0.600", "-0.238"]


def test_no_backend_is_loaded(experiment):
    script = (
        "import sys; from xval.__main__ import main\n"
        f"code = main(['compare', {str(experiment)!r}])\n"
        "print('ENDED', code, sorted({'keras', 'tensorflow', 'torch', 'jax', 'sklearn'} & set(sys.modules)))"
    )

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "ENDED 0 []" in ended.stdout


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_records_that_check_fails_are_named_beside_their_figures(command, results, tmp_path):
    assert "Do not rely" not in command("compare", results, "1", "2").out
    scores = results / "instance_3" / "fold_1" / "scores.parquet"
    rows = pd.read_parquet(scores)
    rows.loc[(rows["side"] == "test") & (rows["item"] == "") & (rows["metric"] == "accuracy"), "value"] = 0.123
    rows.to_parquet(scores)
    edit(results / "instance_3" / "settings.json", lambda written: written["parameters"].update(batch_size=999))

    ended = command("compare", results, "1", "3")

    assert ended.code == 0
    (line, *_) = [line for line in ended.out.splitlines() if "Do not rely" in line]
    assert line.startswith(f"Do not rely on these values: xval audit {results} fails what they are of (scores: instance 3")
    assert "scores.parquet has the test accuracy 0.123; its predictions give" in line
    assert "settings hash: instance 3: settings.json has been edited: its settings have the hash" in line
    assert "Do not rely" not in command("compare", results, "1", "2").out
    assert f"audit {results} fails" in command("compare", results, "1", f"{results}:3").out


@pytest.mark.parametrize("name", ["compare", "report"])
def test_an_experiment_is_all_that_has_to_be_named(command, name):
    code, _, errors = command(name)

    assert code == 2
    assert "required: EXPERIMENT." in errors
