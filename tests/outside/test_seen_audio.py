"""What is said of models that may have been trained on what a fold tests."""

import pytest


def test_a_model_that_networks_start_from_says_nothing_of_an_estimator(study):
    study.file("other.py", "import keras\nkeras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save('other.keras')\n")
    assert study.python("other.py").returncode == 0

    first = study.train({"architecture": "svm", "C": (1.0,)}, initial_model="other.keras")
    again = study.run()

    said = first.stdout + first.stderr + study.xval("report", study.EXPERIMENT).stdout
    assert (said.count("leakage"), said.count("pretrained")) == (0, 0), said
    assert (again.returncode, "Nothing to do" in again.stdout) == (0, True), again.stderr


@pytest.mark.long
def test_the_audit_names_models_that_were_replaced_after_others_were_made_from_them(study):
    network = {"architecture": "mlp", "n_units": (4,)}
    study.train(network)
    started = network | {"initial_model": f"{study.EXPERIMENT}/instance_1/fold_{{fold}}/model.keras"}
    study.train(started, num_experiment=2)
    second = study.EXPERIMENT.replace("_1", "_2")
    before = study.xval("audit", second)
    (study.fold(1, 2) / "model.keras").replace(study.fold(1, 1) / "model.keras")

    after = study.xval("audit", second)

    assert "another model" not in before.stdout
    assert after.returncode == 1
    said = " ".join(after.stdout.split())
    assert f"instance 1, fold 1: another model is at initial_model='{started['initial_model']}' than it was made with." in said
    assert "instance 1, fold 2: another" not in said
