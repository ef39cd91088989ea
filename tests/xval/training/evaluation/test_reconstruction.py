"""A model that rebuilds its features: what is compared with what, and the figures of models whose answer is known."""

import keras
import numpy as np
import pytest

from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.base.errors import DivergenceError
from xval.data.fold import load_fold
from xval.folds.plan import Fold
from xval.models.residual import read_features, with_residual
from xval.training.evaluation.fold import evaluate_model

MEAN, DEVIATION = 5.0, 2.0


def chain(network, shape=(4, 3)):
    """Return a whole model, one layer behind the other, around a network for (frames, bins, 1)."""
    inputs = keras.Input(shape)
    scaling = keras.layers.BatchNormalization(center=False, scale=False, epsilon=0.0, trainable=False, name="normalization")
    hidden = keras.layers.Reshape((*shape, 1), name="reshaping")(scaling(inputs))
    scaling.set_weights([np.full(shape[-1], MEAN, np.float32), np.full(shape[-1], DEVIATION**2, np.float32)])
    return keras.Model(inputs, keras.layers.Activation("linear", name="prediction")(network(hidden)))


def network_of(*layers, shape=(4, 3, 1)):
    inputs = hidden = keras.Input(shape)
    for layer in layers:
        hidden = layer(hidden)
    return keras.Model(inputs, hidden)


def scaled_by(factor):
    """Return a network that answers with its input times a factor, and whose embedding is the same."""
    embedding = keras.layers.Rescaling(factor, name="embedding")
    return network_of(embedding, keras.layers.Activation("linear"))


@pytest.fixture
def settings(make_settings):
    return make_settings(batch_size=3, task_type="representation", architecture="daf_autoencoder", monitor="val_loss")


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(3)
    with StoreWriter(tmp_path / "store", task_type="representation", class_names=()) as writer:
        for item, count in (("a", 5), ("b", 4), ("c", 2), ("d", 4)):
            x = MEAN + DEVIATION * rng.normal(size=(count, 4, 3)).astype(np.float32)
            # Two examples of each clip.
            examples = [Example(f"{item}{number // 2}", number / 2, number / 2 + 0.5) for number in range(count)]
            writer.append(item, x, np.zeros(count), examples)
        writer.publish(index_hash="x")
    return load_fold(open_store(tmp_path / "store"), Fold(1, ("a", "b"), ("c",), ("d",)), in_memory=True)


def test_the_residual_is_what_a_model_answers_less_its_normalised_features():
    model = chain(scaled_by(0.25))
    x = np.random.default_rng(1).normal(size=(6, 4, 3)).astype(np.float32)
    normalised = ((x - MEAN) / DEVIATION)[..., np.newaxis]

    assert np.allclose(keras.Model(model.input, read_features(model)).predict(x, verbose=0), normalised, atol=1e-6)
    residual = with_residual(model, model)
    assert np.allclose(residual.predict(x, verbose=0), -0.75 * normalised, atol=1e-6)


def test_an_augmented_model_is_to_rebuild_the_features_without_augmentation():
    model = chain(scaled_by(1.0))
    shifted = keras.layers.Rescaling(1.0, offset=DEVIATION)(model.input)
    for layer in model.layers[1:]:
        shifted = layer(shifted)

    residual = with_residual(model, keras.Model(model.input, shifted))

    assert np.allclose(residual.predict(np.zeros((2, 4, 3), np.float32), verbose=0), 1.0, atol=1e-6)


def test_a_perfect_model_explains_everything_and_the_mean_nothing(data, settings):
    perfect = evaluate_model(chain(scaled_by(1.0)), data, settings)
    assert perfect.scores.side("test") == {"loss": 0.0, "mse": 0.0, "explained_variance": 1.0}

    half = evaluate_model(chain(scaled_by(0.5)), data, settings)
    x = np.concatenate([data.sides["test"].predictors(np.arange(4))])
    normalised = (x - MEAN) / DEVIATION
    training = (data.sides["training"].predictors(np.arange(9)) - MEAN) / DEVIATION
    of_mean = np.mean((normalised - training.mean(axis=(0, 1))) ** 2)
    assert half.scores.side("test")["mse"] == pytest.approx(np.mean((0.5 * normalised) ** 2), rel=1e-5)
    assert half.scores.side("chance")["mse"] == pytest.approx(of_mean, rel=1e-5)
    assert half.scores.side("chance")["explained_variance"] == 0
    expected = 1 - np.mean((0.5 * normalised) ** 2) / of_mean
    assert half.scores.side("test")["explained_variance"] == pytest.approx(expected, rel=1e-5)
    assert half.facts["n_examples"] == {"training": 9, "validation": 2, "test": 4}
    assert half.scores.items["d"]["n_clips"] == 2
    errors = half.predictions
    assert len(errors) == 6
    of_test = errors[errors["side"] == "test"]
    assert np.allclose(of_test["squared_error"], np.mean((0.5 * normalised) ** 2, axis=(1, 2)), rtol=1e-5)


def test_embeddings_are_kept_for_every_example_of_every_side(data, tmp_path, settings):
    embeddings = evaluate_model(chain(scaled_by(0.5)), data, settings).tables["embeddings.parquet"]

    assert len(embeddings) == 15
    assert [name for name in embeddings if name.startswith("embedding_")] == [f"embedding_{n}" for n in range(12)]
    row = embeddings[embeddings["side"] == "test"].iloc[1]
    x = data.sides["test"].predictors(np.array([1]))[0]
    assert np.allclose(
        row[[f"embedding_{n}" for n in range(12)]].to_numpy(float), ((x - MEAN) / DEVIATION / 2).ravel(), atol=1e-5
    )
    without = network_of(keras.layers.Activation("linear"))
    assert evaluate_model(chain(without), data, settings).tables == {}


def test_a_reconstruction_that_is_no_number_gets_no_figure(data, settings):
    with pytest.raises(DivergenceError, match="a reconstruction is NaN or infinite"):
        evaluate_model(chain(scaled_by(np.inf)), data, settings)


def test_the_mean_of_features_without_frames_is_that_of_each_bin(tmp_path, settings):
    bins = np.array([0.0, 10.0, 100.0], np.float32)
    with StoreWriter(tmp_path / "store", task_type="representation", class_names=()) as writer:
        for item in "abcd":
            x = bins + np.array([[-1], [1]], np.float32)
            writer.append(item, x, np.zeros(2), [Example(f"{item}{number}", 0.0, 1.0) for number in range(2)])
        writer.publish(index_hash="x")
    data = load_fold(open_store(tmp_path / "store"), Fold(1, ("a", "b"), ("c",), ("d",)), in_memory=True)
    inputs = keras.Input((3,))
    network = network_of(keras.layers.Rescaling(0.0), shape=(3,))
    model = keras.Model(inputs, keras.layers.Activation("linear", name="prediction")(network(inputs)))

    assert evaluate_model(model, data, settings).scores.side("chance")["mse"] == pytest.approx(1.0)
