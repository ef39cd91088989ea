"""Compute the embeddings of all clips of a dataset in parts that are stored, so that an interrupted run continues.

Clips are read in several processes. A network embeds them in batches in a separate process; an embedder that is not a network
runs in the processes that read. For a clip that cannot be embedded, the reason is returned.
"""

import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.embeddings.embedder import chosen_layers, is_network, load_embedder
from preprocessing.embeddings.examples import Pieces, batch_size, embed_pieces
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import ClipExamples
from preprocessing.file_replacement import replace_file
from preprocessing.parallel import Progress, Task, map_in_processes, own_process

# A part is written when it has this many clips, or this much audio; a stopped run loses at most one part.
_CLIPS_OF_PART = 256
_SECONDS_OF_PART = 300
# An embedder that is no network takes longer for a clip than reading it, so a process pays off for this few clips.
_CLIPS_OF_PROCESS = 16
_DAMAGE = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile)

Outcome = ClipExamples | str


@dataclass
class Work:
    """How much this run has embedded so far, without the parts of an earlier run.

    Attributes:
        audio_s: Length of the embedded audio (s).
        seconds: Wall-clock time with all processes together (s): for a network the time of embedding; for other embedders also
            that of reading, because the same processes do both.
        n_layers: Number of layers that are stored.
        device: Device of the embedder.
    """

    audio_s: float = 0.0
    seconds: float = 0.0
    n_layers: int = 1
    device: str = ""

    @property
    def seconds_per_hour(self) -> float | None:
        """Wall-clock time per hour of audio (s); None: nothing was embedded."""
        return 3600 * self.seconds / self.audio_s if self.audio_s else None


