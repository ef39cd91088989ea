"""The denoising-enhancement (DE) layer: a sum of the channels of a frame with learned weights that depend on the frame.

A small network, which all channels share, computes a score for each channel of a frame; the weights are the softmax of the
scores over the channels. Source: Greco, Roberto, Saggese & Vento 2021, "DENet: a deep architecture for audio surveillance
applications".
"""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="xval")
class DenoisingEnhancement(layers.Layer):
    """Weighted sum of the channels of a frame: y = sum of w_c x_c with w = softmax of g(x_c), g a network that they share.

    The network g: convolutions over the steps (ReLU), dense layers (ReLU), one number.

    Args:
        n_filters: Filters of each convolution.
        kernel_length: Kernel size of each convolution (steps).
        strides: Stride of each convolution.
        n_units: Units of each dense layer before the last.
        **kwargs: Arguments of every Keras layer: name, dtype.

    Input shape: (batch, n_steps, n_channels), both known. Output shape: (batch, n_steps, 1). The weights of the channels are
    computed in float32 under every dtype policy.

    Raises:
        ValueError: n_filters and strides differ in length, or a frame is too short for the convolutions.
    """

    def __init__(
        self,
        n_filters: tuple[int, ...] = (30, 30, 10),
        kernel_length: int = 7,
        strides: tuple[int, ...] = (2, 3, 3),
        n_units: tuple[int, ...] = (128, 64),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(n_filters) != len(strides):
            raise ValueError(f"n_filters and strides must have one entry per convolution. Received: {n_filters} and {strides}")
        self.n_filters = tuple(n_filters)
        self.kernel_length = kernel_length
        self.strides = tuple(strides)
        self.n_units = tuple(n_units)
        # Kernels of width 1 over the channels: each channel is processed separately, with the same weights.
        self._convolutions = [
            layers.Conv2D(
                filters,
                (kernel_length, 1),
                strides=(stride, 1),
                activation="relu",
                data_format="channels_last",
                dtype=self.dtype_policy,
            )
            for filters, stride in zip(self.n_filters, self.strides, strict=True)
        ]
        self._hidden = [layers.Dense(units, activation="relu", dtype=self.dtype_policy) for units in self.n_units]
        self._score = layers.Dense(1, dtype="float32")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of the shared network."""
        _, n_steps, n_channels = input_shape
        if n_steps is None or n_channels is None:
            raise ValueError(f"the number of steps and of channels must be known. Received: input_shape={input_shape}")
        shape: tuple[int | None, ...] = (None, n_steps, n_channels, 1)
        for convolution in self._convolutions:
            if shape[1] < self.kernel_length:
                raise ValueError(
                    f"a frame of {n_steps} steps is too short for convolutions of {self.kernel_length} steps with strides "
                    f"{self.strides}"
                )
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
        shape = (None, n_channels, shape[1] * shape[3])
        for dense in (*self._hidden, self._score):
            dense.build(shape)
            shape = dense.compute_output_shape(shape)

    def channel_weights(self, inputs: Any) -> Any:
        """Return the weights of the channels of each frame: a tensor, float32 (batch, n_channels), whose rows sum to 1."""
        x = ops.expand_dims(inputs, -1)
        for convolution in self._convolutions:
            x = convolution(x)
        x = ops.transpose(x, (0, 2, 1, 3))
        x = ops.reshape(x, (-1, x.shape[1], x.shape[2] * x.shape[3]))
        for dense in self._hidden:
            x = dense(x)
        return ops.softmax(ops.squeeze(self._score(x), -1), axis=-1)

    def call(self, inputs: Any) -> Any:
        """Return the weighted sum of the channels."""
        weights = ops.cast(self.channel_weights(inputs), self.compute_dtype)
        return ops.matmul(inputs, ops.expand_dims(weights, -1))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (batch, n_steps, 1)."""
        return (*input_shape[:-1], 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments with which the layer can be made again."""
        names = ("n_filters", "kernel_length", "strides", "n_units")
        return super().get_config() | {name: getattr(self, name) for name in names}
