"""Commands that use a saved model: a fold, an instance, an experiment."""

import json
import re
import shutil
import subprocess
import zipfile

import keras
import numpy as np
import onnxruntime
import pandas as pd
import pytest

from tests.outside.conftest import FEATURES, Study
from tests.outside.test_tasks import FRAMES
from tests.outside.test_tasks import frames as write_frames

FOLD = "results/small/experiment_1/instance_1/fold_1"
CLIP = "audio/low/s0_0.wav"


def answers(study, *arguments):
    """Return what predict writes."""
    ended = study.xval("predict", *arguments, "--output", "answers.csv")
    assert ended.returncode == 0, ended.stderr
    return pd.read_csv(study.folder / "answers.csv")


def test_predict_answers_as_the_fold_did(copied):
    stored = copied.predictions(1, 1).query("side == 'test'").set_index("clip").sort_index()

    new = answers(copied, FOLD, *[f"audio/{clip}" for clip in stored.index])

    assert list(new["path"]) == [f"audio/{clip}" for clip in stored.index]
    for name in ("probability_high", "probability_low"):
        assert np.allclose(new[name], stored[name], atol=1e-5)
    assert list(new["predicted"]) == list(stored["predicted"])
    assert (new["novelty"] > 0).all()


def test_predict_takes_a_file_an_instance_and_an_experiment(copied):
    of_file = answers(copied, f"{FOLD}/model.keras", CLIP)
    folds = [answers(copied, f"{copied.EXPERIMENT}/instance_1/fold_{fold}", CLIP) for fold in (1, 2, 3)]
    of_instance = answers(copied, f"{copied.EXPERIMENT}/instance_1", CLIP)

    assert of_file.equals(folds[0])
    assert of_instance["probability_low"][0] == pytest.approx(np.mean([one["probability_low"][0] for one in folds]), abs=1e-5)
    assert len(answers(copied, copied.EXPERIMENT, "audio")) == 24


def test_predict_says_of_audio_that_trained_the_model_that_it_is_no_test(finished):
    trained = finished.record()["items"]["training"][0]
    tested = finished.record()["items"]["test"][0]

    assert "not a test" in finished.xval("predict", FOLD, f"audio/low/{trained}_0.wav").stdout
    assert "not a test" not in finished.xval("predict", FOLD, f"audio/low/{tested}_0.wav").stdout


def test_predict_names_what_it_cannot_read_and_answers_the_rest(finished):
    ended = finished.xval("predict", FOLD, CLIP, "audio/clips.csv", "audio/none.wav")

    assert ended.returncode == 1
    assert "audio/clips.csv" in ended.stdout
    assert "audio/none.wav" in ended.stdout
    assert CLIP in ended.stdout


def test_predict_gives_segments_and_sets_of_classes(copied):
    assert len(answers(copied, FOLD, CLIP, "--every", "0.1")) >= 1
    assert "abstained" in copied.xval("predict", FOLD, CLIP, "--coverage", "0.9").stdout


def test_evaluate_tests_a_model_on_a_table(copied):
    ended = copied.xval("evaluate", FOLD, "audio/clips.csv", "--output", "tested")

    assert ended.returncode == 0
    assert "balanced accuracy (UAR)" in ended.stdout
    assert "balanced_accuracy" not in ended.stdout
    assert "training data" in ended.stdout
    written = {path.name for path in (copied.folder / "tested").iterdir()}
    assert {"items.csv"} <= written
    assert [name for name in written if name.endswith(".png")]


def test_evaluate_leaves_out_what_the_model_has_seen(copied):
    ended = copied.xval("evaluate", FOLD, "data/small", "--leave-out-seen", "--output", "tested")

    assert ended.returncode == 0
    accuracy = copied.scores()["accuracy"]
    assert re.search(rf"^accuracy +{accuracy:.3f}", ended.stdout, re.MULTILINE)


def test_evaluate_takes_class_folders_with_a_pattern_for_speakers(copied):
    ended = copied.xval("evaluate", FOLD, "audio", "--item-pattern", r"(s\d)_", "--output", "tested")

    assert ended.returncode == 0
    assert set(pd.read_csv(copied.folder / "tested" / "items.csv")["item"]) == {f"s{number}" for number in range(6)}
    assert "tested" in copied.mistake("-m", "xval", "evaluate", FOLD, "audio", "--output", "tested")


