"""The main job as a user runs it: commands in, a results folder out. Real processes, really killed."""

import json
import os
import pkgutil
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from xval import executors

EXECUTORS = [module.name for module in pkgutil.iter_modules(executors.__path__) if module.name != "worker"]
BACKENDS = ("tensorflow", "torch", "jax")


def records(results):
    found = {}
    for path in sorted(results.glob("instance_*/fold_*/record.json")):
        record = json.loads(path.read_text())
        found[record["instance"], record["fold"]] = record
    return found


def figures(results):
    """Return what must be equal bit for bit between runs."""
    kept = ("metrics", "clip_metrics", "item_metrics", "confusion_matrix", "best_epoch", "epochs", "seed")
    return {job: {name: record[name] for name in kept} for job, record in records(results).items()}


def leftovers(results):
    return [path for path in results.rglob("*") if path.name.endswith(".part")]


def test_a_run_ends_in_records_models_metric_dicts_and_a_workbook(project):
    ended = project.run()

    assert ended.returncode == 0, ended.stderr
    assert "running on the CPU, 2 worker(s), 1 thread(s) each" in ended.stdout
    assert str(project.results.relative_to(project.folder) / "results.xlsx") in ended.stdout
    found = records(project.results)
    assert sorted(found) == [(instance, fold) for instance in (1, 2) for fold in (1, 2, 3)]
    folds = json.loads((project.results / "folds.json").read_text())["folds"]
    for (_, fold), record in found.items():
        assert record["status"] == "done"
        assert record["items"]["test"] == folds[fold - 1]["test"]
        assert not set(record["items"]["test"]) & set(record["items"]["training"] + record["items"]["validation"])
    tested = [item for fold in (1, 2, 3) for item in found[1, fold]["items"]["test"]]
    assert sorted(tested) == [f"speaker_{number}" for number in range(6)]
    fold_files = {path.name for path in (project.results / "instance_1" / "fold_1").iterdir()}
    assert fold_files == {"history.csv", "model.json", "model.keras", "predictions.parquet", "record.json"}
    metric_dict = json.loads((project.results / "instance_2" / "metrics.json").read_text())
    mean = np.mean([found[2, fold]["metrics"]["test"]["accuracy"] for fold in (1, 2, 3)])
    assert metric_dict["summary"]["test"]["accuracy"]["mean"] == pytest.approx(mean)
    settings = json.loads((project.results / "instance_2" / "settings.json").read_text())
    assert (settings["sources"]["dropout"], settings["sources"]["dataset"]) == ("instance", "experiment")
    workbook = openpyxl.load_workbook(project.results / "results.xlsx")
    assert workbook.sheetnames[0] == "summary"
    (code,) = (project.results / "code").iterdir()
    assert (code / "script" / "exp.py").read_text() == (project.folder / "exp.py").read_text()
    assert {record["code_hash"] for record in found.values()} == {code.name}
    assert not leftovers(project.results)


def test_a_second_run_does_nothing_quickly_and_loads_no_backend(project):
    project.run("1", "1", "--folds", "1")
    before = figures(project.results), (project.results / "results.xlsx").stat().st_mtime_ns

    program = (
        "import sys, runpy, atexit; sys.argv = ['exp.py', '1', '1', '--folds', '1']\n"
        "heavy = {'keras', 'tensorflow', 'torch', 'jax', 'pandas'}\n"
        "atexit.register(lambda: print('LOADED', sorted(heavy & set(sys.modules))))\n"
        "runpy.run_path('exp.py', run_name='__main__')"
    )
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-c", program], cwd=project.folder, capture_output=True, text=True, env=project.environment()
        )
        seconds.append(time.monotonic() - started)

    assert ended.returncode == 0, ended.stderr
    assert "Nothing to do: all 1 jobs are done." in ended.stdout
    assert "LOADED []" in ended.stdout
    assert (figures(project.results), (project.results / "results.xlsx").stat().st_mtime_ns) == before
    assert min(seconds) < 1.5


