"""SincConv, a convolution over a waveform whose filters are band-pass filters with two learned cut-off frequencies each.

A filter is the difference of two low-pass filters with a Hamming window, scaled so that its middle tap is 1 (gain about sample
rate / twice the bandwidth). Source: Ravanelli & Bengio 2018, "Speaker recognition from raw waveform with SincNet".

Input (batch, n_samples, 1), output (batch, n_steps, n_filters).
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

LOWEST_HZ = 50.0
"""No filter begins below (Hz)."""
NARROWEST_HZ = 50.0
"""No filter is narrower (Hz)."""
_FIRST_EDGE_HZ = 30.0
SMALLEST_RATE_HZ = 400
"""At lower sample rates no band is left between the lowest and the highest edge (Hz)."""


@keras.saving.register_keras_serializable(package="xval")
class SincConv(keras.layers.Layer):
    """Band-pass filters with learned cut-offs, low = 50 + |p1| and high = low + 50 + |p2| (Hz), limited to 50..rate / 2.

    The weights p1 and p2 are in kHz, so that with a usual learning rate of 0.001 a step of Adam changes a cut-off by about 1
    Hz. In Hz it would hardly change, and as a share of the sample rate it would jump by the width of a low filter. The initial
    values are the edges of n_filters bands of equal width in mel between 30 Hz and rate / 2 - 100 Hz. A cut-off that has
    reached rate / 2 has no gradient any more.

    Args:
        n_filters: Number of filters.
        kernel_length: Taps of each filter, odd.
        sample_rate_hz: Sample rate (Hz), 400 or more.
        padding: `valid` (n_samples - kernel_length + 1 steps) or `same` (n_samples steps, zeros beyond the ends).
        **kwargs: Arguments of every Keras layer: name, dtype.

    Input shape: (batch, n_samples, 1). Output shape: (batch, n_steps, n_filters), in the compute dtype; the filters are always
    computed in float32.

    Raises:
        ValueError: An argument is out of its range, or the input has more than one channel.
    """

    def __init__(
        self,
        n_filters: int = 80,
        kernel_length: int = 251,
        sample_rate_hz: int = 16000,
        *,
        padding: str = "valid",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if n_filters < 1:
            raise ValueError(f"n_filters must be 1 or more. Received: {n_filters}")
        if kernel_length < 3 or kernel_length % 2 == 0:
            raise ValueError(
                f"kernel_length must be odd and 3 or more, so that a filter has a middle. Received: {kernel_length}"
            )
        if sample_rate_hz < SMALLEST_RATE_HZ:
            raise ValueError(f"sample_rate_hz must be {SMALLEST_RATE_HZ} or more. Received: {sample_rate_hz}")
        if padding not in ("valid", "same"):
            raise ValueError(f"padding must be 'valid' or 'same'. Received: {padding!r}")
        self.n_filters = n_filters
        self.kernel_length = kernel_length
        self.sample_rate_hz = sample_rate_hz
        self.padding = padding
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: 1})
        half = np.arange(1, kernel_length // 2 + 1)
        # Angles per Hz of the taps right of the middle, and Hamming's weights of them; float32, (n_taps, 1).
        self._angles_per_hz = (2 * np.pi * half / sample_rate_hz).astype(np.float32)[:, np.newaxis]
        window = 0.54 + 0.46 * np.cos(2 * np.pi * half / (kernel_length - 1))
        self._window = window.astype(np.float32)[:, np.newaxis]

    def build(self, input_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002 - Keras's signature
        """Create the two weights of each filter (kHz), in float32 also with mixed precision."""
        edges_khz = mel_edges_hz(self.n_filters, self.sample_rate_hz) / 1000
        starts = {"low": edges_khz[:-1], "band": np.diff(edges_khz)}
        self._low, self._band = (
            self.add_weight(
                name=name,
                shape=(self.n_filters,),
                dtype="float32",
                initializer=lambda shape, dtype, values=values: ops.reshape(ops.convert_to_tensor(values, dtype), shape),
                autocast=False,
            )
            for name, values in starts.items()
        )

    def cutoffs_hz(self) -> tuple[Any, Any]:
        """Return the lower and the upper cut-off of each filter (Hz): two tensors, float32 (n_filters,)."""
        half_rate_hz = self.sample_rate_hz / 2
        low = ops.minimum(LOWEST_HZ + 1000 * ops.abs(self._low), half_rate_hz - NARROWEST_HZ)
        high = ops.minimum(low + NARROWEST_HZ + 1000 * ops.abs(self._band), half_rate_hz)
        return low, high

    def filters(self) -> Any:
        """Return the taps of the filters: a tensor, float32 (kernel_length, n_filters), whose middle row is 1."""
        low, high = self.cutoffs_hz()
        angles, window = ops.convert_to_tensor(self._angles_per_hz), ops.convert_to_tensor(self._window)
        right = (ops.sin(high * angles) - ops.sin(low * angles)) / (angles * (high - low)) * window
        return ops.concatenate([ops.flip(right, axis=0), ops.ones((1, self.n_filters), "float32"), right])

    def call(self, inputs: Any) -> Any:
        """Return the filtered samples, with a channel for each filter."""
        kernel = ops.expand_dims(ops.cast(self.filters(), self.compute_dtype), 1)
        return ops.conv(inputs, kernel, padding=self.padding, data_format="channels_last")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (batch, n_steps, n_filters)."""
        batch, n_samples, _ = input_shape
        if n_samples is not None and self.padding == "valid":
            n_samples -= self.kernel_length - 1
        return batch, n_samples, self.n_filters

    def get_config(self) -> dict[str, Any]:
        """Return the arguments with which the layer can be made again."""
        names = ("n_filters", "kernel_length", "sample_rate_hz", "padding")
        return super().get_config() | {name: getattr(self, name) for name in names}


def mel_edges_hz(n_filters: int, sample_rate_hz: int) -> NDArray[np.float64]:
    """Return the edges of bands of equal width in mel between 30 Hz and half the sample rate minus 100 Hz.

    Args:
        n_filters: Number of bands.
        sample_rate_hz: Sample rate (Hz).

    Returns:
        float64 (n_filters + 1,), Hz; mel = 2595 log10(1 + f / 700).
    """
    ends_mel = [2595 * math.log10(1 + hz / 700) for hz in (_FIRST_EDGE_HZ, sample_rate_hz / 2 - LOWEST_HZ - NARROWEST_HZ)]
    return np.asarray(700 * (10 ** (np.linspace(*ends_mel, n_filters + 1) / 2595) - 1), np.float64)
