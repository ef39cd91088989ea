"""Impulse response of a box-shaped room, by the image-source method.

Sources: Allen and Berkley 1979, "Image method for efficiently simulating small-room acoustics", JASA 65; the absorption of the
walls follows from the reverberation time by Eyring's formula (JASA 1, 1930).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from augmentation.transforms import Samples

_SPEED_OF_SOUND_M_PER_S = 343.0
_EYRING_S_PER_M = 0.161

# Reflections are computed until the sound has fallen by 40 dB, because the number of images grows with the cube of the time.
_FOLLOWED_SHARE = 40 / 60

# All images have the same sign, which adds up at low frequencies; as in the 1979 paper, a high pass removes that.
_HIGH_PASS_HZ = 100.0


def room_response(
    sample_rate_hz: int,
    reverberation_s: float,
    room_m: Sequence[float],
    source_m: Sequence[float],
    microphone_m: Sequence[float],
) -> Samples:
    """Return the impulse response between two points of a room.

    Args:
        sample_rate_hz: Sample rate of the response (Hz).
        reverberation_s: Time in which the sound falls by 60 dB (s).
        room_m: Length, width and height (m).
        source_m: Position of the source, relative to a lower corner (m).
        microphone_m: Position of the microphone, relative to the same corner (m).

    Returns:
        float32 (n_samples,), about two thirds of the reverberation time. The direct sound is its first sample, 1.
    """
    length, width, height = room_m
    surface_m2 = 2 * (length * width + length * height + width * height)
    # Eyring: 1 - absorption = exp(-0.161 V / (S T)); amplitudes fall with its root at every wall.
    reflection = math.exp(-_EYRING_S_PER_M * length * width * height / (surface_m2 * reverberation_s) / 2)
    direct_m = math.dist(source_m, microphone_m)
    longest_m = direct_m + _SPEED_OF_SOUND_M_PER_S * reverberation_s * _FOLLOWED_SHARE
    axes = [
        _axis_images(side, source, microphone, longest_m)
        for side, source, microphone in zip(room_m, source_m, microphone_m, strict=True)
    ]
    (squares_x, bounces_x), (squares_y, bounces_y), (squares_z, bounces_z) = axes
    plane_m2, plane_bounces = np.add.outer(squares_x, squares_y).ravel(), np.add.outer(bounces_x, bounces_y).ravel()
    response = np.zeros(math.ceil((longest_m - direct_m) / _SPEED_OF_SOUND_M_PER_S * sample_rate_hz) + 1)
    # One layer of images at a time, so that a long reverberation does not need all of them in memory.
    for square_m2, bounces in zip(squares_z, bounces_z, strict=True):
        is_near = plane_m2 + square_m2 < longest_m**2
        distances_m = np.sqrt(plane_m2[is_near] + square_m2)
        amplitudes = reflection ** (plane_bounces[is_near] + bounces) * (max(direct_m, 0.1) / np.maximum(distances_m, 0.1))
        delays = np.rint((distances_m - direct_m) / _SPEED_OF_SOUND_M_PER_S * sample_rate_hz).astype(np.int64)
        response += np.bincount(delays, amplitudes, minlength=response.size)
    response[0] -= 1
    if sample_rate_hz > 4 * _HIGH_PASS_HZ:
        response = sosfilt(butter(2, _HIGH_PASS_HZ, "highpass", fs=sample_rate_hz, output="sos"), response)
    response[0] += 1
    return response.astype(np.float32)


def _axis_images(
    side_m: float, source_m: float, microphone_m: float, longest_m: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the images of one axis: squared distances from the microphone (m2) and numbers of reflections."""
    reach = math.ceil(longest_m / (2 * side_m))
    rooms = np.arange(-reach, reach + 1)
    places_m = np.concatenate([2 * rooms * side_m + source_m, 2 * rooms * side_m - source_m])
    bounces = np.concatenate([np.abs(2 * rooms), np.abs(rooms - 1) + np.abs(rooms)])
    return (places_m - microphone_m) ** 2, bounces