def embed_clips(
    clips: Sequence[Task],
    durations_s: Sequence[float],
    read: Callable[[Task], Pieces | str],
    settings: FeatureSettings,
    n_samples: int | None,
    parts_folder: Path,
    work: Work,
    *,
    n_processes: int = 1,
    progress: Progress | None = None,
) -> Generator[Outcome, None, None]:
    """Yield the examples of each clip, or the reason why there are none.

    Args:
        clips: The argument of `read` for each clip.
        durations_s: Length of each clip (s).
        read: Function at the top level of a module that returns the pieces of a clip at ``settings.sample_rate_hz``, or the
            reason why it cannot be used.
        settings: Settings of the features, with the sample rate of the embedder.
        n_samples: Length of a clip with as many frames as each example has (samples), as for `embed_pieces`.
        parts_folder: Folder in which parts are stored; the caller removes it when all examples are stored elsewhere.
        work: Updated with the amount of audio embedded and the time for it.
        n_processes: Number of processes that read; 1: everything is done in this process. Otherwise a network embeds in one
            more process, so that its device and memory are free afterwards; other embedders run in the processes that read.
        progress: Called with the number of clips that are done.

    Raises:
        OSError: The disk is full or not writable.
    """
    bounds = _parts(durations_s)
    known = {first: _read_part(parts_folder / _name(first), stop - first) for first, stop in bounds}
    todo = [clip for first, stop in bounds if known[first] is None for clip in clips[first:stop]]
    made: Generator[Any, None, None]
    if in_one := is_network(settings):
        made = map_in_processes(read, todo, n_processes=n_processes)
    else:
        read_and_embed = partial(_read_and_embed, read=read, settings=settings, n_samples=n_samples)
        worth = min(n_processes, -(-len(todo) // _CLIPS_OF_PROCESS))
        made = map_in_processes(read_and_embed, todo, n_processes=worth, smallest_parallel=1)
    with own_process() if in_one and n_processes > 1 else nullcontext(_call) as call, closing(made):
        work.n_layers, work.device = call(_describe, settings)
        for first, stop in bounds:
            outcomes = known.pop(first)
            if outcomes is None:
                part_pieces = islice(made, stop - first)
                outcomes = _embed(list(part_pieces), settings, n_samples, call, work) if in_one else _gather(part_pieces, work)
                replace_file(parts_folder / _name(first), partial(_write_part, outcomes))
            for number, outcome in enumerate(outcomes, start=first + 1):
                yield outcome
                if progress is not None:
                    progress(number, len(clips))


def _read_and_embed(
    clip: Task, *, read: Callable[[Task], Pieces | str], settings: FeatureSettings, n_samples: int | None
) -> tuple[Outcome, float]:
    """Return the examples of a clip or why there are none, and the length of the embedded audio (s)."""
    alone = Work()
    (outcome,) = _embed([read(clip)], settings, n_samples, _call, alone)
    return outcome, alone.audio_s


def _gather(made: Iterable[tuple[Outcome, float]], work: Work) -> list[Outcome]:
    began = time.perf_counter()
    outcomes = []
    for outcome, audio_s in made:
        outcomes.append(outcome)
        work.audio_s += audio_s
    work.seconds += time.perf_counter() - began
    return outcomes


def _embed(
    pieces: list[Pieces | str], settings: FeatureSettings, n_samples: int | None, call: Callable[..., Any], work: Work
) -> list[Outcome]:
    """Embed the clips of a part; pieces of equal length form batches, also across clips."""
    pieces_by_length: dict[int, list[tuple[int, int, NDArray[np.float32]]]] = defaultdict(list)
    for clip, cut in enumerate(pieces):
        for piece, samples in enumerate(() if isinstance(cut, str) else cut.samples):
            pieces_by_length[samples.size].append((clip, piece, samples))
    embedded: dict[tuple[int, int], NDArray[np.float32]] = {}
    began = time.perf_counter()
    for length, alike in pieces_by_length.items():
        size = batch_size(length, settings.sample_rate_hz)
        for batch in (alike[first : first + size] for first in range(0, len(alike), size)):
            made = call(embed_pieces, np.stack([samples for *_, samples in batch]), settings, n_samples)
            embedded.update(
                {(clip, piece): piece_embedding for (clip, piece, _), piece_embedding in zip(batch, made, strict=True)}
            )
            work.audio_s += len(batch) * length / settings.sample_rate_hz
    work.seconds += time.perf_counter() - began
    return [cut if isinstance(cut, str) else _join(cut, clip, embedded) for clip, cut in enumerate(pieces)]


def _join(cut: Pieces, clip: int, embedded: dict[tuple[int, int], NDArray[np.float32]]) -> Outcome:
    predictors = np.stack([embedded[clip, piece] for piece in range(len(cut.samples))])
    if not np.isfinite(predictors).all():
        return "its embedding is NaN or infinite."
    return ClipExamples(predictors, cut.start_s, cut.end_s)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _describe(settings: FeatureSettings) -> tuple[int, str]:
    embedder = load_embedder(settings)
    return len(chosen_layers(settings, embedder.n_layers)), embedder.device


def _parts(durations_s: Sequence[float]) -> list[tuple[int, int]]:
    """Return the first clip of each part, and the first clip after it."""
    bounds, first, held_s = [], 0, 0.0
    for number, duration_s in enumerate(durations_s, start=1):
        held_s += duration_s
        if number - first >= _CLIPS_OF_PART or held_s >= _SECONDS_OF_PART or number == len(durations_s):
            bounds.append((first, number))
            first, held_s = number, 0.0
    return bounds


def _name(first: int) -> str:
    return f"{first:09d}.npz"


def _write_part(outcomes: list[Outcome], path: Path) -> None:
    made = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    columns: dict[str, Any] = {name: np.concatenate([getattr(outcome, name) for outcome in made] or [[]]) for name in _COLUMNS}
    counts = np.array([0 if isinstance(outcome, str) else len(outcome.predictors) for outcome in outcomes], np.int64)
    reasons = np.array([outcome if isinstance(outcome, str) else "" for outcome in outcomes], np.str_)
    with path.open("wb") as file:
        np.savez(file, counts=counts, reasons=reasons, **columns)


_COLUMNS = ("predictors", "start_s", "end_s")


def _read_part(path: Path, n_clips: int) -> list[Outcome] | None:
    """Return the outcomes of the clips of a stored part; None: there is no such part, or it is damaged."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
            counts, reasons, columns = part["counts"], part["reasons"], [part[name] for name in _COLUMNS]
    except _DAMAGE:
        return None
    if len(counts) != n_clips or any(len(column) != counts.sum() for column in columns):
        return None
    stops = np.cumsum(counts)
    return [
        ClipExamples(*(column[stop - count : stop] for column in columns)) if count else str(reason)
        for count, stop, reason in zip(counts, stops, reasons, strict=True)
    ]
