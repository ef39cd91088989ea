"""Networks, estimators and ensembles leave the same description, which says what has been seen on the way to them."""

import json

import pytest

pytestmark = pytest.mark.long


def described(study, instance, fold=1):
    """Return model.json of a fold."""
    return json.loads((study.fold(instance, fold) / "model.json").read_text())


def test_all_kinds_of_models_are_described_by_the_same_entries(copied):
    ended = copied.xval("ensemble", copied.EXPERIMENT, "1,3")
    assert ended.returncode == 0, ended.stdout + ended.stderr

    network, estimator, ensemble = (described(copied, number) for number in (1, 3, 901))

    assert set(network) - {"novelty"} == set(estimator) - {"novelty", "combination"} == set(ensemble)
    assert network["seen_items"] == estimator["seen_items"] == ensemble["seen_items"]


@pytest.mark.parametrize("architecture", ["mlp", "svm"])
def test_what_an_embedder_has_seen_is_seen_by_the_models_that_read_its_embeddings(copied, architecture):
    embedder = f"keras:{copied.EXPERIMENT}/instance_1/fold_1/model.keras"
    copied.train(
        {"architecture": architecture, "features": "embedding", "embedding_model": embedder},
        num_experiment=2,
        num_folds=3,
        num_epochs=1,
        page="none",
        sample_rate_hz=4000,
    )

    model = copied.folder / "results" / "small" / "experiment_2" / "instance_1" / "fold_2" / "model.json"
    seen = json.loads(model.read_text())["seen_items"]["small"]
    assert set(described(copied, 1)["seen_items"]["small"]) <= set(seen)
    assert set(described(copied, 1, fold=2)["seen_items"]["small"]) <= set(seen)
