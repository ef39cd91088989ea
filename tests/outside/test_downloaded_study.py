"""A study that was downloaded is looked at, and none of its code runs unless --import names it."""

import json

import pytest

pytestmark = pytest.mark.long

LEAVES_A_MARK = """
from pathlib import Path as _Path
with _Path({mark!r}).open("a") as _mark:
    _mark.write(__name__ + "\\n")
"""
NET = """
import keras
from keras import layers


@keras.saving.register_keras_serializable("mine")
class Twice(layers.Layer):
    def call(self, inputs):
        return inputs * 2


def build(input_shape, output_shape, *, own_layer: bool = False):
    clip = keras.Input(input_shape)
    flat = layers.Flatten()(Twice()(clip) if own_layer else clip)
    return keras.Model(clip, layers.Dense(output_shape[-1])(flat))
"""
METRIC = """
from xval import metric


@metric(higher_is_better=True)
def mine(targets, predictions):
    return float((predictions.argmax(axis=1) == targets).mean())
"""
FOLDS = """
def split(items):
    names = sorted(items["item"])
    return [names[:3], names[3:]]
"""
CORPUS = '''
"""A corpus of the study."""
import pandas as pd


def list_clips(audio_folder):
    """List."""
    return pd.DataFrame()
'''
STUDY = "results/small/experiment_1"
FOLD = f"{STUDY}/instance_1/fold_1"
LOOKS = [
    ["list", "results"],
    ["status", STUDY],
    ["audit", STUDY],
    ["compare", STUDY],
    ["groups", STUDY],
    ["report", STUDY, "--explain", "occlusion"],
    ["rebuild", STUDY],
    ["review-labels", STUDY],
    ["ensemble", STUDY, "1", "2"],
    ["evaluate", f"{STUDY}/instance_1", "clips"],
    ["export", f"{STUDY}/instance_2/fold_1", "--format", "weights_h5"],
    ["bundle", FOLD],
    ["bundle", FOLD, "--hub", "me/net"],
    ["sample-size", "--from", STUDY],
    ["speaker-eer", "embeddings.parquet"],
]
"""Commands of one process; those that choose a device are called one by one."""
IN_TURN = """
import json, runpy, sys
for words in json.loads(sys.argv[1]):
    sys.argv = ["xval", *words]
    sys.path.insert(0, ".")
    try:
        runpy.run_module("xval", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        print("ENDED", ended.code, *words)
"""


@pytest.fixture
def downloaded(study):
    """Return a study with finished results, whose every module leaves a mark where it is imported, and the mark."""
    mark = study.folder / "imported.txt"
    marks = LEAVES_A_MARK.format(mark=str(mark))
    study.file("config.ini", "")
    study.file("experiments/exp.py", "")
    study.file("architectures/net.py", NET + marks)
    study.file("my_nets.py", NET.replace('"mine"', '"other"') + marks)
    study.file("my_metrics.py", METRIC + marks)
    study.file("my_folds.py", FOLDS + marks)
    study.file("corpora/own_corpus.py", CORPUS + marks)
    study.file("clips/one.txt", "")
    ended = study.train(
        {"architecture": "net", "own_layer": True},
        {"architecture": "my_nets.build"},
        metrics="my_metrics.mine",
        fold_strategy="my_folds.split",
        num_epochs=1,
    )
    assert mark.exists(), ended.stdout
    mark.unlink()
    # So that figures of the study's own metric would have to be computed.
    for path in study.results.glob("instance_*/estimates.json"):
        path.unlink()
    # What Python itself would find first in the folder where a command is typed.
    for name in ("sounddevice", "onnxruntime", "pynvml", "skops", "openpyxl", "matplotlib", "tf2onnx"):
        study.file(f"{name}.py", marks)
    return study, mark


@pytest.mark.long
def test_commands_import_nothing_of_it(downloaded):
    study, mark = downloaded

    ended = study.python("-c", IN_TURN, json.dumps(LOOKS))

    assert ended.stdout.count("ENDED") == len(LOOKS), ended.stdout + ended.stderr
    assert not mark.exists(), (mark.read_text(), ended.stdout, ended.stderr)


LOAD = "import sys, xval; print(xval.load_model(sys.argv[1], modules=sys.argv[2:]).class_names)"


def test_models_are_read_without_its_code(downloaded):
    study, mark = downloaded

    own_layer, plain = (study.python("-c", LOAD, study.results / f"instance_{number}") for number in (1, 2))
    named = study.python("-c", LOAD, study.fold(), "architectures.net")

    assert "--import architectures.net" in own_layer.stderr
    assert plain.stdout == "('a', 'b', 'c')\n"
    assert not mark.exists() or mark.read_text() == "architectures.net\n", mark.read_text()
    assert named.stdout == "('a', 'b', 'c')\n", named.stderr


def test_import_names_what_may_be_imported(downloaded):
    study, mark = downloaded
    export, rebuild = ["export", study.fold(), "--format", "weights_h5"], ["rebuild", STUDY]

    refused, named = study.xval(*export), study.xval(*export, "--import", "architectures.net")

    assert (refused.returncode, named.returncode) == (2, 0), named.stderr
    assert "--import architectures.net" in refused.stderr
    assert "it is searched in the folder that settings.json names" in refused.stderr
    assert mark.read_text().split() == ["architectures.net"]
    mark.unlink()

    without_metric, named = study.xval(*rebuild), study.xval(*rebuild, "--import", "my_metrics")

    assert "--import my_metrics" in without_metric.stderr
    assert mark.read_text().split() == ["my_metrics"]
    assert named.returncode == 0
    assert "my_metrics" not in named.stderr
