"""The threshold of a label is what validation clips choose, and nothing of the tested ones."""

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.data.fold import load_fold
from xval.folds.plan import Fold
from xval.measures.statistics.thresholds import find_thresholds
from xval.training.evaluation.fold import evaluate_model

NAMES = ("bell", "drum", "never")


def make_fold(folder, permuted=None):
    """Return a fold whose predictors are probabilities of three labels, two windows a clip; test targets may be permuted."""
    with StoreWriter(folder / "store", task_type="multilabel_classification", class_names=NAMES) as writer:
        for number, item in enumerate("abc"):
            rng = np.random.default_rng(number)
            targets = np.concatenate([rng.random((12, 2)) < 0.5, np.zeros((12, 1))], axis=1).astype(np.float32)
            values = np.clip(0.3 * np.repeat(targets, 2, axis=0) + 0.6 * rng.random((24, 3)), 0, 1)
            if item == "c" and permuted is not None:
                targets = np.random.default_rng(permuted).permutation(targets)
            examples = [Example(f"{item}{clip}", start, start + 1.0) for clip in range(12) for start in (0.0, 1.0)]
            writer.append(item, values[:, None].astype(np.float32), np.repeat(targets, 2, axis=0), examples)
        writer.publish(index_hash="x")
    return load_fold(open_store(folder / "store"), Fold(1, ("a",), ("b",), ("c",)), in_memory=True)


@pytest.fixture(scope="module")
def model():
    """Return a model that answers with its input."""
    inputs = keras.Input((1, 3))
    return keras.Model(inputs, keras.layers.Flatten()(inputs))


def test_the_labels_of_tested_clips_choose_no_threshold(tmp_path, model, make_settings):
    settings = make_settings(task_type="multilabel_classification", architecture="mlp")
    as_they_are, permuted = (evaluate_model(model, make_fold(tmp_path / str(seed), seed), settings) for seed in (None, 1))

    assert as_they_are.scores.side("test") != permuted.scores.side("test")
    assert as_they_are.facts["thresholds"] == permuted.facts["thresholds"]
    assert as_they_are.facts["untuned_labels"] == ["never"]
    assert as_they_are.facts["thresholds"]["never"] == 0.5


def test_clips_have_the_thresholds_of_validation_clips_and_a_table_of_their_labels(tmp_path, model, make_settings):
    data = make_fold(tmp_path)
    found = evaluate_model(model, data, make_settings(task_type="multilabel_classification", architecture="mlp"))
    scores, thresholds = found, np.array(list(found.facts["thresholds"].values()))
    means = {side: data.sides[side].predictors(np.arange(24))[:, 0].reshape(12, 2, 3).mean(axis=1) for side in data.sides}
    targets = {side: data.sides[side].targets[::2] for side in data.sides}

    assert thresholds == pytest.approx(find_thresholds(targets["validation"], means["validation"].astype(np.float32)))
    decided = means["test"] >= thresholds
    wanted = f1_score(targets["test"][:, :2], decided[:, :2], average="macro")
    assert scores.scores.side("clip_test")["tuned_macro_f1"] == pytest.approx(wanted)
    assert scores.facts["further_metrics"] == {"tuned_macro_f1": True, "tuned_micro_f1": True, "tuned_hamming_loss": False}
    assert "confusion_matrix" not in scores.facts
    counts = scores.facts["class_metrics"]["test"]["bell"]
    assert counts["true_positives"] == (decided[:, 0] & (targets["test"][:, 0] > 0)).sum()
    table = found.predictions[found.predictions["side"] == "test"].reset_index(drop=True)
    names = [";".join(name for name, is_on in zip(NAMES, row, strict=True) if is_on) for row in decided]
    assert table["predicted"].tolist() == np.repeat(names, 2).tolist()
    assert table["target_drum"].tolist() == data.sides["test"].targets[:, 1].tolist()
    # Who does not listen is best with all labels that validation clips have.
    shares = targets["test"][:, :2].mean(axis=0)
    assert scores.scores.side("chance")["tuned_macro_f1"] == pytest.approx(np.mean(2 * shares / (1 + shares)))
