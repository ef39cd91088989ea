"""Write the files of one source, its unchanged copy and its augmented ones, and describe them for augmented.csv.

A file that exists is kept, because files are written atomically, all files of a folder have the same settings, and the copies
of a source that was replaced have been removed. The parameters of a kept copy are drawn again, without being used, so that its
row is complete.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from augmentation.chain import PEAK, apply_steps, draw_steps, peak_of, scale_to_peak
from augmentation.offline_settings import AugmentationSettings
from augmentation.recordings import refuse_equal
from augmentation.transforms import Samples
from preprocessing.audio.read import SILENCE_PEAK_DBFS, decode
from preprocessing.clips.listing import copy_name
from preprocessing.clips.output_folder import read_size, write_wav
from xval.base.errors import AudioError

# Below some 34 Hz a step of the time stretcher has no samples, and it would never end.
_LOWEST_RATE_HZ = 100


@dataclass(frozen=True)
class CopyTask:
    """One source and the copies to make.

    Attributes:
        source: Its path, relative to the input folder, posix.
        files: Its unchanged copy and its augmented ones, as `output_paths` gives them.
        input_folder: The folder of the source.
        output_folder: The folder for its copies.
        seed: Seed of the run.
        settings: The augmentation settings.
        recordings: The recordings that are mixed into copies, by audio hash.
    """

    source: str
    files: tuple[str, ...]
    input_folder: Path
    output_folder: Path
    seed: int
    settings: AugmentationSettings
    recordings: Mapping[str, Path]


@dataclass(frozen=True)
class CopyOutcome:
    """The outcome for one source.

    Attributes:
        source: Its path, relative to the input folder.
        rows: A row of augmented.csv per copy, in the order of its columns.
        n_made: Number of files written now.
        reason: Why there are no copies; None: there are copies.
    """

    source: str
    rows: tuple[tuple[object, ...], ...] = ()
    n_made: int = 0
    reason: str | None = None


def output_paths(unchanged_copy: str, n_copies: int) -> tuple[str, ...]:
    """Return the files of a source, relative to the output folder: the unchanged copy, then the augmented ones."""
    unchanged = PurePosixPath(unchanged_copy)
    copies = (unchanged.with_name(copy_name(unchanged.stem, number)) for number in range(1, n_copies + 1))
    return (unchanged.as_posix(), *(path.as_posix() for path in copies))


def make_copies(task: CopyTask) -> CopyOutcome:
    """Write the missing files of one source."""
    try:
        return _make_copies(task)
    except AudioError as error:
        return CopyOutcome(task.source, reason=str(error))


def _make_copies(task: CopyTask) -> CopyOutcome:
    """Write the missing files, and return a row per copy."""
    source = task.input_folder / task.source
    names = task.files
    sizes = [read_size(task.output_folder / name) for name in names]
    n_kept = sum(size is not None for size in sizes)
    samples: Samples | None = None
    if n_kept < len(names):
        samples, rate_hz = _read_normalised(source, task.recordings)
        if sizes[0] is None:
            write_wav(task.output_folder / names[0], samples, rate_hz)
        n_samples = samples.size
    else:
        n_samples, rate_hz = sizes[0] or (0, 0)
    rows = []
    for number, (name, size) in enumerate(zip(names[1:], sizes[1:], strict=True), start=1):
        steps = draw_steps(task.settings, seed=task.seed, path=task.source, copy=number, sample_rate_hz=rate_hz)
        if size is None and samples is not None:
            copy = apply_steps(samples, rate_hz, steps)
            if not np.isfinite(copy).all():
                raise AudioError(f"{source}: {', '.join(step.name for step in steps)} made NaN or infinite samples.")
            write_wav(task.output_folder / name, copy, rate_hz)
            size = (copy.size, rate_hz)
        parameters = json.dumps({step.name: step.parameters for step in steps})
        time_factor = (size[0] if size else 0) / n_samples
        rows.append((name, names[0], number, time_factor, ";".join(step.name for step in steps), parameters, task.seed))
    return CopyOutcome(task.source, tuple(rows), len(names) - n_kept)


def _read_normalised(source: Path, recordings: Mapping[str, Path]) -> tuple[Samples, int]:
    """Return the samples of a source, scaled to the common peak of all files, and their rate."""
    decoded = decode(source, with_hash=True)
    if peak_of(decoded.samples) < 10 ** (SILENCE_PEAK_DBFS / 20):
        raise AudioError(f"{source}: silent, every sample is below {SILENCE_PEAK_DBFS:g} dBFS.")
    if decoded.sample_rate_hz < _LOWEST_RATE_HZ:
        raise AudioError(f"{source}: {decoded.sample_rate_hz} Hz; expected at least {_LOWEST_RATE_HZ} Hz.")
    refuse_equal(recordings, source, decoded.audio_hash or "")
    return scale_to_peak(decoded.samples, PEAK), decoded.sample_rate_hz
