"""Combinations of networks and hand-crafted features: their final model, their models from elsewhere, and wrong settings."""

import hashlib
import json
import subprocess

import pytest

FEATURES = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
NETWORKS = "results/small/experiment_1/instance_1/fold_{fold}/model.keras"
NETWORK = {"architecture": "mlp", "n_units": (4,)}
COMBINED = {"architecture": "feature_combination", "models": (NETWORKS,), "classifier": "logistic_regression"}
CLIP = "audio/low/s0_0.wav"


@pytest.fixture
def tones(empty):
    empty.recordings()
    prepared = empty.prepare("table", "audio/clips.csv", "--dataset", "small")
    assert prepared.returncode == 0, prepared.stderr
    return empty


def refit(study, instance):
    ended = study.xval("refit", f"{study.EXPERIMENT}:{instance}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = study.results / f"instance_{instance}" / "refit"
    return ended.stdout, json.loads((folder / "record.json").read_text())


def grid(study, instance):
    import pandas as pd

    tables = [pd.read_csv(study.fold(instance, fold) / "grid.csv") for fold in (1, 2)]
    means = sum(table["macro_f1"] for table in tables)
    return tables[0].drop(columns=["macro_f1", "scored_on"]).iloc[means.argmax()].to_dict()


@pytest.mark.long
def test_a_grid_that_is_damaged_or_gone_is_named_by_refit(tones):
    tones.train(NETWORK, COMBINED, **FEATURES)
    path = tones.fold(2, 1) / "grid.csv"
    path.write_text("C\n1\n")

    for _ in range(2):
        said = " ".join(tones.mistake("-m", "xval", "refit", f"{tones.EXPERIMENT}:2").split())
        assert "instance_2/fold_1/grid.csv: missing or damaged" in said
        path.unlink(missing_ok=True)


@pytest.mark.long
@pytest.mark.parametrize("backend", ["tensorflow", *(pytest.param(name, marks=pytest.mark.slow) for name in ("torch", "jax"))])
def test_the_final_model_has_networks_and_a_classifier_of_all_items(tones, backend):
    tones.backend = backend
    tones.train(NETWORK, COMBINED, **FEATURES)

    printed, record = refit(tones, 2)

    assert "instance_1/refit/model.keras" in printed
    assert record["models"][0]["path"].endswith("instance_1/refit/model.keras")
    assert record["items"]["training"] == [f"s{number}" for number in range(6)]
    assert not record["items"]["test"]
    assert record["classifier_settings"] == pytest.approx(grid(tones, 2))
    network = json.loads((tones.results / "instance_1" / "refit" / "record.json").read_text())
    assert network["items"] == record["items"]
    assert "Nothing to do" in refit(tones, 2)[0]
    model = "results/small/experiment_1/instance_2/refit"
    predicted = tones.xval("predict", model, CLIP)
    assert predicted.returncode == 0, predicted.stderr
    assert "low" in predicted.stdout
    if backend != "tensorflow":  # whose bundles the next test holds
        assert tones.xval("bundle", model, "--output", "out").returncode == 0
        assert tones.xval("predict", "out", CLIP).stdout.count("low") == predicted.stdout.count("low")
    if backend == "tensorflow":
        for command in (("export", model, "--format", "onnx"), ("embed", model, CLIP)):
            assert "combination" in tones.mistake("-m", "xval", *command)
        heard = tones.xval("evaluate", model, "audio/clips.csv")
        other = tones.xval("evaluate", "results/small/experiment_1/instance_1/refit", "audio/clips.csv")
        assert (heard.returncode, "trained" in heard.stdout + heard.stderr) == (
            other.returncode,
            "trained" in other.stdout + other.stderr,
        )


@pytest.mark.slow
def test_a_bundle_of_a_combination_is_read_without_the_results(tones):
    tones.train(NETWORK, COMBINED, **FEATURES)
    refit(tones, 2)
    folders = {part: f"{tones.EXPERIMENT}/instance_2/{part}" for part in ("fold_1", "refit")}
    predicting = "import sys, xval; [print(xval.load_model(name).predict(sys.argv[1:2]).to_csv()) for name in sys.argv[2:]]"
    before = tones.python("-c", predicting, CLIP, *folders.values())
    assert "--onnxruntime-web" in tones.mistake("-m", "xval", "bundle", folders["refit"], "--onnxruntime-web", "ort.tgz")

    for part, command in (("fold_1", ("bundle",)), ("refit", ("bundle", "--hub", "me/net"))):
        bundled = tones.xval(*command, folders[part], "--output", f"out/{part}")
        assert bundled.returncode == 0, bundled.stderr
        assert "There is no ONNX file" in bundled.stdout

    for name in ("results", "data"):
        (tones.folder / name).rename(tones.folder / f"{name}_away")
    after = tones.python("-c", predicting, CLIP, "out/fold_1", "out/refit")
    assert (after.returncode, after.stdout) == (0, before.stdout), after.stderr
    assert "low" in tones.xval("predict", "out/refit", CLIP).stdout
    handed = tones.folder / "out" / "refit"
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=handed, check=True)
    files = {path.relative_to(handed).as_posix() for path in handed.rglob("*") if path.is_file()}
    assert {"model.skops", "model.json", "network_1/model.keras", "network_1/model.json", "evidence/refit/record.json"} <= files
    assert not {"model.onnx", "model.tflite", "index.html"} & files
    card = (handed / "README.md").read_text()
    assert "balanced_accuracy" in card
    assert "There is no ONNX file" in card
    assert "`network_1`" in card


