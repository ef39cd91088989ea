from math import log

import keras
import numpy as np
import pytest

from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.data.clip_average import Averaging
from xval.data.fold import load_fold
from xval.folds.plan import Fold
from xval.measures.answered import Answered
from xval.training.evaluation.fold import evaluate_model


@pytest.fixture
def data(tmp_path):
    """Return a fold whose predictors are probabilities of two classes, two windows a clip."""
    windows = {
        "a": [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9]],
        "b": [[0.6, 0.4], [0.6, 0.4], [0.4, 0.6], [0.4, 0.6]],
        "c": [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.9, 0.1]],
    }
    with StoreWriter(tmp_path / "store", task_type="classification", class_names=("no", "yes")) as writer:
        for item, values in windows.items():
            examples = [
                Example(f"{item}{clip}", start, start + 1.0, augmented=False) for clip in (1, 2) for start in (0.0, 1.0)
            ]
            writer.append(item, np.array(values, np.float32)[:, None], np.array([0, 0, 1, 1]), examples)
        writer.publish(index_hash="x")
    return load_fold(open_store(tmp_path / "store"), Fold(1, ("a",), ("b",), ("c",)), in_memory=True)


@pytest.fixture
def model():
    """Return a model that answers with its input."""
    inputs = keras.Input((1, 2))
    return keras.Model(inputs, keras.layers.Flatten()(inputs))


def test_examples_clips_and_items_have_their_own_figures(data, model, make_settings):
    scores = evaluate_model(model, data, make_settings())

    assert scores.scores.side("test")["accuracy"] == pytest.approx(0.5)
    assert scores.scores.side("clip_test")["accuracy"] == pytest.approx(0.5)
    assert scores.scores.items["c"]["n_clips"] == 2
    assert scores.facts["confusion_matrix"]["test"] == [[1, 0], [1, 0]]
    assert scores.scores.side("training")["accuracy"] == 1.0
    assert scores.facts["n_examples"] == {"training": 4, "validation": 4, "test": 4}


@pytest.mark.parametrize(
    ("clip_average", "wanted"),
    [
        ("probabilities", [(0.9 + 0.4) / 2, (0.2 + 0.9) / 2]),
        # softmax of the mean logits: the odds are the geometric mean of those of the windows
        ("logits", [1 / (1 + (0.1 / 0.9 * 0.6 / 0.4) ** 0.5), 1 / (1 + (0.8 / 0.2 * 0.1 / 0.9) ** 0.5)]),
        ("votes", [1 / 2, 1 / 2]),
    ],
)
def test_the_windows_of_a_clip_become_one_prediction(data, clip_average, wanted):
    examples = data.sides["test"]

    found = Answered(examples.table, examples.targets, examples.predictors(np.arange(4))[:, 0]).by_clip(Averaging(clip_average))

    assert found.predictions[:, 0] == pytest.approx(wanted, rel=1e-5)
    assert found.predictions.sum(axis=1) == pytest.approx([1, 1])
    assert found.targets.tolist() == [0, 1]


def test_a_window_without_any_probability_for_a_class_leaves_no_nan(data):
    examples = data.sides["test"]

    found = Answered(examples.table, examples.targets, np.float32([[1, 0], [0, 1], [1, 0], [1, 0]])).by_clip(
        Averaging("logits")
    )

    assert found.predictions == pytest.approx(np.float32([[0.5, 0.5], [1, 0]]), abs=1e-6)


def test_windows_keep_their_own_metrics_however_clips_are_averaged(data, model, make_settings):
    by_votes, by_mean = (
        evaluate_model(model, data, make_settings(clip_average=clip_average)) for clip_average in ("votes", "probabilities")
    )

    for side in ("training", "validation", "test"):
        assert by_votes.scores.side(side) == by_mean.scores.side(side)
    assert by_votes.scores.side("clip_test")["auc"] == 0.5
    assert by_mean.scores.side("clip_test")["auc"] == 1.0


def test_further_metrics_and_a_loss_of_ones_own_stand_in_the_figures(data, model, own_package, make_settings):
    own = {"metrics": "own_package.parts.worst, kl_divergence", "loss": "own_package.parts.loss"}

    scores, plain = (evaluate_model(model, data, chosen) for chosen in (make_settings(**own), make_settings()))

    assert scores.facts["further_metrics"] == {"worst": False, "kl_divergence": False}
    assert scores.scores.side("test")["worst"] == pytest.approx(0.9)
    assert scores.scores.side("clip_test")["worst"] == pytest.approx(1 - 0.45)
    assert "kl_divergence" in scores.scores.items["c"]
    assert scores.scores.side("test")["loss"] == plain.scores.side("test")["loss"]


def test_the_loss_is_the_cross_entropy_of_the_predictions(data, model, make_settings):
    scores = evaluate_model(model, data, make_settings())

    expected = -(log(0.6) * 4) / 4
    assert scores.scores.side("validation")["loss"] == pytest.approx(expected, rel=1e-5)


def test_chance_is_a_constant_answer_with_the_shares_of_the_training_classes(data, model, make_settings):
    chance = evaluate_model(model, data, make_settings()).scores.side("chance")

    assert chance["loss"] == pytest.approx(log(2), rel=1e-5)
    assert (chance["accuracy"], chance["balanced_accuracy"], chance["auc"]) == (0.5, 0.5, 0.5)


def test_predictions_are_a_table_with_a_row_per_validation_and_test_example(data, model, make_settings):
    table = evaluate_model(model, data, make_settings()).predictions

    assert len(table) == 8
    first = table[(table["side"] == "test") & (table["clip"] == "c1")].iloc[1]
    assert (first["item"], first["row"], first["start_s"], first["target"], first["predicted"]) == ("c", 1, 1.0, "no", "yes")
    assert first["probability_yes"] == pytest.approx(0.6)
