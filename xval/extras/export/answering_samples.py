"""Put what `predict` does around a network into the network: from samples to answer, in one graph.

Comes in: a saved network and its description. Goes out: a Keras model that cuts or pads a clip as the experiment did, makes its
features by the layers of `xval.models.frontend`, and answers; behind the answers stands the novelty of the clip, where it is
known.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.spectrogram import count_frames
from xval.extras.export.samples import NOVELTY, clip_length
from xval.models.cut import predict_and_embed
from xval.models.frontend import build_frontend
from xval.models.saved.description import ModelDescription
from xval.models.saved.novelty import Novelty, read_novelty


def answering_samples(model: keras.Model, described: ModelDescription, path: Path) -> keras.Model:
    """Return a model from samples to answers, with the layers and weights of the given one.

    Args:
        model: The network.
        described: Its model.json, which `check_samples` has passed.
        path: Of its model.keras, beside which novelty.npy lies.

    Returns:
        A model from float32 (batch, n_samples) of any length, mono, at the rate of the features, full scale -1 to 1, to float32
        (batch, n_outputs), columns as `answer_columns` says. Where ``padding = masked``, NaN follows a clip that is shorter
        than its batch.
    """
    length, settings = clip_length(described), described.feature_settings
    inputs = keras.Input((None,), name="samples")
    is_masked = settings.padding == "masked"
    is_sample = ops.cast(ops.logical_not(ops.isnan(inputs)), "float32") if is_masked else None
    hidden = _fitted(ops.where(ops.isnan(inputs), 0.0, inputs) if is_masked else inputs, length)
    if settings.features != "waveform":
        hidden = build_frontend(length, settings)(hidden)
        if is_masked:
            hidden = _marked(hidden, _fitted(is_sample, length), length, settings)
    novelty = read_novelty(path, described.novelty)
    if novelty is None:
        return keras.Model(inputs, model(hidden), name="from_samples")
    answers, embedding = predict_and_embed(model, where=str(path))(hidden)
    return keras.Model(inputs, ops.concatenate([answers, _Distance(novelty)(embedding)], axis=1), name="from_samples")


def _marked(features: Any, is_sample: Any, length: int, settings: FeatureSettings) -> Any:
    """Return features with NaN behind the end of the clips, as `mark_padding` puts it there."""
    # A frame counts where the last sample that `count_frames` asks for is one of the clip; the first frame always does.
    last = np.arange(count_frames(length, settings)) * settings.hop_length + settings.n_fft % 2 - 1
    is_frame = ops.take(is_sample, np.maximum(last, 0), axis=1)
    return ops.where(is_frame[:, :, None] > 0, features, np.nan)


def _fitted(samples: Any, length: int) -> Any:
    """Return clips that are followed by zeros or cut to a length."""
    return ops.pad(samples, [[0, 0], [0, length]])[:, :length]


class _Distance(keras.Operation):  # type: ignore[misc]
    """`Novelty.of` as operations of Keras: float32 (batch, n_features) to float32 (batch, 1)."""

    def __init__(self, novelty: Novelty) -> None:
        super().__init__(name=NOVELTY)
        self._novelty = novelty

    def call(self, embeddings: Any) -> Any:
        """Return the distance to the n-th nearest training example, divided by the limit."""
        settings, reference = self._novelty.settings, ops.convert_to_tensor(self._novelty.embeddings)
        if settings.unit_length:
            embeddings, reference = _of_unit_length(embeddings), _of_unit_length(reference)
        squares = ops.sum(ops.square(embeddings[:, None, :] - reference[None]), axis=2)
        nearest, _ = ops.top_k(-squares, settings.neighbour)
        return ops.sqrt(-nearest[:, -1:]) / settings.limit

    def compute_output_spec(self, embeddings: Any) -> Any:
        """Return the shape."""
        return keras.KerasTensor((embeddings.shape[0], 1), "float32")


def _of_unit_length(embeddings: Any) -> Any:
    lengths = ops.sqrt(ops.sum(ops.square(embeddings), axis=1, keepdims=True))
    return embeddings / ops.where(lengths > 0, lengths, 1.0)
