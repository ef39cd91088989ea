"""Each estimator through what every architecture goes through: a fold, its files, and what is loaded of them."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from preprocessing import store
from xval import load_model
from xval.answers.audit import audit
from xval.engine.worker.run import run_fold
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.results.folder import ExperimentFolder
from xval.results.scores import read_scores
from xval.settings.classical import CLASSICAL
from xval.settings.resolve import Declaration, resolve

ITEMS = tuple(f"s{number}" for number in range(6))
FOLD = Fold(1, ITEMS[:3], ITEMS[3:4], ITEMS[4:])
FEW = {"n_trees": (10,), "C": [1.0, 10.0], "gamma": ["scale"], "alpha": [10.0, 0.1], "n_neighbors": [5, 1]}
CASES = [(name, task) for name, declared in CLASSICAL.items() for task in declared.task_types]


@pytest.fixture
def toy(tmp_path):
    """Return a function that writes arrays whose classes (and numbers) are heard in some bins, and opens their store."""

    def write(task, shape=(8, 6), n_numbers=2):
        rng = np.random.default_rng(0)
        predictors, targets = {}, {}
        for item in ITEMS:
            classes = np.arange(12) % 3
            values = rng.normal(size=(12, *shape)).astype(np.float32)
            values[np.arange(12), ..., 2 * classes] += 1.5
            predictors[item] = values
            numbers = np.stack([100.0 * classes, 5.0 - classes], axis=1).astype(np.float32)
            targets[item] = np.array(["a", "b", "c"])[classes] if task == "classification" else numbers[:, :n_numbers]
        return store.write("toy", predictors, targets, task_type=task, data_folder=tmp_path / "data")

    return write


@pytest.fixture
def run(tmp_path):
    """Return a function that runs fold 1 of a baseline, and returns its record and folder."""

    def run(opened, task, name="once", **own):
        few = {key: value[0] if key == "n_trees" else value for key, value in FEW.items()}
        known = CLASSICAL[own["architecture"]].options
        own = {key: value for key, value in few.items() if key in known} | own
        (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", {"dataset": "toy", "task_type": task}, {1: own}))
        folder = tmp_path / name
        folder.mkdir()
        job = Job("r", "code", str(opened.folder), 1, FOLD, instance.settings, instance.options, "h", "f", seed=1)
        return run_fold(job, folder, Observers()), folder

    return run


@pytest.mark.parametrize(("name", "task"), CASES)
def test_each_baseline_fits_is_saved_and_answers_the_same_when_it_is_loaded(toy, run, name, task):
    opened = toy(task)

    record, folder = run(opened, task, architecture=name)
    _, again = run(opened, task, "twice", architecture=name)

    scores = read_scores(folder, record)
    assert [*scores.rows()] == [*read_scores(again, record).rows()], "one seed, one result"
    if name == "constant":
        metric = "balanced_accuracy" if task == "classification" else "rmse"
        assert scores.side("test")[metric] == pytest.approx(scores.side("chance")[metric])
    elif task == "classification":
        assert scores.side("test")["accuracy"] > 0.8
    else:
        assert scores.side("test")["rmse"] < 0.7 * scores.side("chance")["rmse"]
    assert "keras" not in record["versions"]
    json.dumps(record)
    kept = pd.read_parquet(folder / "predictions.parquet").query("side == 'test'").sort_values(["item", "row"])
    columns = "probability_" if task == "classification" else "predicted_"
    model = load_model(folder)
    found = model.predict([example for item in ("s4", "s5") for example in np.asarray(opened.predictors(item))])
    names = [column for column in kept.columns if column.startswith(columns)]
    np.testing.assert_allclose(found[names], kept[names], rtol=1e-12)


@pytest.mark.parametrize(("pooling", "n_features"), [(("mean",), 6), (("mean", "maximum"), 12)])
def test_what_is_pooled_is_what_the_instance_says_and_a_store_of_vectors_is_read_as_it_is(toy, run, pooling, n_features):
    opened = toy("classification")

    record, _ = run(opened, "classification", architecture="logistic", pooling=pooling, time_parts=2, C=[1.0])

    assert record["n_features"] == 2 * n_features
    assert (record["searched_on"], record["search_score"]) == (None, None)
    vectors, _ = run(toy("classification", (6,)), "classification", "vectors", architecture="logistic", pooling=pooling)
    assert vectors["n_features"] == 6


def test_numbers_are_explained_by_what_their_error_grows_by_and_where_they_have_no_names(toy, run, monkeypatch, tmp_path):
    estimator = pytest.importorskip("xval.extras.explanations.estimator")
    explain = pytest.importorskip("xval.extras.explanations.clips").explain
    opened = toy("regression", (6,), n_numbers=1)
    (tmp_path / "instance_1").mkdir()
    record, folder = run(opened, "regression", "instance_1/fold_1", architecture="ridge")
    settings = {"dataset": "toy", "data_folder": str(tmp_path / "data"), "task_type": "regression"}
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", settings, {1: {}}))
    items = {side: getattr(FOLD, side) for side in ("training", "validation", "test")}
    record |= {"status": "done", "store": str(opened.folder), "items": items, "seed": 1}
    monkeypatch.setattr(estimator, "find_experiment", lambda _: None)
    results = SimpleNamespace(record=lambda _: record, settings=lambda _: instance)
    monkeypatch.setattr(estimator, "open_results", lambda _: results)

    importance = estimator.measure_importance(folder).set_index("group")["importance"]

    told = ["feature 1", "feature 5"]  # the bins in which the smallest and the largest numbers are heard
    assert set(importance.index[:2]) == set(told)
    assert importance[told].min() > 5 * abs(importance.drop(told)).max()
    (found,) = explain(load_model(folder), [np.asarray(opened.predictors("s4"))[0]], method="occlusion")
    assert found.explained == "0"


def test_the_loss_is_that_of_keras(toy, run, monkeypatch):
    opened = {task: toy(task) for task in ("regression", "classification")}
    for task, name in (("classification", "knn"), ("regression", "ridge")):
        _, found = run(toy(task), task, f"{task} without", architecture=name)
        with monkeypatch.context() as patch:
            patch.setattr("xval.engine.learners.estimator.loss_without_keras", lambda *_: None)
            _, wanted = run(toy(task), task, f"{task} with", architecture=name)
        found_loss, wanted_loss = (read_scores(folder, {}).side("test")["loss"] for folder in (found, wanted))
        assert found_loss == pytest.approx(wanted_loss, rel=1e-5), opened


@pytest.mark.usefixtures("in_process")
def test_a_baseline_goes_the_way_of_a_network_from_the_script_to_a_final_model(project):
    project.write_script(
        {"architecture": "svm"},
        {"architecture": "knn", "n_neighbors": [3]},
        num_folds=3,
        executor="inline",
        page="without_audio",
    )

    ended = project.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert sorted(project.records()) == [(instance, fold) for instance in (1, 2) for fold in (1, 2, 3)]
    assert "Baselines of scikit-learn" in (project.results / "report.html").read_text(encoding="utf-8")
    assert "Nothing to do: all 6 jobs are done." in project.run().stdout
    verdicts = {verdict.rule: verdict.state for verdict in audit(ExperimentFolder(project.results), project.folder / "data")}
    assert verdicts["files"] == verdicts["seen audio"] == verdicts["items"] == "ok"

    compared = project.run_module("xval", "compare", str(project.results))
    assert compared.returncode == 0, compared.stderr
    final = project.run_module("xval", "refit", f"{project.results}:1")
    assert final.returncode == 0, final.stdout + final.stderr
    record = json.loads((project.results / "instance_1" / "refit" / "record.json").read_text())
    temperatures = [project.records()[1, fold]["temperature"] for fold in (1, 2, 3)]
    assert record["temperature"] == pytest.approx(np.exp(np.log(temperatures).mean()))
    assert "Estimator of scikit-learn: svm" in (project.results / "instance_1" / "refit" / "model_card.md").read_text()
    assert "Nothing to do" in project.run_module("xval", "refit", f"{project.results}:1").stdout
    assert "has none. Remove --epochs" in project.run_module("xval", "refit", f"{project.results}:1", "--epochs", "3").stderr


def test_a_process_that_fits_baselines_alone_does_not_load_keras():
    code = (
        "import sys; from xval.engine.learners import estimator; from xval.engine.worker import serve, check_models, run\n"
        "serve.load_training(); print('keras' in sys.modules)"
    )
    variables = os.environ | {"XVAL_FIRST_JOB": "no_network"}

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, check=True)

    assert ended.stdout == "False\n"


def test_a_saved_baseline_answers_where_no_backend_of_keras_is_installed(toy, run):
    opened = toy("classification")
    _, folder = run(opened, "classification", architecture="logistic")
    code = (
        "import sys; from importlib import util; import numpy as np\n"
        "find_spec, hidden = util.find_spec, ('keras', 'tensorflow', 'torch', 'jax')\n"
        "util.find_spec = lambda name, *package: None if name in hidden else find_spec(name, *package)\n"
        "from xval import load_model\n"
        "print(len(load_model(sys.argv[1]).predict([np.zeros((8, 6), np.float32)])), {'keras', 'torch'} & {*sys.modules})"
    )
    variables = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}

    ended = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, env=variables, check=False
    )

    assert ended.stdout == "1 set()\n", ended.stderr