def test_embed_and_verify_speakers(copied):
    ended = copied.xval("embed", FOLD, "audio", "--output", "embeddings.parquet")

    assert ended.returncode == 0
    assert len(pd.read_parquet(copied.folder / "embeddings.parquet")) == 24
    verified = copied.xval("speaker-eer", "embeddings.parquet", "--speaker-pattern", r"(s\d)_")
    assert verified.returncode == 0
    assert "qual error rate 0." in verified.stdout
    said = copied.mistake("-m", "xval", "speaker-eer", "embeddings.parquet", "--speaker-pattern", "(x)")
    assert "--speaker-pattern (x): finds no speaker in 'audio/" in said
    assert "Give one that matches every path." in said


def test_embed_takes_a_layer_and_writes_arrays(copied):
    ended = copied.xval("embed", FOLD, "audio", "--layers-dropped", "0", "--output", "out.npy")

    assert ended.returncode == 0
    values, rows = np.load(copied.folder / "out.npy", allow_pickle=False), pd.read_csv(copied.folder / "out.csv")
    assert (values.shape, values.dtype) == ((24, 2), np.float32)
    assert list(rows) == ["path", "start_s", "end_s"]
    assert len(rows) == 24
    assert "24 embeddings of 2 numbers" in ended.stdout
    assert "dense" in copied.mistake("-m", "xval", "embed", FOLD, "audio", "--layer", "nope")


@pytest.mark.long
def test_explain_draws_what_an_answer_rests_on(copied):
    for words in (("--method", "occlusion", "--of", "high"), ()):
        ended = copied.xval("explain", FOLD, CLIP, *words)
        assert ended.returncode == 0, ended.stderr
    assert len(list((copied.folder / FOLD / "explanations").glob("*.png"))) == 2
    assert "'high'" in copied.mistake("-m", "xval", "explain", FOLD, CLIP, "--of", "hihg")


@pytest.mark.parametrize("folder", ["", "/instance_1"])
def test_explain_of_several_models_asks_for_the_fold_of_one(finished, folder):
    said = finished.mistake("-m", "xval", "explain", finished.EXPERIMENT + folder, "high/s0_1.wav", "--method", "occlusion")
    assert "several models. Give the fold of one, such as" in said


def test_explain_prints_what_groups_of_features_give_an_estimator(finished):
    ended = finished.xval("explain", f"{finished.EXPERIMENT}/instance_3/fold_1")

    assert ended.returncode == 0
    assert "importance" in ended.stdout


REPLACED = "is not the file that its job wrote (its SHA-256 differs from record.json)"


@pytest.mark.parametrize(
    "words",
    [
        ("predict", FOLD, CLIP),
        ("predict", f"{FOLD}/model.keras", CLIP),
        ("predict", "results/small/experiment_1:1", CLIP),
        ("evaluate", FOLD, "audio/clips.csv"),
        ("embed", FOLD, CLIP),
        ("export", FOLD, "--format", "weights_h5"),
        ("explain", FOLD, CLIP, "--method", "occlusion"),
        ("ensemble", "results/small/experiment_1:1-2"),
    ],
    ids=lambda words: f"{words[0]} {words[1].rpartition('/')[2]}",
)
def test_a_model_that_was_replaced_after_its_job_is_refused(copied, words):
    shutil.copy(copied.fold(1, 2) / "model.keras", copied.fold(1, 1) / "model.keras")

    said = " ".join(copied.mistake("-m", "xval", *words).split())

    assert f"instance_1/fold_1: model.keras {REPLACED}" in said
    assert "Restore the file, or run the job again (with --overwrite)." in said


def test_a_replaced_estimator_is_refused_in_python(copied):
    shutil.copy(copied.fold(3, 2) / "model.skops", copied.fold(3, 1) / "model.skops")

    ended = copied.python("-c", f"import xval; xval.load_model({str(copied.fold(3, 1))!r})")

    assert ended.returncode != 0
    assert f"model.skops {REPLACED}" in " ".join(ended.stderr.split())


def test_a_model_without_hashes_or_in_another_folder_is_read_as_before(copied):
    record = copied.record()
    shutil.copy(copied.fold(1, 2) / "model.keras", copied.fold(1, 1) / "model.keras")
    (copied.folder / "other").mkdir()
    for name in ("model.keras", "model.json"):
        shutil.copy(copied.fold(1, 1) / name, copied.folder / "other" / name)
    assert len(answers(copied, "other", CLIP)) == 1

    del record["model_sha256"]
    for text in (json.dumps(record), "{"):
        (copied.fold(1, 1) / "record.json").write_text(text)

        assert len(answers(copied, FOLD, CLIP)) == 1


