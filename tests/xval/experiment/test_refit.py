"""A final model as a user makes it: a finished experiment in, a model that is marked as untested out."""

import csv
import errno
import json
import shutil
from contextlib import contextmanager
from io import StringIO

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile
from rich.console import Console

import xval
from preprocessing import corpus, store
from preprocessing.store import open_store
from xval.base.errors import JobError, ResultsError, SettingsError
from xval.engine.worker.run import run_job
from xval.experiment.refit import RefitRequest, refit_instance
from xval.experiment.refit_plan import choose_epochs
from xval.experiment.run import RunRequest, run_experiment
from xval.folds.plan import Fold
from xval.jobs.job import Job, Refit
from xval.jobs.plan import write_settings
from xval.models.saved.description import read_description
from xval.models.saved.initial import hash_model
from xval.models.saved.load import read_keras_model
from xval.models.saved.provenance import Provenance
from xval.results.checkpoint_note import checkpoint_path
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.scores import read_scores
from xval.settings.resolve import Declaration, resolve

ITEMS = [f"speaker_{number}" for number in range(5)]
SHAPE, RATE_HZ = (6, 4), 8000
SMALL = {"architecture": "mlp", "n_units": (4,)}
INSTANCES = {
    1: SMALL | {"schedule": "exponential"},
    2: SMALL | {"learning_rate": 1e-6, "schedule": "plateau", "schedule_patience": 1},
    3: {"architecture": "feature_combination", "models": ["nets/{fold}/model.keras"]},
    4: SMALL | {"initial_model": "results/fold_{fold}/model.keras"},
}


def prepare(*, seed, **_):
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)


@pytest.fixture(scope="module", autouse=True)
def started_backend():
    """Leave the threads of this process alone: its backend has started, and they cannot be set any more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xval.jobs.prepare_backend_for_job.prepare_backend", prepare)
        yield


def declare(folder, instances, **parameters):
    given = {
        "dataset": "toy",
        "experiment_folder": str(folder / "results"),
        "data_folder": str(folder / "data"),
        "executor": "inline",
        "num_folds": 2,
        "fold_repeats": 1,
        "num_epochs": 4,
        "learning_rate": 0.01,
        "backend": keras.backend.backend(),
    }
    return Declaration("exp.py", "exp.py", "a test", given | parameters, instances)


def run(declaration, numbers=None):
    assert run_experiment(declaration, RunRequest(numbers=numbers), Console(file=StringIO())) == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a folder with a corpus whose classes differ in a bin, and an experiment whose instances 1 and 2 are done."""
    folder = tmp_path_factory.mktemp("finished")
    rng = np.random.default_rng(0)
    predictors = {item: rng.normal(number, size=(9, *SHAPE)).astype(np.float32) for number, item in enumerate(ITEMS)}
    for values in predictors.values():
        values[np.arange(9), :, np.arange(9) % 3] += 2
    store.write("toy", predictors, {item: list("abc") * 3 for item in ITEMS}, data_folder=folder / "data")
    run(declare(folder, INSTANCES), [1, 2])
    return folder


@pytest.fixture
def experiment(finished, tmp_path):
    """Return a copy of the experiment's results; the corpus stays where it is."""
    shutil.copytree(finished / "results", tmp_path / "results")
    return ExperimentFolder(tmp_path / "results" / "toy" / "experiment_1")


@pytest.fixture
def make(experiment):
    """Return a function that makes a final model, and returns its path and what was printed."""

    def refit_now(instance=1, **request):
        console = Console(record=True, file=StringIO(), width=1000)
        path = refit_instance(experiment, RefitRequest(instance, **request), console)
        return path, console.export_text()

    return refit_now


def record_of(path):
    return json.loads(path.with_name("record.json").read_text())


def weights(path):
    return read_keras_model(path).get_weights()


def learning_rates(folder):
    with (folder / "history.csv").open() as file:
        return [float(row["learning_rate"]) for row in csv.DictReader(file)]


def change_parameter(experiment, name, value):
    """Write another value of a setting into the settings of the first instance."""
    path = experiment.instance_folder(1) / "settings.json"
    written = json.loads(path.read_text())
    written["parameters"][name] = value
    path.write_text(json.dumps(written))


def contents(folder):
    """Return every file with its content and time, but locks and what refits leave."""
    paths = (path for path in folder.rglob("*") if path.is_file() and "refit" not in path.parts and path.suffix != ".lock")
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def leftovers(folder):
    return [path for path in folder.path.rglob("*") if path.name.endswith(".part")]


# the model


