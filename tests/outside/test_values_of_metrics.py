"""What results say is of all that was tested: of a user's metric and what folds choose, and of all repetitions."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from tests.outside.conftest import write_two_classes

GEOMETRIC_MEAN = """
import numpy as np
from xval import metric
@metric(higher_is_better=True, bounds=(0, 1))
def geometric_mean(targets, predictions):
    answers = predictions.argmax(axis=1)
    recalls = [np.mean(answers[targets == number] == number) for number in np.unique(targets)]
    return float(np.prod(recalls) ** (1 / len(recalls)))
"""


@pytest.mark.parametrize("when", ["trained", "added"])
def test_the_nested_value_of_a_metric_of_ones_own_is_that_of_the_jobs_that_are_chosen(study, when):
    study.file("mine.py", GEOMETRIC_MEAN)
    with_it = {"metrics": "auto, mine.geometric_mean"} if when == "trained" else {}
    study.train({"architecture": "knn", "n_neighbors": (1,)}, {"architecture": "constant"}, num_folds=3, **with_it)
    if when == "added":
        added = study.xval("add-metrics", study.EXPERIMENT, "mine.geometric_mean", "--import", "mine")
        assert added.returncode == 0, added.stderr

    table = study.xval("report", study.EXPERIMENT, "--markdown").stdout

    # Every fold chooses the neighbours, so both rows are of the same jobs.
    nested, selected = [line.split("|")[2:] for line in table.splitlines() if "nested |" in line or "selected (bias" in line]
    assert "| Geometric mean ↑ |" in table.splitlines()[0]
    assert "Test scores of 2 models" in table
    assert "[" in nested[1]
    assert nested == selected


def covered_and_size(tables, coverage):
    """Return how often sets of split conformal prediction hold the true class, and their mean size, over speakers."""
    columns = sorted(name for name in tables if name.startswith("probability_"))
    classes = [name.removeprefix("probability_") for name in columns]
    of_true = tables["target"].map(classes.index).to_numpy()
    scores = 1 - tables[columns].to_numpy(float)
    own = scores[np.arange(len(scores)), of_true]
    is_validation, items = (tables["side"] == "validation").to_numpy(), tables["item"].to_numpy()
    covered, sizes = [], []
    for item in sorted(set(items)):
        others = {name: own[is_validation & (items == name)] for name in set(items[is_validation]) - {item}}
        tested = ~is_validation & (items == item)
        worse = [[np.mean([np.mean(of >= score - 1e-9) for of in others.values()]) for score in row] for row in scores[tested]]
        p_values = (1 + len(others) * np.array(worse)) / (1 + len(others))
        sets = p_values > 1 - coverage + 1e-9
        sets[np.arange(len(sets)), scores[tested].argmin(axis=1)] = True
        covered.append(sets[np.arange(len(sets)), of_true[tested]].mean())
        sizes.append(sets.sum(axis=1).mean())
    return np.mean(covered), np.mean(sizes)


@pytest.mark.long
def test_when_not_to_answer_is_of_all_repetitions(study):
    study.file(
        "noisy.py",
        "import numpy as np\n"
        "from preprocessing.store import write\n"
        "rng = np.random.default_rng(0)\n"
        "names = np.array(['a', 'b', 'c'])[np.arange(30) % 3]\n"
        "level = 0.4 * (np.arange(30) % 3)[:, None, None]\n"
        "examples = {f's{n}': (rng.normal(size=(30, 4, 2)) + level).astype('float32') for n in range(6)}\n"
        "write('noisy', examples, {name: list(names) for name in examples})\n",
    )
    written = study.python("noisy.py")
    assert written.returncode == 0, written.stderr
    study.train(
        {"architecture": "logistic", "C": (0.1,)},
        dataset="noisy", num_folds=3, fold_repeats=2, validation="next_fold", page="without_audio",
    )  # fmt: skip
    folder = study.folder / "results" / "noisy" / "experiment_1"

    tables = [pd.read_parquet(folder / f"instance_1/fold_{fold}/predictions.parquet") for fold in range(1, 7)]
    of_repetitions = [covered_and_size(pd.concat(of), 0.8) for of in (tables[:3], tables[3:])]
    (row,) = re.findall(r'<th scope="row">0.8</th>(.*?)</tr>', (folder / "report.html").read_text())
    shown = re.findall(r">([0-9.]+) \[", row)

    assert of_repetitions[0] != pytest.approx(of_repetitions[1], abs=0.005)
    assert [float(text) for text in shown[:2]] == pytest.approx(np.mean(of_repetitions, axis=0), abs=0.0006)


def test_gaps_of_all_columns_are_one_family(finished):
    one, several = (finished.xval("groups", finished.EXPERIMENT, *by) for by in (["--by", "gender"], []))

    ends = [re.search(r"by gender: .*?\[(\S+), (\S+)\]", ended.stdout) for ended in (one, several)]
    widths = [float(found[2]) - float(found[1]) for found in ends]
    assert widths[0] < widths[1]
    assert "columns)" not in one.stdout
    assert re.search(r"adjusted for .*[2-9] columns\)", several.stdout)


@pytest.mark.long
def test_intervals_of_scikit_learns_metrics_keep_within_their_range(study):
    write_two_classes(study, 1.0)
    names = ("matthews_corrcoef", "adjusted_rand_score", "fowlkes_mallows_score", "adjusted_mutual_info_score")
    study.train({"architecture": "logistic"}, num_folds=3, metrics=", ".join(f"sklearn:{name}" for name in names))

    printed = study.python("-c", f"import xval; print(xval.load_scores('{study.EXPERIMENT}').to_json(orient='records'))").stdout

    tested = {row["metric"].rpartition(".")[2]: row for row in json.loads(printed) if row["side"] == "test"}
    for name in names:
        assert 0.5 < tested[name]["mean"] < tested[name]["high"] <= 1, name


def test_a_metric_outside_its_own_bounds_is_named_before_training(study):
    study.file("mine.py", GEOMETRIC_MEAN.replace("float(np.prod", "3.0 + float(np.prod"))
    study.script({"architecture": "knn"}, metrics="auto, mine.geometric_mean")

    said = study.mistake("exp.py", "--executor", "inline")

    assert "metric 'geometric_mean' returned 3" in said
    assert "its bounds are 0 to 1. Correct the function, or bounds=(...) of @metric above it." in said
    study.script({"architecture": "knn"})
    assert study.run().returncode == 0
    added = study.mistake("-m", "xval", "add-metrics", study.EXPERIMENT, "mine.geometric_mean", "--import", "mine")
    assert "its bounds are 0 to 1." in added
