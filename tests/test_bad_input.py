"""Bad input: each with a clear message and a non-zero exit, and nothing is trained."""

import json
import os

import numpy as np
import openpyxl
import pandas as pd
import pytest
import soundfile

from preprocessing import store
from xval import Experiment

RATE_HZ = 8000


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Return a function that runs an experiment's command line in this process: (exit code, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    data = {f"s{number}": [[[1.0, number]], [[4.0, number]]] for number in range(6)}
    store.write("toy", data, {item: ["a", "b"] for item in data}, data_folder=tmp_path / "data")

    def run(*arguments, instances=({},), **parameters):
        experiment = Experiment(
            "a test", **({"dataset": "toy", "num_folds": 3, "fold_repeats": 1, "architecture": "mlp"} | parameters)
        )
        for number, instance in enumerate(instances, start=1):
            experiment[number] = instance
        with pytest.raises(SystemExit) as ended:
            experiment.main([str(argument) for argument in arguments])
        run.output, errors = capfd.readouterr()
        return ended.value.code, errors

    return run


@pytest.mark.parametrize(
    ("arguments", "parameters", "message"),
    [
        ((), {"instances": [{"architecture": "vgg_mnii"}]}, "unknown architecture 'vgg_mnii'. Available: "),
        (
            (),
            {"dataset": "toys"},
            f"There is no dataset 'toys' in data_folder={os.sep}",
        ),
        ((), {"num_folds": 9}, "num_folds=9 is more than the 6 items of the dataset"),
        (("3", "1"), {}, "FIRST 3 is above LAST 1"),
        (("1", "7"), {}, "no instance 7. Available: 1."),
        (("0",), {}, "no instance 0. Available: 1."),
        (("one",), {}, "FIRST: received 'one'; expected a whole number"),
        (
            ("1", "1", "x"),
            {},
            "command line: gpu_ID: received 'x'; expected a GPU number such as 0, several such as 0,1,2, or cpu.",
        ),
        (("1", "1", "0", "9"), {}, "received 4 positional arguments (1 1 0 9); expected FIRST LAST GPU."),
        (("--folds", "4"), {}, "no fold 4. Available: 1-3."),
        (("--set", "learnin_rate=1"), {}, "command line: unknown parameter 'learnin_rate'. Did you mean 'learning_rate'?"),
        (("--workers", "-1"), {}, "workers: received -1"),
        (("--workers-per-gpu", "0"), {}, "command line: workers_per_gpu: received 0"),
        (("--overwite",), {}, "Unknown option --overwite. Available: "),
        (
            ("1", "--fold=1"),
            {},
            "Unknown option --fold=1. Type: --folds 1,3 for only these folds; --set num_folds=5 for their number.",
        ),
        ((), {"dataset": "../../etc"}, "dataset: received '../../etc'"),
        (
            (),
            {"instances": [{"n_mels": 20}]},
            "'n_mels' is set, but the features of dataset 'toy' were made by a script (preprocessing.store.write), so",
        ),
        (
            (),
            {"architecture": "cnn_small", "instances": [{"reshaping_type": "cnn", "n_units": 3}]},
            "unknown parameter 'n_units'",
        ),
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(run, tmp_path, arguments, parameters, message):
    code, errors = run(*arguments, **parameters)

    assert code == 2
    assert errors.startswith("error: ")
    assert message in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.glob("results/**/instance_*/fold_*"))


def test_a_results_folder_that_cannot_be_written(run, tmp_path):
    (tmp_path / "taken").write_text("a file")

    code, errors = run(experiment_folder="taken")

    assert code == 2
    assert "the results folder cannot be written" in errors


def test_tensorboard_is_asked_for_before_anything_is_trained(run, monkeypatch):
    monkeypatch.setattr("xval.experiment.check_instance.find_spec", lambda name: None)

    code, errors = run(tensorboard=True)

    assert code == 2
    assert "tensorboard=true: tensorboard is not installed. Install it: pip install -e '.[tracking]'" in errors


def test_labels_that_occur_in_one_item_only(run, tmp_path):
    data = {f"s{number}": [[[1.0, number]], [[4.0, number]]] for number in range(6)}
    store.write("lonely", data, {item: ["a", "rare" if item == "s3" else "b"] for item in data}, data_folder=tmp_path / "data")

    code, errors = run(dataset="lonely")

    assert code == 2
    assert "1 label of only one item: 'rare' (item 's3')" in errors


def test_an_option_that_no_model_can_have_is_refused_before_training(run, tmp_path):
    code, errors = run("--quiet", instances=[{}, {"dropout": 1.5}], backend="jax")

    assert code == 2
    assert errors.count("architecture 'mlp'") == 1
    assert "dropout" in errors
    assert not list(tmp_path.glob("results/**/instance_*/fold_*"))


def tone(rng, pitch_hz):
    seconds = np.arange(int(0.3 * RATE_HZ)) / RATE_HZ
    return 0.3 * np.sin(2 * np.pi * pitch_hz * seconds) + 0.01 * rng.normal(size=len(seconds))


@pytest.mark.usefixtures("in_process")
def test_hostile_names_and_damaged_files_cost_nothing_else(project):
    rng, rows = np.random.default_rng(0), []
    for item in ("../../x", "a/b", "=1+1", "CON", "ü", "x" * 300):
        for label, pitch_hz in (("low", 300), ("high", 1200)):
            name = f"{len(rows)}.wav"
            soundfile.write(project.folder / name, tone(rng, pitch_hz), RATE_HZ)
            rows.append({"path": name, "item": item, "label": label})
    (project.folder / "text.wav").write_text("this is non audio")
    (project.folder / "empty.wav").write_bytes(b"")
    soundfile.write(project.folder / "silent.wav", np.zeros(RATE_HZ), RATE_HZ)
    rows += [{"path": f"{name}.wav", "item": "a/b", "label": "low"} for name in ("text", "empty", "silent", "missing")]
    pd.DataFrame(rows).to_csv(project.folder / "clips.csv", index=False)
    made = project.run_module("preprocessing", "table", "clips.csv", "--dataset", "hostile", "--set", "sample_rate_hz=8000")
    assert made.returncode == 0, made.stderr
    assert "4 clips" in made.stdout
    project.write_script(
        {"architecture": "mlp", "comment_1": "=1+1", "comment_2": "-2+3\x07"}, dataset="hostile", num_epochs=1,
        sample_rate_hz=8000, n_mels=16, n_fft=512, win_length=256,
    )  # fmt: skip

    ended = project.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    left_out = pd.read_csv(project.folder / "data" / "hostile" / "left_out.csv")
    assert sorted(left_out["path"]) == ["empty.wav", "missing.wav", "silent.wav", "text.wav"]
    assert left_out["reason"].str.len().min() > 0
    results = project.folder / "results" / "hostile" / "experiment_1"
    tested = [
        item
        for fold in (1, 2, 3)
        for item in json.loads((results / f"instance_1/fold_{fold}/record.json").read_text())["items"]["test"]
    ]
    assert sorted(tested) == sorted({row["item"] for row in rows})
    sheet = openpyxl.load_workbook(results / "results.xlsx")["settings"]
    texts = {cell.value: cell.data_type for row in sheet.iter_rows() for cell in row}
    assert texts["=1+1"] == "s"
    outside = {path.name for path in project.folder.iterdir()} | {path.name for path in project.folder.parent.iterdir()}
    assert "x.npy" not in outside


def test_what_fails_before_any_training_says_one_thing(run):
    missing = {"architecture": "feature_combination", "models": ["nowhere/fold_{fold}.keras"], "basic_features": False}

    code, errors = run(instances=[missing])

    assert code == 2
    assert len(errors.splitlines()) == 1
    assert "nowhere/fold_1.keras does not exist" in errors
    assert "the page is not up to date" not in run.output