def test_the_model_has_heard_all_items_and_is_marked_as_untested(experiment, make, finished):
    path, printed = make()

    assert path == experiment.instance_folder(1) / "refit" / "model.keras"
    record, folds = record_of(path), [experiment.record(1, fold) for fold in (1, 2)]
    assert (record["status"], record["fold"]) == ("untested", 0)
    assert not (path.parent / "scores.parquet").exists()
    assert record["items"] == {"training": ITEMS, "validation": [], "test": []}
    assert (record["n_examples"], record["n_training_clips"]) == ({"training": 45}, 45)
    assert record["epochs"] == int(np.floor(np.median([fold["best_epoch"] for fold in folds]) + 0.5))
    assert {record[name] for name in ("settings_hash", "folds_hash")} == {
        folds[0][name] for name in ("settings_hash", "folds_hash")
    }
    assert record["seed"] not in {fold["seed"] for fold in folds}
    accuracies = [read_scores(experiment.fold_folder(1, fold), {}).side("test")["accuracy"] for fold in (1, 2)]
    assert record["expected"]["accuracy"] == pytest.approx(
        {"mean": np.mean(accuracies), "std": np.std(accuracies, ddof=1), "n": 2}
    )
    assert "not a test of this model" in record["expected_note"]
    description = read_description(path)
    assert (description.is_untested, description.fold, description.seen_items) == (True, 0, {"toy": tuple(ITEMS)})
    assert not read_description(experiment.fold_folder(1, 1) / "model.keras").is_untested
    chosen = ", ".join(str(fold["best_epoch"]) for fold in folds)
    assert f"{record['epochs']} epoch" in printed
    assert f", the median of the folds' choices: {chosen}." in printed
    assert "trained on all 5 items (45 clips)" in printed
    assert f"test balanced_accuracy {np.mean(accuracies):.3f} ± {np.std(accuracies, ddof=1):.3f}" in printed
    assert f"Next: xval predict {path} FILE" in printed
    files = {file.name for file in path.parent.iterdir()}
    heard = {"seen_audio.npy", "trained_audio.npy", "novelty.npy"}
    assert files == {"model.keras", "model.json", "record.json", "history.csv", "model_card.md", *heard}
    ratios = [fold["novelty"]["limit_ratio"] for fold in folds]
    assert description.novelty.limit_ratio == pytest.approx(np.median(ratios))


def test_its_weights_are_its_own_and_it_normalises_by_all_items(experiment, make, finished):
    path, _ = make()

    hashes = {hash_model(experiment.fold_folder(1, fold) / "model.keras") for fold in (0, 1, 2)}
    assert len(hashes) == 3
    model = read_keras_model(path)
    moments = open_store(finished / "data" / "toy" / "features" / "custom").moments(ITEMS)
    mean, variance = model.get_layer("normalization").get_weights()
    assert mean == pytest.approx(moments.mean(), rel=1e-5)
    assert variance == pytest.approx(moments.variance(), rel=1e-5)


def test_each_epoch_has_the_learning_rate_that_it_had_in_the_folds(experiment, make):
    path, printed = make(epochs=3)

    assert record_of(path)["epochs"] == len(learning_rates(path.parent)) == 3
    assert record_of(path)["epochs_chosen_by"] == "--epochs"
    assert "Instance 1: 3 epochs, as requested; the folds chose" in printed
    assert learning_rates(path.parent) == learning_rates(experiment.fold_folder(1, 1))[:3]
    path, _ = make(2, epochs=4)
    of_folds = [learning_rates(experiment.fold_folder(2, fold)) for fold in (1, 2)]
    assert learning_rates(path.parent) == [min(rates) for rates in zip(*of_folds, strict=True)]


def test_the_same_command_makes_the_same_model_bit_for_bit(make):
    first, again, other = (weights(make(epochs=epochs, overwrite=True)[0]) for epochs in (2, 2, 1))

    assert all(map(np.array_equal, first, again))
    assert not any(map(np.array_equal, first[2:], other[2:]))
    assert all(map(np.array_equal, first[:2], other[:2]))  # the moments of all items


def test_repeats_have_a_say_in_the_epochs(experiment, make):
    for fold, best_epoch in ((1, 1), (2, 2)):
        for repeat in (2, 3):
            further = experiment.fold_folder(1, fold, repeat)
            shutil.copytree(experiment.fold_folder(1, fold), further)
            record = json.loads((further / "record.json").read_text()) | {"repeat": repeat, "best_epoch": best_epoch}
            (further / "record.json").write_text(json.dumps(record))
    own = [experiment.record(1, fold)["best_epoch"] for fold in (1, 2)]

    path, printed = make()

    record = record_of(path)
    assert record["best_epochs_of_folds"] == {"1": [own[0], 1, 1], "2": [own[1], 2, 2]}
    assert record["epochs"] == choose_epochs([*own, 1, 1, 2, 2])
    assert "from 2 folds" in printed


