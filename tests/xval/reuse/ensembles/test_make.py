"""Ensembles of a finished experiment: an instance like others, which is compared, checked and predicts."""

import json
import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from xval.__main__ import main
from xval.answers.audit import audit
from xval.answers.comparison.choose import compare_instances
from xval.answers.read import read_instance
from xval.answers.summary import shown_parameter
from xval.base.errors import CorpusError, ResultsError, SettingsError
from xval.engine.worker.run import run_fold
from xval.results.folder import ExperimentFolder
from xval.results.open import open_results
from xval.results.scores import read_scores
from xval.reuse.ensembles.make import make_ensemble, read_description
from xval.reuse.inference import load_model


class Made:
    """A copy of `finished` beside its corpus, with what makes ensembles of it."""

    def __init__(self, finished, folder):
        self.path = shutil.copytree(finished.results, folder / "results" / "tones" / "experiment_1")
        self.data, self.folder = finished.folder / "data", ExperimentFolder(self.path)
        self.audio = finished.folder / "audio"

    def make(self, *numbers, **options):
        return make_ensemble(self.folder, numbers, data_folder=self.data, **options)

    def record(self, instance, fold=1):
        return json.loads((self.path / f"instance_{instance}" / f"fold_{fold}" / "record.json").read_text())

    def predictions(self, instance, fold=1):
        return pd.read_parquet(self.path / f"instance_{instance}" / f"fold_{fold}" / "predictions.parquet")

    def edit(self, instance, name, change):
        for path in self.path.glob(f"instance_{instance}/{name}"):
            content = json.loads(path.read_text())
            change(content)
            path.write_text(json.dumps(content))


