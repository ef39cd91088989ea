"""Every form in which Keras networks are written, through all that is done with a network.

The forms are the functions of networks.py. docs/from_keras.md says in a table what works with each of them, and these tests
hold the table to what happens.
"""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

HERE = Path(__file__).parent
NETWORKS = (HERE / "networks.py").read_text(encoding="utf-8")
DOCS = (HERE.parents[1] / "docs" / "from_keras.md").read_text(encoding="utf-8")
WORKS, REFUSED = (
    re.findall(r"^def (\w+)\(input_shape, output_shape\)", part, re.M) for part in NETWORKS.split("\n# Refused\n")
)
COLUMNS = ("trained, saved, predicted, ensembled", "embedded, cut", "transferred", "explained, exported")
ROWS = {
    "`Sequential`, functional, `keras.ops`, residual connections": (
        "sequential",
        "sequential_without_input",
        "sequential_by_add",
        "functional",
        "functional_of_lists",
        "operators",
        "residual",
    ),
    "nested models": (
        "sequential_in_sequential",
        "functional_in_sequential",
        "sequential_in_functional",
        "backbones_of_equal_names",
    ),
    "a layer or model that is called twice": ("shared_layer", "shared_model"),
    "layers named `normalization`, `prediction`": ("names_of_xval",),
    "`LSTM`, `GRU`, `RNN`, `Bidirectional`, `Masking`": ("recurrent", "masking"),
    "`TimeDistributed`, `MultiHeadAttention`, `Embedding`, custom layers": (
        "time_distributed",
        "attention",
        "embedding",
        "own_layers",
        "own_layer_of_layers",
    ),
    "subclassed `keras.Model`": ("own_model", "own_model_of_lists", "own_functional"),
    "subclassed `keras.Model` with `add_weight`": ("own_model_with_weights",),
    "a layer or class that is not registered": ("own_layer_without_registration", "own_model_without_get_config"),
    "a layer of layers with `compute_output_shape`, without `build`": ("own_layer_without_build",),
    "`Lambda`": ("lambda_layer",),
    "own `train_step`, `test_step` or `compute_loss`": ("own_training",),
    "several inputs": ("two_inputs",),
    "several outputs": ("two_outputs", "dict_outputs"),
    "another output shape": ("wrong_shape",),
    "a fixed batch size, `stateful=True`": ("fixed_batch", "stateful"),
}
TASKS = ("classification", "multilabel_classification", "regression", "representation", "frame_classification")
BACKENDS = ("tensorflow", "torch", "jax")
FULLY = ("sequential_without_input", "functional", "own_model")
"""The forms with which everything is done in every run of the tests."""

RATE_HZ, CLIP, FRAME, SEQUENCE = 1000, 40, 10, 4
SETTINGS = {
    "dataset": "tones",
    "features": "waveform",
    "frontend": "none",
    "sample_rate_hz": RATE_HZ,
    "fold_strategy": "holdout",
    "num_epochs": 1,
    "batch_size": 16,
    "learning_rate": 0.01,
    "early_stopping": False,
    "workers": 1,
    "page": "none",
}
RESULTS = "results/tones/experiment"


def read_docs():
    """Return the cells of each row of the table of forms."""
    lines = DOCS[DOCS.index("## Supported Keras models") :].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    assert tuple(rows[0][1:5]) == COLUMNS
    return {row[0].strip("| ").strip(): [cell.strip() for cell in row[1:]] for row in rows[1:]}


def works(form, column):
    """Return whether the docs say that something works with a form."""
    (row,) = (row for row, forms in ROWS.items() if form in forms)
    cell = read_docs()[row][column]
    assert re.fullmatch("yes|no", cell), cell
    return cell == "yes"


def test_the_table_of_the_docs_has_a_row_for_each_form():
    assert list(read_docs()) == list(ROWS)
    assert sorted(form for forms in ROWS.values() for form in forms) == sorted({*WORKS, *REFUSED} - set(CLASHING))


# A corpus of tones