def test_without_a_number_validation_selects_the_instance_also_beside_a_damaged_checkpoint(experiment, make):
    checkpoint_path(experiment, JobKey(1, 0)).write_bytes(b"cut off")

    path, printed = make(None)

    assert "restarts, because its checkpoint cannot be used: it is damaged" in printed

    scores = [[read_scores(experiment.fold_folder(i, k), {}).side("validation") for k in (1, 2)] for i in (1, 2)]
    uar, losses = (
        [np.mean([of_fold[name] for of_fold in of_instance]) for of_instance in scores]
        for name in ("balanced_accuracy", "loss")
    )
    assert (-uar[0], losses[0]) < (-uar[1], losses[1])
    assert f"Instance 1 is selected: best mean validation balanced accuracy (UAR) ({uar[0]:.3f} ±" in printed
    assert path.parent.parent == experiment.instance_folder(1)


def test_results_and_workbook_stay_as_they_are_and_runs_take_no_notice(experiment, make, finished):
    for path in (experiment.workbook, experiment.page):
        path.touch()  # a run makes those anew that are older than the copy of a fold folder
    before = contents(experiment.path)

    make()

    after = contents(experiment.path)
    assert {path: after[path] for path in before} == before
    assert experiment.jobs(1) == [JobKey(1, 1), JobKey(1, 2)]
    run(declare(finished, INSTANCES, experiment_folder=str(experiment.path.parents[1])), [1, 2])
    again = contents(experiment.path)
    changed = {path.name for path in before if again[path] != before[path]}
    assert changed <= {"description.txt"}
    assert record_of(experiment.fold_folder(1, 0) / "model.keras")["status"] == "untested"


# again


def test_a_model_that_was_trained_otherwise_is_kept_unless_it_may_be_overwritten(make):
    path, _ = make(epochs=3)
    before = hash_model(path)

    with pytest.raises(
        ResultsError, match=r"refit: the final model there was trained differently: epochs was 3, now 2\. Keep it.*--overwrite"
    ):
        make(epochs=2)

    assert hash_model(path) == before
    make(epochs=2, overwrite=True)
    assert hash_model(path) != before
    assert record_of(path)["epochs"] == 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"parameters": {"batch_size": 7}}, "batch_size was 7, now 32"),
        ({"folds_hash": "abc"}, "the folds or the dataset were different"),
        ({"expected": {"loss": None}}, "the folds have run again since"),
    ],
)
def test_what_was_trained_with_other_settings_or_folds_is_named(make, changes, named):
    path, _ = make()
    record = record_of(path)
    for name, value in changes.items():
        record[name] = record[name] | value if isinstance(value, dict) else value
    path.with_name("record.json").write_text(json.dumps(record))

    with pytest.raises(ResultsError, match=named):
        make()


# refused


@pytest.mark.parametrize("epochs", [None, 2])
def test_a_fold_that_is_not_done_is_named_with_the_command(experiment, make, epochs):
    shutil.rmtree(experiment.fold_folder(1, 2))

    with pytest.raises(
        ResultsError, match=r"instance_1: 1 of 2 jobs is not done .*\(fold 2\).*Run them first: python exp.py 1"
    ):
        make(epochs=epochs)


def test_a_fold_of_other_settings_is_not_done(experiment, make):
    path = experiment.fold_folder(1, 1) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings_hash": "another"}))

    with pytest.raises(ResultsError, match=r"not done with its current settings \(fold 1\)"):
        make()


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (3, "a different model in each fold, but the final"),
        (4, r"initial_model='.*\{fold\}.*' is a different model in each fold"),
    ],
)
def test_what_has_no_meaning_without_folds_is_refused(experiment, make, finished, number, reason):
    (instance,) = resolve(declare(finished, INSTANCES), [number])
    write_settings(experiment, instance, "a test")

    with pytest.raises(SettingsError, match=f"instance {number}: .*{reason}"):
        make(number)


def test_a_backend_that_is_gone_is_named(make, monkeypatch):
    monkeypatch.setattr("xval.base.keras_backends.find_spec", lambda name: None)
    with pytest.raises(
        SettingsError, match=r"instance_1: its folds ran on backend='.*': .* is not installed\. Install it: pip install"
    ):
        make()


def test_another_corpus_than_that_of_the_folds_is_refused(make, tmp_path):
    arrays = {item: np.zeros((3, *SHAPE)) for item in ITEMS}
    store.write("toy", arrays, {item: list("abc") for item in ITEMS}, data_folder=tmp_path / "other")

    with pytest.raises(
        ResultsError, match=r"dataset 'toy' in .*other.* is not the one from which the folds were made.*--data-folder"
    ):
        make(data_folder=tmp_path / "other")


