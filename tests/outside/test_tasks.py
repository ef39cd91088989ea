"""Each task and each kind of model: trained, tested, read back, and the same answers."""

import json

import numpy as np
import pandas as pd
import pytest

BACKENDS = ("tensorflow", "torch", "jax")
NETS = """
import keras
from keras import layers

reshaping_type = "conv"
task_types = ("classification", "regression", "representation")


def build(input_shape, output_shape, *, n_filters: int = 4):
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(n_filters, 3, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(output_shape[-1])(layers.GlobalAveragePooling2D()(x)))


def rebuild(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(inputs))
"""
FRAMES = {"task_type": "frame_classification", "features": "waveform", "label_frame_s": 0.02, "sample_rate_hz": 4000}
CLASSES = {"low": 0.3, "high": 1.5}


def frames(study):
    """Write recordings of labelled frames: 80 samples each, of the classes low and high or none."""
    rng = np.random.default_rng(0)
    lines = ["import numpy", "from preprocessing.store import write", "x = numpy.load('frames.npz')"]
    labels = np.array(["background", "low", "high"])[np.arange(40) // 5 % 3]
    arrays = {}
    for speaker in range(6):
        tones = [np.sin(CLASSES.get(label, 0) * np.arange(80)) + 0.1 * rng.normal(size=80) for label in labels]
        arrays[f"s{speaker}"] = np.stack(tones).astype("float32")
    np.savez(study.folder / "frames.npz", **arrays)
    lines.append(f"write('small', {{s: [x[s]] for s in x}}, {{s: [{labels.tolist()!r}] for s in x}},")
    lines.append("      task_type='frame_classification', frame_s=0.02)")
    ended = study.python("-c", "\n".join(lines))
    assert ended.returncode == 0, ended.stderr


def read_back(study, instance=1, code="print(model.class_names)"):
    """Load the instance as a user does, run code on it, and return what it prints."""
    load = f"import xval\nmodel = xval.load_model({str(study.results / f'instance_{instance}')!r})\n"
    ended = study.python("-c", load + code)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


TASKS = ("classification", "multilabel_classification", "regression", "representation")
QUICK = {*((task, "tensorflow") for task in TASKS), ("classification", "torch"),
         ("classification", "jax"), ("representation", "jax")}  # fmt: skip
ON_BACKENDS = [
    pytest.param(task, backend, marks=() if (task, backend) in QUICK else pytest.mark.slow)
    for backend in BACKENDS
    for task in TASKS
]


@pytest.mark.parametrize(("task", "backend"), ON_BACKENDS)
def test_a_task_on_a_backend(empty, task, backend):
    empty.backend = backend
    empty.corpus(task)
    empty.file("nets.py", NETS)
    network = {"architecture": "nets.rebuild"} if task == "representation" else {"architecture": "mlp", "n_units": (8,)}

    empty.train(network, task_type=task, num_epochs=1)

    record = empty.record()
    assert record["versions"]["backend"].startswith(backend)
    expected = {
        "classification": {"accuracy", "balanced_accuracy", "macro_f1", "auc"},
        "multilabel_classification": {"mean_average_precision", "auc", "tuned_macro_f1"},
        "regression": {"rmse", "mae", "ccc"},
        "representation": {"mse", "explained_variance"},
    }[task]
    assert expected <= set(empty.scores())
    assert all(np.isfinite(value) for value in empty.scores().values())
    columns = {"regression": {"target_0", "predicted_0"}, "representation": set()}
    assert columns.get(task, {"target", "predicted", "probability_a"}) <= set(empty.predictions().columns)
    assert {"model.keras", "history.csv"} <= {path.name for path in empty.fold().iterdir()}
    assert task != "classification" or "'a', 'b', 'c'" in read_back(empty)


@pytest.mark.parametrize(
    "backend", [pytest.param(name, marks=() if name == "tensorflow" else pytest.mark.slow) for name in BACKENDS]
)
def test_frames_on_a_backend(empty, backend):
    empty.backend = backend
    frames(empty)
    small = {"n_filters": 4, "kernel_length": 15, "n_conv_filters": (4,), "n_units": (8,)}

    empty.train({"architecture": "sincnet", **small}, **FRAMES, sequence_frames=10, num_epochs=1)

    assert {"macro_f1", "segment_f1", "event_f1", "psds1"} <= set(empty.scores())
    assert (empty.fold() / "events.csv").exists()


@pytest.mark.slow
def test_an_estimator_has_the_same_numbers_beside_each_backend(empty):
    empty.corpus()
    scores = []
    for number, backend in enumerate(BACKENDS, start=1):
        empty.backend = backend
        empty.train({"architecture": "svm", "C": (1.0,)}, num_experiment=number)
        scores.append(pd.read_parquet(empty.folder / f"results/small/experiment_{number}/instance_1/fold_1/scores.parquet"))
    assert scores[0].equals(scores[1])
    assert scores[0].equals(scores[2])


ESTIMATORS = ("svm", "logistic", "forest", "boosting", "knn", "constant")


def test_estimators_need_no_network(empty):
    empty.corpus()

    ended = empty.train(*[{"architecture": name} for name in ESTIMATORS], num_epochs=1)

    assert "12/12" in ended.stdout
    for number, name in enumerate(ESTIMATORS, start=1):
        record = empty.record(number)
        assert record["status"] == "done"
        assert (empty.fold(number) / "model.skops").exists()
        assert name == "constant" or empty.scores(number)["accuracy"] > 0.5


def test_estimators_of_numbers(empty):
    empty.corpus("regression")

    empty.train({"architecture": "ridge"}, {"architecture": "svr"}, {"architecture": "linear"}, task_type="regression")

    errors = [empty.scores(number)["rmse"] for number in (1, 2, 3)]
    assert max(errors) < empty.scores(side="chance")["rmse"] * 3


def test_an_option_with_several_values_is_searched_inside_a_fold(empty):
    empty.corpus()

    empty.train({"architecture": "svm", "C": (0.1, 10.0), "gamma": ("scale",), "pca_components": 3})

    grid = (empty.fold() / "grid.csv").read_text()
    assert len(grid.splitlines()) >= 3


def test_a_network_of_ones_own_is_a_module_or_a_function(study):
    study.file("nets.py", NETS)
    study.file("mine/__init__.py", "")
    study.file("mine/more.py", "import nets\n\n\ndef deeper(input_shape, output_shape, *, n: int = 2):\n"
               "    return nets.build(input_shape, output_shape, n_filters=n)\n\n\ndeeper.reshaping_type = 'conv'\n"
               "reshaping_type = 'conv'\n")  # fmt: skip

    study.train({"architecture": "nets.build", "n_filters": 3}, {"architecture": "mine.more.deeper", "n": 3}, num_epochs=1)

    assert study.record(1)["n_parameters"] == study.record(2)["n_parameters"]
    assert "nets" in " ".join(path.name for path in study.results.rglob("code/*/**/nets.py"))


@pytest.mark.long
def test_a_network_starts_from_a_saved_one_and_freezes_its_layers(study):
    study.train({"architecture": "mlp", "n_units": (8,)}, num_epochs=1)
    first = study.results / "instance_1" / "fold_{fold}" / "model.keras"
    transfer = {
        "architecture": "mlp",
        "n_units": (8,),
        "initial_model": str(first.relative_to(study.folder)),
        "frozen_layers": 1,
    }

    study.train(transfer, num_experiment=2, num_epochs=1)

    code = "import numpy, keras\na, b = (keras.models.load_model(f'results/small/experiment_{n}/instance_1/fold_1/model.keras')"
    compared = (
        f"{code} for n in (1, 2))\nprint([bool(numpy.array_equal(v, w)) for v, w in zip(a.get_weights(), b.get_weights())])"
    )
    equal = study.python("-c", compared).stdout
    assert "True" in equal
    assert "False" in equal
    study.script({**transfer, "initial_model": "nothing.keras"}, num_experiment=3)
    assert "nothing.keras" in study.mistake("exp.py")


@pytest.mark.slow
def test_the_encoder_of_an_autoencoder_starts_a_classifier(study):
    study.script({"architecture": "daf_autoencoder", "n_filters": (2, 2)}, task_type="representation", num_epochs=1)
    assert study.run().returncode == 0
    first = "results/small/experiment_1/instance_1/fold_{fold}/model.keras"

    study.train(
        {
            "architecture": "daf_cnn",
            "n_filters": (2, 2),
            "n_units": (4,),
            "initial_model": first,
            "initial_model_match": "prefix",
            "frozen": "convolutions",
        },
        num_experiment=2,
        num_epochs=1,
    )


@pytest.mark.long
def test_outputs_of_a_network_and_hand_crafted_features_are_combined(copied):
    models = f"{copied.EXPERIMENT}/instance_1/fold_{{fold}}/model.keras"
    features = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
    copied.script(
        {"architecture": "feature_combination", "models": (models,), "classifier": "logistic"},
        **features, num_experiment=2, num_folds=3,
    )  # fmt: skip

    ended = copied.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.long
def test_settings_are_searched_inside_the_folds(study):
    study.file("exp.py", SEARCH)

    ended = study.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    trials = sorted(path.name for path in (study.results / "instance_1" / "search").iterdir() if path.is_dir())
    assert [name for name in trials if name.startswith("fold_1_trial_")] == ["fold_1_trial_1", "fold_1_trial_2"]
    assert "learning_rate" in json.dumps(study.record())


SEARCH = """
from xval import Experiment, choice, integers, log_uniform, uniform
experiment = Experiment("A search", dataset="small", num_folds=2, fold_repeats=1, num_epochs=1, page="none")
space = {"learning_rate": log_uniform(1e-3, 1e-1), "dropout": uniform(0, 0.5), "n_units": choice([(4,), (8,)])}
experiment.search(space, n_trials=2, architecture="mlp")
if __name__ == "__main__":
    experiment.main()
"""


FURTHER = (
    {"normalization": "per_item"},
    {"normalization": "global", "class_weights": "balanced", "label_smoothing": 0.1, "optimizer": "sgd", "momentum": 0.9},
    {"calibration": "temperature", "evaluate_training": True, "restore_best_weights": False},
    {"train_fraction": 0.7, "regularization_lambda": 0.01, "monitor": "val_accuracy", "precision": "mixed_bfloat16"},
)


@pytest.mark.long
@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "cosine", "warmup_epochs": 1, "clip_norm": 1.0, "weight_average": 0.9, "optimizer": "adamw"},
        {"augment_time_masks": 1, "augment_time_mask_frames": 3, "augment_mixup": 0.3, "sampling": "balanced"},
        *[pytest.param(settings, marks=pytest.mark.slow) for settings in FURTHER],
    ],
    ids=lambda settings: "-".join(settings),
)
def test_settings_of_training_train(study, settings):
    study.train({"architecture": "mlp", "n_units": (8,), **settings}, num_epochs=2)

    assert np.isfinite(study.scores()["loss"])
    assert len(study.history()) == 2


