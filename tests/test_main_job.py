"""The main job as a user runs it: commands in, a results folder out."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import openpyxl
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# Runs exp.py with the arguments of the process, and prints which of the libraries that take long to load it has loaded.
LOADED = """
import atexit, runpy, sys
slow = {"keras", "tensorflow", "torch", "jax", "pandas", "pyarrow", "scipy", "sklearn", "librosa", "matplotlib", "xlsxwriter"}
atexit.register(lambda: print("LOADED", sorted(slow & set(sys.modules))))
sys.argv[0] = "exp.py"
runpy.run_path("exp.py", run_name="__main__")
"""
# Compares what a saved model says with what was kept of it, without this project.
SAVED_MODEL = """
import sys, json, keras, numpy as np, pandas as pd
folder, store = sys.argv[1:]
model = keras.models.load_model(folder + "/model.keras")
kept = pd.read_parquet(folder + "/predictions.parquet")
examples = pd.read_parquet(store + "/examples.parquet").set_index(["item", "row"])
x = np.load(store + "/predictors.npy")[examples.loc[list(zip(kept["item"], kept["row"])), "first_row"]]
columns = [name for name in kept if name.startswith("probability_")]
difference = float(np.abs(model.predict(x, verbose=0) - kept[columns].to_numpy()).max())
imported = sorted({"xval", "architectures", "preprocessing"} & set(sys.modules))
print(json.dumps({"backend": keras.backend.backend(), "imported": imported, "difference": difference}))
"""
INSTANCES = (
    {"architecture": "mlp", "n_units": (16,)},
    {"architecture": "cnn_small", "n_filters": (4, 8), "dropout": 0.5},
)


def run_light(project, *arguments):
    """Run exp.py as `Project.run` does; its text ends with what it has loaded."""
    command = [sys.executable, "-c", LOADED, *arguments]
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True, env=project.environment(), check=False)


@pytest.fixture
def two_workers(project, make_once):
    """Write a script of `INSTANCES` in the project; return one that has run it with two workers, once, and what it printed."""

    def other(folder):
        return type(project)(folder, folder / "results" / "toy" / "experiment_1")

    def run(folder):
        other(folder).write_corpus()
        other(folder).write_script(*INSTANCES, num_folds=2)
        ended = other(folder).run("--workers", "2")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        (folder / "printed").write_text(ended.stdout)

    project.write_script(*INSTANCES, num_folds=2)
    folder = make_once("two_workers", run)
    return other(folder), (folder / "printed").read_text()


@pytest.fixture
def two_of_three(project, make_once):
    """Return a project that has run two of its three folds; they are trained once, and tests change copies of them."""

    def run(folder):
        other = type(project)(folder, folder / "results" / "toy" / "experiment_1")
        other.write_corpus()
        other.write_script({"architecture": "mlp", "n_units": (16,)}, {"architecture": "mlp", "n_units": (8,)}, backend="jax")
        ended = other.run("--folds", "1,2", "--executor", "inline")
        assert ended.returncode == 0, ended.stdout + ended.stderr

    shutil.copytree(make_once("two_of_three", run), project.folder, dirs_exist_ok=True)
    return project


def test_a_run_ends_in_records_models_metric_dicts_and_a_workbook(two_workers):
    project, printed = two_workers

    assert "running on the CPU, 2 workers, 1 thread each" in printed
    assert str(project.results.relative_to(project.folder) / "results.xlsx") in printed
    found = project.records()
    assert sorted(found) == [(instance, fold) for instance in (1, 2) for fold in (1, 2)]
    folds = json.loads((project.results / "folds.json").read_text())["folds"]
    for (_, fold), record in found.items():
        assert record["status"] == "done"
        assert record["items"]["test"] == folds[fold - 1]["test"]
        assert not set(record["items"]["test"]) & set(record["items"]["training"] + record["items"]["validation"])
    tested = [item for fold in (1, 2) for item in found[1, fold]["items"]["test"]]
    assert sorted(tested) == [f"speaker_{number}" for number in range(6)]
    fold_files = {path.name for path in (project.results / "instance_1" / "fold_1").iterdir()}
    assert fold_files == {
        "history.csv",
        "model.json",
        "model.keras",
        "predictions.parquet",
        "record.json",
        "scores.parquet",
        "seen_audio.npy",
        "trained_audio.npy",
        "novelty.npy",
    }
    metric_dict = json.loads((project.results / "instance_2" / "metrics.json").read_text())
    mean = np.mean([found[2, fold]["metrics"]["test"]["accuracy"] for fold in (1, 2)])
    assert metric_dict["summary"]["test"]["accuracy"]["mean"] == pytest.approx(mean)
    settings = json.loads((project.results / "instance_2" / "settings.json").read_text())
    assert (settings["sources"]["dropout"], settings["sources"]["dataset"]) == ("instance", "experiment")
    workbook = openpyxl.load_workbook(project.results / "results.xlsx")
    assert workbook.sheetnames[0] == "summary"
    (code,) = (project.results / "code").iterdir()
    assert (code / "script" / "exp.py").read_text() == (project.folder / "exp.py").read_text()
    assert {record["code_hash"] for record in found.values()} == {code.name}
    assert not project.leftovers()


def test_a_second_run_does_nothing_and_loads_nothing_slow(two_of_three):
    project = two_of_three
    before = project.scores(), (project.results / "results.xlsx").stat().st_mtime_ns
    left = project.results / "instance_1" / ".fold_1.checkpoint.npz"  # as by a kill just after the job was published
    left.touch()
    os.utime(left, (0, 0))

    ended = run_light(project, "--folds", "1,2", "--details")

    assert ended.returncode == 0, ended.stderr
    assert "Nothing to do: all 4 jobs are done." in ended.stdout
    assert "in each fold by its own validation" in ended.stdout
    assert "Variants 1 (2/3), 2 (2/3) lack folds" in ended.stdout
    assert "LOADED []" in ended.stdout
    assert not left.exists()
    assert (project.scores(), (project.results / "results.xlsx").stat().st_mtime_ns) == before


def test_what_is_only_said_beside_results_changes_without_training(two_of_three):
    project = two_of_three
    before = project.scores()

    words = ("--details", "--set", "silence=XV201,XV304", "--set", "item_name=actor", "--set", "comment_1=a new name")
    ended = project.run("--folds", "1,2", *words)

    assert "Nothing to do: all 4 jobs are done." in ended.stdout
    assert "a new name" in ended.stdout
    assert "actors were tested; one more could change" in ended.stdout
    assert "XV201" not in ended.stdout
    assert project.scores() == before
    texts = [str(cell.value) for row in openpyxl.load_workbook(project.results / "results.xlsx")["findings"] for cell in row]
    assert not any("XV201" in text for text in texts)
    assert any("actors were tested; one more could change" in text for text in texts)


@pytest.mark.parametrize(("argument", "loaded"), [("--help", []), ("--list", []), ("--dry-run", ["pandas", "pyarrow"])])
def test_looking_loads_no_backend_and_writes_nothing(project, argument, loaded):
    ended = run_light(project, argument)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith(f"LOADED {loaded}\n")
    assert not project.results.exists()


@pytest.mark.usefixtures("in_process")
def test_settings_that_are_gone_are_written_again_though_their_jobs_are_done(project):
    project.write_script(*({"architecture": "logistic", "seed": seed} for seed in range(1, 4)), num_folds=2)
    project.run("1", "2")
    settings = project.results / "instance_1" / "settings.json"
    written = settings.read_text()

    for last in ("2", "3"):  # nothing to do; another instance to do
        settings.unlink()
        ended = project.run("1", last)
        assert ended.returncode == 0, ended.stderr
        assert "excluded from the workbook" not in ended.stdout
        assert settings.read_text() == written


def test_the_same_figures_on_any_executor_streamed_or_not_and_in_any_folder(project, two_workers):
    ended = project.run("--executor", "inline", "--set", "generator=true", "--set", "experiment_folder=streamed")

    assert ended.returncode == 0, ended.stderr
    found = project.scores("streamed")
    assert len(found) == 4
    assert two_workers[0].scores() == found


CNN = {"architecture": "cnn_small", "n_filters": (4, 8)}


# TensorFlow goes this way in most tests, JAX in those of test_resilience.py; what JAX saves is loaded in architectures/.
@pytest.mark.parametrize(
    ("backend", "network"),
    [
        pytest.param("tensorflow", CNN, marks=pytest.mark.slow),
        ("torch", CNN),
        pytest.param("jax", {"architecture": "mlp"}, marks=pytest.mark.slow),
        pytest.param("jax", CNN, marks=pytest.mark.slow),
    ],
)
def test_the_whole_path_on_each_backend(project, backend, network, run_on):
    pytest.importorskip(backend)
    chosen = {"num_epochs": 12, "num_folds": 2, "backend": backend, "evaluate_training": True}
    project.write_script(network, **chosen)

    ended = project.run("--workers", "1", "--folds", "1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = project.records()
    assert {record["versions"]["backend"].split()[0] for record in found.values()} == {backend}
    assert min(record["metrics"]["training"]["accuracy"] for record in found.values()) > 0.6
    check = project.folder / "check.py"
    check.write_text(SAVED_MODEL)
    store = next((project.folder / "data" / "toy" / "features").glob("*/predictors.npy")).parent
    found = json.loads(run_on(backend, check, project.results / "instance_1" / "fold_1", store))
    assert found["backend"] == backend
    assert found["imported"] == []
    assert found["difference"] < 1e-5


@pytest.mark.usefixtures("in_process")
def test_a_regression_goes_the_same_way(project):
    project.write_corpus(task_type="regression")
    steady = {"architecture": "mlp", "dropout": 0.0}
    chosen = {"num_epochs": 12, "fold_strategy": "holdout", "early_stopping": False}
    project.write_script(steady, {**steady, "loss": "huber", "evaluate_training": True}, task_type="regression", **chosen)

    ended = project.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    scores = {"loss", "mse", "rmse", "mae", "r2", "pearson", "ccc"}
    for (instance, _), record in project.records().items():
        assert set(record["metrics"]["test"]) == scores
        assert set(record["metrics"]["training"]) == (scores if instance == 2 else {"loss", "mae"})
        assert record["metrics"]["training"]["mae"] < record["chance"]["test"]["mae"]


@pytest.mark.usefixtures("in_process")
def test_the_settings_of_training_all_run(project):
    project.write_script(
        {"monitor": "val_macro_f1", "schedule": "cosine", "class_weights": "balanced", "clip_norm": 1.0,
         "optimizer": "sgd", "momentum": 0.9},
        {"loss": "categorical_crossentropy", "schedule": "plateau", "optimizer": "adamw", "weight_decay": 0.02,
         "regularization_lambda": 0.01},
        {"schedule": "exponential", "precision": "mixed_bfloat16", "normalization": "per_clip", "early_stopping": False},
        {"normalization": "global", "tensorboard": True, "monitor": "val_accuracy", "early_stopping": False,
         "schedule": "logarithmic", "final_learning_rate": 1e-5},
        architecture="mlp", fold_strategy="holdout", num_epochs=4, tracking="mlflow",
    )  # fmt: skip

    ended = project.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "tracking has stopped" not in ended.stdout
    tracked = [path.read_text() for path in (project.folder / "results" / "mlflow").rglob("mlflow.runName")]
    folds = [f"instance {instance}, fold 1" for instance in (1, 2, 3, 4)]
    assert sorted(tracked) == sorted([*folds, *(f"instance {instance}" for instance in (1, 2, 3, 4)), "results"])
    histories = {i: pd.read_csv(project.results / f"instance_{i}" / "fold_1" / "history.csv") for i in (1, 2, 3, 4)}
    assert {"val_macro_f1", "val_balanced_accuracy"} <= set(histories[1])
    assert list(histories[1]["learning_rate"]) == sorted(histories[1]["learning_rate"], reverse=True)
    assert histories[3]["learning_rate"].tolist() == pytest.approx([0.01, 0.005, 0.0025, 0.00125], rel=1e-5)
    assert histories[4]["learning_rate"].tolist() == pytest.approx([1e-2, 1e-3, 1e-4, 1e-5], rel=1e-5)
    assert len(histories[3]) == 4
    logs = project.results / "tensorboard" / "instance_4" / "fold_1"
    scalars = {
        side: [round(of_epoch.value, 4) for of_epoch in EventAccumulator(str(logs / side)).Reload().Scalars("epoch_loss")]
        for side in ("train", "validation")
    }
    assert scalars == {
        "train": histories[4]["loss"].round(4).tolist(),
        "validation": histories[4]["val_loss"].round(4).tolist(),
    }


@pytest.mark.usefixtures("in_process")
def test_a_diverging_job_fails_alone_and_is_marked(project):
    project.write_script(
        {"architecture": "mlp"}, {"architecture": "mlp", "learning_rate": 1e30, "optimizer": "sgd"}, num_folds=2
    )

    ended = project.run()

    assert ended.returncode == 1
    assert "2 jobs failed (instance 2, fold" in ended.stdout
    found = project.records()
    assert [found[1, fold]["status"] for fold in (1, 2)] == ["done", "done"]
    assert [found[2, fold]["status"] for fold in (1, 2)] == ["failed", "failed"]
    assert "loss is" in found[2, 1]["error"]
    assert "DivergenceError" in found[2, 1]["traceback"]
