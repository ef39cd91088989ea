"""Exports of saved models: their outputs are those of the models in every format, and unsupported models raise errors."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import xval
from architectures import cnn_small, rnn_small
from preprocessing import store
from preprocessing.features.extract import extract
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.spectrogram import count_frames
from preprocessing.features.windows import mark_padding
from xval.__main__ import main
from xval.base.errors import ExportError, ResultsError, SettingsError
from xval.base.json_files import read_json, write_json
from xval.extras.export import formats
from xval.extras.export.formats import FORMATS
from xval.extras.export.samples import output_columns
from xval.extras.export.write import export_model, export_name
from xval.models.build import build_model
from xval.models.frontend import build_frontend
from xval.models.saved.description import read_description

PROJECT_ROOT = Path(xval.__file__).parents[1]
RATE_HZ = 8000
LOGMEL = {"features": "waveform", "frontend": "logmel", "sample_rate_hz": RATE_HZ, "hop_length": 64, "n_mels": 12}
RNG = np.random.default_rng(5)


@pytest.fixture
def save(make_description):
    """Return a function that saves a model of three classes as a run does; with feature settings it reads audio."""

    def save(folder, model, **features):
        about = {"architecture": "cnn_small", "class_names": ["a", "b", "c"], "backend": "torch", "instance": 2}
        about |= {"is_custom": not features, "example_s": 0.3 if features else None}
        folder.mkdir(parents=True, exist_ok=True)
        model.save(folder / "model.keras")
        write_json(folder / "model.json", make_description(features, **about))
        return folder

    return save


def classify(inputs, hidden, network):
    outputs = keras.layers.Activation("softmax", dtype="float32", name="prediction")(network(hidden))
    return keras.Model(inputs, outputs)


@pytest.fixture
def fold(tmp_path, make_settings, make_options, save):
    """Return a fold folder with a small network on features in decibels, far from mean 0 and deviation 1."""
    predictors = {item: RNG.normal(-40, 15, size=(6, 12, 8)).astype(np.float32) for item in "xy"}
    written = store.write("toy", predictors, {item: ["a", "b", "c"] * 2 for item in "xy"}, data_folder=tmp_path / "data")
    chosen = {"architecture": "cnn_small", "n_filters": (4, 8), "regularization_lambda": 0}
    model = build_model(make_settings(**chosen), make_options(**chosen), written, "xy")
    return save(tmp_path / "fold_1", model)


def waveform_network(n_fft):
    """Return a network that reads any number of samples and computes its spectrogram itself."""
    settings = FeatureSettings.model_validate({**LOGMEL, "n_fft": n_fft, "win_length": n_fft})
    inputs = keras.Input((None,), name="samples")
    features = build_frontend(None, settings.spectral())(inputs)
    form = (*features.shape[1:], 1)
    hidden = keras.layers.Reshape((-1, *form[1:]))(features)
    return classify(inputs, hidden, cnn_small.build(form, (3,), n_filters=(4, 8)))


def recurrent_network():
    inputs = keras.Input((10, 8))
    return classify(inputs, inputs, rnn_small.build((10, 8), (3,), n_units=(5,)))


def skip_without(name):
    try:
        FORMATS[name].check_packages()
    except SettingsError as error:
        pytest.skip(str(error))


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize("name", FORMATS)
def test_a_network_predicts_the_same_in_every_format_and_its_description_is_next_to_it(fold, tmp_path, name, monkeypatch):
    skip_without(name)
    monkeypatch.chdir(tmp_path)

    export = export_model(fold, name)

    kind = FORMATS[name]
    export_folder = Path(fold.name)
    assert export.path == export_folder / f"toy_instance_2_fold_1{kind.ending}"
    assert export.description == (
        export.path / "model.json" if kind.is_folder else export_folder / f"toy_instance_2_fold_1{kind.ending}.json"
    )
    described = json.loads(export.description.read_text())
    assert described.pop("padding")["axis"] == "none"
    assert described == json.loads((fold / "model.json").read_text())
    assert export.input_shape == (None, 12, 8)
    assert export.agreement.n_batches == 4
    inputs = RNG.normal(-40, 15, size=(7, 12, 8)).astype(np.float32)
    model = keras.models.load_model(fold / "model.keras")
    expected = model.predict_on_batch(inputs)
    assert np.ptp(expected, axis=0).max() > 1e-3  # or equal output would show nothing
    assert kind.read(export.path, model)(inputs) == pytest.approx(expected, abs=1e-5)
    assert not leftovers(tmp_path)


@pytest.mark.parametrize(("name", "n_fft"), [("onnx", 128), ("saved_model", 128), ("tflite", 128), ("tflite", 100)])
def test_a_network_that_reads_samples_takes_clips_of_any_length(tmp_path, name, n_fft, save):
    skip_without(name)
    model = waveform_network(n_fft)
    folder = save(tmp_path / "fold_1", model, **LOGMEL)

    export = export_model(folder / "model.keras", name, tmp_path / f"out{FORMATS[name].ending}")

    assert export.input_shape == (None, None)
    assert export.agreement.n_batches == 7
    predict = FORMATS[name].read(export.path, model)
    for n_samples in (1700, 5003):
        inputs = RNG.normal(0, 0.1, size=(2, n_samples)).astype(np.float32)
        assert predict(inputs) == pytest.approx(np.asarray(model(inputs)), abs=1e-5)


@pytest.mark.parametrize(("name", "padding"), [("onnx", "auto"), ("tflite", "auto"), ("onnx", "masked"), ("tflite", "masked")])
def test_stored_features_are_computed_by_the_export_for_clips_of_any_length(tmp_path, name, padding, save):
    skip_without(name)
    stored = {
        **LOGMEL,
        "features": "logmel",
        "frontend": "none",
        "n_fft": 100,
        "win_length": 100,
        "pre_emphasis": 0.9,
        "padding": padding,
    }
    settings = FeatureSettings.model_validate(stored)
    inputs = keras.Input((count_frames(2000, settings), 12))
    seen = keras.ops.where(keras.ops.isnan(inputs), 100.0, inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(seen)))
    about = {"task_type": "regression", "class_names": [], "clip_samples": 2000}
    save(tmp_path, model, **stored)
    write_json(tmp_path / "model.json", read_json(tmp_path / "model.json") | about)

    export = export_model(tmp_path, name, tmp_path / f"out{FORMATS[name].ending}", from_samples=True)

    assert export.input_shape == (None, None)
    described = read_description(tmp_path / "model.keras")
    assert output_columns(described, tmp_path / "model.keras", export.n_outputs) == ("0", "1")
    for n_samples in (700, 2000, 3001):
        samples = RNG.normal(0, 0.1, n_samples).astype(np.float32)
        features = extract(samples, settings, n_samples=2000)[np.newaxis]
        mark_padding(features, np.zeros(1), np.full(1, min(n_samples, 2000) / RATE_HZ), settings)
        expected = np.asarray(model(features))
        filled = np.pad(samples, (0, 500), constant_values=np.nan if padding == "masked" else 0)
        for clip in (samples, filled):
            assert FORMATS[name].read(export.path, model)(clip[np.newaxis]) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    described = json.loads(export.description.read_text())["padding"]
    assert (described["axis"], described["value"]) == ("samples", "NaN" if padding == "masked" else 0)


@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_a_network_that_normalises_each_clip_is_exported_although_silence_amplifies_rounding(tmp_path, name, save):
    skip_without(name)
    stored = {**LOGMEL, "features": "logmel", "frontend": "none", "n_mels": 40}
    settings = FeatureSettings.model_validate(stored)
    inputs = keras.Input((count_frames(9000, settings), 40))
    scaling = keras.layers.LayerNormalization(axis=[1, 2], center=False, scale=False, epsilon=1e-8, name="normalization")
    steep = keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=1))
    model = keras.Model(inputs, steep(keras.layers.GlobalAveragePooling1D()(scaling(inputs))))
    about = {"task_type": "regression", "class_names": [], "clip_samples": 9000}
    save(tmp_path, model, **stored)
    write_json(tmp_path / "model.json", read_json(tmp_path / "model.json") | about)

    export = export_model(tmp_path, name, tmp_path / f"out{FORMATS[name].ending}", from_samples=True)

    samples = RNG.normal(0, 0.1, (1, 9000)).astype(np.float32)
    expected = np.asarray(model(extract(samples[0], settings, n_samples=9000)[np.newaxis]))
    assert FORMATS[name].read(export.path, model)(samples) == pytest.approx(expected, rel=1e-4, abs=1e-3)
    silence = np.zeros((1, 9000), np.float32)
    assert np.isfinite(FORMATS[name].read(export.path, model)(silence)).all()


def test_a_name_of_a_corpus_is_no_path(tmp_path, make_description):
    write_json(tmp_path / "model.json", make_description(dataset="../../x", is_custom=True))

    assert export_name(read_description(tmp_path / "model.keras")) == ".._.._x_instance_1_fold_1"


@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_a_recurrent_network_is_exported_in_tflite_for_single_examples(tmp_path, name, save):
    skip_without(name)
    model = recurrent_network()
    save(tmp_path, model)

    export = export_model(tmp_path, name, tmp_path / f"out{FORMATS[name].ending}")

    assert export.input_shape == (1 if name == "tflite" else None, 10, 8)
    assert export.agreement.n_batches == 4
    assert export.agreement.difference <= export.agreement.tolerance
    inputs = RNG.normal(size=(1, 10, 8)).astype(np.float32)
    outputs = FORMATS[name].read(export.path, model)(inputs)
    assert outputs == pytest.approx(np.asarray(model(inputs)), abs=1e-5)
    assert outputs != pytest.approx(np.asarray(model(-inputs)), abs=1e-5)


@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_an_operation_that_a_format_lacks_is_named(tmp_path, name, save):
    skip_without(name)
    inputs = keras.Input((4,))
    save(tmp_path, keras.Model(inputs, keras.layers.Dense(3)(keras.ops.erfinv(keras.ops.tanh(inputs)))))
    output = tmp_path / f"out{FORMATS[name].ending}"

    with pytest.raises(ExportError, match=rf"model\.keras: --format {name} cannot express.*lacks Erfinv.*--format saved_model"):
        export_model(tmp_path, name, output)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.keras"]
    assert export_model(tmp_path, "saved_model", tmp_path / "out").agreement.is_close


def test_half_precision_agrees_within_its_own_rounding_or_is_named(tmp_path, save):
    skip_without("onnx")
    for precision in ("mixed_float16", "mixed_bfloat16"):
        keras.config.set_dtype_policy(precision)
        try:
            inputs = keras.Input((12, 8, 1))
            save(tmp_path / precision, classify(inputs, inputs, cnn_small.build((12, 8, 1), (3,), n_filters=(4, 8))))
        finally:
            keras.config.set_dtype_policy("float32")

    export = export_model(tmp_path / "mixed_float16", "onnx", tmp_path / "out.onnx")

    assert export.agreement.tolerance == 2e-3
    with pytest.raises(ExportError, match=r"cannot express.*computes in bfloat16: precision=float32"):
        export_model(tmp_path / "mixed_bfloat16", "onnx", tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


def spoiled(kind, factor):
    """Return a format that multiplies the weights of a model by a factor before it writes them."""

    def write(model, path, batch_size):
        altered = keras.models.clone_model(model)
        altered.set_weights([weights * factor for weights in model.get_weights()])
        kind.write(altered, path, batch_size)

    return replace(kind, write=write)


def test_an_export_with_other_outputs_raises_an_error_and_is_removed(fold, tmp_path, monkeypatch):
    output = tmp_path / "out"
    export_model(fold, "saved_model", output)
    before = (output / "saved_model.pb").read_bytes()
    unspoiled = FORMATS["saved_model"]

    for factor, difference in (1.1, r"\d.*"), (np.nan, "nan"):
        monkeypatch.setitem(FORMATS, "saved_model", spoiled(unspoiled, factor))
        with pytest.raises(
            ExportError, match=rf"wrong and was removed: its output differs by {difference} .*at most 0\.0001 is allowed"
        ):
            export_model(fold, "saved_model", tmp_path / "other")
    with pytest.raises(ExportError, match="wrong and was removed: its output differs by nan "):
        export_model(fold, "saved_model", output, overwrite=True)

    assert not (tmp_path / "other").exists()
    assert (output / "saved_model.pb").read_bytes() == before
    assert not leftovers(tmp_path)


def test_a_model_that_overflows_raises_an_error(tmp_path, save):
    largest = keras.initializers.Constant(3e38)
    inputs = keras.Input((4,))
    save(tmp_path, keras.Model(inputs, keras.layers.Dense(3, kernel_initializer=largest)(keras.ops.abs(inputs))))

    with pytest.raises(ExportError, match=r"model\.keras: the model itself outputs NaN or infinite"):
        export_model(tmp_path, "saved_model", tmp_path / "out")


def test_an_export_is_replaced_only_with_overwrite(fold, tmp_path):
    output = tmp_path / "out"
    export_model(fold, "saved_model", output)
    (output / "mark").touch()

    with pytest.raises(ResultsError, match=r"out: already exists.*--overwrite"):
        export_model(fold, "saved_model", output)
    assert (output / "mark").exists()
    export_model(fold, "saved_model", output, overwrite=True)

    assert not (output / "mark").exists()
    assert (output / "model.json").exists()
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("overwrite", [False, True])
def test_only_an_export_is_replaced(fold, tmp_path, overwrite):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    (tmp_path / "file").touch()
    (tmp_path / "folder.onnx").mkdir()

    for name, output in (("saved_model", "mine"), ("saved_model", "file"), ("onnx", "folder.onnx")):
        with pytest.raises(ResultsError, match="not an export of this format"):
            export_model(fold, name, tmp_path / output, overwrite=overwrite)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_the_description_of_another_model_is_not_overwritten(fold, tmp_path):
    (tmp_path / "out.tflite.json").write_text("{}")

    with pytest.raises(ResultsError, match=r"out\.tflite\.json: describes another model"):
        export_model(fold, "tflite", tmp_path / "out.tflite")
    assert (tmp_path / "out.tflite.json").read_text() == "{}"


def test_an_unwritable_output_raises_before_the_model_is_loaded(fold, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("xval.extras.export.write.read_keras_model", lambda path: pytest.fail("loaded"))

    with pytest.raises(ResultsError, match=r"out: cannot be written.*--output"):
        export_model(fold, "saved_model", tmp_path / "file" / "out")


def test_wrong_formats_names_and_missing_packages_raise_errors(fold, tmp_path, monkeypatch):
    with pytest.raises(
        SettingsError, match=r"--format onx: unknown\. Available: onnx, saved_model, tflite, weights_h5\. Did you mean 'onnx'"
    ):
        export_model(fold, "onx")
    with pytest.raises(SettingsError, match=r"--output .*out\.pb: .*ends in \.tflite"):
        export_model(fold, "tflite", tmp_path / "out.pb")
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "tf2onnx" else object())
    with pytest.raises(
        SettingsError, match=r"--format onnx needs packages that are not installed: tf2onnx\. .*pip install -e '\.\[export\]'"
    ):
        export_model(fold, "onnx", tmp_path / "out.onnx")
    assert not list(tmp_path.glob("*out*"))


def test_one_model_is_exported_and_errors_list_the_models(fold, tmp_path):
    instance = tmp_path / "instance_2"
    for number in (1, 2):
        shutil.copytree(fold, instance / f"fold_{number}")
    combination = tmp_path / "combined"
    shutil.copytree(fold, combination / "network_1")
    (combination / "model.skops").touch()
    (tmp_path / "empty").mkdir()

    with pytest.raises(ResultsError, match=r"one model can be exported at a time\. Give one of .*fold_1.model\.keras"):
        export_model(instance, "saved_model")
    with pytest.raises(
        ResultsError, match=r"not a Keras model\..* The networks of a combination can be exported; record\.json"
    ):
        export_model(combination, "saved_model")
    for path, reason in (
        ("nowhere", "no such file"),
        ("empty", "not a Keras model"),
        ("fold_1/model.json", "not a Keras model"),
    ):
        with pytest.raises(ResultsError, match=reason):
            export_model(tmp_path / path, "saved_model")
    write_json(fold / "model.json", read_json(fold / "model.json") | {"class_names": ["a", "b"]})
    with pytest.raises(ResultsError, match=r"model\.json: names 2 outputs, but model\.keras has 3"):
        export_model(fold, "saved_model", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (fold / "model.json").unlink()
    with pytest.raises(ResultsError, match=r"model\.json: missing"):
        export_model(fold, "saved_model")


def test_the_command_ends_with_the_exit_code_of_its_error(fold, tmp_path, monkeypatch, capsys):
    output = ["--output", str(tmp_path / "out")]

    assert main(["export", str(fold), "--format", "pickle", *output]) == 2
    assert "--format pickle: unknown" in capsys.readouterr().err
    assert main(["export", str(fold), *output]) == 2
    monkeypatch.setitem(FORMATS, "saved_model", spoiled(FORMATS["saved_model"], 2.0))
    assert main(["export", str(fold), "--format", "saved_model", *output]) == 1
    assert "wrong and was removed" in capsys.readouterr().err


def test_the_command_works_whatever_backend_the_user_has_chosen(fold, project):
    command = [sys.executable, "-m", "xval", "export", str(fold), "--format", "saved_model"]
    environment = project.environment(KERAS_BACKEND="jax", PYTHONPATH=str(PROJECT_ROOT))
    ended = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False, env=environment)

    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.splitlines()
    written = f"{fold.name}/toy_instance_2_fold_1_saved_model"
    assert first == f"Written: {written} (input any, 12, 8), described in {written}/model.json"
    assert second.startswith("Checked on 4 batches of random input: the outputs differ by at most ")
    assert second.endswith("(allowed: 1.0e-04)")
    assert (project.folder / written / "saved_model.pb").exists()
