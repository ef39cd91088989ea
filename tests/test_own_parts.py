"""Architecture, loss, optimizer, schedule and metrics of a user's own, beside the script, as a user runs them."""

import json

import pandas as pd
import pytest

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


def test_parts_of_ones_own_train_are_copied_and_stand_in_the_record(project, own_package):
    loaded = {"architecture": "own_package.network.loaded"}
    project.write_script(OWN, OBJECTS, loaded, num_epochs=3, num_folds=2, learning_rate=0.04, backend="jax")

    ended = project.run("--workers", "1", "--folds", "1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    record = project.records()[1, 1]
    assert {"worst", "kl_divergence"} <= set(record["metrics"]["test"]) & set(record["clip_metrics"]["test"])
    assert record["further_metrics"] == {"worst": False, "kl_divergence": False}
    history = pd.read_csv(project.results / "instance_1" / "fold_1" / "history.csv")
    assert history["learning_rate"].tolist() == pytest.approx([0.04, 0.02, 0.01])
    assert history["val_worst"].idxmin() + 1 == record["best_epoch"]
    (code,) = (project.results / "code").iterdir()
    assert (code / "own_package" / "shared.py").read_text() == (own_package / "shared.py").read_text()
    settings = json.loads((project.results / "instance_1" / "settings.json").read_text())
    assert settings["sources"]["n_hidden"] == "own_package.network"
    figures = project.records()[2, 1]["metrics"]["test"]
    assert figures["f1_score"] == pytest.approx(figures["macro_f1"], abs=1e-4)
    assert -1 <= figures["cohen_kappa_score"] <= 1
    weights = [project.records()[instance, 1].get("outside_weights") for instance in (1, 2, 3)]
    assert weights[:2] == [[], None]  # drawn; of an architecture of xval
    assert [name.rpartition("/")[2] for name in weights[2]] == ["kernel"]
    assert "pretrained part of unknown origin: own_package.network.loaded, " in " ".join(ended.stdout.split())
    described = json.loads((project.results / "instance_3" / "fold_1" / "model.json").read_text())
    assert described["unknown_parts"][0].startswith("the network own_package.network.loaded (")


def test_what_only_shows_when_parts_are_used_is_refused_before_any_training(project, own_package):
    (own_package / "unready.py").write_text("raise RuntimeError('not ready')\n\ndef loss(y_true, y_pred): pass\n")
    wrong = {
        "loss 'own_package.parts.mean_loss' gave shape () for 6 examples": {"loss": "own_package.parts.mean_loss"},
        "optimizer 'own_package.parts.no_optimizer' gave float": {"optimizer": "own_package.parts.no_optimizer"},
        "schedule 'own_package.parts.falling' gave -1.0": {"schedule": "own_package.parts.falling"},
        "metric 'several' gave an array of shape (": {"metrics": "own_package.parts.several"},
        "RuntimeError: not ready": {"loss": "own_package.unready.loss"},
        "monitor 'val_top_5_accuracy' needs 6 classes or more; the corpus has 3": {"monitor": "val_top_5_accuracy"},
    }
    project.write_script(*wrong.values(), architecture="mlp", workers=1, backend="jax")

    ended = project.run()

    assert ended.returncode == 2, ended.stdout + ended.stderr
    for number, message in enumerate(wrong, start=1):
        assert any(f"instance {number}: " in line and message in line for line in ended.stderr.splitlines()), message
    assert not project.records()
