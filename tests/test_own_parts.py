"""Architecture, loss, optimizer, schedule and metrics of a user's own, beside the script, as a user runs them."""

import json
import shutil
import sys

import pandas as pd
import pytest

from xval.results.added_metrics import load_metric
from xval.settings.architectures import find_architecture

OWN = {
    "architecture": "own_package.network",
    "loss": "own_package.parts.loss",
    "optimizer": "own_package.parts.optimizer",
    "schedule": "own_package.parts.schedule",
    "metrics": "own_package.parts.worst, kl_divergence",
    "monitor": "val_worst",
}

OBJECTS = {
    "architecture": "mlp",
    "loss": 'keras:{"class_name": "CategoricalFocalCrossentropy", "config": {"gamma": 3.0}, "module": "keras.losses"}',
    "metrics": 'keras:{"class_name": "F1Score", "config": {"average": "macro"}, "module": "keras.metrics"}, '
    "sklearn:cohen_kappa_score",
    "monitor": "val_uar",
}


ENDS = """
from keras import Model, layers, ops

from xval import metric


def _network(input_shape, *end):
    inputs = layers.Input(input_shape)
    outputs = layers.Flatten()(inputs)
    for part in end:
        outputs = part(outputs)
    return Model(inputs, outputs)


def linear(input_shape, output_shape):
    return _network(input_shape, layers.Dense(output_shape[-1]))


def probabilities(input_shape, output_shape):
    return _network(input_shape, layers.Dense(output_shape[-1], activation="softmax", name="answers"))


def by_operation(input_shape, output_shape):
    return _network(input_shape, layers.Dense(output_shape[-1]), ops.softmax)


@metric(higher_is_better=True)
def upside_down(targets, predictions):
    return float((predictions.argmax(axis=1) != targets).mean())
"""


def test_parts_of_ones_own_train_are_copied_and_stand_in_the_record(project, own_package, in_process):
    loaded = {"architecture": "own_package.network.loaded"}
    project.write_script(OWN, OBJECTS, loaded, num_epochs=3, num_folds=2, learning_rate=0.04)

    ended = project.run("--folds", "1", "--details")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    record = project.records()[1, 1]
    assert {"worst", "kl_divergence"} <= set(record["metrics"]["test"]) & set(record["clip_metrics"]["test"])
    assert record["further_metrics"] == {"worst": False, "kl_divergence": False}
    history = pd.read_csv(project.results / "instance_1" / "fold_1" / "history.csv")
    assert history["learning_rate"].tolist() == pytest.approx([0.04, 0.02, 0.02])
    assert history["val_worst"].idxmin() + 1 == record["best_epoch"]
    (code,) = (project.results / "code").iterdir()
    assert (code / "own_package" / "shared.py").read_text() == (own_package / "shared.py").read_text()
    settings = json.loads((project.results / "instance_1" / "settings.json").read_text())
    assert settings["sources"]["n_hidden"] == "own_package.network"
    scores = project.records()[2, 1]["metrics"]["test"]
    assert scores["f1_score"] == pytest.approx(scores["macro_f1"], abs=1e-4)
    assert -1 <= scores["cohen_kappa_score"] <= 1
    weights = [project.records()[instance, 1].get("outside_weights") for instance in (1, 2, 3)]
    assert weights[:2] == [[], None]  # drawn; of an architecture of xval
    assert [name.rpartition("/")[2] for name in weights[2]] == ["kernel"]
    assert "pretrained part of unknown origin: own_package.network.loaded, " in " ".join(ended.stdout.split())
    described = json.loads((project.results / "instance_3" / "fold_1" / "model.json").read_text())
    assert described["unknown_parts"][0].startswith("the network own_package.network.loaded (")


