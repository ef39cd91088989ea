import json
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import pandas as pd
import pytest

from preprocessing import store
from xval.base import keras_backends
from xval.base.errors import CorpusError, FoldsError, ResultsError, SettingsError
from xval.base.file_forms import form_of
from xval.base.json_files import write_json
from xval.folds.plan import Fold, FoldPlan
from xval.jobs.folds_file import load_folds, write_folds
from xval.jobs.job import Job
from xval.jobs.plan import in_stages, make_jobs, make_plan, write_settings
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration, resolve


def write_corpus(data_folder, value):
    data = {f"s{number}": [[1.0, number], [value, number]] for number in range(6)}
    store.write("toy", data, {item: ["a", "b"] for item in data}, data_folder=data_folder)


@pytest.fixture
def made(tmp_path):
    """Return a function that plans an experiment over the small corpus of tests/conftest.py."""
    write_corpus(tmp_path / "data", 4.0)
    folder = ExperimentFolder(tmp_path / "results")

    def plan(instances, *, fold_numbers=None, overwrite=False, numbers=None, **parameters):
        given = {"dataset": "toy", "num_folds": 3, "data_folder": str(tmp_path / "data"), "architecture": "mlp"} | parameters
        resolved = resolve(Declaration("exp.py", "exp.py", "a test", given, dict(enumerate(instances, start=1))), numbers)
        settings = resolved[0].settings
        folds = load_folds(folder, settings)
        found = make_plan(folder, resolved, folds, fold_numbers=fold_numbers, overwrite=overwrite)
        folder.prepare("a test")
        write_folds(folder, folds, "toy", tmp_path / "data")
        for instance in resolved:
            write_settings(folder, instance, "a test")
        return found

    plan.folder = folder
    plan.data_folder = tmp_path / "data"
    return plan


@pytest.fixture
def finish(make_record, write_job):
    """Return a function that finishes jobs of a plan."""
    return partial(_finish, make_record, write_job)


def _finish(make_record, write_job, planned, *jobs, status="done"):
    hashes = {instance.number: instance.settings_hash for instance in planned.instances}
    for instance, *numbers in jobs:
        temporary = planned.folder.begin_fold(instance, *numbers)
        bound = {"settings_hash": hashes[instance], "folds_hash": planned.folds.hash_of(numbers[0]), "error": "it failed"}
        record = make_record(numbers[0], {"accuracy": 0.5}, instance=instance, repeat=(*numbers, 1)[1], status=status, **bound)
        write_job(temporary, record)
        planned.folder.publish(temporary, instance, *numbers)


def test_every_fold_of_every_instance_is_a_job_until_it_is_done(made, finish):
    planned = made([{}, {"learning_rate": 0.1}])
    assert planned.to_do == [(1, 1, 1), (1, 2, 1), (1, 3, 1), (2, 1, 1), (2, 2, 1), (2, 3, 1)]

    finish(planned, (1, 2), (2, 3))
    finish(planned, (1, 1), status="failed")

    again = made([{}, {"learning_rate": 0.1}])
    assert again.done == [(1, 2, 1), (2, 3, 1)]
    assert again.to_do == [(1, 1, 1), (1, 3, 1), (2, 1, 1), (2, 2, 1)]


def test_another_backend_is_refused_with_the_setting_that_goes_on_with_the_former_one(made, finish, monkeypatch):
    finish(made([{}], backend="torch"), (1, 1))

    with pytest.raises(
        ResultsError, match=r"backend was 'torch', now 'jax'; --set backend=torch continues with the former one"
    ):
        made([{}], backend="jax")
    monkeypatch.setattr(keras_backends, "find_spec", lambda name: None)
    with pytest.raises(ResultsError, match=r"continues with the former one, once torch is installed again \(.*\.\[torch\]"):
        made([{}], backend="jax")


def test_raising_the_repeats_adds_the_new_ones_behind_what_there_is(made, finish):
    finish(made([{}], repeats=2), (1, 1), (1, 2), (1, 3), (1, 1, 2))

    assert made([{}], repeats=2).to_do == [(1, 2, 2), (1, 3, 2)]
    again = made([{}], repeats=3)
    assert again.to_do == [(1, 2, 2), (1, 3, 2), (1, 1, 3), (1, 2, 3), (1, 3, 3)]
    assert made([{}], repeats=3, fold_numbers=[2]).to_do == [(1, 2, 2), (1, 2, 3)]
    assert made([{}]).to_do == []


def test_the_first_repeat_is_the_job_that_there_is_without_repeats(made):
    once, twice = made([{}]), made([{}], repeats=2)
    (job, *_), jobs = (
        make_jobs(planned, made.folder.path / "code" / "abc", {1: made.data_folder}, {}) for planned in (once, twice)
    )

    first, second = jobs[0], jobs[3]
    assert (first.settings_hash, first.folds_hash, first.seed) == (job.settings_hash, job.folds_hash, job.seed)
    assert job.seed == int.from_bytes(blake2b(b"1/1", digest_size=4).digest(), "big") % 2**31
    assert (first.key, second.key) == ((1, 1, 1), (1, 1, 2))
    assert second.settings_hash == first.settings_hash
    assert len({each.seed for each in jobs}) == len(jobs) == 6
    assert Job.from_dict(json.loads(json.dumps(second.to_dict()))) == second


