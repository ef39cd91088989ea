"""``xval evaluate``: the figures of an experiment again, and what it says of data that the model has seen."""

import json
import shutil
from contextlib import nullcontext
from functools import partial

import numpy as np
import pandas as pd
import pytest
import soundfile

RATE_HZ = 8000
SMALL = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 160, "n_mels": 16}


def settings_arguments(settings):
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def tone(label, seed, duration_s=0.5):
    rng = np.random.default_rng([label, seed])
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return (0.1 * np.sin(2 * np.pi * (400 + 300 * label) * time_s) + 0.1 * rng.normal(size=time_s.size)).astype(np.float32)


def write(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)


def prepare(project, *arguments):
    ended = project.run_module("preprocessing", *arguments, "--dataset", "toy", "--workers", "1", *settings_arguments(SMALL))
    assert ended.returncode == 0, ended.stderr


def evaluated(project, *arguments, run_module=None):
    """Run the command; return what it printed, and metrics.json of the folder that it names last."""
    ended = (run_module or project.run_module)("xval", "evaluate", *map(str, arguments))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = project.folder / ended.stdout.splitlines()[-1]
    return ended.stdout, folder, json.loads((folder / "metrics.json").read_text())


@pytest.mark.usefixtures("in_process", "eagerly")
def test_a_fold_is_evaluated_as_its_experiment_did_and_knows_what_it_has_seen(project, monkeypatch):
    for speaker in range(6):
        for label, name in enumerate(["cat", "dog", "owl"]):
            for take in range(2):
                write(project.folder / "audio" / name / f"s{speaker}_{take}.wav", tone(label, 10 * speaker + take))
    prepare(project, "folders", str(project.folder / "audio"), "--item-pattern", r"s\d")
    windows = {"example_length_s": 0.2, "clip_average": "logits"}
    project.write_script({"architecture": "mlp", "n_units": (8,)}, num_folds=3, debug_mode=True, **SMALL, **windows)
    ended = project.run("--folds", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    record, fold = project.records()[1, 1], project.results / "instance_1" / "fold_1"

    in_its_own_process = partial(type(project).run_module, project)
    said, folder, found = evaluated(project, fold, "toy", "--leave-out-seen", run_module=in_its_own_process)

    assert folder == project.results / "evaluation_toy_experiment_1_instance_1_fold_1_on_toy"
    assert found["metrics"] == pytest.approx(record["clip_metrics"]["test"], abs=1e-6)
    assert found["confusion_matrix"] == record["confusion_matrix"]["test"]
    for item, scores in record["item_metrics"]["test"].items():
        assert found["item_metrics"][item] == pytest.approx(scores, abs=1e-6, nan_ok=True)
    assert set(found["item_metrics"]) == set(record["items"]["test"])
    assert "24 of 36 clips are in the training data of this model (24 by their audio, 24 by their item; " in said
    assert found["n_left_out"] == 24
    assert (folder / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")

    # The same recordings, as if they came from elsewhere: other names, another folder, one label written otherwise.
    monkeypatch.chdir(project.folder)
    (project.folder / "new").mkdir()
    shutil.copytree(project.folder / "audio" / "cat", project.folder / "new" / "Cat")
    from xval.reuse.inference import load_model
    from xval.reuse.new_data.evaluation import Choices, evaluate_on
    from xval.reuse.new_data.labelled_clips import ReadOptions, read_labelled_clips

    clips = read_labelled_clips("new", "classification", ReadOptions())
    renamed = Choices({"Cat": "cat"}, leave_out_seen=True)
    outcome = evaluate_on(load_model(fold), clips, renamed, lambda title: nullcontext(lambda done, total: None))
    assert len(outcome.clips) == 4
    told = pd.read_csv(folder / "predictions.csv").query("label == 'cat'")
    columns = [f"probability_{name}" for name in ("cat", "dog", "owl")]
    assert outcome.scores.predictions[columns].to_numpy() == pytest.approx(told[columns].to_numpy(), abs=1e-6)

    refused = project.run_module("xval", "evaluate", fold, "toy")
    assert refused.returncode == 2
    assert "already exists. Choose another with --output, or give --overwrite." in refused.stderr


@pytest.mark.usefixtures("in_process", "eagerly")
def test_frames_and_events_of_a_fold_are_those_of_its_experiment(project):
    lines = ["path,start_s,end_s,label"]
    for number in range(4):
        silence = (0.02 * np.random.default_rng(number).normal(size=RATE_HZ // 2)).astype(np.float32)
        write(project.folder / "audio" / f"{number}.wav", np.concatenate([silence, tone(1, number), silence, tone(5, number)]))
        lines += [f"{number}.wav,0.5,1.0,call", f"{number}.wav,1.5,2.0,song"]
    (project.folder / "audio" / "annotation.csv").write_text("\n".join(lines))
    table = str(project.folder / "audio" / "annotation.csv")
    prepare(project, "events", table, "--task-type", "frame_classification")
    network = {"architecture": "crnn", "n_filters": (4, 4), "n_units": 4}
    spectrum = {"frontend": "logmel", "n_fft": 256, "win_length": 200, "hop_length": 100, "n_mels": 16}
    project.write_script(
        network, num_folds=2, debug_mode=True, workers=1, task_type="frame_classification", features="waveform",
        **spectrum, sample_rate_hz=RATE_HZ, num_epochs=3, segment_s=0.4, event_min_duration_s=0.1,
    )  # fmt: skip
    ended = project.run("--folds", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    record, fold = project.records()[1, 1], project.results / "instance_1" / "fold_1"

    _, folder, found = evaluated(project, fold, "toy", "--items", ",".join(record["items"]["test"]), "--output", "out")

    wanted = {name: value for name, value in record["clip_metrics"]["test"].items() if name != "loss"}
    assert found["metrics"] == pytest.approx(wanted, abs=1e-6)
    assert found["confusion_matrix"] == record["confusion_matrix"]["test"]
    events = pd.read_csv(fold / "events.csv").query("side == 'test'").drop(columns="side").reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_csv(folder / "events.csv"), events)