@pytest.mark.parametrize(
    "features",
    [
        {"architecture": "cnn_small", "n_filters": (4,), "features": "waveform", "frontend": "logmel", "crop_s": 0.1},
        {"architecture": "mlp", "n_units": (4,), "example_length_s": 0.1, "clip_average": "logits"},
        {"architecture": "svm", "C": (1.0,), "features": "mfcc+energy", "n_mfcc": 4},
        pytest.param({"architecture": "lstm_attention", "n_units": 4, "padding": "masked"}, marks=pytest.mark.slow),
        {"architecture": "mlp", "features": "embedding", "embedding_model": "duration_level"},
    ],
    ids=lambda features: features["architecture"] + "-" + features.get("features", "logmel"),
)
def test_audio_reaches_a_model_by_each_road(copied, features):
    small = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
    copied.script(features, **small, num_experiment=2, num_epochs=1)

    ended = copied.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    answered = copied.xval("predict", "results/small/experiment_2/instance_1/fold_1", "audio/low/s5_0.wav")
    assert answered.returncode == 0, answered.stderr
    assert "high" in answered.stdout


@pytest.mark.long
def test_a_network_that_wants_masked_padding_takes_arrays_of_a_script(study):
    """What a network wants of features is no setting of the user's, who has no features to set."""
    study.train({"architecture": "lstm_attention", "n_units": 4}, num_epochs=1, num_folds=2)

    assert study.trained()