@pytest.fixture
def experiment(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("xval.reuse.inference._bind", lambda *_, **__: None)
    return Made(finished, tmp_path)


def test_the_mean_of_instances_is_an_instance_with_figures_predictions_and_a_clean_audit(experiment):
    made = experiment.make(1, 2, 3)

    assert (made.number, made.name) == (901, "ensemble 1+2+3")
    values = [experiment.predictions(number)["probability_high"] for number in (1, 2, 3)]
    of_ensemble = experiment.predictions(901)
    np.testing.assert_allclose(of_ensemble["probability_high"], sum(values) / 3, atol=1e-6)
    found = read_instance(experiment.folder, 901)
    assert len(found.folds) == 2
    test = of_ensemble[of_ensemble["side"] == "test"]
    expected = float((test["target"] == test["predicted"]).mean())
    assert found.scores[found.first_jobs[1]].side("test")["accuracy"] == pytest.approx(expected)
    assert found.over_items["figures"]["test"]["accuracy"]["pooled"] is not None
    verdicts = {verdict.rule: verdict for verdict in audit(experiment.folder, experiment.data)}
    del verdicts["near-duplicates"]  # of a corpus that preprocessing has not searched
    assert {rule: verdict.state for rule, verdict in verdicts.items() if verdict.state != "ok"} == {}
    assert verdicts["members"].n_checked == 2
    compared = compare_instances(experiment.path, [901, 1], baseline=1)
    assert "ensemble 1+2+3" in str(compared.table.to_dict())


def test_a_try_that_ended_between_its_folds_leaves_nothing_and_is_made_again(experiment, monkeypatch):
    (experiment.path / "instance_901").mkdir()  # as by a try that was killed before it wrote its settings
    expected = experiment.make(1, 2).weights
    shutil.rmtree(experiment.path / "instance_901")
    with monkeypatch.context() as patch:
        patch.setattr("xval.reuse.ensembles.make.run_fold", stopped_at_the_second(run_fold, OSError("the disk is full")))
        with pytest.raises(OSError, match="full"):
            experiment.make(1, 2)
    assert not (experiment.path / "instance_901").exists()

    assert experiment.make(1, 2).weights == expected
    shutil.rmtree(experiment.path / "instance_901" / "fold_2")  # as by a try that was killed as it published its folds
    assert experiment.make(1, 2).weights == expected


def test_a_finished_ensemble_stays_where_another_try_is_refused_or_stopped(experiment, monkeypatch):
    experiment.make(1, 2)
    before = contents(experiment.path / "instance_901")

    with monkeypatch.context() as patch:
        patch.setattr("xval.reuse.ensembles.make.run_fold", stopped_at_the_second(run_fold, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            experiment.make(1, 2)
    (experiment.path / "instance_2" / "fold_2" / "model.keras").unlink()
    with pytest.raises(ResultsError, match="instance 2, fold 2: its model is missing"):
        experiment.make(1, 2)

    assert contents(experiment.path / "instance_901") == before
    assert not list(experiment.path.glob("*.replaced"))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def stopped_at_the_second(combine, error):
    calls = []

    def combine_once(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise error
        return combine(*arguments)

    return combine_once


def test_what_its_members_differ_in_is_not_shown_as_that_of_the_first(experiment):
    for member in (1, 2):
        experiment.edit(member, "settings.json", lambda content: content["parameters"].update(pretrained_on="AudioSet"))
    experiment.make(1, 2)

    written = open_results(experiment.folder).settings(901)
    assert written.settings.pretrained_on is None  # its members say it
    assert (written.settings.own_parts(), written.present_code()) == (set(), {})  # nothing is trained
    shown = read_instance(experiment.folder, 901)
    assert [shown_parameter(shown, name) for name in ("features", "normalization", "n_mels", "architecture", "members")] == [
        "members differ", "members differ", 8, "ensemble", [1, 2]
    ]  # fmt: skip


def test_an_ensemble_of_one_model_twice_has_the_figures_of_that_model(experiment):
    shutil.copytree(experiment.path / "instance_1", experiment.path / "instance_4")
    experiment.edit(4, "settings.json", lambda content: content.update(instance=4))
    experiment.edit(4, "fold_*/record.json", lambda content: content.update(instance=4))

    experiment.make(1, 4, number=7)

    for name in ("confusion_matrix", "class_metrics"):
        assert experiment.record(7)[name] == experiment.record(1)[name], name
    ensemble, member = (read_scores(experiment.path / f"instance_{number}" / "fold_1", {}) for number in (7, 1))
    assert ensemble.side("clip_test") == member.side("clip_test")
    assert ensemble.items == member.items
    assert ensemble.side("chance") == pytest.approx(member.side("chance"))
    assert ensemble.side("validation") == pytest.approx(member.side("validation"))
    assert ensemble.side("training") == {}


@pytest.mark.parametrize("method", ["choose", "stack"])
def test_what_is_fitted_to_validation_leaves_test_items_alone_and_predicts_what_the_fold_predicted(experiment, method):
    """Other test answers of the members must not change what was fitted."""
    experiment.make(1, 2, 3, method=method)
    before = json.loads((experiment.path / "instance_901/fold_1/model.ensemble").read_text())
    model = load_model(experiment.path / "instance_901" / "fold_1")
    stored = experiment.predictions(901)
    row = stored[stored["side"] == "test"].iloc[0]
    heard = model.predict(experiment.audio / row["clip"])

    assert heard["probability_high"][0] == pytest.approx(row["probability_high"], abs=1e-4)
    path = experiment.path / "instance_2" / "fold_1" / "predictions.parquet"
    table = pd.read_parquet(path)
    tested = (table["side"] == "test").to_numpy()
    names = ["probability_low", "probability_high"]
    table.loc[tested, names] = table.loc[tested, names[::-1]].to_numpy()
    table.to_parquet(path, index=False)
    again = experiment.make(1, 2, 3, method=method)
    assert again.number == 901
    after = json.loads((experiment.path / "instance_901/fold_1/model.ensemble").read_text())
    assert after == before


def test_the_audit_names_a_member_that_was_changed_afterwards_and_prediction_refuses_it(experiment):
    experiment.make(1, 3)
    shutil.copyfile(experiment.path / "instance_2/fold_2/model.keras", experiment.path / "instance_1/fold_2/model.keras")
    table = experiment.predictions(3, 1)
    table.assign(probability_low=0.5).to_parquet(experiment.path / "instance_3/fold_1/predictions.parquet", index=False)

    (found,) = [verdict for verdict in audit(experiment.folder, experiment.data) if verdict.rule == "members"]
    assert [fault.partition(" has ")[0] for fault in found.faults] == [
        "instance 901, fold 1: instance 3, fold 1",
        "instance 901, fold 2: instance 1, fold 2",
    ]
    with pytest.raises(ResultsError, match=r"fold_2.model.keras is another model than when the ensemble was made"):
        load_model(experiment.path / "instance_901")


def test_members_that_cut_clips_otherwise_are_combined_by_clip(experiment):
    """Instance 3 has two windows for each clip, as if it had been cut so."""
    for path in experiment.path.glob("instance_3/fold_*/predictions.parquet"):
        table = pd.read_parquet(path)
        middle = (table["start_s"] + table["end_s"]) / 2
        halves = pd.concat([table.assign(end_s=middle), table.assign(start_s=middle)])
        halves.sort_values(["side", "clip", "start_s"], kind="stable").to_parquet(path, index=False)

    experiment.make(1, 3)

    assert experiment.record(901)["combined"] == "clips"
    ours, of_one = experiment.predictions(901).set_index("clip"), experiment.predictions(1).set_index("clip")
    of_three = experiment.predictions(3).groupby("clip")["probability_low"].mean()
    expected = (of_one["probability_low"] + of_three[of_one.index]) / 2
    np.testing.assert_allclose(ours["probability_low"], expected[ours.index], atol=1e-6)
    faults = [fault for verdict in audit(experiment.folder, experiment.data) for fault in verdict.faults]
    assert not [fault for fault in faults if "901" in fault]
    assert [fault for fault in faults if "instance 3" in fault]  # whose rows were doubled here


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("fold_1/record.json", lambda of: of["items"]["test"].append("x"), "instance 2, fold 1 and instance 1"),
        ("fold_1/record.json", lambda of: of.update(class_names=["low", "loud"]), "has the classes low, loud"),
        ("settings.json", lambda of: of["parameters"].update(task_type="regression"), "task_type=regression"),
        ("fold_2/record.json", lambda of: of.update(settings_hash="another"), "instance 2, fold 2: not finished"),
        ("settings.json", lambda of: of["parameters"].update(task_type="representation"), "autoencoders"),
    ],
    ids=["items", "classes", "task", "unfinished", "autoencoder"],
)
def test_members_that_do_not_fit_are_refused_by_name(experiment, name, change, message):
    experiment.edit(2, name, change)

    with pytest.raises((ResultsError, SettingsError), match=message):
        experiment.make(1, 2)
    assert not (experiment.path / "instance_901").exists()


def test_a_flipped_bit_in_the_targets_of_the_store_is_named(experiment, request):
    path = next(experiment.data.glob("*/features/*/targets.npy"))
    content = path.read_bytes()
    request.addfinalizer(lambda: path.write_bytes(content))  # other tests have it too
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(CorpusError, match=re.escape(f"{path}: changed since it was written (another checksum)")):
        experiment.make(1, 2)
    assert not (experiment.path / "instance_901").exists()


def test_the_command_prints_the_ensemble_beside_its_members(experiment, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    arguments = ["ensemble", str(experiment.path), "1,3", "--choose", "--data-folder", str(experiment.data)]

    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "ensemble 1+3, chosen" in printed  # told apart from the mean of the same, which may stand beside it
    assert "fold 1: instance " in printed
    assert "*: selected by validation." in printed
    assert len(experiment.record(901)["items"]["validation"]) == 1
    assert "Validation does not rank ensemble 1+3" in printed
    page = (experiment.path / "report.html").read_text(encoding="utf-8")
    assert "Ensembles combine the predictions" in page
    assert "Validation does not rank ensemble 1+3" in page
    reason = compare_instances(experiment.path).baseline_reason
    assert reason.endswith("balanced accuracy (UAR), without instance 901, which was fitted to its only validation item")
    assert main([*arguments[:3], "--method", "stack", *arguments[4:]]) == 0
    reason = compare_instances(experiment.path).baseline_reason
    assert reason.endswith(", without instances 901, 902, which were fitted to their only validation item")
    assert main([*arguments[:2], "1,x"]) == 2
    assert main(["refit", f"{experiment.path}:901"]) == 2
    assert "an ensemble is not trained. Give one of its members (1, 3)" in capsys.readouterr().err


def test_a_description_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "description.txt"
    assert read_description(ExperimentFolder(tmp_path)) == ""
    path.write_text("a test\n")
    assert read_description(ExperimentFolder(tmp_path)) == "a test"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ResultsError, match=r"description\.txt: not text in UTF-8"):
        read_description(ExperimentFolder(tmp_path))
    os.truncate(path, 3 << 30)  # a hole, which takes no room on the disk
    with pytest.raises(OSError, match=r"larger than 268435456 bytes.*description\.txt"):
        read_description(ExperimentFolder(tmp_path))
