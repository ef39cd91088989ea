"""The front end: the first layers of a model that reads samples, which compute a spectrogram on the device.

It is a Keras model of Keras's own operations with the same output as preprocessing/features/extract.py, and is saved inside the
whole model.
"""

import math

import keras
import numpy as np
from keras import ops

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.spectrogram import SMALLEST_POWER, analysis_window, mel_filters


def build_frontend(n_samples: int | None, settings: FeatureSettings) -> keras.Model:
    """Build the front end.

    Args:
        n_samples: Length of the examples; None: any.
        settings: As of stored features: ``features`` is stft or logmel (see `FeatureSettings.spectral`).

    Returns:
        A model without trainable weights from float32 (batch, n_samples) to float32 (batch, n_frames, n_bins), in dB or
        linear as preprocessing/features/extract.py says. Frames are centred; ``db_reference = max`` and ``top_db`` refer to
        the largest value of each example.
    """
    inputs = samples = keras.Input((n_samples,), name="samples")
    if settings.pre_emphasis:
        samples = ops.concatenate([samples[:, :1], samples[:, 1:] - settings.pre_emphasis * samples[:, :-1]], axis=1)
    half = settings.n_fft // 2
    frames = ops.extract_sequences(ops.pad(samples, [[0, 0], [half, half]]), settings.n_fft, settings.hop_length)
    real, imaginary = ops.rfft(frames * analysis_window(settings))
    values = ops.square(real) + ops.square(imaginary)
    if settings.power != 2:
        # The gradient of a root is infinite at 0; nothing is learned here, but samples may be.
        values = ops.power(ops.maximum(values, SMALLEST_POWER**2), settings.power / 2)
    if settings.features == "logmel":
        filters = keras.layers.Dense(settings.n_mels, use_bias=False, trainable=False, dtype="float32", name="mel_filters")
        values = filters(values)
        filters.set_weights([mel_filters(settings)])
    if settings.scale == "db":
        values = _decibels(values, settings)
    return keras.Model(inputs, values, name="frontend")


def _decibels(values: keras.KerasTensor, settings: FeatureSettings) -> keras.KerasTensor:
    """Return 10 log10 of the power, as preprocessing/features/extract.py does."""
    factor = 20 / settings.power
    smallest = max(SMALLEST_POWER ** (settings.power / 2), float(np.finfo(np.float32).tiny))
    decibels = ops.log(ops.maximum(values, smallest)) * (factor / math.log(10))
    if settings.db_reference == "max":
        decibels = decibels - ops.max(decibels, axis=(1, 2), keepdims=True)
    elif settings.db_reference != 1:
        decibels = decibels - factor * math.log10(max(smallest, settings.db_reference))
    if settings.top_db is not None:
        decibels = ops.maximum(decibels, ops.max(decibels, axis=(1, 2), keepdims=True) - settings.top_db)
    return decibels