@pytest.mark.parametrize(
    "start",
    [
        {"architecture": "mlp", "n_units": (8,), "initial_model": f"{FOLD[:-1]}{{fold}}/model.keras"},
        {"architecture": "feature_combination", "models": [f"{FOLD[:-1]}{{fold}}/model.keras"], "basic_features": False},
        {"architecture": "svm", "features": "embedding", "embedding_model": f"keras:{FOLD}/model.keras"},
    ],
    ids=["initial_model", "models", "embedding_model"],
)
def test_nothing_is_trained_from_a_model_that_was_replaced(copied, start):
    shutil.copy(copied.fold(1, 2) / "model.keras", copied.fold(1, 1) / "model.keras")
    copied.script(
        start, name="more.py", num_experiment=2, num_folds=3,
        sample_rate_hz=4000, n_fft=64, win_length=64, hop_length=32, n_mels=8,
    )  # fmt: skip

    ended = copied.run(script="more.py")

    assert ended.returncode == 2
    said = " ".join((ended.stdout + ended.stderr).split())
    assert f"model.keras {REPLACED}" in said
    # The features of an embedding model are made once for all instances.
    assert ("instance 1: " in said.partition(REPLACED)[0]) == ("embedding_model" not in start)
    assert next(name for name in ("initial_model", "models", "embedding_model") if name in start) in said.partition(REPLACED)[0]
    assert not list((copied.folder / "results/small/experiment_2").glob("instance_*/fold_*"))


@pytest.mark.long
def test_no_final_model_is_trained_from_a_model_that_was_replaced(copied):
    """It is refused before any training, with its instance, as the folds are."""
    small = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8, "num_folds": 3}
    (copied.folder / "before").mkdir()
    shutil.copy(copied.fold(1, 1) / "model.keras", copied.folder / "before/model.keras")
    copied.script(
        {"architecture": "mlp", "n_units": (8,), "initial_model": "before/model.keras"},
        {"architecture": "feature_combination", "models": [f"{FOLD[:-1]}{{fold}}/model.keras"], "basic_features": False},
        name="more.py", num_experiment=2, **small,
    )  # fmt: skip
    assert copied.run(script="more.py").returncode == 0
    (copied.folder / "before/record.json").write_text(json.dumps({"model_sha256": {"model.keras": "0" * 64}}))
    assert copied.xval("refit", f"{copied.EXPERIMENT}:1").returncode == 0
    shutil.copy(copied.fold(1, 1) / "model.keras", copied.results / "instance_1/refit/model.keras")

    for number, model in (1, "initial_model: before"), (2, "models: results/small/experiment_1/instance_1/refit"):
        said = " ".join(copied.mistake("-m", "xval", "refit", f"results/small/experiment_2:{number}").split())
        assert f"error: instance {number}: {model}: model.keras {REPLACED}" in said
        assert not list((copied.folder / f"results/small/experiment_2/instance_{number}").glob("refit*"))


@pytest.fixture
def network(finished):
    """Return the network of the fold in plain Keras, and examples for it."""
    model = keras.models.load_model(finished.folder / FOLD / "model.keras")
    return model, np.random.default_rng(1).normal(-40, 20, (5, *model.input_shape[1:])).astype("float32")


def test_export_to_onnx_answers_as_keras(copied, network):
    model, examples = network

    ended = copied.xval("export", FOLD, "--format", "onnx", "--output", "net.onnx")

    assert ended.returncode == 0, ended.stderr
    session = onnxruntime.InferenceSession(copied.folder / "net.onnx")
    (exported,) = session.run(None, {session.get_inputs()[0].name: examples})
    assert np.allclose(exported, model.predict(examples, verbose=0), atol=1e-4)


def test_export_of_weights_fits_the_network(copied, network):
    model, examples = network
    before = model.predict(examples, verbose=0)

    ended = copied.xval("export", FOLD, "--format", "weights_h5", "--output", "net.weights.h5")

    assert ended.returncode == 0, ended.stderr
    for weight in model.weights:
        weight.assign(0 * weight)
    model.load_weights(copied.folder / "net.weights.h5")
    assert np.allclose(model.predict(examples, verbose=0), before, atol=1e-6)


