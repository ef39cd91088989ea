"""A search whose number of trials is raised."""

import json

import pandas as pd
import pytest

SCRIPT = """
from xval import Experiment, log_uniform
e = Experiment("x", dataset="small", num_folds=2, fold_repeats=1, num_epochs=1, workers=1, page="none", num_experiment={number})
e.search({{"learning_rate": log_uniform(1e-5, 1e-1)}}, n_trials={n_trials}, at_once={at_once}, architecture="mlp", n_units=4)
e.main()
"""


def run(study, n_trials, number=1, at_once=2):
    study.file(f"exp{number}.py", SCRIPT.format(n_trials=n_trials, number=number, at_once=at_once))
    return study.run(script=f"exp{number}.py")


def records(study, number=1):
    places = sorted(study.results.with_name(f"experiment_{number}").glob("instance_1/fold_?/record.json"))
    scores = {place.parent: pd.read_parquet(place.with_name("scores.parquet")).to_csv() for place in places}
    return {place.parent.name: json.loads(place.read_text()) | {"scores": scores[place.parent]} for place in places}


def trials(study, number=1):
    """Return when each trial has been written."""
    folder = study.results.with_name(f"experiment_{number}") / "instance_1/search"
    return {place.parent.name: place.stat().st_mtime_ns for place in folder.glob("*/record.json")}


def without_times(search):
    return {**search, "seconds": 0, "importance": 0, "trials": [{**trial, "seconds": 0} for trial in search["trials"]]}


@pytest.mark.long
def test_further_trials_alone_run_and_all_ends_as_if_asked_for_at_once(study):
    assert run(study, 3).returncode == 0
    before, old = trials(study), records(study)

    ended = run(study, 4)

    assert ended.returncode == 0, ended.stderr
    after, new = trials(study), records(study)
    assert {name: after[name] for name in before} == before
    assert (len(before), len(after)) == (6, 8)
    assert all(len(record["search"]["trials"]) == 4 for record in new.values())
    for name, record in new.items():
        kept = record["search"]["trial"] == old[name]["search"]["trial"]
        assert (record["seconds"] == old[name]["seconds"]) == kept  # trained again where another trial is the best
        assert ("the additional trials were no better" in ended.stdout) >= kept
    assert "2/2" in ended.stdout
    assert "Nothing to do" in run(study, 4).stdout

    at_once = run(study, 4, number=2)

    assert at_once.returncode == 0, at_once.stderr
    for name, record in records(study, 2).items():
        assert without_times(record["search"]) == without_times(new[name]["search"])
        assert record["scores"] == new[name]["scores"]
    checked = study.xval("audit", "results/small/experiment_1")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.long
def test_fewer_trials_or_another_space_are_refused(study):
    assert run(study, 3).returncode == 0
    for change in ({"n_trials": 2}, {"n_trials": 5, "at_once": 3}):
        refused = run(study, **change)
        assert refused.returncode == 2
        assert "were made with other settings: search was" in refused.stderr
