"""A saved network, which predicts or embeds batches."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from xval.models.cut import compile_for_prediction, count_kernel_layers, cut_model, predict_and_embed
from xval.models.residual import read_features
from xval.models.saved.description import ModelDescription, check_description
from xval.models.saved.load import read_keras_model
from xval.models.saved.novelty import Novelty, read_novelty
from xval.reuse.inference.batches import Answer, Answered
from xval.training.evaluation.reconstruction import EMBEDDING


@dataclass(frozen=True)
class Network:
    """A member that is a Keras model."""

    path: Path
    description: ModelDescription
    model: keras.Model
    needs_basic: bool = False
    pooled: None = None

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of one example; None: any length."""
        return tuple(self.model.input.shape[1:])

    def reads_rows(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array of ready features is several examples, and not one."""
        return len(shape) == len(self.input_shape) + 1

    @property
    def n_layers(self) -> int:
        """Layers with a kernel."""
        return count_kernel_layers(self.model, where=str(self.path))

    def predictor(self) -> Answer:
        """Return the function that predicts probabilities, numbers, or the squared error of the reconstruction."""
        novelty = read_novelty(self.path, self.description.novelty)
        if novelty is not None:
            return _answer_with_novelty(predict_and_embed(self.model, where=str(self.path)), novelty)
        if self.description.task.target != "input":
            return _answer_of(self.model)
        rebuilt = keras.Model(self.model.input, [read_features(self.model), self.model.output])
        compile_for_prediction(rebuilt)

        def measure(predictors: NDArray[np.float32], *_: object) -> Answered:
            features, reconstruction = (np.asarray(values, np.float64) for values in rebuilt.predict_on_batch(predictors))
            errors = np.mean((reconstruction - features) ** 2, axis=tuple(range(1, features.ndim)))
            return np.asarray(errors[:, np.newaxis], np.float32), None

        return measure

    def embedder(self, layers_dropped: int | None, layer: str | None) -> Answer:
        """Return the function that computes the output of a layer, averaged over all axes except the last.

        Args:
            layers_dropped: See `cut_model`; None without a layer: 1, or the layer ``embedding`` of an autoencoder.
            layer: Name of a layer of the network.
        """
        if layer is None and layers_dropped is None and self.description.task.target == "input":
            layer = EMBEDDING
        cut = cut_model(self.model, 1 if layers_dropped is None else layers_dropped, layer=layer, where=str(self.path))
        return _answer_of(cut)


def load_network(path: Path, description: ModelDescription) -> Network:
    """Load a model.keras, and check that its description fits."""
    model = read_keras_model(path)
    check_description(model, description, path)
    compile_for_prediction(model)
    return Network(path, description, model)


def _answer_of(model: keras.Model) -> Answer:
    def answer(predictors: NDArray[np.float32], *_: object) -> Answered:
        return np.asarray(model.predict_on_batch(predictors), np.float32), None

    return answer


def _answer_with_novelty(model: keras.Model, novelty: Novelty) -> Answer:
    def answer(predictors: NDArray[np.float32], *_: object) -> Answered:
        outputs, embeddings = (np.asarray(values, np.float32) for values in model.predict_on_batch(predictors))
        return outputs, novelty.of(embeddings)

    return answer
