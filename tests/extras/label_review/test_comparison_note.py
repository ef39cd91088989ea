"""An experiment on corrected labels beside that on the labels of before: compared, with what that does not show."""

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
    """A copy of a finished experiment in which the labels of two tested clips of a speaker are other ones."""
    of_index = open_results(find_experiment(finished.results)).folds.plan.index_hash
    folder = shutil.copytree(finished.results, tmp_path / "tones" / "experiment_9")
    folds = json.loads((folder / "folds.json").read_text())
    folds |= {"index_hash": "other", "corrections": FACTS | {"of_index": of_index}}
    (folder / "folds.json").write_text(json.dumps(folds))
    item = folds["folds"][0]["test"][0]
    for path in folder.glob("instance_*/fold_1/predictions.parquet"):
        table = pd.read_parquet(path)
        tested = table.index[(table["side"] == "test") & (table["item"] == item)]
        for row in tested[:2]:
            table.loc[row, "target"] = {"low": "high", "high": "low"}[table.loc[row, "target"]]
        table.to_parquet(path, index=False)
    return folder


def test_what_corrections_changed_is_said_with_a_warning(finished, corrected):
    comparison = compare_instances(finished.results, ["1", f"{corrected}:1"], baseline="1")

    said = " ".join([*comparison.corrections, *comparison.notes])
    assert f"{corrected} has the labels of /data/corrections.csv (SHA-256 abababababab) by ann: 2 labels changed" in said
    assert "Accuracy on 24 clips of both, 2 of them with another label, mean over items: instance 1 " in said
    assert "This favours that model and similar ones" in said
    assert "different folds" not in said
    assert "other folds" not in said
    assert describe_claims(comparison)[0].startswith(
        "You cannot claim that one is better: they were tested by different labels"
    )
    assert comparison.corrections[-1] in describe_to_publish(comparison)


def test_the_answers_are_the_same_and_the_labels_make_the_difference(finished, corrected):
    """The two instances are copies of one, so that both have the same two accuracies, which differ by two clips of 24."""
    comparison = compare_instances(finished.results, ["1", f"{corrected}:1"], baseline="1")

    (told,) = [note for note in comparison.corrections if note.startswith("Accuracy on")]
    of_first, of_second = told.split("; instance ")
    before, after = (part.split(" by ")[0].split()[-1] for part in of_first.split(" and ", 1))
    assert of_second.split()[-3] == before
    assert of_second.split()[-1].rstrip(".") == after
    assert abs(float(after) - float(before)) in (pytest.approx(2 / 24, abs=0.002), 0)


def test_other_folds_of_a_corrected_corpus_are_said_and_nothing_is_advised(finished, corrected):
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

    with pytest.raises(ResultsError, match="the dataset is not"):
        compare_instances(finished.results, ["1", f"{corrected}:1"])


def test_one_corpus_needs_no_word_of_corrections(finished):
    comparison = compare_instances(finished.results, ["1", "2"], baseline="1")

    assert comparison.corrections == ()
