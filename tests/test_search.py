"""A searched instance from its script to the workbook, the page and the models."""

import csv
import json
import os
import random
import signal
import time

import openpyxl
import pytest

SCRIPT = """
from xval import Experiment, choice, log_uniform
experiment = Experiment("a test", dataset="toy", num_folds=2, num_epochs={epochs}, batch_size=16, monitor="val_accuracy",
                        workers=2, gpu_ID="cpu", page="complete", patience=3)
space = {{"learning_rate": log_uniform(1e-4, 1e-1), "n_units": choice([(4,), (8, 8)])}}
experiment.search(space, {trials}, at_once={at_once}, architecture="mlp", normalization="per_clip", comment_1="searched")
if __name__ == "__main__":
    experiment.main()
"""
FEATURE_NAMES = ("features", "n_mels")
FEATURES = """
from xval import Experiment, choice, log_uniform
experiment = Experiment("a test", dataset="toy", num_folds=2, num_epochs=2, batch_size=16, monitor="val_accuracy", page="none",
                        gpu_ID="cpu", **{settings})
space = {{"features": choice(["logmel", "mfcc"]), "n_mels": choice([14, 16]), "learning_rate": log_uniform(1e-4, 1e-1)}}
experiment.search(space, 2, architecture="mlp", n_units=(4,))
if __name__ == "__main__":
    experiment.main()
"""


def write_script(project, **values):
    (project.folder / "exp.py").write_text(SCRIPT.format(**{"epochs": 1, "trials": 3, "at_once": 3} | values))


def searched(project):
    """Return what each fold tried and chose, without times."""
    found = {}
    for (_, fold), record in project.records().items():
        trials = [{name: value for name, value in trial.items() if name != "seconds"} for trial in record["search"]["trials"]]
        found[fold] = record["search"] | {"trials": trials, "seconds": 0.0}
    return found


def test_each_fold_trains_and_tests_with_what_it_has_chosen(project, in_process, eagerly):
    write_script(project)
    assert "searched" in project.run("--list").stdout
    assert "'learning_rate' is searched" in project.run("--set", "learning_rate=0.1").stderr

    ended = project.run("--details")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "the test scores are not, because they are nested" in ended.stdout
    for (_, fold), record in project.records().items():
        chosen = record["search"]["values"]
        folder = project.results / "instance_1" / f"fold_{fold}"
        with (folder / "history.csv").open() as file:
            assert float(next(csv.DictReader(file))["learning_rate"]) == pytest.approx(chosen["learning_rate"])
        best = max(record["search"]["trials"], key=lambda trial: trial["score"])
        assert (record["search"]["trial"], chosen) == (best["number"], best["values"])
        # The fold trains as the chosen trial did, with the same seed: it has its validation figure.
        assert record["metrics"]["validation"]["accuracy"] == best["score"]
    assert not list(project.results.rglob("search/*/model.keras"))
    page = (project.results / "report.html").read_text(encoding="utf-8")
    assert page.count('aria-label="trials of fold') == 2
    assert page.count('class="trial chosen"') == 2
    sheet = openpyxl.load_workbook(project.results / "results.xlsx")["search"]
    rows = [row for row in sheet.iter_rows(min_row=2, values_only=True) if row[2]]
    assert len(rows) == 6
    assert sum(sheet.cell(row, 1).font.b for row in range(2, 8)) == 2
    assert "Nothing to do" in project.run().stdout
    assert project.run_module("xval", "audit", str(project.results)).returncode == 0

    (project.results / "instance_1" / "fold_1" / "record.json").unlink()
    status = project.run_module("xval", "status", str(project.results)).stdout
    assert "3 of 3 trials of its search have ended" in status


def test_features_are_searched_and_the_final_model_searches_on_all_items(tones, in_process, eagerly):
    tones.prepare("toy.csv")
    (tones.folder / "exp.py").write_text(FEATURES.format(settings=tones.settings))

    ended = tones.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    features = tones.folder / "data" / "toy" / "features"
    for record in tones.records().values():
        described = json.loads((features / record["store"] / "store.json").read_text())["feature_settings"]
        chosen = record["search"]["values"]
        assert {name: described[name] for name in ("features", "n_mels")} == {name: chosen[name] for name in FEATURE_NAMES}
    assert len({record["store"] for record in tones.records().values()}) == 2  # each fold has chosen for itself

    ended = tones.run_module("xval", "refit", str(tones.results))

    assert ended.returncode == 0, ended.stderr
    refit = tones.results / "instance_1" / "refit"
    record = json.loads((refit / "record.json").read_text())
    best = max(record["search"]["trials"], key=lambda trial: trial["score"])
    assert (record["epochs_chosen_by"], record["search"]["values"]) == ("search", best["values"])
    assert {name: record["parameters"][name] for name in best["values"]} == best["values"]
    trials = [json.loads(path.read_text()) for path in refit.parent.glob("search/fold_0_trial_*/record.json")]
    items = {f"s{number}" for number in range(5)}
    assert len(trials) == 2
    for trial in trials:  # a fifth of all items scores, as in a fold; none is tested
        assert (len(trial["items"]["validation"]), trial["items"]["test"]) == (1, [])
        assert {*trial["items"]["training"], *trial["items"]["validation"]} == items
    curve = next(trial["values"] for trial in trials if trial["trial"] == best["number"])
    assert record["epochs"] == curve.index(max(curve)) + 1
    assert set(record["items"]["training"]) == items
    assert tones.run_module("xval", "predict", str(refit / "model.keras"), "audio/0_0.wav").returncode == 0
    assert "Nothing to do" in tones.run_module("xval", "refit", str(tones.results)).stdout
    assert tones.run_module("xval", "audit", str(tones.results)).returncode == 0


@pytest.mark.slow
def test_a_run_with_workers_that_is_killed_five_times_ends_as_one_that_is_not(project):
    write_script(project, epochs=4, trials=12, at_once=6)
    whole = project.run("--executor", "inline", "--set", "experiment_folder=whole")
    assert whole.returncode == 0, whole.stderr
    wanted = type(project)(project.folder, project.folder / "whole" / "toy" / "experiment_1")
    rng = random.Random(1)

    for _ in range(5):
        running = project.start()
        for line in running.stdout:
            if line.startswith(f"{rng.randint(2, 6)}/"):
                break
        time.sleep(rng.random())
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
    ended = project.run()

    assert ended.returncode == 0, ended.stderr
    assert json.dumps(searched(project)) == json.dumps(searched(wanted))
    assert project.scores() == project.scores("whole")
    old = project.stamp((1, 1))
    assert project.run("--overwrite").returncode == 0
    assert json.dumps(searched(project)) == json.dumps(searched(wanted))
    assert project.stamp((1, 1)) > old