def test_raising_and_lowering_the_deals_keeps_what_is_finished(made, finish):
    once = made([{}])
    before = made.folder.folds_file.read_bytes()
    finish(once, (1, 1), (1, 2), (1, 3))

    twice = made([{}], fold_repeats=2)
    assert (twice.done, twice.to_do) == ([(1, 1, 1), (1, 2, 1), (1, 3, 1)], [(1, 4, 1), (1, 5, 1), (1, 6, 1)])
    jobs = make_jobs(twice, made.folder.path / "code" / "abc", {1: made.data_folder}, {})
    assert {job.folds_hash for job in jobs} == {twice.folds.repeat_hashes[1]}
    assert made([{}], fold_repeats=3, fold_numbers=[8]).to_do == [(1, 8, 1)]
    finish(made([{}], fold_repeats=2), (1, 4))

    assert made([{}]).to_do == []
    assert made.folder.folds_file.read_bytes() == before
    assert made([{}], fold_repeats=2).to_do == [(1, 5, 1), (1, 6, 1)]
    with pytest.raises(ResultsError, match=r"instances 1 were tested on other folds \(fold_seed was 1, now 2"):
        made([{}], fold_repeats=2, fold_seed=2)


def test_folds_of_an_earlier_version_stay_when_deals_are_added_or_the_corpus_is_prepared_anew(made, finish):
    once = made([{}])
    before = json.loads(made.folder.folds_file.read_text())
    drawn_otherwise = [
        {**fold, "training": sorted({*fold["training"], *fold["validation"]} - {other}), "validation": [other]}
        for fold in before["folds"]
        for other in [fold["training"][0]]
    ]
    plan = form_of(FoldPlan).validate_python(before | {"folds": drawn_otherwise})
    assert plan.hash != once.folds.hash
    write_json(made.folder.folds_file, before | {"folds": drawn_otherwise, "hash": plan.hash, "corpus_fingerprint": "another"})
    finish(replace(once, folds=plan), (1, 1), (1, 2), (1, 3))

    assert made([{}]).folds.hash == plan.hash
    twice = made([{}], fold_repeats=2)

    assert (twice.done, twice.to_do) == ([(1, 1, 1), (1, 2, 1), (1, 3, 1)], [(1, 4, 1), (1, 5, 1), (1, 6, 1)])
    assert twice.folds.folds_by_repeat[0] == plan.folds
    assert made([{}], fold_repeats=2).folds == twice.folds
    assert made([{}]).folds.folds == plan.folds


@pytest.mark.parametrize("strategy", ["leave_one_out", "predefined", "holdout"])
def test_what_cannot_be_dealt_anew_has_no_deals(made, strategy):
    with pytest.raises(SettingsError, match=f"fold_repeats=2.*fold_strategy='{strategy}'.*fold_repeats=1, or to"):
        made([{}], fold_repeats=2, fold_strategy=strategy)


def test_an_instance_does_not_choose_its_repeats(made):
    with pytest.raises(SettingsError, match="'repeats' applies to the whole experiment"):
        made([{"repeats": 3}])


def test_only_chosen_folds_are_planned(made):
    assert made([{}], fold_numbers=[3, 1]).to_do == [(1, 1, 1), (1, 3, 1)]
    with pytest.raises(FoldsError, match=r"no fold 4\. Available: 1-3"):
        made([{}], fold_numbers=[4])


def test_other_settings_under_a_used_number_are_an_error_that_lists_the_differences(made, finish):
    finish(made([{"learning_rate": 0.1}]), (1, 1))

    with pytest.raises(ResultsError, match=r"learning_rate was 0\.1, now 0\.2.*another instance number.*--overwrite"):
        made([{"learning_rate": 0.2}])


def test_other_settings_are_no_error_while_nothing_is_finished(made, finish):
    finish(made([{"learning_rate": 0.1}]), (1, 1), status="failed")

    assert made([{"learning_rate": 0.2}]).to_do == [(1, 1, 1), (1, 2, 1), (1, 3, 1)]


def test_a_comment_may_change(made, finish):
    finish(made([{}]), (1, 1))

    assert made([{"comment_1": "new"}]).done == [(1, 1, 1)]


def test_overwriting_plans_finished_jobs_again(made, finish):
    finish(made([{}]), (1, 1), (1, 2))

    assert made([{"learning_rate": 0.2}], overwrite=True).to_do == [(1, 1, 1), (1, 2, 1), (1, 3, 1)]


def test_an_interrupted_overwrite_goes_on_where_it_stopped(made, finish):
    finish(made([{}]), (1, 1), (1, 2))
    planned = made([{"learning_rate": 0.2}], overwrite=True)
    planned.folder.replace(1, planned.jobs_of(1))
    finish(planned, (1, 2))

    again = made([{"learning_rate": 0.2}], overwrite=True)

    assert (again.done, again.to_do) == ([(1, 2, 1)], [(1, 1, 1), (1, 3, 1)])


