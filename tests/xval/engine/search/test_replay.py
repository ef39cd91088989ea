"""Searches in folds: real folds, trials, records and suggestions; what trains is a few sums of NumPy, see search_probe.py."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from xval.base.errors import FoldsError
from xval.engine.search.replay import FoldSearch


@pytest.mark.parametrize(("pruning", "inner_folds"), [pytest.param("median", 2, marks=pytest.mark.slow), ("hyperband", 0)])
def test_a_search_that_is_interrupted_in_any_order_ends_as_one_that_is_not(probe, tmp_path, pruning, inner_folds):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    plan = {"pruning": pruning, "inner_folds": inner_folds}
    for folder in (whole, parts):
        probe.write_corpus(folder)
    wanted = probe.chosen_of(probe.search(whole, **plan))

    for seed in range(3):
        with pytest.raises(KeyboardInterrupt):
            probe.search(parts, seed, n_jobs=5, **plan)
    found = probe.chosen_of(probe.search(parts, seed=6, **plan))

    assert found == wanted
    assert len(found) == (3 if inner_folds else 2)
    states = {trial["state"] for of_fold in found.values() for trial in of_fold["trials"]}
    assert states == {"complete", "pruned"}
    ran = []
    assert probe.chosen_of(probe.search(parts, seed=7, on_end=ran.append, **plan)) == wanted
    assert ran == []  # nothing is tried twice


@pytest.mark.slow
def test_a_search_that_is_killed_five_times_ends_as_one_that_is_not(probe, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        probe.write_corpus(folder)
    command = [sys.executable, str(Path(__file__).with_name("search_probe.py")), str(killed)]
    ended = []

    for _ in range(5):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as running:
            ended += [running.stdout.readline() for _ in range(3)]
            os.killpg(running.pid, signal.SIGKILL)
    last = subprocess.run(command, check=True, capture_output=True, text=True)

    assert json.loads((killed / "chosen.json").read_text()) == probe.chosen_of(probe.search(whole))
    keys = [*map(str.strip, ended), *last.stdout.split("\n")]
    assert len(set(keys)) == len(keys)  # what had ended did not run again


def test_labels_of_test_items_choose_nothing(probe, tmp_path):
    probe.write_corpus(tmp_path / "true")
    jobs, _ = probe.make_jobs_of(tmp_path / "true", inner_folds=2)
    (tested, *_), (validating, *_) = jobs[0].fold.test, jobs[0].fold.validation
    shuffled = np.roll(np.array(["a", "b", "c"] * 8), 1)
    probe.write_corpus(tmp_path / "other_test", dict.fromkeys(jobs[0].fold.test, shuffled))
    probe.write_corpus(tmp_path / "other_validation", {validating: shuffled})

    found = {
        name: probe.chosen_of(probe.search(tmp_path / name, n_trials=4, at_once=2, inner_folds=2))["1"]
        for name in ("true", "other_test", "other_validation")
    }

    assert found["other_test"] == found["true"]
    assert found["other_validation"] != found["true"]
    assert tested not in {*jobs[0].fold.training, *jobs[0].fold.validation}


def test_labels_without_meaning_give_chance_though_the_best_trial_seems_better(probe, tmp_path):
    probe.write_corpus(tmp_path, informative=False)

    jobs = probe.search(tmp_path, n_trials=20, at_once=20, pruning="none")

    best = fmean(job.chosen["score"] for job in jobs)
    nested = fmean(probe.accuracy(job, "test", epoch=1) for job in jobs)
    deviation = (1 / 3 * 2 / 3 / 144) ** 0.5  # of the share of right answers among 144
    assert best > 1 / 3 + 3 * deviation
    assert abs(nested - 1 / 3) < 2 * deviation


def test_a_trial_that_fails_is_left_out_and_tried_again_by_the_next_run(probe, tmp_path):
    for name in ("whole", "parts"):
        probe.write_corpus(tmp_path / name)

    def fail_second(job, temporary, observers):
        if job.trial.number == 2:
            raise OSError("no space left")
        return probe.train(job, temporary, observers)

    plan = {"n_trials": 4, "at_once": 2}
    with_failures = probe.chosen_of(probe.search(tmp_path / "parts", work=fail_second, **plan))
    again = probe.chosen_of(probe.search(tmp_path / "parts", **plan))

    assert [trial["state"] for trial in with_failures["1"]["trials"]][:3] == ["complete", "failed", "complete"]
    assert again == probe.chosen_of(probe.search(tmp_path / "whole", **plan))


def test_a_fold_of_which_no_trial_has_a_score_fails(probe, tmp_path):
    probe.write_corpus(tmp_path)

    def fail(*_):
        raise OSError("no space left")

    assert probe.search(tmp_path, work=fail, n_trials=2) == []
    record = json.loads((tmp_path / "results" / "instance_1" / "fold_1" / "record.json").read_text())
    assert (record["status"], record["error"]) == (
        "failed", "no trial of the search has a score (2 failed); see the records in search/",
    )  # fmt: skip


def test_a_search_never_gets_the_items_that_its_fold_tests(probe, tmp_path):
    probe.write_corpus(tmp_path)
    jobs, searches = probe.make_jobs_of(tmp_path, inner_folds=2)

    for job in jobs:
        for trial in searches[job.instance, job.fold.number].next_jobs():
            assert not trial.fold.test
            assert not set(job.fold.test) & {*trial.fold.training, *trial.fold.validation}
    with pytest.raises(ValueError, match="the search of a fold must not use its test items"):
        FoldSearch(jobs[0], jobs[0].settings.search_plan, [jobs[0].fold], None)
    swapped = replace(jobs[0].fold, training=jobs[0].fold.test, test=())
    with pytest.raises(ValueError, match="the search of a fold must not use its test items"):
        FoldSearch(jobs[0], jobs[0].settings.search_plan, [swapped], None)
    with pytest.raises(FoldsError, match="fold 1, inner_folds=9: num_folds=9 is more than the 4 items"):
        probe.make_jobs_of(tmp_path, inner_folds=9)


def test_the_journal_holds_the_trials_for_the_tools_of_optuna(probe, tmp_path):
    import optuna
    from optuna.storages.journal import JournalFileBackend

    probe.write_corpus(tmp_path)
    (job, *_) = probe.search(tmp_path, n_trials=4)

    path = tmp_path / "results" / "instance_1" / "search" / "fold_1.journal"
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    study = optuna.load_study(study_name=None, storage=storage)
    assert (study.best_trial.number + 1, study.best_value) == (job.chosen["trial"], job.chosen["score"])
    assert len(study.trials) == 4
