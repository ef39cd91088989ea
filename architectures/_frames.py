"""Split waveforms into frames, for the architectures with inputs of shape (frames, samples, 1).

The frames of all sequences are moved into the batch axis and back, so that convolutions process each frame separately. A
``build`` whose shapes or options do not fit gets a SettingsError.
"""

from collections.abc import Sequence

import keras
from keras import ops

from architectures._checks import check_input
from architectures._sinc_conv import SMALLEST_RATE_HZ
from xval.base.errors import SettingsError

AXES = ("frames", "samples", "1")


def check_frames(architecture: str, input_shape: tuple[int, ...], output_shape: tuple[int, ...], shortest: int) -> None:
    """Check that an architecture can read sequences of frames and predict frame by frame.

    Args:
        architecture: ``__name__`` of the architecture's module.
        input_shape: Must be (n_frames, samples_per_frame, 1).
        output_shape: Must be (n_frames, n_classes).
        shortest: Smallest samples_per_frame.

    Raises:
        SettingsError: Other axes, several channels, too few samples in a frame, or other frames on the two sides.
    """
    name = architecture.rpartition(".")[2]
    check_input(architecture, input_shape, AXES)
    if input_shape[-1] != 1:
        raise SettingsError(
            f"architecture '{name}': received examples of shape {input_shape}; it reads one channel, (frames, samples, 1)."
        )
    if input_shape[1] < shortest:
        raise SettingsError(
            f"architecture '{name}': received examples of shape {input_shape} (frames, samples, 1); the smallest allowed "
            f"size is 1 x {shortest} (frames, samples). Make frames longer, or kernel_length shorter."
        )
    if len(output_shape) != 2 or output_shape[0] != input_shape[0]:
        raise SettingsError(
            f"architecture '{name}': received targets of shape {output_shape} for {input_shape[0]} frames; it answers frame by "
            f"frame, ({input_shape[0]}, n_classes). Set task_type to frame_classification, or choose another architecture."
        )


def check_filters(architecture: str, *, kernel_length: int, sample_rate_hz: int) -> None:
    """Check that SincConv can be made with these arguments.

    Args:
        architecture: ``__name__`` of the architecture's module.
        kernel_length: Taps of each filter.
        sample_rate_hz: Sample rate (Hz).

    Raises:
        SettingsError: kernel_length is even or below 3, or the sample rate leaves no bands.
    """
    name = architecture.rpartition(".")[2]
    if kernel_length < 3 or kernel_length % 2 == 0:
        raise SettingsError(
            f"architecture '{name}', option 'kernel_length': received {kernel_length}. Allowed: odd numbers of at least 3."
        )
    if sample_rate_hz < SMALLEST_RATE_HZ:
        allowed = f"{SMALLEST_RATE_HZ} Hz and more"
        raise SettingsError(f"architecture '{name}', option 'sample_rate_hz': received {sample_rate_hz}. Allowed: {allowed}.")


def shortest_input(windows: Sequence[tuple[int, int]]) -> int:
    """Return the smallest number of steps of which at least one is left after a chain of convolutions and poolings.

    Args:
        windows: (length, stride) of each convolution or pooling without padding, in the order of the layers.
    """
    n_steps = 1
    for length, stride in reversed(windows):
        n_steps = (n_steps - 1) * stride + length
    return n_steps


def merge_frames(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return the frames of all sequences in one batch axis: (batch, frames, samples, 1) to (batch * frames, samples, 1)."""
    return ops.reshape(x, (-1, *x.shape[2:]))


def split_frames(x: keras.KerasTensor, n_frames: int) -> keras.KerasTensor:
    """Return the frames in their sequences again, one vector each: (batch * frames, ...) to (batch, frames, n_values)."""
    n_values = 1
    for size in x.shape[1:]:
        n_values *= size
    return ops.reshape(x, (-1, n_frames, n_values))