@pytest.mark.long
def test_a_final_model_without_networks_searches_again(tones):
    tones.train({"architecture": "feature_combination", "classifier": "logistic_regression"}, **FEATURES)

    _, record = refit(tones, 1)

    model = f"{tones.EXPERIMENT}/instance_1/refit"
    assert "fold_<k>" in tones.mistake("-m", "xval", "explain", model)
    assert "without networks" in tones.mistake("-m", "xval", "explain", model, CLIP)

    assert record["models"] == []
    assert record["searched_on"] == "training_items_left_out"
    code = f"import xval; print(xval.load_model('results/small/experiment_1/instance_1/refit').predict(['{CLIP}']))"
    ended = tones.python("-c", code)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.long
def test_cross_validate_takes_a_combination(tones):
    code = (
        "import xval; results, model = xval.cross_validate('small', architecture='feature_combination', num_folds=2,"
        f" page='none', classifier='logistic_regression', executor='inline', **{FEATURES!r}); print(model)"
    )

    ended = tones.python("-c", code)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "instance_1/refit/model.skops" in ended.stdout


@pytest.mark.slow
def test_models_of_each_fold_that_have_no_final_form_are_named(tones):
    tones.train(NETWORK, **FEATURES)
    for fold in (1, 2):
        tones.fold(1, fold).rename(tones.folder / f"net_{fold}")
    tones.train({**COMBINED, "models": ("net_{fold}/model.keras",)}, num_experiment=2, **FEATURES)

    said = tones.mistake("-m", "xval", "refit", "results/small/experiment_2:1")

    assert "a different model in each fold" in said
    assert "instance_<i>/fold_{fold}" in said


@pytest.mark.long
def test_a_network_is_combined_by_its_address(tones):
    tones.train(NETWORK, **FEATURES)
    path = tones.fold() / "model.keras"
    address = f"{path.as_uri()}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"
    own = {**COMBINED, "models": (address,), "basic_features": False}
    tones.script(own, num_experiment=2, **FEATURES)

    ended = tones.run(XVAL_CACHE=str(tones.folder / "cache"))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "possible leakage" in ended.stdout + ended.stderr
    final = tones.xval("refit", "results/small/experiment_2:1", XVAL_CACHE=str(tones.folder / "cache"))
    assert final.returncode == 0, final.stdout + final.stderr
    bundled = tones.xval("bundle", "results/small/experiment_2/instance_1/refit", "--output", "out")
    assert bundled.returncode == 0, bundled.stderr
    assert str(tones.folder) not in (tones.folder / "out" / "README.md").read_text()
    tones.script({**own, "models": (address[:-3],)}, num_experiment=3, **FEATURES)
    assert "models=" in tones.mistake("exp.py")


def test_a_combination_of_an_instance_without_a_network_is_refused(tones):
    tones.script(NETWORK, COMBINED, {**COMBINED, "models": (NETWORKS.replace("_1/fold", "_2/fold"),)}, **FEATURES)

    assert "has no network" in tones.mistake("exp.py", "--executor", "inline")
    assert not tones.trained()


WAVEFORM = {"features": "waveform", "sample_rate_hz": 4000}
SHORT = {**NETWORK, "clip_length_s": 0.1}


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "length_s"),
    [
        ("tensorflow", 0.1),
        pytest.param("tensorflow", 0.3, marks=pytest.mark.slow),
        pytest.param("torch", 0.1, marks=pytest.mark.slow),
        pytest.param("jax", 0.1, marks=pytest.mark.slow),
    ],
)
def test_a_network_of_another_clip_length_reads_what_it_was_trained_on(tones, backend, length_s):
    import pandas as pd

    tones.backend = backend
    network, combined = {**NETWORK, "clip_length_s": length_s}, {**COMBINED, "basic_features": False}
    tones.train(network, combined, {**combined, "clip_length_s": length_s}, **WAVEFORM)

    found, of_same_length = tones.predictions(2), tones.predictions(3)
    columns = [name for name in found if name.startswith(("p_", "probability"))]
    assert columns
    assert found[columns].to_numpy() == pytest.approx(of_same_length[columns].to_numpy(), abs=1e-6)
    clip = found["clip"].iloc[0]
    paths = pd.read_csv(tones.folder / "audio" / "clips.csv")["path"]
    path = next(path for path in paths if clip.split("/")[-1].removesuffix(".wav") in path)
    load = "import xval; model = xval.load_model('results/small/experiment_1/instance_2/fold_1')"
    ended = tones.python("-c", f"{load}; model.predict(['audio/{path}']).to_csv('answer.csv', index=False)")
    assert ended.returncode == 0, ended.stderr
    answer = pd.read_csv(tones.folder / "answer.csv")[columns].iloc[0]
    assert answer.to_numpy() == pytest.approx(found[columns].iloc[0].to_numpy(), abs=1e-6)
    checked = tones.xval("audit", tones.EXPERIMENT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("network", "combined", "features"),
    [(SHORT, {}, FEATURES), (NETWORK, {"clip_length_s": 0.1}, WAVEFORM), (SHORT, {"clip_length_s": 0.05}, WAVEFORM)],
)
def test_a_network_of_a_length_that_cannot_be_made_is_refused(tones, network, combined, features):
    tones.script(network, {**COMBINED, "basic_features": False, **combined}, **features)

    assert "clip_length_s" in tones.mistake("exp.py", "--executor", "inline")
    assert not tones.trained()