def write_tones(folder, task):
    """Write clips of six speakers, and return the words of the command that makes a corpus of them."""
    rng, rows = np.random.default_rng(0), []
    (folder / "tones").mkdir()
    frames = task == "frame_classification"
    for speaker, take in np.ndindex(6, 2 if frames else 6):
        name = f"s{speaker}_{take}.wav"
        samples = 0.05 * rng.normal(size=4 * CLIP if frames else CLIP)
        about = {"path": name, "item": f"s{speaker}"}
        for place in range(2 if frames else 1):
            pitch, start = (take + place) % (2 if frames else 3), 20 + 60 * place if frames else 0
            samples[start : start + CLIP] += 0.3 * np.sin(0.4 * (1 + pitch) * np.arange(CLIP))
            labels = {"regression": pitch, "multilabel_classification": ("a;c", "b", "c")[pitch]}
            rows.append({**about, "label": labels.get(task, "abc"[pitch])})
            if frames:
                rows[-1] |= {"start_s": start / RATE_HZ, "end_s": (start + CLIP) / RATE_HZ}
        soundfile.write(folder / "tones" / name, samples.astype("float32"), RATE_HZ, subtype="FLOAT")
    pd.DataFrame(rows).to_csv(folder / "tones.csv", index=False)
    read_as = "classification" if task == "representation" else task
    more = ("--item", "item") if frames else ()
    return ("events" if frames else "table", "tones.csv", "--audio-folder", "tones", "--task-type", read_as, *more)


