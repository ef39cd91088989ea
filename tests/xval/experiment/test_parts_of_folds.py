"""Instances that train on a share of the items, or train and test on clips that satisfy a condition."""

import json
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd

from preprocessing.clips.columns import write_columns
from preprocessing.corpus import open_corpus
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import open_store
from preprocessing.store.waveforms import waveform_moments
from xval.data.examples import WaveformExamples
from xval.report.request import PageRequest
from xval.report.write import write_page
from xval.results.folder import ExperimentFolder

NETWORK = {"architecture": "mlp", "n_units": (4,)}
FAR = 'item != "speaker_0" and recorder == "far"'


def add_recorders(project):
    index = open_corpus("toy", project.folder / "data").index
    recorders = [("near", "far")[number // 3 % 2] for number in range(len(index))]
    write_columns(project.folder / "data" / "toy", index, pd.DataFrame({"clip": index["clip"], "recorder": recorders}))
    return dict(zip(index["clip"], recorders, strict=True))


def test_parts_of_folds_are_trained_tested_and_audited(project, in_process):
    recorder = add_recorders(project)
    project.write_script(
        {**NETWORK, "train_where": 'recorder == "near"', "test_where": FAR},
        {**NETWORK, "train_fraction": 0.4},
        NETWORK,
        num_epochs=1,
    )
    ended = project.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "instance 1: fold" in ended.stdout
    assert "no clip is left of the items test: speaker_0" in ended.stdout
    records = project.records()
    for fold in (1, 2, 3):
        part, share, whole = (records[instance, fold] for instance in (1, 2, 3))
        assert part["folds_hash"] == share["folds_hash"] == whole["folds_hash"]
        assert set(part["items"]["test"]) == set(whole["items"]["test"]) - {"speaker_0"}
        assert part["items"]["training"] == whole["items"]["training"]
        assert part["n_training_examples"] * 2 == whole["n_training_examples"]
        predictions = pd.read_parquet(project.results / "instance_1" / f"fold_{fold}" / "predictions.parquet")
        of_side = predictions.groupby("side")["clip"].agg(lambda clips: {recorder[clip] for clip in clips})
        assert of_side.to_dict() == {"test": {"far"}, "validation": {"near"}}
        assert set(share["items"]["training"]) < set(whole["items"]["training"])
        assert (share["items"]["validation"], share["items"]["test"]) == (whole["items"]["validation"], whole["items"]["test"])

    page = unescape(
        write_page(ExperimentFolder(project.results), PageRequest(with_audio=False, with_audit=False)).read_text(
            encoding="utf-8"
        )
    )
    assert f'Model 1 was trained and validated on clips with recorder == "near", and tested on clips with {FAR}.' in page
    assert "Model 2 was trained on a random 40 % of the training items of each fold." in page
    assert "Instances (train_fraction): 2 (0.4), 3 (1)." in page
    assert "Variants differ in test_where and train_where, so their" in page

    checked = project.run_module("xval", "audit", str(project.results))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    path = project.results / "instance_2" / "fold_1" / "record.json"
    record = json.loads(path.read_text())
    record["items"]["training"] = records[3, 1]["items"]["training"]  # more than its share
    path.write_text(json.dumps(record))
    checked = project.run_module("xval", "audit", str(project.results))
    assert checked.returncode != 0
    assert "that its settings select from folds.json differ in" in " ".join(checked.stdout.split())


def test_the_command_line_conditions_both_sides_and_names_a_column_that_is_not_there(project, in_process):
    add_recorders(project)
    project.write_script(NETWORK, num_epochs=1)
    for options in ([], ["--dry-run"]):
        ended = project.run("--where", 'recoder == "near"', *options)
        assert ended.returncode == 2
        assert "no column 'recoder'" in ended.stderr
        assert "Did you mean 'recorder'" in ended.stderr
    ended = project.run("--where", "recorder is near")
    assert ended.stderr.startswith("error: --where: condition 'recorder is near'"), ended.stderr
    assert ended.stderr.count("condition") == 1
    ended = project.run("--where", 'recorder == "nearer"', "--dry-run")
    assert (ended.returncode, "excludes all clips of its" in ended.stderr) == (2, True)
    ended = project.run("--where", FAR, "--dry-run")
    assert ended.returncode == 0, ended.stderr
    assert "speaker_1" in ended.stdout
    assert "speaker_0" not in ended.stdout
    ended = project.run("--where", 'recorder == "near"', "--folds", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    record = project.records()[1, 1]
    settings = json.loads((project.results / "instance_1" / "settings.json").read_text())["parameters"]
    assert settings["train_where"] == settings["test_where"] == 'recorder == "near"'
    assert record["n_examples"]["test"] == 6 * len(record["items"]["test"])


def test_statistics_of_a_condition_are_those_of_its_clips(project):
    recorder = add_recorders(project)
    store = open_store(project.folder / "data" / "toy" / "features" / "custom")
    near = {clip for clip, name in recorder.items() if name == "near"}
    found = store.moments(["speaker_1", "speaker_2"], near)
    rows = store.examples[store.examples["clip"].isin(near)]
    frames = np.concatenate(
        [store.predictors(item)[rows.loc[rows["item"] == item, "row"]] for item in ("speaker_1", "speaker_2")]
    )
    np.testing.assert_allclose(found.mean(), frames.reshape(-1, frames.shape[-1]).mean(axis=0), rtol=1e-6)
    everything = store.moments(["speaker_1", "speaker_2"])
    np.testing.assert_allclose(store.moments(["speaker_1", "speaker_2"], set(recorder)).sum, everything.sum, rtol=1e-9)


def test_waveforms_of_chosen_clips_are_read_and_measured_alone(finished):
    record = finished.records()[2, 1]
    parameters = json.loads((finished.results / "instance_2" / "settings.json").read_text())["parameters"]
    settings = FeatureSettings(**{name: parameters[name] for name in FeatureSettings.model_fields})
    store = open_store(finished.folder / "data" / "tones" / "features" / Path(record["store"]).name)
    items = tuple(record["items"]["training"])
    of_items = store.examples[store.examples["item"].isin(items)]
    chosen = set(of_items["clip"].iloc[::3])

    assert set(WaveformExamples(store, items, settings, augmented=True, clips=chosen).table["clip"]) == chosen
    everything = waveform_moments(store, settings, items)
    np.testing.assert_allclose(waveform_moments(store, settings, items, set(of_items["clip"])).sum, everything.sum, rtol=1e-9)
    assert waveform_moments(store, settings, items, chosen).count < everything.count
