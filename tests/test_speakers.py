"""Speakers from the settings to what is said of them: scaled by their own clips."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.clips.columns import write_columns
from preprocessing.corpus import open_corpus
from xval import load_model
from xval.answers.read import read_instances
from xval.base.errors import SettingsError
from xval.results.folder import ExperimentFolder

SCALED = {"normalization": "per_item"}
SENTENCE = "were scaled for each item by its own clips, of tested ones too, without labels (transductive"


@pytest.fixture
def run(in_process, eagerly, tones):
    """Return a function that prepares the tones, runs instances on one fold of three and returns the project."""
    tones.prepare("toy.csv")

    def run(*instances, **parameters):
        tones.write_script(*instances, **tones.settings, **parameters)
        ended = tones.run("--folds", "1")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return tones

    return run


def answers_of(project, instance):
    """Return the folder of the fold of an instance, its tested files and their probabilities of the class low."""
    fold = project.results / f"instance_{instance}" / "fold_1"
    table = pd.read_parquet(fold / "predictions.parquet").query("side == 'test'")
    return fold, table["clip"].tolist(), table["item"].tolist(), table["probability_low"].to_numpy()


def test_new_clips_are_scaled_as_the_tested_speakers_were(run):
    project = run({"architecture": "mlp", "n_units": (4,), **SCALED}, {"architecture": "svm", **SCALED})

    for instance in (1, 2):
        fold, clips, items, wanted = answers_of(project, instance)
        files = [project.folder / "audio" / clip for clip in clips]
        model = load_model(fold)
        assert model.predict(files, items=items)["probability_low"].to_numpy() == pytest.approx(wanted, abs=1e-5)
        as_one = model.predict(files)["probability_low"].to_numpy()
        assert np.abs(as_one - wanted).max() > 1e-4
        with pytest.raises(SettingsError, match=r"0_0\.wav: the only clip in all\. .* Give at least two clips of each speaker"):
            model.predict(project.folder / "audio" / "0_0.wav")
        alone = [clips.index(clip) == items.index(item) for clip, item in zip(clips, items, strict=True)]
        if instance == 1:  # its frames are scaled, of which one clip has many
            model.predict(files, items=items, enrolment=alone)
        else:
            with pytest.raises(SettingsError, match=r"one clip or segment of 's\d' would scale the others"):
                model.predict(files, items=items, enrolment=alone)
        said = project.run_module(
            "xval", "predict", str(fold), *map(str, files), "--item-pattern", r"(\d)_\d", "--format", "json"
        )
        rows = json.loads(said.stdout)
        assert [row["probability_low"] for row in rows] == pytest.approx(wanted, abs=1e-5)
        assert f"{len(files)} files of {len(set(items))} speakers, each scaled by its own" in said.stderr

    said = project.run_module("xval", "evaluate", str(fold), "toy", "--items", ",".join(sorted(set(items))))
    assert said.returncode == 0, said.stderr
    record = project.records()[2, 1]
    assert f"{record['metrics']['test']['balanced_accuracy']:.3f}" in said.stdout
    assert SENTENCE in " ".join(said.stdout.split())


@pytest.mark.usefixtures("in_process")
def test_an_ensemble_hears_speakers_as_each_of_its_members_does(tones, read_fold):
    tones.prepare("toy.csv")
    neighbours = {"architecture": "knn", "n_neighbors": (3,)}
    tones.write_script({**neighbours, **SCALED}, {**neighbours, **SCALED, "time_parts": 2}, neighbours, **tones.settings)
    for command in (tones.run(), tones.run_module("xval", "ensemble", str(tones.results), "1,2,3")):
        assert command.returncode == 0, command.stdout + command.stderr

    fold, clips, items, wanted = answers_of(tones, 901)
    files = [tones.folder / "audio" / clip for clip in clips]
    answers = load_model(fold).predict(files, items=items)["probability_low"]
    assert answers.to_numpy() == pytest.approx(wanted, abs=1e-5)
    said = tones.run_module("xval", "evaluate", str(fold), "toy", "--items", ",".join(sorted(set(items))))
    assert said.returncode == 0, said.stderr
    record = read_fold(fold)
    assert f"{record['metrics']['test']['balanced_accuracy']:.3f}" in said.stdout
    assert SENTENCE in " ".join(said.stdout.split())


@pytest.mark.usefixtures("in_process", "eagerly")
def test_the_first_seconds_of_a_speaker_scale_its_other_clips_which_alone_are_tested(tones):
    tones.prepare("toy.csv")
    svm = {"architecture": "svm", "C": (1.0,), **SCALED}
    network = {"architecture": "mlp", "n_units": (4,), **SCALED}
    tones.write_script(
        {**svm, "enrolment_s": 0.5},
        {**svm, "enrolment_s": 1.0},
        {**network, "enrolment_s": 0.5},
        page="complete",
        **tones.settings,
    )
    ended = tones.run("--folds", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr

    index = open_corpus("toy", tones.folder / "data").index
    for instance, enrolment_s in ((1, 0.5), (2, 1.0), (3, 0.5)):
        fold, clips, items, wanted = answers_of(tones, instance)
        first, n_first = [], {"validation": 0, "test": 0}
        record = tones.records()[instance, 1]
        for side in n_first:
            for item in record["items"][side]:
                in_all_s = 0.0
                for clip, duration_s in index.loc[index["item"] == item, ["clip", "duration_s"]].itertuples(index=False):
                    if in_all_s < enrolment_s:
                        n_first[side] += 1
                        first += [(item, clip)] if side == "test" else []
                    in_all_s += duration_s
        tested = index[index["item"].isin(record["items"]["test"]) & ~index["clip"].isin([clip for _, clip in first])]
        assert sorted(clips) == sorted(tested["clip"])
        assert record["n_enrolment_clips"] == n_first
        files = [tones.folder / "audio" / clip for clip in [*(clip for _, clip in first), *clips]]
        model = load_model(fold)
        is_first = [True] * len(first) + [False] * len(clips)
        answers = model.predict(files, items=[*(item for item, _ in first), *items], enrolment=is_first)
        assert answers["probability_low"].to_numpy()[len(first) :] == pytest.approx(wanted, abs=1e-5)

    said = tones.run_module("xval", "evaluate", str(fold), "toy", "--items", ",".join(record["items"]["test"]))
    assert said.returncode == 0, said.stderr
    assert f"{record['metrics']['test']['balanced_accuracy']:.3f}" in said.stdout
    assert "first clips of at least 0.5 s together" in " ".join(said.stdout.split())
    assert "cannot be used" not in said.stdout
    page = (tones.results / "report.html").read_text()
    assert "over the seconds of enrolment" in page
    assert "Instances (enrolment_s): 1 (0.5), 2 (1)" in page
    assert "Features of instances 1, 3 were scaled for each" in page
    compared = tones.run_module("xval", "compare", str(tones.results))
    assert compared.returncode == 2
    assert "instances with different enrolment_s are tested on different clips" in " ".join(compared.stderr.split())
    checked = tones.run_module("xval", "audit", str(tones.results))
    assert checked.returncode == 0, checked.stdout
    assert "scaled by its first clips without their labels, and these are not tested" in " ".join(checked.stdout.split())
    ended = tones.run("2", "--overwrite", "--set", "enrolment_s=60")
    assert ended.returncode == 2
    assert "enrolment_s=60 leaves no clip for" in ended.stderr


def test_page_table_audit_and_model_card_say_that_it_is_transductive(run):
    project = run({"architecture": "mlp", "n_units": (4,), **SCALED}, {"architecture": "mlp", "n_units": (4,)}, page="complete")

    for flag in ("--latex", "--markdown"):
        table = project.run_module("xval", "report", str(project.results), flag).stdout
        assert re.search(r"Features of '[^']+' were scaled for each \w+ by its own clips", " ".join(table.split()))
    assert "Features of instance 1 were scaled for each" in (project.results / "report.html").read_text()
    checked = " ".join(project.run_module("xval", "audit", str(project.results)).stdout.split())
    assert "instance 1: each item, of any side, is scaled by its own clips without their labels (transductive)" in checked

    fold = str(project.results / "instance_1" / "fold_1")
    clip = str(project.folder / "audio" / "0_0.wav")
    for command, returncode, why in (
        (("explain", fold, clip), 2, "explanations need single clips. Train with normalization=per_bin"),
        (("export", fold, "--format", "onnx"), 1, "an export cannot do. Train with normalization=per_bin"),
    ):
        refused = project.run_module("xval", *command)
        assert refused.returncode == returncode
        assert why in " ".join(refused.stderr.split())
    model = f"{project.results}/instance_1/fold_{{fold}}/model.keras"
    project.write_script({"architecture": "feature_combination", "models": (model,)}, num_experiment=2, **project.settings)
    refused = project.run("--folds", "1")
    assert refused.returncode == 2
    assert "a combination uses unscaled features. Train that instance with normalization=per_bin" in refused.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": "waveform", "frontend": "logmel"}, "features='waveform' stores samples"),
        ({"augment_gain_db": 6.0}, "augment_gain_db changes features before scaling"),
        ({"augment_response_db": 6.0}, "augment_response_db changes features before scaling"),
        (
            {"normalization": "per_bin", "enrolment_s": 5.0},
            "enrolment_s=5 needs normalization='per_item'; received normalization='per_bin'",
        ),
    ],
)
def test_what_a_scaled_speaker_cannot_have_is_refused(make_settings, changes, said):
    with pytest.raises(SettingsError, match=re.escape(said)):
        make_settings(**SCALED | changes)


@pytest.fixture
def diagnosed(in_process, eagerly, tones):
    """Return a project whose eight speakers are each of one class, with four clips."""
    lines = ["path,item,label"]
    rng = np.random.default_rng(0)
    for speaker in range(8):
        for take in range(4):
            pitch_hz = (600, 1100)[speaker % 2] * (1 + 0.3 * rng.normal())
            samples = 0.3 * np.sin(2 * np.pi * pitch_hz * np.arange(2000) / 8000) + 0.05 * rng.normal(size=2000)
            soundfile.write(tones.folder / "audio" / f"d{speaker}_{take}.wav", samples, 8000)
            lines.append(f"d{speaker}_{take}.wav,d{speaker},{('well', 'ill')[speaker % 2]}")
    (tones.folder / "audio" / "diagnoses.csv").write_text("\n".join(lines))
    tones.prepare("diagnoses.csv")
    return tones


@pytest.mark.parametrize(("how", "others"), [("mean", [{"architecture": "constant"}]), ("vote", [])])
def test_one_decision_for_each_speaker_is_what_figures_intervals_and_tables_are_of(diagnosed, how, others):
    page = "complete" if others else "none"
    diagnosed.write_script(
        {"architecture": "knn", "n_neighbors": (3,)}, *others, item_decision=how, num_folds=4, page=page, **diagnosed.settings
    )
    ended = diagnosed.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "test item accuracy" in ended.stdout

    # By hand, from the answers to clips: the mean, or the share of votes with ties broken by it; then the share of speakers.
    tables = [pd.read_parquet(path) for path in sorted((diagnosed.results / "instance_1").glob("fold_*/predictions.parquet"))]
    clips = pd.concat([table.query("side == 'test'") for table in tables])
    clips["voted"] = (clips["probability_well"] > 0.5).astype(float)
    score = clips.groupby("item")["probability_well" if how == "mean" else "voted"].mean()
    mean = clips.groupby("item")["probability_well"].mean()
    is_well = np.where(score == 0.5, mean > 0.5, score > 0.5)
    right = is_well == np.array([name[1] in "0246" for name in score.index])

    instance = read_instances(ExperimentFolder(diagnosed.results), [1])[0]
    accuracy = instance.item_score("clip_test", "accuracy")
    assert accuracy["items"] == pytest.approx(right.mean())
    assert accuracy["method"] == ("exact limit" if right.all() else "t on the logit scale")
    assert accuracy["chance"] == pytest.approx(0.5)  # half of the speakers are ill
    counted = sum(
        np.sum(record["confusion_matrix"]["test"]) for (instance, _), record in diagnosed.records().items() if instance == 1
    )
    assert counted == 8
    if not others:
        return
    compared = " ".join(diagnosed.run_module("xval", "compare", str(diagnosed.results)).stdout.split())
    assert "of items" in compared
    latex = " ".join(diagnosed.run_module("xval", "report", str(diagnosed.results), "--latex").stdout.split())
    assert "Each item has one decision" in latex
    assert "scores, intervals and chance are of items" in (diagnosed.results / "report.html").read_text()
    checked = diagnosed.run_module("xval", "audit", str(diagnosed.results))
    assert checked.returncode == 0, checked.stdout
    said = diagnosed.run_module("xval", "evaluate", str(diagnosed.results / "instance_1" / "fold_1"), "toy")
    assert "Each item has one decision" in " ".join(said.stdout.split())


def test_speakers_of_several_labels_have_no_one_decision(run):
    with pytest.raises(AssertionError, match=r"clips of 5 of 5 items of dataset 'toy' have different labels: s0 has 2"):
        run({"architecture": "svm"}, item_decision="mean")


@pytest.mark.parametrize("task_type", ["regression", "multilabel_classification"])
def test_votes_are_of_classes(make_settings, task_type):
    with pytest.raises(SettingsError, match="item_decision='vote'"):
        make_settings(task_type=task_type, item_decision="vote")


def test_classes_are_balanced_once(make_settings):
    with pytest.raises(SettingsError, match=r"would balance classes twice\. Set"):
        make_settings(sampling="balanced", class_weights="balanced")
    with pytest.raises(SettingsError, match="sampling='balanced' needs classes of clips; received task_type=regression"):
        make_settings(sampling="balanced", task_type="regression")


def write_weights(project, values):
    index = open_corpus("toy", project.folder / "data").index
    column = pd.DataFrame({"clip": index["clip"], "trust": [values(number) for number in range(len(index))]})
    write_columns(project.folder / "data" / "toy", index, column)


@pytest.mark.usefixtures("in_process", "eagerly")
def test_a_column_weighs_clips_in_the_training_loss_alone(project):
    network = {"architecture": "mlp", "n_units": (4,)}
    project.write_script(network, {**network, "weight_column": "trust"}, num_epochs=1, page="none")
    losses = []
    for instances, values in ((("1", "2"), lambda _: 2.0), (("2",), lambda number: 1.0 + 8 * (number % 3 == 0))):
        write_weights(project, values)
        ended = project.run(*instances, "--folds", "1", "--overwrite")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        records = project.records()
        losses += [[records[instance, 1]["metrics"]["test"]["loss"] for instance in (1, 2)]]

    assert losses[0][0] == pytest.approx(losses[0][1], rel=1e-5)  # all weigh the same
    assert losses[1][1] != pytest.approx(losses[0][0], rel=1e-3)

    write_weights(project, lambda number: float(number))
    ended = project.run("2", "--overwrite")
    assert ended.returncode == 2
    assert "has the weight 0.0 (1 such clip); expected finite numbers above 0" in ended.stderr
    ended = project.run("2", "--overwrite", "--set", "weight_column=trsut")
    assert "the dataset has no such column." in ended.stderr
    assert "Did you mean 'trust'?" in ended.stderr