class Forms:
    """Networks of several forms, an instance each, which are trained and then used."""

    def __init__(self, study, backend, task, forms):
        self.study, self.task, self.forms = study, task, tuple(forms)
        study.backend = backend
        study.file("networks.py", NETWORKS)
        words = (*write_tones(study.folder, task), "--dataset", "tones", "--workers", "1")
        sets = [word for name in ("features", "sample_rate_hz") for word in ("--set", f"{name}={SETTINGS[name]}")]
        self.succeed(study.python("-m", "preprocessing", *words, *sets))
        self.settings = SETTINGS | {"task_type": task, "backend": backend}
        if task == "frame_classification":
            self.settings |= {"label_frame_s": FRAME / RATE_HZ, "sequence_frames": SEQUENCE}

    @staticmethod
    def succeed(ended):
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def number(self, form):
        return self.forms.index(form) + 1

    def fold(self, form, experiment=1):
        return f"{RESULTS}_{experiment}/instance_{self.number(form)}/fold_1"

    def saved(self, form):
        """Return the path of the model of a form, as settings take it."""
        return f"{RESULTS}_1/instance_{self.number(form)}/fold_{{fold}}/model.keras"

    def run(self, experiment, forms, make, **more):
        """Run an instance for each form, and return what is printed, the exit code, and the records by form."""
        parameters = self.settings | more | {"num_experiment": experiment}
        lines = ["from xval import Experiment", f"experiment = Experiment('Forms', **{parameters!r})"]
        lines += [f"experiment[{self.number(form)}] = {make(form)!r}" for form in forms]
        self.study.file("exp.py", "\n".join([*lines, "if __name__ == '__main__':", "    experiment.main()", ""]))
        ended = self.study.run()
        records = {form: self.study.folder / self.fold(form, experiment) / "record.json" for form in forms}
        return ended, {form: json.loads(path.read_text()) for form, path in records.items() if path.exists()}

    def done(self, experiment, forms, make, **more):
        """Run as `run`, and hold every form to have succeeded."""
        ended, records = self.run(experiment, forms, make, **more)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert [records[form]["status"] for form in forms] == ["done"] * len(forms)
        return records

    def train(self):
        self.done(1, self.forms, lambda form: {"architecture": f"networks.{form}"})

    def read(self):
        """Open each model by xval and by plain Keras, predict and embed; return what came of it by form."""
        names = {form: self.fold(form) for form in self.forms}
        printed = self.succeed(self.study.python(HERE / "read_models.py", json.dumps(names), self.task))
        return json.loads(printed.splitlines()[-1])

    def check_predictions(self):
        for form, read in self.read().items():
            assert read["alone"] < 1e-5, f"{form}: a clip alone is predicted otherwise than in a batch"
            if "plain" in read:
                assert read["plain"] < 1e-5, f"{form}: plain Keras predicts otherwise than the record"
            if works(form, 1):
                assert len(read["widths"]) == 1 + read["n_layers"] > 2, form
                assert min(read["widths"]) > 0, form
            else:
                refusal = read["refused"]
                assert "\n" not in refusal, form
                assert "Set layers_dropped=0" in refusal, form

    def ensemble(self, forms):
        if self.task == "representation":
            return
        numbers = ",".join(str(self.number(form)) for form in forms)
        self.succeed(self.study.xval("ensemble", f"{RESULTS}_1", numbers))
        folder = f"{RESULTS}_1/instance_901"
        code = f"import xval; print(len(xval.load_model({folder!r}, modules=['networks']).predict(['tones/s0_0.wav'])))"
        self.succeed(self.study.python("-c", code))

    def cut(self, forms):
        """Let a classifier of scikit-learn decide from what the last layer reads."""
        if self.task != "classification":
            return
        own = {"architecture": "feature_combination", "basic_features": False, "classifier": "logistic_regression"}

        def combine(form):
            return {**own, "layers_dropped": 1, "models": (self.saved(form),)}

        of_keras = [form for form in forms if not form.startswith("own_")]  # other layers are code that no setting names
        self.done(4, of_keras, combine)
        self.refused(5, [form for form in forms if form not in of_keras], combine, "whose code is not imported")

    def transfer(self, forms):
        """Start from the saved models, freeze the first block, and let each block learn at a rate of its own."""
        start = {form: {"architecture": f"networks.{form}", "initial_model": self.saved(form)} for form in forms}
        more = {"frozen_layers": 1, "layer_learning_rate_decay": 0.5, "regularization_lambda": 0.01}
        good = [form for form in forms if works(form, 2)]
        self.refused(3, [form for form in forms if form not in good], start.get, "Move them into a layer")
        for form, record in self.done(2, good, lambda form: start[form] | more).items():
            assert record["layers_copied"], form
            assert not record["layers_new"] + record["layers_unused"], form
            frozen = record["layers_frozen"]
            assert frozen == record["layers_copied"][: len(frozen)], form
            assert frozen, form

    def explain(self, forms):
        if self.task in ("representation", "frame_classification"):
            return
        for form in forms:
            words = ("explain", self.fold(form), "tones/s0_0.wav", "--steps", "4", "--import", "networks")
            assert "integrated_gradients.png" in self.succeed(self.study.xval(*words)), form

    def export(self, forms, formats=("weights_h5",)):
        for form in forms:
            for name in formats:
                words = ["-m", "xval", "export", self.fold(form), "--format", name]
                words += ["--import", "networks"] if form.startswith("own_") else []
                self.succeed(self.study.servers("tensorflow").run(self.study.folder, words))

    def refused(self, experiment, forms, make, fix, **more):
        """Hold each form to be refused before anything is trained, by a line of its own that has the fix."""
        if not forms:
            return
        ended, records = self.run(experiment, forms, make, **more)
        assert ended.returncode == 2, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        assert not records
        for form in forms:
            (line,) = re.findall(rf"^.*instance {self.number(form)}: .*$", ended.stderr, re.M)
            assert re.search(fix if isinstance(fix, str) else fix[form], line), line


def do_all(forms, chosen, formats):
    """Do everything with some forms that are trained."""
    forms.ensemble(chosen)
    forms.cut(chosen)
    forms.transfer(chosen)
    forms.explain([form for form in chosen if works(form, 3)])
    forms.export([form for form in chosen if works(form, 3)], formats)


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "task", "chosen"),
    [
        ("torch", "classification", WORKS),
        ("tensorflow", "frame_classification", ["own_model"]),
        ("jax", "regression", ["sequential_in_functional"]),
    ],
)
def test_each_form_trains_and_is_read_back(study, backend, task, chosen):
    forms = Forms(study, backend, task, [form for form in chosen if form not in CLASHING])

    forms.train()

    forms.check_predictions()
    if len(chosen) > 1:
        do_all(forms, FULLY, ("weights_h5",))


