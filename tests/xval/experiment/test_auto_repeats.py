"""Three repeats of the folds where training is cheap, and what is kept of an experiment that has results."""

import pytest
from rich.console import Console

from preprocessing import store
from xval.experiment import auto_repeats
from xval.experiment.auto_repeats import settle_fold_repeats
from xval.experiment.run import RunRequest, results_folder, run_experiment
from xval.jobs.folds_file import load_folds, write_folds
from xval.settings.resolve import Declaration, resolve

CNN, SVM = {"architecture": "cnn_small", "num_epochs": 20}, {"architecture": "svm"}


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Return a function that declares instances on a corpus of six speakers with two clips each."""
    values = {f"s{number}": [[1.0, number], [4.0, number]] for number in range(6)}
    store.write("toy", values, {item: ["a", "b"] for item in values}, data_folder=tmp_path / "data")
    monkeypatch.chdir(tmp_path)

    def make(*instances, **parameters):
        shared = {"dataset": "toy", "num_folds": 3, "fold_repeats": "auto", "features": "logmel"} | parameters
        return Declaration("a.py", "a.py", "a test", shared, dict(enumerate(instances, start=1)))

    return make


def settle(declaration, overrides=None):
    chosen = resolve(declaration, [1], overrides)
    return settle_fold_repeats(declaration, overrides or {}, chosen, results_folder(chosen[0].settings))


def test_experiments_that_train_on_few_clips_have_three_deals(declare, monkeypatch):
    monkeypatch.setattr(auto_repeats, "MOST_TRAINED", 240)
    cheap, why = settle(declare(CNN, SVM))
    assert cheap.n_fold_repeats == 3
    assert why == (
        "fold_repeats = auto: 3 repeats of the cross-validation, because an instance trains on 240 clips in all epochs of a "
        "fold, at most 240."
    )
    assert [instance.settings.fold_repeats for instance in resolve(cheap)] == [3, 3]

    dear, why = settle(declare(SVM, CNN | {"num_epochs": 21}))  # the instance that is not run counts too: folds are shared
    assert (dear.n_fold_repeats, "252 clips in all epochs of a fold, more than 240" in why) == (1, True)
    assert settle(declare(SVM))[0].n_fold_repeats == 3


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"fold_strategy": "leave_one_out"}, "because fold_strategy = leave_one_out has only one way to split"),
        ({"repeats": 2}, "because repeats already train each fold several times"),
        ({"num_folds": 6}, "because the items cannot be split 3 times"),
    ],
)
def test_where_further_deals_are_impossible_or_needless_there_is_one(declare, parameters, why):
    declaration, said = settle(declare(SVM, **parameters))
    assert declaration.n_fold_repeats == 1
    assert why in said


def test_a_number_that_is_given_is_kept(declare):
    declaration = declare(SVM)
    assert settle(declaration, {"fold_repeats": "2"}) == (declaration, "")
    other = declare(SVM, fold_repeats=2)
    assert settle(other) == (other, "")


@pytest.mark.parametrize("n_fold_repeats", [1, 2])
def test_an_experiment_with_results_keeps_its_number(declare, make_record, write_job, n_fold_repeats):
    declaration = declare(SVM)
    (instance,) = resolve(declaration, None, {"fold_repeats": n_fold_repeats})
    folder = results_folder(instance.settings)
    folder.prepare("a test")
    folds = load_folds(folder, instance.settings)
    write_folds(folder, folds, "toy", folder.path.parents[2] / "data")
    assert settle(declaration)[0].n_fold_repeats == 3  # nothing has ended yet

    fold = folder.begin_fold(1, 1)
    hashes = {"settings_hash": instance.settings_hash, "folds_hash": folds.hash_of(1), "own_code": {}}
    write_job(fold, make_record(1, {"accuracy": 0.5}, instance=1, **hashes))
    folder.publish(fold, 1, 1)

    kept, why = settle(declaration)
    assert (kept.n_fold_repeats, "as in the existing results" in why) == (n_fold_repeats, True)


def test_a_dry_run_says_how_many_deals_there_are(declare, capsys):
    assert run_experiment(declare(SVM), RunRequest(dry_run=True), Console(width=200)) == 0
    printed = capsys.readouterr().out
    assert "fold_repeats = auto: 3 repeats of the cross-validation" in printed
    assert [line.split()[:2] for line in printed.splitlines() if line.split()[:1] == ["9"]] == [["9", "3"]]
