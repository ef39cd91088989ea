"""Reverberation by impulse responses from a folder or of generated rooms; length and time of the direct sound do not change."""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.signal import oaconvolve

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._options import Folder, Share, draw_evenly, draw_file, root_mean_square
from augmentation.transforms._recordings import read_whole
from augmentation.transforms._shoebox import room_response

PROBABILITY: Annotated[Share, Field(description="Share of the copies with reverberation (0 to 1).")] = 0.5

Seconds = Annotated[float, Field(ge=0.05, le=2, allow_inf_nan=False)]
Metres = Annotated[float, Field(ge=1.5, le=30, allow_inf_nan=False)]

_HEIGHTS_M = (2.3, 3.5)
_WALL_DISTANCE_M = 0.5


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,  # noqa: ARG001 - the same for all transforms
    *,
    folder: Annotated[Folder, Field(description="Folder of impulse responses; none: generated rooms.")] = None,
    min_reverberation_s: Annotated[
        Seconds, Field(description="Generated rooms: shortest time in which the sound falls by 60 dB (s).")
    ] = 0.15,
    max_reverberation_s: Annotated[Seconds, Field(description="Longest such time (s).")] = 0.6,
    min_room_m: Annotated[Metres, Field(description="Shortest side of the floor of a generated room (m).")] = 3,
    max_room_m: Annotated[Metres, Field(description="Longest side (m).")] = 8,
    min_wet: Annotated[Share, Field(description="Smallest share of the reverberant sound in the copy (0 to 1).")] = 0.2,
    max_wet: Annotated[Share, Field(description="Largest share (0 to 1).")] = 0.7,
) -> Parameters:
    """Draw the room and the share of its sound.

    Returns:
        wet; and response (a file), or reverberation_s, room_m, source_m, microphone_m (three lengths each).
    """
    wet = draw_evenly(rng, min_wet, max_wet)
    if folder is not None:
        return {"wet": wet, "response": draw_file(rng, folder)}
    room_m = [*rng.uniform(min_room_m, max_room_m, 2), rng.uniform(*_HEIGHTS_M)]
    places_m = [[rng.uniform(_WALL_DISTANCE_M, side - _WALL_DISTANCE_M) for side in room_m] for _ in range(2)]
    return {
        "wet": wet,
        "reverberation_s": draw_evenly(rng, min_reverberation_s, max_reverberation_s),
        "room_m": [float(side) for side in room_m],
        "source_m": [float(length) for length in places_m[0]],
        "microphone_m": [float(length) for length in places_m[1]],
    }


def apply(
    samples: Samples,
    sample_rate_hz: int,
    *,
    wet: float,
    response: str | None = None,
    reverberation_s: float = 0.0,
    room_m: list[float] | None = None,
    source_m: list[float] | None = None,
    microphone_m: list[float] | None = None,
) -> Samples:
    """Return samples with reverberation, float32 (n_samples,).

    Both parts are scaled to the same root mean square, and then added with the shares 1 - wet and wet.
    """
    if response is not None:
        whole = read_whole(Path(response), sample_rate_hz)
        room = whole[np.abs(whole).argmax() :]
    else:
        room = room_response(sample_rate_hz, reverberation_s, room_m or [], source_m or [], microphone_m or [])
    reverberant = oaconvolve(samples, room)[: samples.size]
    level = root_mean_square(reverberant)
    if not level:
        return samples
    mixed: Samples = ((1 - wet) * samples + wet * root_mean_square(samples) / level * reverberant).astype(np.float32)
    return mixed