@pytest.mark.long
def test_nothing_of_tensorflow_is_written_into_the_progress(finished, tmp_path):
    """Also where the variable of its log level is not set, as it is for other tests."""
    start = "import os, runpy\nos.environ.pop('TF_CPP_MIN_LOG_LEVEL')\nimport sys\nsys.argv.pop(0)\n"
    run = ("-c", start + "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)")
    model = finished.folder / FOLD / "model.keras"
    features = {"features": "embedding", "embedding_model": f"keras:{model}", "sample_rate_hz": FEATURES["sample_rate_hz"]}
    settings = [word for name, value in features.items() for word in ("--set", f"{name}={value}")]
    study = Study(tmp_path, finished.servers)

    prepared = study.python(
        *run, "preprocessing", "table", finished.folder / "audio/clips.csv", "--dataset", "d", *settings, in_workers=True
    )
    bundled = study.python(*run, "xval", "bundle", finished.folder / FOLD, "--output", "out", in_workers=True)

    assert (prepared.returncode, prepared.stderr) == (0, "")
    assert (bundled.returncode, bundled.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["tflite", "saved_model"])
def test_export_to_other_forms(copied, form):
    assert copied.xval("export", FOLD, "--format", form).returncode == 0


def test_export_names_the_forms_and_refuses_an_estimator(finished):
    assert "'tflite'" in finished.mistake("-m", "xval", "export", FOLD, "--format", "tflit")
    said = finished.mistake("-m", "xval", "export", f"{finished.EXPERIMENT}/instance_3/fold_1", "--format", "onnx")
    assert "estimator" in said


@pytest.mark.long
def test_bundle_a_model_for_the_hub(copied):
    ended = copied.xval("bundle", FOLD, "--output", "handed", "--licence", "mit", "--zip")

    assert ended.returncode == 0, ended.stderr
    bundle = copied.folder / "handed"
    assert {"README.md", "SHA256SUMS", "model.onnx", "model.tflite", "model.keras", "model.json", "evidence"} <= {
        path.name for path in bundle.iterdir()
    }
    assert 'license: "mit"' in (bundle / "README.md").read_text()
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=bundle, check=False)
    assert checked.returncode == 0
    assert zipfile.ZipFile(copied.folder / "handed.zip").testzip() is None
    published = copied.xval("bundle", "handed", "--hub", "me/net")
    assert published.returncode == 0
    assert "hf upload me/net" in published.stdout
    assert "OWNER/NAME" in copied.mistake("-m", "xval", "bundle", "handed", "--hub", "net")
    (bundle / "model.json").write_text("{}")
    changed = copied.xval("bundle", "handed", "--hub", "me/net")
    assert changed.returncode == 1
    assert "model.json: changed" in changed.stdout


@pytest.mark.long
def test_ensemble_is_an_instance_like_others(copied):
    ended = copied.xval("ensemble", copied.EXPERIMENT, "1,2")

    assert ended.returncode == 0, ended.stderr
    members = [copied.predictions(number, 1).query("side == 'test'")["probability_low"] for number in (1, 2)]
    mean = copied.predictions(901, 1).query("side == 'test'")["probability_low"]
    assert np.allclose(mean, np.mean(members, axis=0), atol=1e-6)
    assert copied.xval("audit", copied.EXPERIMENT).returncode == 0
    assert "901" in copied.xval("compare", copied.EXPERIMENT).stdout
    assert len(answers(copied, f"{copied.EXPERIMENT}/instance_901", CLIP)) == 1


@pytest.mark.parametrize("options", [("--choose",), pytest.param(("--method", "stack"), marks=pytest.mark.slow)])
def test_ensemble_chooses_or_stacks_members(copied, options):
    ended = copied.xval("ensemble", copied.EXPERIMENT, "1,3", *options, "--number", "950")

    assert ended.returncode == 0, ended.stderr
    assert copied.record(950)["status"] == "done"
    how = "chosen" if "--choose" in options else "stacked"
    row = next(line for line in copied.xval("status", copied.EXPERIMENT).stdout.splitlines() if line.split()[:1] == ["950"])
    assert f"  ensemble 1+3, {how}  " in row


@pytest.mark.parametrize(("members", "named"), [("1", "two"), ("1,8", "Available: 1-3"), ("one", "one")])
def test_ensemble_says_what_members_it_takes(finished, members, named):
    assert named in finished.mistake("-m", "xval", "ensemble", finished.EXPERIMENT, members)