def test_a_failing_training_says_why_and_leaves_nothing(experiment, make, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("xval.engine.worker.run.describe_model", lambda *_: (_ for _ in ()).throw(full))

    with pytest.raises(JobError, match=r"instance 1: training on all items failed: .*test_refit.*: OSError: .*No space left"):
        make()

    assert not experiment.fold_folder(1, 0).exists()
    assert not leftovers(experiment)


def test_what_runs_elsewhere_is_left_to_it(experiment, make):
    with experiment.claim(1, 0), pytest.raises(ResultsError, match="another process is training its final model"):
        make()


# interrupted


def test_stopped_after_an_epoch_the_same_command_goes_on_with_the_next(experiment, make, monkeypatch):
    change_parameter(experiment, "checkpoint_minutes", 1e-9)

    @contextmanager
    def stopped_after_two(*_, **__):
        def advance(done, _total):
            if done == 2:
                raise KeyboardInterrupt

        yield advance

    with monkeypatch.context() as patch:
        patch.setattr("xval.experiment.refit.progress_bar", stopped_after_two)
        with pytest.raises(KeyboardInterrupt):
            make(epochs=4)

    model, printed = make(epochs=4)

    assert "the final model continues at epoch 2 of 4" in printed
    assert "Training on 5 items: 4 of 4 epochs" in printed
    assert record_of(model)["went_on"]["after_epoch"] == 1


# other corpora and tasks


def test_features_are_made_again_and_every_clip_is_known_as_heard(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "audio").mkdir()
    rows = []
    for item in ITEMS[:4]:
        for take in range(3):
            samples = 0.3 * np.sin(np.arange(rng.integers(1600, 3000)) * (0.3, 0.9, 1.5)[take]) + 0.01 * rng.normal()
            soundfile.write(tmp_path / "audio" / f"{item}_{take}.wav", samples, RATE_HZ)
            rows.append({"path": f"{item}_{take}.wav", "item": item, "label": ("low", "mid", "high")[take]})
    corpus.make_corpus(
        pd.DataFrame(rows), tmp_path / "audio", dataset="toy", data_folder=tmp_path / "data", corpus="table",
        task_type="classification",
    )  # fmt: skip
    features = {"features": "waveform", "frontend": "logmel", "crop_s": 0.15, "sample_rate_hz": RATE_HZ, "n_mels": 8}
    features |= {"n_fft": 128, "win_length": 128, "hop_length": 64}
    run(declare(tmp_path, {1: {"architecture": "cnn_small", "n_filters": (2, 2)} | features}, num_epochs=1))
    shutil.rmtree(tmp_path / "data" / "toy" / "features")
    folder = ExperimentFolder(tmp_path / "results" / "toy" / "experiment_1")

    path = refit_instance(folder, RefitRequest(1), Console(file=StringIO()))

    of_folds = [set(Provenance(folder.fold_folder(1, fold) / "model.keras").audio) for fold in (1, 2)]
    assert set(Provenance(path).audio) == of_folds[0] | of_folds[1]
    assert len(Provenance(path).audio) == 12
    saved = xval.load_model(path)
    assert saved.is_untested
    assert set(saved.predict(tmp_path / "audio" / f"{ITEMS[0]}_1.wav")["predicted"]) <= {"low", "mid", "high"}


def test_a_model_that_all_folds_start_from_is_started_from(experiment, finished, tmp_path):
    initial = experiment.fold_folder(1, 1) / "model.keras"
    (instance,) = resolve(declare(finished, {5: SMALL | {"initial_model": str(initial)}}))
    (tmp_path / "other").mkdir()
    fold, features = Fold(0, tuple(ITEMS), (), ()), finished / "data" / "toy" / "features" / "custom"
    job = Job(
        str(tmp_path / "other"), "code", str(features), 5, fold, instance.settings, instance.options,
        "hash", "folds", 1, Refit(1),
    )  # fmt: skip

    assert run_job(job, lambda _: None).status == "done"

    record = record_of(tmp_path / "other" / "instance_5" / "refit" / "model.keras")
    assert record["initial_model_hash"] == hash_model(initial)
    assert record["layers_copied"]


@pytest.mark.parametrize(("executor", "said"), [("slurm", True), ("inline", False)])
def test_that_the_executor_of_the_folds_does_not_train_the_final_model_is_said(experiment, make, executor, said):
    change_parameter(experiment, "executor", executor)

    _, printed = make(epochs=1)

    assert (f"trained on this machine; executor={executor} is used only for folds" in printed) is said