@pytest.mark.slow
@pytest.mark.parametrize("fifth", range(5))
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_all_is_done_with_each_form(study, backend, task, fifth):
    forms = Forms(study, backend, task, [form for form in WORKS if form not in CLASHING][fifth::5])

    forms.train()

    forms.check_predictions()
    do_all(forms, forms.forms, ("weights_h5", "onnx") if backend == "tensorflow" else ("weights_h5",))


FIXES = {
    "own_layer_without_build": "was never built",
    "own_layer_without_registration": "register_keras_serializable",
    "own_model_without_get_config": "register_keras_serializable",
    "lambda_layer": "Use keras.ops",
    "own_training": "remove train_step",
    "two_inputs": "expected 1. Split",
    "two_outputs": "expected 1. Join",
    "dict_outputs": "expected one tensor. Join",
    "wrong_shape": r"expected output_shape \(3,\). Pool or flatten",
    "fixed_batch": r"Write keras.Input\(input_shape\)",
    "stateful": "stateful",
}


@pytest.mark.long
@pytest.mark.parametrize("backend", ["torch", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tensorflow", "jax"))])
def test_what_cannot_be_used_is_refused_before_the_first_epoch(study, backend):
    forms = Forms(study, backend, "classification", REFUSED)
    assert not any(works(form, column) for form in REFUSED for column in range(4))

    forms.refused(1, REFUSED, lambda form: {"architecture": f"networks.{form}"}, FIXES)


CLASHING = ("network_called_normalization", "network_called_prediction")


def test_a_network_may_be_called_as_a_part_of_xval(study):
    study.backend = "torch"
    study.file("networks.py", NETWORKS)

    study.train(*({"architecture": f"networks.{form}"} for form in CLASHING), num_epochs=1)


@pytest.mark.long
def test_the_first_layer_that_an_own_class_calls_is_the_first_that_is_frozen(study):
    study.backend = "torch"
    study.file("networks.py", NETWORKS)
    study.train({"architecture": "networks.own_model"}, num_epochs=1)
    start = {
        "architecture": "networks.own_model",
        "initial_model": f"{study.fold(1).parent}/fold_{{fold}}/model.keras",
        "frozen_layers": 1,
    }

    study.train({"architecture": "networks.own_model"}, start, num_epochs=1)

    code = """
import sys, keras, networks
read = [keras.models.load_model(path).layers for path in sys.argv[1:]]
first, second = ([layer for layer in layers if isinstance(layer, networks.OwnModel)][0] for layers in read)
for one, other in ((first.hidden, second.hidden), (first.answer[-1], second.answer[-1])):
    print((one.get_weights()[0] == other.get_weights()[0]).all())
"""
    printed = study.python("-c", code, *(study.fold(number) / "model.keras" for number in (1, 2)))
    assert printed.stdout.split() == ["True", "False"], printed.stderr


@pytest.mark.long
def test_the_penalty_on_kernels_reaches_layers_that_are_built_when_they_are_called(study):
    study.backend = "torch"
    study.file("networks.py", NETWORKS)
    forms = ("sequential_without_input", "own_model")

    study.train(*({"architecture": f"networks.{form}", "regularization_lambda": 10.0} for form in forms), num_epochs=1)

    for number in (1, 2):
        assert study.history(number)["loss"][0] > 10, "the loss of three classes alone is about 1"


UNUSED_LAYER = """
import keras


@keras.saving.register_keras_serializable("spare")
class Spare(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.spare = keras.layers.BatchNormalization()

    def call(self, x):
        return x


def build(input_shape, output_shape):
    x = inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(Spare()(x))
    return keras.Model(inputs, keras.layers.Dense(output_shape[-1])(x))


reshaping_type = "none"
task_types = ("classification",)
"""


def test_a_layer_may_have_a_normalisation_that_it_never_calls(study):
    study.backend = "tensorflow"
    study.file("spare.py", UNUSED_LAYER)

    study.train({"architecture": "spare.build"}, num_epochs=1)

    assert study.trained()
