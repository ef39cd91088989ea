"""Networks, estimators and ensembles leave the same description, which says what has been seen on the way to them."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile

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


def test_what_an_embedder_has_seen_is_seen_by_the_models_that_read_its_embeddings(copied):
    clips, rng = pd.read_csv(copied.folder / "audio" / "clips.csv"), np.random.default_rng(1)
    for path in clips["path"]:
        samples, rate_hz = soundfile.read(copied.folder / "audio" / path)
        other = copied.folder / "other" / path
        other.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(other, 0.1 * rng.normal(size=len(samples)), rate_hz)
    clips.assign(item="new_" + clips["item"]).to_csv(copied.folder / "other" / "clips.csv", index=False)
    prepared = copied.prepare("table", "other/clips.csv", "--dataset", "other")
    assert prepared.returncode == 0, prepared.stderr
    embedder = copied.fold() / "model.keras"
    reads = {"features": "embedding", "embedding_model": f"keras:{embedder}"}
    copied.script({"architecture": "svm", **reads}, num_experiment=2)
    refused = copied.run()
    assert refused.returncode == 2
    assert "All folds share its embeddings, so use a model of other recordings." in refused.stderr
    assert "{fold}" not in refused.stderr
    copied.train({"architecture": "mlp", **reads}, {"architecture": "svm", "C": (1.0,), **reads}, dataset="other", num_epochs=1)

    for instance in (1, 2):
        model = copied.folder / "results" / "other" / "experiment_1" / f"instance_{instance}" / "fold_1" / "model.json"
        seen = json.loads(model.read_text())["seen_items"]
        assert seen["small"] == described(copied, 1)["seen_items"]["small"]
        assert set(seen["other"]) < set("new_" + clips["item"])


def test_a_fold_of_a_choice_that_takes_a_network_is_no_ensemble(copied):
    ended = copied.xval("ensemble", copied.EXPERIMENT, "1,2")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for fold, chosen in enumerate((901, 901, 1), start=1):
        for instance in (1, 2, 3, 901):
            table = copied.score_table(instance, fold)
            is_ranking = table["side"].str.endswith("validation") & (table["item"] == "")
            table.loc[is_ranking & (table["metric"] == "balanced_accuracy"), "value"] = 0.9 if instance == chosen else 0.4
            table.to_parquet(copied.fold(instance, fold) / "scores.parquet")

    compared = copied.xval("compare", copied.EXPERIMENT, "nested", "--baseline", "2")

    assert "chosen among 4" in compared.stdout, compared.stderr
    assert "ensemble 1+2" in copied.xval("report", copied.EXPERIMENT, "--markdown").stdout
    assert "unknown origin" not in compared.stdout + copied.xval("report", copied.EXPERIMENT, "--markdown").stdout