def test_refit_trains_a_final_model(copied):
    ended = copied.xval("refit", f"{copied.EXPERIMENT}:1")

    assert ended.returncode == 0, ended.stderr
    refit = copied.results / "instance_1" / "refit"
    assert {"model.keras", "model.json", "model_card.md", "record.json"} <= {path.name for path in refit.iterdir()}
    assert "untested" in ended.stdout
    assert len(answers(copied, f"{copied.EXPERIMENT}/instance_1/refit", CLIP)) == 1
    weights = (refit / "model.keras").read_bytes()
    again = copied.xval("refit", f"{copied.EXPERIMENT}:1")
    assert (again.returncode, "Nothing to do" in again.stdout, "Next: xval predict" in again.stdout) == (0, True, True)
    assert (refit / "model.keras").read_bytes() == weights
    assert "--overwrite" in copied.mistake("-m", "xval", "refit", f"{copied.EXPERIMENT}:1", "--epochs", "1")


def test_refit_takes_an_estimator(copied):
    assert copied.xval("refit", f"{copied.EXPERIMENT}:3").returncode == 0
    assert (copied.results / "instance_3" / "refit" / "model.skops").exists()


@pytest.mark.parametrize(
    ("number", "options", "said"),
    [
        (":8", (), "no instance 8. Available: 1-3"),
        (":one", (), "no such folder"),
        (":1", ("--epochs", "0"), "received '0'; expected a whole number from 1"),
        (":1", ("--gpu", "all"), "--gpu: received 'all'; expected the number of a GPU, or cpu"),
    ],
)
def test_refit_names_what_it_cannot_take(finished, number, options, said):
    assert said in finished.mistake("-m", "xval", "refit", f"{finished.EXPERIMENT}{number}", *options)


@pytest.mark.long
@pytest.mark.parametrize("task", ["regression", "multilabel_classification", "representation", "frame_classification"])
def test_refit_trains_on_all_items_of_each_task(empty, task):
    if task == "frame_classification":
        write_frames(empty)
        network = {"architecture": "sincnet", "n_filters": 4, "kernel_length": 15, "n_conv_filters": (4,), "n_units": (8,)}
        settings = FRAMES | {"sequence_frames": 10}
    else:
        empty.corpus(task)
        autoencoder = {"architecture": "daf_autoencoder", "n_filters": (2, 2)}
        network = autoencoder if task == "representation" else {"architecture": "mlp", "n_units": (4,)}
        settings = {"task_type": task}
    empty.train(network, **settings, num_epochs=1)

    ended = empty.xval("refit", f"{empty.EXPERIMENT}:1", "--epochs", "2")

    assert ended.returncode == 0, ended.stderr
    refit, fold = empty.results / "instance_1" / "refit", empty.fold()
    described, of_fold = (json.loads((folder / "model.json").read_text()) for folder in (refit, fold))
    assert (described["task_type"], described["is_untested"], described["fold"]) == (task, True, 0)
    assert described["class_names"] == of_fold["class_names"]
    record = json.loads((refit / "record.json").read_text())
    assert record["items"] == {"training": [f"s{number}" for number in range(6)], "validation": [], "test": []}
    history = pd.read_csv(refit / "history.csv")
    assert len(history) == 2
    assert not [name for name in history.columns if name.startswith("val_")]


@pytest.mark.slow
def test_jobs_of_a_scheduler_run_one_by_one(study):
    study.script({"architecture": "mlp", "n_units": (4,)})
    listed = study.python("exp.py", "--executor", "command")
    lines = [line for line in listed.stdout.splitlines() if "run-job" in line]
    assert len(lines) == 2, listed.stdout + listed.stderr
    job = lines[0].split()[-1].strip("'")

    ended = study.xval("run-job", job)

    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(next(study.results.glob("jobs/*_fold_1.outcome.json")).read_text())
    assert outcome["status"] == "done"
    written = (study.fold() / "record.json").stat().st_mtime_ns
    assert study.run().returncode == 0  # what is not done yet
    assert (study.fold() / "record.json").stat().st_mtime_ns == written
    assert study.record(1, 2)["status"] == "done"


def test_cross_takes_two_corpora(finished):
    assert "two" in finished.mistake("-m", "xval", "cross-corpus", "small", "small")
