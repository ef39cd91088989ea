"""An experiment on corrected labels is compared with one on the original labels, with sentences on the limits."""

import json
import shutil

import pandas as pd
import pytest

from xval.answers.comparison.choose import compare_instances
from xval.answers.comparison.text import describe_claims, describe_to_publish
from xval.base.errors import ResultsError
from xval.results.folder import find_experiment
from xval.results.open import open_results

FACTS = {"file": "/data/corrections.csv", "sha256": "ab" * 32, "reviewers": ["ann"]}
FACTS |= {"n_changed": 2, "n_left_out": 0, "n_disputed": 0}


@pytest.fixture
def corrected(finished, tmp_path):
    """Return a copy of a finished experiment in which two tested clips of a speaker have other labels."""
    original_hash = open_results(find_experiment(finished.results)).folds.plan.index_hash
    folder = shutil.copytree(finished.results, tmp_path / "tones" / "experiment_9")
    folds = json.loads((folder / "folds.json").read_text())
    folds |= {"index_hash": "other", "corrections": FACTS | {"of_index": original_hash}}
    (folder / "folds.json").write_text(json.dumps(folds))
    item = folds["folds"][0]["test"][0]
    for path in folder.glob("instance_*/fold_1/predictions.parquet"):
        table = pd.read_parquet(path)
        tested = table.index[(table["side"] == "test") & (table["item"] == item)]
        for row in tested[:2]:
            table.loc[row, "target"] = {"low": "high", "high": "low"}[table.loc[row, "target"]]
        table.to_parquet(path, index=False)
    return folder


def test_the_effect_of_corrections_is_described_with_a_warning(finished, corrected):
    comparison = compare_instances(finished.results, ["1", f"{corrected}:1"], baseline="1")

    text = " ".join([*comparison.corrections, *comparison.notes])
    assert f"{corrected} has the labels of /data/corrections.csv (SHA-256 abababababab) by ann: 2 labels changed" in text
    assert "Accuracy on 24 clips of both, 2 of them with another label, mean over items: instance 1 " in text
    assert "This favours that model and similar ones" in text
    assert "different folds" not in text
    assert "other folds" not in text
    assert describe_claims(comparison)[0].startswith(
        "You cannot claim that one is better: they were tested by different labels"
    )
    assert comparison.corrections[-1] in describe_to_publish(comparison)


def test_the_predictions_are_the_same_and_the_labels_make_the_difference(finished, corrected):
    """Both instances are copies of one and have the same two accuracies, which differ by two clips of 24."""
    comparison = compare_instances(finished.results, ["1", f"{corrected}:1"], baseline="1")

    (sentence,) = [note for note in comparison.corrections if note.startswith("Accuracy on")]
    first, second = sentence.split("; instance ")
    before, after = (part.split(" by ")[0].split()[-1] for part in first.split(" and ", 1))
    assert second.split()[-3] == before
    assert second.split()[-1].rstrip(".") == after
    assert abs(float(after) - float(before)) in (pytest.approx(2 / 24, abs=0.002), 0)


def test_other_folds_of_a_corrected_corpus_are_reported_without_advice(finished, corrected):
    folds = json.loads((corrected / "folds.json").read_text())
    first = folds["folds"][0]
    first["training"], first["validation"] = first["validation"], first["training"]
    (corrected / "folds.json").write_text(json.dumps(folds))

    comparison = compare_instances(finished.results, ["1", f"{corrected}:1"], baseline="1")

    assert "The corrected dataset has other folds" in " ".join(comparison.corrections)
    assert ("different folds" in " ".join(comparison.pairs[0].notes), comparison.next_step) == (True, "")
    assert "that both have tested, in different folds" in describe_to_publish(comparison)
    assert "on the same" not in describe_to_publish(comparison)


def test_another_corpus_is_refused_as_before(finished, corrected):
    folds = json.loads((corrected / "folds.json").read_text())
    folds["corrections"]["of_index"] = "a third"
    (corrected / "folds.json").write_text(json.dumps(folds))

    with pytest.raises(ResultsError, match="different versions of the dataset"):
        compare_instances(finished.results, ["1", f"{corrected}:1"])


def test_one_corpus_has_no_sentences_on_corrections(finished):
    comparison = compare_instances(finished.results, ["1", "2"], baseline="1")

    assert comparison.corrections == ()
