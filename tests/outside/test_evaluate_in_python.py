"""`model.evaluate` gives the scores of ``xval evaluate``, and `model.predict` takes an array of examples."""

import json

import pytest

FOLD = "results/small/experiment_1/instance_1/fold_1"
SCRIPT = """
import json, sys
import numpy as np, pandas as pd
import xval
from preprocessing.store import open_store

def x_y(items=("s0", "s1")):
    store = open_store("data/small/features/custom")
    x, y = zip(*(store[item] for item in items))
    return np.concatenate(x), np.concatenate(y), np.repeat(items, [len(part) for part in x])

def show(scores):
    print("SCORES", json.dumps(dict(scores)))

model = xval.load_model(PATH)
"""


def scores_of(study, path, code):
    """Return the scores that lines of Python show, in their order."""
    study.file("use.py", SCRIPT.replace("PATH", repr(str(path))) + code)
    ended = study.python("use.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return [json.loads(line[7:]) for line in ended.stdout.splitlines() if line.startswith("SCORES ")]


def scores_of_command(study, path, *arguments):
    ended = study.xval("evaluate", path, *arguments, "--output", "tested", "--overwrite")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads((study.folder / "tested/metrics.json").read_text())["metrics"]


@pytest.mark.long
def test_audio_models_give_the_scores_of_the_command(copied):
    table, folder, folders, frame, prepared = scores_of(
        copied,
        FOLD,
        """
show(model.evaluate("audio/clips.csv"))
show(model.evaluate("audio", item_pattern=r"(s\\d)_"))
show(model.evaluate(["audio/low", "audio/high"], item_pattern=r"(s\\d)_"))
show(model.evaluate(pd.read_csv("audio/clips.csv"), audio_folder="audio"))
scores = model.evaluate("small", leave_out_seen=True)
show(scores)
assert (scores.predictions["seen"] == "no").all() and len(scores.left_out), scores.left_out
assert scores.table.loc["accuracy", "value"] == scores["accuracy"]
assert scores.confusion_matrix.to_numpy().sum() == len(scores.predictions)
assert list(scores.classes.index) == list(model.class_names)
""",
    )
    assert table == scores_of_command(copied, FOLD, "audio/clips.csv") == frame
    assert folder == folders == scores_of_command(copied, FOLD, "audio", "--item-pattern", r"(s\d)_")
    assert prepared == scores_of_command(copied, FOLD, "small", "--leave-out-seen")
    assert 0 <= prepared["balanced_accuracy"] <= 1


@pytest.mark.parametrize("place", ["results/small/experiment_1", "results/small/experiment_1/instance_3"])
def test_experiments_and_estimators_are_tested_too(finished, place, tmp_path):
    finished_scores = scores_of(finished, place, "show(model.evaluate('small'))\n")
    ended = finished.xval("evaluate", place, "small", "--output", tmp_path / "tested")
    assert ended.returncode == 0, ended.stderr
    assert finished_scores == [json.loads((tmp_path / "tested/metrics.json").read_text())["metrics"]]


def test_mistakes_are_told(copied):
    copied.file(
        "wrong.py",
        SCRIPT.replace("PATH", repr(FOLD))
        + """
for arguments, options in (
    (("audio", [1]), {}), ((np.zeros((2, 3)), [0, 1]), {}), (("nothing",), {}), (("audio/clips.csv",), {"item_pattern": "(s)"}),
):
    try:
        model.evaluate(*arguments, **options)
    except xval.XvalError as error:
        print("told", error)
""",
    )
    lines = [line for line in copied.python("wrong.py").stdout.splitlines() if line.startswith("told ")]
    assert [line.split()[1] for line in lines] == ["targets:", "evaluate:", "nothing:", "--item-pattern"], lines


@pytest.mark.long
@pytest.mark.parametrize(
    "task",
    ["classification", "multilabel_classification", "regression", pytest.param("representation", marks=pytest.mark.slow)],
)
def test_arrays_with_targets(study, task):
    study.corpus(task)
    architecture = "daf_autoencoder" if task == "representation" else "mlp"
    rest = {} if task == "representation" else {"n_units": (4,)}
    study.train({"architecture": architecture, **rest}, task_type=task, num_epochs=1)
    code = """
x, y, items = x_y()
y = None if model.task_type == "representation" else y
show(model.evaluate(x, y, items))
show(model.evaluate({"s0": x[:12], "s1": x[12:]}, y if y is None else {"s0": y[:12], "s1": y[12:]}))
show(model.evaluate(list(x), y))
show(model.evaluate("small", only_items=["s0", "s1"]))
assert len(model.predict(x)) == len(x) == len(model.predict(list(x))), model.predict(x)
assert model.predict(x).equals(model.predict(list(x)))
assert model.predict(x[0]).drop(columns="path").equals(model.predict([x[0]]).drop(columns="path"))
"""
    by_items, by_dict, alone, prepared = scores_of(study, FOLD, code)
    assert by_items == by_dict == prepared
    assert alone.keys() == by_items.keys()


def test_arrays_of_an_estimator_and_of_a_refit(study):
    study.train({"architecture": "svm", "C": (1.0,)})
    assert study.xval("refit", "results/small/experiment_1:1").returncode == 0
    code = """
x, y, items = x_y()
names = np.array(model.class_names)[y]
scores = model.evaluate(x, names, items)
show(scores)
assert any("training data" in line for line in scores.warnings) or "fold" in str(model.path), scores.warnings
assert len(model.predict(x)) == len(model.predict_proba(x)) == len(x)
"""
    (fold,) = scores_of(study, FOLD, code)
    final = next(path for path in study.results.glob("**/model.skops") if "fold_" not in str(path))
    (final,) = scores_of(study, final, code)
    assert fold.keys() == final.keys()
