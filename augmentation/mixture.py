"""Make one mixture: a wav file with a background and events, and the rows of its annotation."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from augmentation.chain import PEAK, peak_of, scale_to_peak
from augmentation.mixing import Mixture, Placed
from augmentation.transforms import Samples
from augmentation.transforms._options import root_mean_square
from preprocessing.audio.read import SILENCE_PEAK_DBFS, read_audio
from preprocessing.clips.output_folder import read_size, write_wav
from xval.base.errors import AudioError

BACKGROUND_LABEL = "background"
ANNOTATION_COLUMNS = (
    "path", "start_s", "end_s", "label", "item", "source", "source_start_s", "background", "background_start_s", "snr_db",
)  # fmt: skip
"""path, source, background: paths relative to the folders of the mixtures, events and backgrounds; source_start_s and
background_start_s: start of the row's segment in source and background (s). Rows with the label background have no source and
    no snr_db."""

# Length of the fade at the edges of an event, which prevents clicks (s).
_FADE_S = 0.005
# A shorter segment between two events gets no separate row.
_SHORTEST_BACKGROUND_S = 0.1


def make_mixture(
    mixture: Mixture, *, events_folder: Path, backgrounds_folder: Path, output_folder: Path
) -> tuple[bool, str | None]:
    """Write a mixture unless it exists; return whether it was written now, and why it cannot be made (None: it can)."""
    path = output_folder / mixture.path
    if read_size(path) is not None:
        return False, None
    try:
        write_wav(path, mix(mixture, events_folder, backgrounds_folder), mixture.sample_rate_hz)
    except AudioError as error:
        return False, str(error)
    return True, None


def mix(mixture: Mixture, events_folder: Path, backgrounds_folder: Path) -> Samples:
    """Return the samples of a mixture.

    The background keeps its level. Every event is scaled so that the ratio of its root mean square to that of the background at
    its place is its ``snr_db``. If the sum would clip, the whole mixture is scaled down.

    Args:
        mixture: The plan of the mixture.
        events_folder: The folder to which the paths of events are relative.
        backgrounds_folder: The folder to which the path of the background is relative.

    Returns:
        float32 (n_samples,), full scale is -1 to 1.

    Raises:
        AudioError: A file cannot be decoded, or an event or the background at its place is silent.
    """
    excerpt, rate_hz = mixture.background, mixture.sample_rate_hz
    source = backgrounds_folder / excerpt.path
    samples, _ = read_audio(source, sample_rate_hz=rate_hz, start_s=excerpt.start_s, end_s=excerpt.end_s)
    background = _fit(samples, mixture.n_samples)
    mixed = background.copy()
    for placed in mixture.events:
        part = slice(placed.first_sample, placed.first_sample + placed.n_samples)
        event = _read_event(placed, events_folder, rate_hz)
        level, level_beneath = root_mean_square(event), root_mean_square(background[part])
        if min(level, level_beneath) < 10 ** (SILENCE_PEAK_DBFS / 20):
            silent = events_folder / placed.event.path if level < level_beneath else source
            raise AudioError(f"{silent}: silent where {mixture.path} needs it, so its signal-to-noise ratio is undefined.")
        mixed[part] += event * np.float32(level_beneath / level * 10 ** (placed.snr_db / 20))
    return scale_to_peak(mixed, PEAK) if peak_of(mixed) > PEAK else mixed


def annotation_rows(mixture: Mixture) -> list[tuple[object, ...]]:
    """Return the rows of a mixture with the columns `ANNOTATION_COLUMNS`: events and the segments between them, by time.

    Overlapping events, which are cut out as one, have a row each, with the ratio of the whole.
    """
    rate_hz, excerpt = mixture.sample_rate_hz, mixture.background

    def row(
        begin_s: float, end_s: float, label: str, source: object, source_start_s: object, snr_db: object
    ) -> tuple[object, ...]:
        beneath = (excerpt.path, excerpt.start_s + begin_s)
        return (mixture.path, begin_s, end_s, label, mixture.item, source, source_start_s, *beneath, snr_db)

    rows = []
    for placed in mixture.events:
        begin_s, stop_s = (edge / rate_hz for edge in _edges(placed))
        for part in placed.event.annotated():
            end_s = stop_s if part.end_s == placed.event.end_s else begin_s + part.end_s - placed.event.start_s
            part_begin_s = begin_s + (part.start_s - placed.event.start_s)
            rows.append(row(part_begin_s, min(end_s, stop_s), part.label, part.path, part.start_s, placed.snr_db))
    edges = [0, *(edge for placed in mixture.events for edge in _edges(placed)), mixture.n_samples]
    for first, stop in list(pairwise(edges))[::2]:
        if stop - first >= _SHORTEST_BACKGROUND_S * rate_hz:
            rows.append(row(first / rate_hz, stop / rate_hz, BACKGROUND_LABEL, "", "", ""))
    return sorted(rows, key=lambda row: (row[1], row[2]))


def _edges(placed: Placed) -> tuple[int, int]:
    return placed.first_sample, placed.first_sample + placed.n_samples


def _read_event(placed: Placed, folder: Path, rate_hz: int) -> Samples:
    """Return the samples of an event with faded edges: float32 (n_samples,)."""
    event = placed.event
    samples, _ = read_audio(folder / event.path, sample_rate_hz=rate_hz, start_s=event.start_s, end_s=event.end_s)
    fitted = _fit(samples, placed.n_samples).copy()
    n_fade = min(round(_FADE_S * rate_hz), placed.n_samples // 2)
    if n_fade:
        fade = (0.5 - 0.5 * np.cos(np.pi * (np.arange(n_fade) + 0.5) / n_fade)).astype(np.float32)
        fitted[:n_fade] *= fade
        fitted[-n_fade:] *= fade[::-1]
    return fitted


def _fit(samples: Samples, n_samples: int) -> Samples:
    """Return samples cut or padded with zeros to a length, from which resampling and rounding differ by a few samples."""
    return np.pad(samples, (0, max(0, n_samples - samples.size)))[:n_samples]