def test_overwriting_some_folds_never_mixes_settings(made, finish):
    finish(made([{}]), (1, 1), (1, 2))

    differs = r"finished results \(folds 2\).*learning_rate was 0\.001, now 0\.2.*"
    with pytest.raises(ResultsError, match="replace the results with --overwrite"):
        made([{"learning_rate": 0.2}], fold_numbers=[2])
    with pytest.raises(ResultsError, match=f"{differs}replace these folds, because this run overwrites only others"):
        made([{"learning_rate": 0.2}], overwrite=True, fold_numbers=[1])
    assert made([{}], overwrite=True, fold_numbers=[1]).to_do == [(1, 1, 1)]


def test_folds_cannot_change_under_finished_results(made, finish):
    finish(made([{}, {}]), (2, 1))

    with pytest.raises(ResultsError, match=r"instances 2 were tested on other folds \(num_folds was 3, now 2\)"):
        made([{}, {}], num_folds=2)
    with pytest.raises(ResultsError, match="overwrite all of these instances"):
        made([{}, {}], num_folds=2, numbers=[1])
    with pytest.raises(ResultsError, match=r"or run all folds of all these instances, because this run would overwrite"):
        made([{}, {}], num_folds=2, numbers=[1], overwrite=True)
    assert len(made([{}, {}], num_folds=2, overwrite=True).to_do) == 4


def test_another_splitter_changes_no_folds_under_finished_results(made, finish, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_folds.py").write_text("def split(items): return [['s0', 's1', 's2'], ['s3', 's4', 's5']]")
    finish(made([{}], fold_strategy="my_folds.split"), (1, 1))

    (tmp_path / "my_folds.py").write_text("def split(items): return [['s0', 's1', 's2'], ['s5', 's4', 's3']]")
    assert made([{}], fold_strategy="my_folds.split").to_do == [(1, 2, 1)]
    (tmp_path / "my_folds.py").write_text("def split(items): return [['s0', 's1'], ['s2', 's3', 's4', 's5']]")
    with pytest.raises(ResultsError, match=r"instances 1 were tested on other folds \(the code of the splitter has changed\)"):
        made([{}], fold_strategy="my_folds.split")
    with pytest.raises(ResultsError, match=r"other folds \(fold_strategy was my_folds\.split, now leave_one_out\)"):
        made([{}], fold_strategy="leave_one_out")


def test_a_corpus_that_fits_two_tasks_does_not_let_one_experiment_have_both(made, finish):
    first = made([{"architecture": "daf_autoencoder"}], task_type="representation")
    with pytest.raises(FoldsError, match="prepared for classification, but the experiment has task_type regression"):
        made([{}], task_type="regression")
    finish(first, (1, 1))

    with pytest.raises(ResultsError, match=r"instances 1 were .*task_type was representation, now classification"):
        made([{}, {}], numbers=[2])


def test_a_changed_corpus_is_noticed(made, finish):
    finish(made([{}]), (1, 1))
    write_corpus(made.data_folder, 5.0)

    with pytest.raises(ResultsError, match=r"other folds \(the dataset has changed\)"):
        made([{}])


def test_a_missing_corpus_is_an_error(made):
    settings = made([{}]).instances[0].settings.model_copy(update={"dataset": "toyy"})

    with pytest.raises(CorpusError, match="toyy"):
        load_folds(made.folder, settings)


def test_a_corpus_of_another_task_is_refused(made):
    with pytest.raises(FoldsError, match="'toy' was prepared for classification, but the experiment has task_type regression"):
        made([{}], task_type="regression")


def test_folds_are_written_once_with_their_hash(made):
    planned = made([{}])
    written = json.loads(planned.folder.folds_file.read_text())
    before = planned.folder.folds_file.stat().st_mtime_ns

    made([{}])

    assert written["hash"] == planned.folds.hash
    assert [fold["number"] for fold in written["folds"]] == [1, 2, 3]
    assert planned.folder.folds_file.stat().st_mtime_ns == before


def test_jobs_survive_json_and_share_the_seed_of_their_fold(made):
    jobs = make_jobs(made([{}, {"learning_rate": 0.1}]), Path("code/abc"), {1: Path("s"), 2: Path("s")}, {})

    assert [Job.from_dict(json.loads(json.dumps(job.to_dict()))).fold for job in jobs] == [job.fold for job in jobs]
    seeds = {(job.instance, job.fold.number): job.seed for job in jobs}
    assert [seeds[1, fold] == seeds[2, fold] for fold in (1, 2, 3)] == [True, True, True]
    assert len({seeds[1, fold] for fold in (1, 2, 3)}) == 3
    assert jobs[0].code_hash == "abc"


def test_the_side_of_each_item_in_each_fold_is_written_as_csv(made):
    planned = made([{}])

    table = pd.read_csv(made.folder.path / "phases.csv").set_index("item")
    for fold in planned.folds.folds:
        for side in ("training", "validation", "test"):
            assert tuple(table.index[table[f"fold_{fold.number}"] == side]) == getattr(fold, side)


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
