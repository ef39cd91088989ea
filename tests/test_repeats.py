"""Repeats and deals as a user has them: added later, killed, looked at and audited."""

import json
import re
import shutil

import pytest

from xval import load_results
from xval.answers.audit import audit
from xval.answers.read import read_instances
from xval.report.request import PageRequest
from xval.report.write import write_page
from xval.results.folder import ExperimentFolder
from xval.results.open import open_results
from xval.results.scores import read_scores
from xval.results.status import read_status
from xval.reuse.inference.locate import find_members


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def run(project, in_process, eagerly):
    """Return a function that runs a script of one instance on two folds, and gives its results folder."""
    project.write_script({"architecture": "mlp", "n_units": (4,)}, num_folds=2, num_epochs=1)

    def run(*arguments):
        ended = project.run("--quiet", *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ExperimentFolder(project.results), ended.stdout

    return run


def test_repeats_are_added_resumed_averaged_and_audited_while_the_first_stays_as_it_was(run):
    folder, _ = run()
    first = {key: files_of(folder.fold_folder(*key)) for key in folder.jobs(1)}
    settings_hash = folder.settings(1)["settings_hash"]

    folder, printed = run("--repeats", "2", "--details")

    assert folder.jobs(1) == [(1, 1, 1), (1, 1, 2), (1, 2, 1), (1, 2, 2)]
    assert {key: files_of(folder.fold_folder(*key)) for key in first} == first
    assert folder.settings(1)["settings_hash"] == settings_hash
    records, _ = open_results(folder).records(1)
    assert len({record["seed"] for record in records.values()}) == 4
    assert "between seeds within a fold (2 folds, 2 seeds)" in printed

    scores = read_scores(folder.fold_folder(1, 1, 2), {})
    # A process was killed in the second repeat of the first fold.
    killed, kept = folder.fold_folder(1, 1, 2), files_of(folder.fold_folder(1, 2, 2))
    killed.rename(folder.instance_folder(1) / ".fold_1_repeat_2.dead.part")
    assert read_status(folder).count("interrupted") == 1

    folder, _ = run("--repeats", "3")

    assert len(folder.jobs(1)) == 6
    assert not list(folder.instance_folder(1).glob("*.part"))
    assert {key: files_of(folder.fold_folder(*key)) for key in first} == first
    assert files_of(folder.fold_folder(1, 2, 2)) == kept
    assert read_scores(folder.fold_folder(1, 1, 2), {}) == scores
    status = read_status(folder)
    assert (status.count("done"), len(status.instances[0].jobs)) == (6, 6)

    table = load_results(folder.path).query("side == 'test' and metric == 'accuracy'")
    means = table.groupby("fold")["value"].mean()
    assert table["repeat"].to_list() == [1, 2, 3] * 2
    summary = json.loads((folder.instance_folder(1) / "metrics.json").read_text())["summary"]["test"]["accuracy"]
    assert (summary["mean"], summary["std"], summary["n"]) == (pytest.approx(means.mean()), pytest.approx(means.std()), 2)
    assert len(find_members(folder.path).members) == 6
    assert_that_the_audit_finds_copies_and_what_has_changed_places(folder)


def assert_that_the_audit_finds_copies_and_what_has_changed_places(folder):
    """Exchange and copy files of three repeats of a fold, each time with what the audit says of it."""
    first, second, third = (folder.fold_folder(1, 1, repeat) for repeat in (1, 2, 3))

    def faults():
        return {verdict.rule: " ".join(verdict.faults) for verdict in audit(folder) if verdict.faults}

    assert faults() == {}

    swapped = second.rename(second.with_name("aside"))
    third.rename(second)
    swapped.rename(third)
    assert "fold_1_repeat_2/record.json: it is the record of another job, instance 1, fold 1, repeat 3." in faults()["files"]

    for folder_, repeat in ((second, 2), (third, 3)):  # the records are made to fit
        record = json.loads((folder_ / "record.json").read_text())
        (folder_ / "record.json").write_text(json.dumps(record | {"repeat": repeat}))
    found = faults()
    assert set(found) == {"seeds", "repeats"}
    assert "instance 1, fold 1, repeat 2: has the seed" in found["seeds"]
    assert "instance 1, fold 1, repeat 2: its model.json belongs to instance 1, fold 1, repeat 3" in found["repeats"]

    for name in ("model.keras", "predictions.parquet"):
        shutil.copyfile(first / name, second / name)
        said = f"instance 1, fold 1, repeat 2: its {name} belongs to instance 1, fold 1, which was trained with another seed"
        assert said in faults()["repeats"]


def test_an_estimator_without_randomness_is_fitted_once_and_that_is_said(project, run):
    project.write_script({"architecture": "logistic"}, num_folds=2)
    said = "logistic (1): fitted once in each fold, not 3 times, because nothing in logistic is random."

    _, planned = run("--dry-run", "--repeats", "3")
    folder, printed = run("--repeats", "3")

    assert said in planned
    assert folder.jobs(1) == [(1, fold, 1) for fold in (1, 2)]
    assert "lack repeats" not in printed
    assert "between seeds" not in printed
    assert read_status(folder).count("to do") == 0
    for fold in (1, 2):  # as an earlier version left it
        shutil.copytree(folder.fold_folder(1, fold), folder.fold_folder(1, fold, 2))
    (instance,) = read_instances(ExperimentFolder(folder.path), [1])
    assert (instance.n_repeats, len(instance.done)) == (1, 2)


def test_deals_are_added_while_the_first_stays_as_it_was_and_everything_reads_them(project, run):
    project.write_script({"architecture": "logistic"}, num_folds=2)
    folder, _ = run()
    first = {key: files_of(folder.fold_folder(*key)) for key in folder.jobs(1)}

    _, planned = run("--dry-run", "--fold-repeats", "2")
    rows = [line.split() for line in planned.splitlines()]
    assert ["fold", "repeat", "training", "items", "validation", "test"] in rows
    assert [row[1] for row in rows if row and "speaker_" in row[-1]] == ["1", "1", "2", "2"]
    assert ["1", "logistic", "1", "1-2", "3-4"] in rows  # instance, architecture, repeat, folds done, folds to do

    folder, printed = run("--fold-repeats", "2", "--details")

    assert folder.jobs(1) == [(1, fold, 1) for fold in (1, 2, 3, 4)]
    assert {key: files_of(folder.fold_folder(*key)) for key in first} == first
    assert re.search(r" in repeat 1, [01]\.\d{3} in repeat 2", printed)
    assert [verdict for verdict in audit(folder) if verdict.faults or verdict.warnings] == []
    assert len(find_members(folder.instance_folder(1)).members) == 4
    assert len(load_results(folder.path).query("side == 'test' and metric == 'accuracy'")) == 4
    write_page(folder, PageRequest(with_audio=False, with_audit=False))
    page = folder.page.read_text(encoding="utf-8")
    assert "2-fold cross-validation, repeated 2 times with different partitions, on" in page
    assert "Each item was tested 2 times, and its values were averaged." in page
    assert read_status(folder).count("done") == 4

    written = json.loads(folder.folds_file.read_text())
    moved = written["folds"][2]["test"][0]
    written["folds"][3] = {"number": 4, "training": [], "validation": [], "test": [*written["folds"][3]["test"], moved]}
    kept = folder.folds_file.read_bytes()
    folder.folds_file.write_text(json.dumps(written))
    faults = {verdict.rule: " ".join(verdict.faults) for verdict in audit(folder)}
    assert f"folds.json: '{moved}' is tested in several folds of repeat 2 of the cross-validation" in faults["items"]
    assert "folds.json has been edited: its folds have the hash " in faults["folds hash"]
    folder.folds_file.write_bytes(kept)

    run()  # one deal again, and nothing to do

    assert len(folder.jobs(1)) == 4
    metrics = json.loads((folder.instance_folder(1) / "metrics.json").read_text())
    assert (metrics["folds_total"], metrics["folds_done"]) == (2, 2)
    assert len(find_members(folder.instance_folder(1)).members) == 2
    assert [verdict.rule for verdict in audit(folder) if verdict.faults or verdict.warnings] == ["items"]
