"""Build an end-to-end model of a saved network: one graph from audio samples to predictions.

The graph cuts or pads a clip as the experiment did, computes its features with the layers of `xval.models.frontend`, and
predicts. The last output is the out-of-distribution score (novelty) of the clip, if the model has one.
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


def build_end_to_end(model: keras.Model, described: ModelDescription, path: Path) -> keras.Model:
    """Return a model from samples to predictions, which shares the layers and weights of a network.

    Args:
        model: The network, which reads features or samples of clips of one length.
        described: The content of its model.json, checked by `check_samples`.
        path: The path of its model.keras; novelty.npy may be next to it.

    Returns:
        A model from float32 (batch, n_samples) of any length, mono, at the sample rate of the features, full scale -1 to 1, to
        float32 (batch, n_outputs), with the columns of `output_columns`. With ``padding = masked`` a clip that is shorter than
        its batch is padded with NaN.
    """
    length, settings = clip_length(described), described.feature_settings
    inputs = keras.Input((None,), name="samples")
    is_masked = settings.padding == "masked"
    is_sample = ops.cast(ops.logical_not(ops.isnan(inputs)), "float32") if is_masked else None
    hidden = _pad_or_cut(ops.where(ops.isnan(inputs), 0.0, inputs) if is_masked else inputs, length)
    if settings.features != "waveform":
        hidden = build_frontend(length, settings)(hidden)
        if is_masked:
            hidden = _mark_padding(hidden, _pad_or_cut(is_sample, length), length, settings)
    novelty = read_novelty(path, described.novelty)
    if novelty is None:
        return keras.Model(inputs, model(hidden), name="from_samples")
    predictions, embedding = predict_and_embed(model, where=str(path))(hidden)
    return keras.Model(inputs, ops.concatenate([predictions, _NoveltyScore(novelty)(embedding)], axis=1), name="from_samples")


def _mark_padding(features: Any, is_sample: Any, length: int, settings: FeatureSettings) -> Any:
    """Return features (batch, n_frames, n_bins) with NaN in all frames after the end of a clip, as by `mark_padding`."""
    # A frame is part of the clip if the last sample that `count_frames` needs for it is; the first frame always is.
    last = np.arange(count_frames(length, settings)) * settings.hop_length + settings.n_fft % 2 - 1
    is_frame = ops.take(is_sample, np.maximum(last, 0), axis=1)
    return ops.where(is_frame[:, :, None] > 0, features, np.nan)


def _pad_or_cut(samples: Any, length: int) -> Any:
    """Return clips (batch, n_samples) that are zero-padded or cut to a length (samples)."""
    return ops.pad(samples, [[0, 0], [0, length]])[:, :length]


class _NoveltyScore(keras.Operation):  # type: ignore[misc]
    """The out-of-distribution score of `Novelty.of` as Keras operations: float32 (batch, n_features) to float32 (batch, 1)."""

    def __init__(self, novelty: Novelty) -> None:
        super().__init__(name=NOVELTY)
        self._novelty = novelty

    def call(self, embeddings: Any) -> Any:
        """Return the distance of each embedding to the n-th nearest training example, divided by the limit."""
        settings, reference = self._novelty.settings, ops.convert_to_tensor(self._novelty.embeddings)
        if settings.unit_length:
            embeddings, reference = _scale_to_unit_length(embeddings), _scale_to_unit_length(reference)
        squares = ops.sum(ops.square(embeddings[:, None, :] - reference[None]), axis=2)
        nearest, _ = ops.top_k(-squares, settings.neighbour)
        return ops.sqrt(-nearest[:, -1:]) / settings.limit

    def compute_output_spec(self, embeddings: Any) -> Any:
        return keras.KerasTensor((embeddings.shape[0], 1), "float32")


def _scale_to_unit_length(embeddings: Any) -> Any:
    norms = ops.sqrt(ops.sum(ops.square(embeddings), axis=1, keepdims=True))
    return embeddings / ops.where(norms > 0, norms, 1.0)