@pytest.mark.parametrize("arguments", [("--help",), ("--list",), ("--dry-run",)])
def test_looking_is_quick_and_writes_nothing(project, arguments):
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        ended = project.run(*arguments)
        seconds.append(time.monotonic() - started)

    assert ended.returncode == 0, ended.stderr
    assert min(seconds) < 1.5
    assert not project.results.exists()


def test_first_to_last_trains_exactly_these_instances(project):
    instances = [{"architecture": "mlp", "n_units": (4,), "seed": seed} for seed in range(1, 6)]
    project.write_script(*instances, num_epochs=1, num_folds=2)

    ended = project.run("2", "4", "cpu")

    assert ended.returncode == 0, ended.stderr
    assert sorted(records(project.results)) == [(instance, fold) for instance in (2, 3, 4) for fold in (1, 2)]


def test_the_same_figures_on_any_executor_any_number_of_workers_and_in_any_folder(project):
    runs = {
        "inline": ("--executor", "inline", "--set", "experiment_folder=inline"),
        "one": ("--workers", "1", "--set", "experiment_folder=one"),
        "two": ("--workers", "2", "--set", "experiment_folder=two"),
        "streamed": ("--set", "generator=true", "--set", "experiment_folder=streamed"),
    }

    for arguments in runs.values():
        ended = project.run(*arguments)
        assert ended.returncode == 0, ended.stderr

    found = {name: figures(project.folder / name / "toy" / "experiment_1") for name in runs}
    assert len(found["inline"]) == 6
    assert found["one"] == found["inline"]
    assert found["two"] == found["inline"]
    assert found["streamed"] == found["inline"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_whole_path_on_each_backend(project, backend):
    pytest.importorskip(backend)
    project.write_script({"architecture": "cnn_small", "n_filters": (4, 8)}, num_epochs=12, num_folds=2, backend=backend)

    ended = project.run("--workers", "1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = records(project.results)
    assert {record["versions"]["backend"].split()[0] for record in found.values()} == {backend}
    assert min(record["metrics"]["training"]["accuracy"] for record in found.values()) > 0.6
    check = (
        "import sys, json, keras, numpy as np, pandas as pd\n"
        "assert keras.backend.backend() == sys.argv[2]\n"
        "model = keras.models.load_model(sys.argv[1] + '/model.keras')\n"
        "kept = pd.read_parquet(sys.argv[1] + '/predictions.parquet')\n"
        "x = np.concatenate([np.load(f'{sys.argv[3]}/{i}.npy')[r:r + 1] for i, r in zip(kept['item'], kept['row'])])\n"
        "columns = [name for name in kept if name.startswith('probability_')]\n"
        "print(np.abs(model.predict(x, verbose=0) - kept[columns].to_numpy()).max())\n"
        "assert not {'xval', 'architectures', 'preprocessing'} & set(sys.modules), 'the model needs the project'\n"
    )
    predictors = next((project.folder / "data" / "toy" / "features").glob("*/predictors"))
    loaded = subprocess.run(
        [sys.executable, "-c", check, project.results / "instance_1" / "fold_1", backend, predictors],
        capture_output=True, text=True, cwd="/", env=project.environment(KERAS_BACKEND=backend, CUDA_VISIBLE_DEVICES="-1"),
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    assert float(loaded.stdout.split()[-1]) < 1e-5


def test_predictions_are_kept_and_give_the_metrics_of_the_record(project):
    project.run("1", "1", "--folds", "2")

    folder = project.results / "instance_1" / "fold_2"
    kept, record = pd.read_parquet(folder / "predictions.parquet"), json.loads((folder / "record.json").read_text())
    for side in ("validation", "test"):
        of_side = kept[kept["side"] == side]
        assert sorted(of_side["item"].unique()) == record["items"][side]
        assert (of_side["target"] == of_side["predicted"]).mean() == pytest.approx(record["metrics"][side]["accuracy"])


def test_a_regression_goes_the_same_way(project):
    project.write_corpus(task_type="regression")
    project.write_script(
        {"architecture": "mlp"}, {"architecture": "mlp", "loss": "huber"}, task_type="regression", num_epochs=30
    )

    ended = project.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    for record in records(project.results).values():
        assert set(record["metrics"]["test"]) == {"loss", "mse", "rmse", "mae", "r2", "pearson", "ccc"}
        assert record["metrics"]["training"]["mse"] < record["chance"]["test"]["mse"]


def test_the_settings_of_training_all_run(project):
    project.write_script(
        {"monitor": "val_macro_f1", "schedule": "cosine", "class_weights": "balanced", "clip_norm": 1.0},
        {"loss": "categorical_crossentropy", "schedule": "plateau", "optimizer": "adamw", "regularization_lambda": 0.01},
        {"schedule": "exponential", "precision": "mixed_bfloat16", "normalization": "per_clip", "early_stopping": False},
        {"normalization": "global", "tensorboard": True, "monitor": "val_accuracy", "patience": 1},
        architecture="mlp", num_folds=2, num_epochs=4,
    )  # fmt: skip

    ended = project.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    histories = {i: pd.read_csv(project.results / f"instance_{i}" / "fold_1" / "history.csv") for i in (1, 2, 3, 4)}
    assert "val_macro_f1" in histories[1]
    assert list(histories[1]["learning_rate"]) == sorted(histories[1]["learning_rate"], reverse=True)
    assert histories[3]["learning_rate"].tolist() == pytest.approx([0.01, 0.005, 0.0025, 0.00125], rel=1e-5)
    assert len(histories[3]) == 4
    assert list((project.results / "instance_4" / "fold_1" / "tensorboard").rglob("*"))


def test_a_diverging_job_fails_alone_and_is_marked(project):
    project.write_script(
        {"architecture": "mlp"}, {"architecture": "mlp", "learning_rate": 1e30, "optimizer": "sgd"}, num_folds=2
    )

    ended = project.run()

    assert ended.returncode == 1
    assert "2 job(s) failed (instance 2 fold" in ended.stdout
    found = records(project.results)
    assert [found[1, fold]["status"] for fold in (1, 2)] == ["done", "done"]
    assert [found[2, fold]["status"] for fold in (1, 2)] == ["failed", "failed"]
    assert "loss is" in found[2, 1]["error"]
    assert "DivergenceError" in found[2, 1]["traceback"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_failing_job_fails_alone_on_every_executor(project, executor):
    broken = {"architecture": "mlp", "learning_rate": 1e30, "optimizer": "sgd"}
    project.write_script(broken, {"architecture": "mlp"}, num_folds=2)

    ended = project.run("--executor", executor)

    assert ended.returncode == 1
    found = records(project.results)
    assert [found[instance, fold]["status"] for instance in (1, 2) for fold in (1, 2)] == ["failed"] * 2 + ["done"] * 2


def test_a_full_disk_fails_the_job_that_needs_it_and_harms_nothing_else(project):
    project.write_script({"architecture": "mlp", "n_units": (8,)}, {"architecture": "mlp", "n_units": (1024,)}, num_folds=2)
    limited = ["bash", "-c", 'ulimit -f 150; exec "$@"', "bash", *project.command("--workers", "1")]

    ended = subprocess.run(limited, cwd=project.folder, capture_output=True, text=True, env=project.environment(), check=False)

    assert ended.returncode == 1, ended.stderr
    found = records(project.results)
    assert [found[1, fold]["status"] for fold in (1, 2)] == ["done", "done"]
    assert [found[2, fold]["status"] for fold in (1, 2)] == ["failed", "failed"]
    assert "too large" in found[2, 1]["error"]
    assert not leftovers(project.results)


def test_a_worker_past_its_memory_is_replaced_and_the_figures_are_the_same(project):
    project.run("1", "1", "--set", "experiment_folder=roomy")

    running = project.start("1", "1", "--workers", "1", "--set", "max_worker_memory_mb=1")
    seen = set()
    while running.poll() is None:
        seen |= set(workers_of(running.pid))
        time.sleep(0.1)
    running.communicate()

    assert running.returncode == 0
    assert len(seen) == 3
    assert figures(project.results) == figures(project.folder / "roomy" / "toy" / "experiment_1")


def test_debug_mode_stops_at_the_first_error_with_its_traceback(project):
    project.write_script({"architecture": "mlp", "learning_rate": 1e30, "optimizer": "sgd"}, num_folds=2)

    ended = project.run("--debug")

    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "DivergenceError: " in ended.stderr
    assert not records(project.results)


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(project):
    project.write_script(*[{"architecture": "mlp", "seed": seed} for seed in (1, 2, 3)], num_epochs=40, early_stopping=False)
    running = project.start()
    printed = ""
    for line in running.stdout:
        printed += line
        if line.startswith("2/9"):
            break
    os.killpg(running.pid, signal.SIGINT)
    printed += running.communicate(timeout=60)[0]

    assert running.returncode == 130, printed
    assert "Interrupted" in printed
    assert not leftovers(project.results)
    stamps = {job: record_stamp(project, job) for job in records(project.results)}
    assert 2 <= len(stamps) < 9
    ended = project.run()
    assert ended.returncode == 0, ended.stderr
    assert len(records(project.results)) == 9
    assert {job: record_stamp(project, job) for job in stamps} == stamps


def record_stamp(project, job):
    return (project.results / f"instance_{job[0]}" / f"fold_{job[1]}" / "record.json").stat().st_mtime_ns


def test_sigterm_ends_a_run_as_ctrl_c_does(project):
    project.write_script({"architecture": "mlp"}, num_epochs=500, early_stopping=False)
    running = project.start()
    running.stdout.readline()
    time.sleep(1)
    running.send_signal(signal.SIGTERM)
    printed = running.communicate(timeout=60)[0]

    assert running.returncode == 130, printed
    assert not leftovers(project.results)


def workers_of(pid):
    """Return the process ids of the worker processes of a run."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if "xval.executors.worker" in line]


def test_a_killed_worker_costs_one_retry_and_harms_nothing_else(project):
    undisturbed = project.run("--set", "experiment_folder=undisturbed")
    assert undisturbed.returncode == 0, undisturbed.stderr
    running = project.start()
    for line in running.stdout:
        if line.startswith("1/6"):
            break
    os.kill(random.Random(1).choice(workers_of(running.pid)), signal.SIGKILL)
    printed = running.communicate(timeout=120)[0]

    assert running.returncode == 0, printed
    assert figures(project.results) == figures(project.folder / "undisturbed" / "toy" / "experiment_1")
    assert not leftovers(project.results)


def test_a_job_that_kills_every_worker_fails_alone_after_two_tries(project):
    project.write_script({"architecture": "mlp", "n_units": (8,)}, {"architecture": "mlp", "n_units": (9,)}, num_folds=2)

    ended = project.run(XVAL_TEST_KILL_UNITS="9", PYTHONPATH=str(write_killer(project.folder)))

    found = records(project.results)
    assert ended.returncode == 1
    assert [found[1, fold]["status"] for fold in (1, 2)] == ["done", "done"]
    assert [found[2, fold]["status"] for fold in (1, 2)] == ["failed", "failed"]
    assert "the worker process was killed by SIGKILL (the system may have run out of memory), 2 times" in found[2, 1]["error"]


def write_killer(folder):
    """Write a sitecustomize that kills the process when a model with 9 units begins to train; return its folder."""
    place = folder / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "if 'xval.executors.worker' in sys.orig_argv:\n"
        "    import keras\n"
        "    fit = keras.Model.fit\n"
        "    def killed(model, *args, **kwargs):\n"
        "        units = [getattr(l, 'units', 0) for l in model._flatten_layers()]\n"
        "        if int(os.environ['XVAL_TEST_KILL_UNITS']) in units:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return fit(model, *args, **kwargs)\n"
        "    keras.Model.fit = killed\n"
    )
    return place


def test_two_runs_of_one_experiment_at_once_are_both_whole(project):
    instances = [{"architecture": "mlp", "n_units": (8,), "seed": seed} for seed in (1, 2, 3, 4)]
    project.write_script(*instances, num_folds=2, workers=1)

    first, second = project.start("1", "2"), project.start("3", "4")
    printed = [running.communicate(timeout=200)[0] for running in (first, second)]

    assert [first.returncode, second.returncode] == [0, 0], printed
    assert len(records(project.results)) == 8
    sheet = openpyxl.load_workbook(project.results / "results.xlsx")["summary"]
    numbers = {cell.value for row in sheet.iter_rows(max_col=1) for cell in row if isinstance(cell.value, int)}
    assert numbers == {1, 2, 3, 4}


def test_the_same_command_twice_at_once_shares_the_jobs(project):
    first, second = project.start(), project.start()
    printed = [running.communicate(timeout=200)[0] for running in (first, second)]

    assert [first.returncode, second.returncode] == [0, 0], printed
    assert len(records(project.results)) == 6
    assert not leftovers(project.results)


def test_overwriting_replaces_the_results_and_leaves_the_old_until_then(project):
    project.run("1", "1")
    before = figures(project.results)
    project.write_script({"architecture": "mlp", "n_units": (32,)})
    refused = project.run("1", "1")
    assert refused.returncode == 2
    assert "n_units was [16], now [32]" in refused.stderr
    assert figures(project.results) == before

    ended = project.run("1", "1", "--overwrite")

    assert ended.returncode == 0, ended.stderr
    assert figures(project.results) != before
    assert not (project.results / "instance_1.replaced").exists()


def kill_and_restart(project, n_kills, seed):
    """Kill the whole process group at random moments, restart each time; return the final figures and what was done when."""
    rng = random.Random(seed)
    stamps = {}
    for _ in range(n_kills):
        running = project.start()
        try:
            running.wait(rng.uniform(0.3, 9.0))
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        wait_for_workers_to_end(project)
        for job, record in records(project.results).items():
            assert record["status"] == "done"
            assert stamps.setdefault(job, record_stamp(project, job)) == record_stamp(project, job), "a finished job ran again"
    ended = project.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for job, stamp in stamps.items():
        assert record_stamp(project, job) == stamp
    return figures(project.results)


def wait_for_workers_to_end(project):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        if "xval.executors.worker" not in listed:
            return
        time.sleep(0.1)


@pytest.mark.parametrize("n_kills", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_nothing_finished_runs_again_and_the_figures_are_the_same(project, n_kills):
    project.write_script(*[{"architecture": "mlp", "n_units": (8,), "seed": seed} for seed in range(1, 5)], num_epochs=8)
    undisturbed = project.run("--set", "experiment_folder=undisturbed")
    assert undisturbed.returncode == 0, undisturbed.stderr

    survived = kill_and_restart(project, n_kills, seed=n_kills)

    assert survived == figures(project.folder / "undisturbed" / "toy" / "experiment_1")
    assert not leftovers(project.results)
    openpyxl.load_workbook(project.results / "results.xlsx")


def test_a_worker_ends_when_its_executor_is_killed(project):
    project.write_script({"architecture": "mlp"}, num_epochs=5000, early_stopping=False)
    running = project.start("--workers", "1")
    deadline = time.monotonic() + 60
    while not workers_of(running.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    (worker,) = workers_of(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()

    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not Path(f"/proc/{worker}").exists()