def test_a_network_that_ends_in_softmax_is_trained_as_the_one_that_does_not(project, own_package, in_process):
    (own_package / "ends.py").write_text(ENDS)
    project.write_script({"architecture": "own_package.ends.linear"}, {"architecture": "own_package.ends.probabilities"})

    ended = project.run("--folds", "1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    line = "instance 2: the softmax at the end of its network, layer 'answers', is removed, because xval adds it\n"
    assert ended.stdout.count("the softmax at the end") == ended.stdout.count(line) == 1
    linear, softmax = project.records()[1, 1], project.records()[2, 1]
    for name in ("metrics", "clip_metrics", "item_metrics", "best_epoch", "n_parameters"):
        assert linear[name] == softmax[name]
    predictions = [project.results / f"instance_{number}" / "fold_1" / "predictions.parquet" for number in (1, 2)]
    assert pd.read_parquet(predictions[0]).equals(pd.read_parquet(predictions[1]))


def test_what_only_shows_when_parts_are_used_is_refused_before_any_training(project, own_package, in_process):
    (own_package / "ends.py").write_text(ENDS)
    (own_package / "unready.py").write_text("raise RuntimeError('not ready')\n\ndef loss(y_true, y_pred): pass\n")
    wrong = {
        "loss 'own_package.parts.mean_loss' returned shape () for 6 examples": {"loss": "own_package.parts.mean_loss"},
        "optimizer 'own_package.parts.no_optimizer' returned float": {"optimizer": "own_package.parts.no_optimizer"},
        "schedule 'own_package.parts.falling' returned -1.0": {"schedule": "own_package.parts.falling"},
        "metric 'several' returned an array of shape (": {"metrics": "own_package.parts.several"},
        "RuntimeError: not ready": {"loss": "own_package.unready.loss"},
        "metric 'upside_down': a perfect prediction scores 0 and a constant one 0.6667, so with higher_is_better=True": {
            "metrics": "own_package.ends.upside_down"
        },
        "architecture 'own_package.ends.by_operation': its network always outputs probabilities": {
            "architecture": "own_package.ends.by_operation"
        },
        "monitor 'val_top_5_accuracy' needs at least 6 classes; the dataset has 3": {"monitor": "val_top_5_accuracy"},
    }
    project.write_script(*wrong.values(), architecture="mlp")

    ended = project.run()

    assert ended.returncode == 2, ended.stdout + ended.stderr
    for number, message in enumerate(wrong, start=1):
        assert any(f"instance {number}: " in line and message in line for line in ended.stderr.splitlines()), message
    assert not project.records()


NETS = """
import keras
from blocks import KERNEL

def build(input_shape, output_shape, *, n_units: int = 4):
    inputs = keras.Input(input_shape)
    hidden = keras.layers.Dense(n_units, activation=activation)(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(output_shape[-1])(hidden))

@keras.saving.register_keras_serializable("nets")
def activation(values):
    return values * KERNEL
"""
SCORE = """
from xval import metric

@metric(higher_is_better=True)
def answered(targets, predictions):
    return 1.0
"""


@pytest.fixture
def study(project, in_process, monkeypatch):
    """A finished instance with a network and a metric beside the script, in a folder below the one that commands run in."""
    folder = project.folder / "scripts"
    folder.mkdir()
    for name, text in {"blocks": "KERNEL = 3\n", "nets": NETS, "score": SCORE}.items():
        (folder / f"{name}.py").write_text(text)
    project.write_script({"architecture": "nets.build", "metrics": "score.answered"}, num_epochs=1, num_folds=2)
    (project.folder / "exp.py").rename(folder / "exp.py")

    def forget():
        for name in ("nets", "blocks", "score"):
            sys.modules.pop(name, None)

    def run(*arguments):
        forget()
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            return project.run_script(folder / "exp.py", *arguments)

    def command(*words):
        forget()
        return project.run_module("xval", *words)

    project.run, project.command = run, command
    ended = run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    yield project
    forget()


def test_code_that_changed_is_refused_wherever_its_figures_are_shown_and_comments_are_no_change(study):
    nets, blocks = study.folder / "scripts" / "nets.py", study.folder / "scripts" / "blocks.py"
    results, again = study.results, "Nothing to do: all 2 jobs are done."
    nets.write_text(nets.read_text() + "\n# a comment\ndef another(): pass\n")
    (code,) = (results / "code").iterdir()
    (code / "xval" / "further.py").write_text("")
    ended = study.run()
    assert f"xval itself has changed since 2 finished jobs ran (code/{code.name})" in ended.stdout
    assert again in ended.stdout
    assert "ok            code hash" in study.command("audit", results).stdout

    blocks.write_text("KERNEL = 7\n")

    said = f"{blocks}: KERNEL has changed"
    for arguments in ((), ("--dry-run",)):
        ended = study.run(*arguments)
        assert ended.returncode == 2
        assert f"finished results (folds 1, 2) were made with other code: {said}. Restore the code" in ended.stderr
        assert "--overwrite" in ended.stderr
    assert f"fold 1-2: stale: done with other code: {said}" in study.command("status", results).stdout
    checked = study.command("audit", results)
    assert "FAILED        code hash" in checked.stdout
    assert said in checked.stdout
    assert said in study.command("refit", f"{results}:1").stderr
    records = study.records()
    assert study.run("--overwrite").returncode == 0
    assert study.records()[1, 1]["own_code"] != records[1, 1]["own_code"]

    for path in results.glob("instance_1/fold_*/record.json"):
        content = json.loads(path.read_text())
        del content["own_code"]  # as of an earlier version
        path.write_text(json.dumps(content))
    blocks.write_text("KERNEL = 3\n")
    assert again in study.run().stdout
    checked = study.command("audit", results).stdout
    assert "not checkable code hash" in checked
    assert "which of your own code it used is not known" in checked


def test_modules_beside_the_script_are_found_by_commands_that_are_called_elsewhere(study):
    folder, results = study.folder / "scripts", study.results
    settings = json.loads((results / "instance_1" / "settings.json").read_text())
    assert settings["own_folders"] == [str(folder)]
    (results / "instance_1" / "estimates.json").unlink()
    load_metric.cache_clear()
    rebuilt = study.command("rebuild", results, "--import", "score")
    assert (rebuilt.returncode, rebuilt.stderr) == (0, "")

    folder.rename(study.folder / "moved")
    find_architecture.cache_clear()
    refitted = study.command("refit", f"{results}:1")

    assert refitted.returncode == 0, refitted.stderr
    (code,) = (results / "code").iterdir()
    assert f"Your own modules are no longer where they were, so they are read from the copy in {code}" in refitted.stdout
    shutil.rmtree(code)
    find_architecture.cache_clear()
    refused = study.command("refit", f"{results}:1")
    assert refused.returncode == 2
    assert f"put them back ({folder})" in refused.stderr
