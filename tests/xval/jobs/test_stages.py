from dataclasses import replace
from pathlib import Path

import pytest

from xval.base.errors import SettingsError
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.jobs.stages import in_stages


@pytest.fixture
def job(make_settings, make_options):
    """Return a function that makes the job of a fold, of a network or of a combination of models."""
    combination = {"architecture": "feature_combination"}
    network, combining = make_settings(), make_settings(**combination)

    def job(instance, fold, models=()):
        settings = combining if models else network
        options = make_options(**combination, models=models) if models else {}
        return Job("results", "code", "store", instance, Fold(fold, ("a",), ("b",), ("c",)), settings, options, "", "", 1)

    return job


def names(stages):
    return [[(job.instance, job.fold.number) for job in stage] for stage in stages]


def test_jobs_that_need_nothing_are_one_stage(job):
    assert names(in_stages([job(1, 1), job(2, 1, ["elsewhere/model.keras"])])) == [[(1, 1), (2, 1)]]
    assert in_stages([]) == []


def test_a_job_waits_for_the_models_of_its_fold(job):
    model = "results/instance_2/fold_{fold}/model.keras"
    jobs = [job(1, 1, [model]), job(1, 2, [model]), job(2, 1), job(3, 1, [model, "results/instance_1/fold_1/model.keras"])]

    assert names(in_stages(jobs)) == [[(1, 2), (2, 1)], [(1, 1)], [(3, 1)]]


def test_a_job_that_starts_from_a_model_waits_for_it(job):
    initial_model = "results/instance_2/fold_{fold}/model.keras"
    first, second, elsewhere = (
        replace(each, settings=each.settings.model_copy(update={"initial_model": name}))
        for each, name in ((job(1, 1), initial_model), (job(1, 2), initial_model), (job(4, 1), "https://host/a.keras#sha256=0"))
    )

    assert names(in_stages([first, second, job(2, 1), elsewhere])) == [[(1, 2), (2, 1), (4, 1)], [(1, 1)]]


def test_the_same_file_by_another_path_is_the_same_file(tmp_path, monkeypatch, job):
    monkeypatch.chdir(tmp_path)
    absolute = str(Path("results").resolve() / "instance_2" / "fold_{fold}" / "model.keras")

    assert names(in_stages([job(1, 1, [absolute]), job(2, 1)])) == [[(2, 1)], [(1, 1)]]


def test_jobs_that_wait_for_each_other_are_refused(job):
    first, second = (f"results/instance_{number}/fold_{{fold}}/model.keras" for number in (1, 2))

    with pytest.raises(SettingsError, match="instances 1, 2 wait for each other's models"):
        in_stages([job(1, 1, [second]), job(2, 1, [first])])


def test_who_waits_for_a_circle_is_named_with_it_and_who_does_not_is_not(job):
    paths = {number: f"results/instance_{number}/fold_{{fold}}/model.keras" for number in range(1, 5)}
    jobs = [job(1, 1, [paths[2]]), job(2, 1, [paths[1], paths[4]]), job(3, 1, [paths[1]]), job(4, 1)]

    with pytest.raises(SettingsError, match="instances 1, 2, 3 wait for each other's models"):
        in_stages(jobs)
    with pytest.raises(SettingsError, match="instance 1 waits for its own models"):
        in_stages([job(1, 1, [paths[1]])])


def test_of_many_jobs_each_path_is_resolved_once(monkeypatch, job):
    model = "results/instance_1/fold_{fold}/model.keras"
    jobs = [job(instance, fold, [model] if instance == 2 else []) for instance in range(1, 301) for fold in range(1, 11)]
    resolved, resolve = [], Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda path: resolved.append(path) or resolve(path))

    first, second = in_stages(jobs)

    assert (len(first), len(second)) == (2990, 10)
    assert len(resolved) == 3000 + 10
