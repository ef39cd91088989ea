"""Simulate other speakers and recorders in training: vocal-tract length, speed, Freq-MixStyle.

Examples are normalised features; `xval.training.augmentation` inserts the layer. Both warps are linear interpolations along one
axis, at positions that differ between examples; beyond the ends of the axis, its first and last value continue.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy import special

from preprocessing.features.feature_settings import FeatureSettings
from xval.training.random_layer import RandomLayer, whole_numbers

N_FACTORS = 41
"""Number of vocal-tract lengths from which one is drawn."""

_HIGHEST_FORMANT_HZ = 4800.0  # from Jaitly & Hinton; formants are below it
_N_QUANTILES = 1001
_SMALLEST_DEVIATION = 1e-3


def warped_bins(settings: FeatureSettings, n_bins: int, factors: Iterable[float]) -> NDArray[np.float32]:
    """Return the source position of each bin of a spectrum whose frequencies are multiplied by a factor.

    Source: Jaitly & Hinton, "Vocal tract length perturbation (VTLP) improves speech recognition", ICML workshop 2013.

    Args:
        settings: The settings features, sample_rate_hz, mel_scale, fmin_hz and fmax_hz are used.
        n_bins: Number of bins of the spectrum.
        factors: The factors, each above 0. Frequencies up to a bound are multiplied by the factor; those above it are mapped
            linearly so that half the sample rate stays. The bound is 4800 Hz, as in the paper, but at most 80 % of half the
            sample rate.

    Returns:
        float32 (n_factors, n_bins), positions from 0 to n_bins - 1.
    """
    import librosa  # here, because it takes a second and most experiments warp nothing

    top_hz = settings.sample_rate_hz / 2
    is_mel = settings.features != "stft" and settings.frontend != "stft"
    htk = settings.mel_scale == "htk"
    if is_mel:
        fmax_hz = top_hz if settings.fmax_hz is None else settings.fmax_hz
        centres_hz = librosa.mel_frequencies(n_bins + 2, fmin=settings.fmin_hz, fmax=fmax_hz, htk=htk)[1:-1]
    else:
        centres_hz = np.linspace(0, top_hz, n_bins)
    scale = (lambda hz: librosa.hz_to_mel(hz, htk=htk)) if is_mel else np.asarray
    positions = []
    for factor in factors:
        bound_hz = min(_HIGHEST_FORMANT_HZ, 0.8 * top_hz) * min(factor, 1)
        warped_hz = np.interp(centres_hz, [0, bound_hz / factor, top_hz], [0, bound_hz, top_hz])
        positions.append(np.interp(scale(warped_hz), scale(centres_hz), np.arange(n_bins)))
    return np.asarray(positions, np.float32)


@keras.saving.register_keras_serializable(package="xval")
class SpeakerAugmentation(RandomLayer):
    """Apply Freq-MixStyle, another vocal-tract length and another speed, in this order, to each example at random.

    Input and output: float32 (batch, n_frames, n_bins); n_frames may be unknown.

    Args:
        mixstyle: Probability that an example gets part of the style of another one of its batch: mean and standard deviation
            over the frames of each bin become share * own + (1 - share) * the other's, with a share from Beta(alpha, alpha)
            (Kim et al., "Domain generalization on efficient acoustic scene classification using residual normalization", 2021;
            Schmid et al., "Efficient acoustic scene classification with CP-Mobile", 2023; there, for a whole batch).
        mixstyle_alpha: The parameter alpha, above 0. If it is small, most styles are almost those of one of the two examples.
        bins: float32 (n_factors, n_bins), from `warped_bins`, of which one row is drawn; None: the vocal tract does not change.
        speed: Below 1; the speed changes by a factor drawn from 1 - speed to 1 + speed, around a random frame that stays (Ko et
            al., "Audio augmentation for speech recognition", Interspeech 2015, but without a change of pitch).
    """

    def __init__(
        self,
        *,
        mixstyle: float = 0.0,
        mixstyle_alpha: float = 0.3,
        bins: NDArray[np.float32] | None = None,
        speed: float = 0.0,
        seed: int,
        **keywords: Any,
    ) -> None:
        super().__init__(seed=seed, **keywords)
        self.mixstyle, self.speed = mixstyle, speed
        self._quantiles = _beta_quantiles(mixstyle_alpha) if mixstyle else None
        self._bins = bins

    def change(self, examples: Any) -> Any:
        """Return changed examples, float32 (batch, n_frames, n_bins)."""
        if self.mixstyle:
            examples = self._styled(examples)
        if self._bins is not None:
            chosen = whole_numbers(self.shares(examples, 1), len(self._bins) - 1)
            rows = ops.take(ops.convert_to_tensor(self._bins), ops.cast(chosen[:, 0], "int32"), axis=0)
            examples = ops.matmul(examples, ops.swapaxes(_weights(rows, examples.shape[2]), 1, 2))
        if self.speed:
            n_frames = ops.shape(examples)[1]
            last = ops.cast(n_frames, "float32") - 1
            factor = 1 + self.speed * (2 * self.shares(examples, 1) - 1)
            fixed = last * self.shares(examples, 1)
            positions = ops.clip(fixed + factor * (ops.arange(n_frames, dtype="float32") - fixed), 0.0, last)
            examples = ops.matmul(_weights(positions, n_frames), examples)
        return examples

    def _styled(self, examples: Any) -> Any:
        mean, deviation = ops.mean(examples, axis=1, keepdims=True), ops.std(examples, axis=1, keepdims=True)
        deviation = ops.maximum(deviation, _SMALLEST_DEVIATION)
        partner = ops.argsort(self.shares(examples, 1)[:, 0])
        place = self.shares(examples) * (_N_QUANTILES - 1)
        below = ops.floor(place)
        quantiles = ops.convert_to_tensor(self._quantiles)
        low, high = (ops.take(quantiles, ops.cast(below, "int32") + step, axis=0) for step in (0, 1))
        share = low + (place - below) * (high - low)
        share = ops.where(self.shares(examples) < self.mixstyle, share, 1.0)
        new_mean, new_deviation = (
            share * values + (1 - share) * ops.take(values, partner, axis=0) for values in (mean, deviation)
        )
        return (examples - mean) / deviation * new_deviation + new_mean


def _beta_quantiles(alpha: float) -> NDArray[np.float32]:
    """Return the inverse of the distribution function of Beta(alpha, alpha) at equal steps, float32 (n_quantiles + 1,)."""
    quantiles = special.betaincinv(alpha, alpha, np.linspace(0, 1, _N_QUANTILES))
    return np.append(quantiles, 1).astype(np.float32)


def _weights(positions: Any, n_values: Any) -> Any:
    """Return the weights of linear interpolation, float32 (batch, n_positions, n_values), at positions (batch, n_positions)."""
    distance = ops.abs(ops.expand_dims(positions, 2) - ops.arange(n_values, dtype="float32"))
    return ops.maximum(1 - distance, 0.0)
