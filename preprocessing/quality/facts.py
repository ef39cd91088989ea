"""Measure the facts about every clip of a dataset: first from the headers of the files, then from the decoded audio.

Each fact is a column of the list of clips. If a clip cannot be read, the columns ``broken`` and ``reason`` say why, and the
other clips are measured all the same.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.audio.lost_sound import shares_above
from preprocessing.audio.open import END_TOLERANCE_S, NotFetchedError
from preprocessing.audio.read import decode, read_header
from preprocessing.clips.facts import FileSegment, implausible_rates, list_segments
from preprocessing.parallel import Progress, map_in_processes
from preprocessing.quality.near_duplicates import fingerprint
from xval.base.errors import AudioError

MISSING, EMPTY, NOT_FETCHED, DOES_NOT_OPEN = "missing", "empty", "no audio yet", "does not open"
OUTSIDE, DOES_NOT_DECODE, NOT_FINITE = "outside its file", "does not decode", "NaN"
"""Values of the column ``broken``; it is null if the clip can be read."""

_TEXTS = {"subtype": "object", "longer": "object", "tracks": "object", "broken": "object", "reason": "object"}

HEADER_COLUMNS = ("duration_s", "sample_rate_hz", "n_channels", "subtype")
MEASURED_COLUMNS = ("peak_dbfs", "rms_dbfs", "dc_offset", "clipped_share", "kept_in_mean", "audio_hash")
_ARRAYS = ("fingerprint", "shares_above")

FLAT_TOP_SAMPLES = 3
"""Smallest number of equal successive samples at the highest or lowest value of a clip that may be a clipped (flat) top."""

# The largest value of 16 bits. Decoders of lossy files exceed it, and players clip there.
_FULL_SCALE = np.float32(1 - 2**-15)

# Quantisation also makes tops of equal samples, but round ones: the signal leaves them by at most four quantisation steps.
_ROUND_TOP_STEPS = 4
_LARGEST_GAIN = 16

# Extreme values below this (-40 dBFS) are not clipped, but quiet.
_SMALLEST_EXTREME = 0.01


def read_headers(
    clips: pd.DataFrame, audio_folder: Path, *, n_processes: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """Add the facts from the headers of the files; no audio is decoded.

    Args:
        clips: One row per clip: path, start_s and end_s are used.
        audio_folder: The folder to which paths are relative.
        n_processes: Number of processes that read.
        progress: Called with the number of files that have been read.

    Returns:
        The clips with duration_s (float64, of the clip or segment; NaN: not in the header), sample_rate_hz and n_channels
        (Int64), subtype (encoding of a sample), longer (text, if the file has more audio than its header says), tracks (text,
        if it has several sound tracks), broken and reason.
    """
    paths = list(dict.fromkeys(clips["path"]))
    files = [Path(audio_folder) / path for path in paths]
    headers = list(map_in_processes(_read_header, files, n_processes=n_processes, progress=progress))
    columns = [*HEADER_COLUMNS, "longer", "tracks", "broken", "reason"]
    table = pd.DataFrame(headers, index=pd.Index(paths), columns=columns).astype(
        {"duration_s": "float64", "sample_rate_hz": "Int64", "n_channels": "Int64", **_TEXTS}
    )
    facts = clips.reset_index(drop=True).join(table, on="path")
    for row, reason in implausible_rates(facts["sample_rate_hz"].where(facts["broken"].isna())).items():
        facts.loc[row, ["broken", "reason"]] = DOES_NOT_OPEN, reason
    file_s = facts["duration_s"].copy()
    start_s, end_s = facts["start_s"].fillna(0.0), facts["end_s"].fillna(file_s)
    outside = facts["broken"].isna() & ((start_s >= file_s) | (end_s > file_s + END_TOLERANCE_S))
    facts["duration_s"] = (np.fmin(end_s, file_s) - start_s).clip(lower=0)
    facts.loc[outside, "broken"] = OUTSIDE
    facts.loc[outside, "reason"] = [
        f"the segment from {start:g} s to {end:g} s is not inside the file ({length:g} s)"
        for start, end, length in zip(start_s[outside], end_s[outside], file_s[outside], strict=True)
    ]
    return facts


def measure(facts: pd.DataFrame, audio_folder: Path, *, n_processes: int = 1, progress: Progress | None = None) -> pd.DataFrame:
    """Decode every clip and add the facts about its audio; broken clips are not decoded.

    Args:
        facts: One row per clip, as `read_headers` returns them.
        audio_folder: The folder to which paths are relative.
        n_processes: Number of processes that decode.
        progress: Called with the number of clips that have been decoded.

    Returns:
        The facts with peak_dbfs, rms_dbfs (-inf for zeros), dc_offset (mean sample, full scale is 1) and audio_hash (as in the
        index of a dataset), all of the mean of the channels; fingerprint (float32 arrays, see `near_duplicates.fingerprint`);
        shares_above and kept_in_mean (see `preprocessing.audio.read.AudioFacts`); and clipped_share (share of the samples, 0 to
        1) of the worst channel. duration_s becomes that of the decoded audio.
    """
    readable = facts.index[facts["broken"].isna()]
    tasks = list_segments(facts.loc[readable], audio_folder)
    outcomes = list(map_in_processes(_measure, tasks, n_processes=n_processes, progress=progress, is_first_reading=True))
    columns = [*MEASURED_COLUMNS, *_ARRAYS, "duration_s", "broken", "reason"]
    measured = pd.DataFrame(outcomes, index=readable, columns=columns).astype({"broken": "object", "reason": "object"})
    added = facts.copy()
    for column in (*MEASURED_COLUMNS, *_ARRAYS):
        added[column] = measured[column]
    for column in ("duration_s", "broken", "reason"):
        added[column] = measured[column].combine_first(facts[column])
    numbers = [column for column in MEASURED_COLUMNS if column != "audio_hash"]
    return added.astype(dict.fromkeys([*numbers, "duration_s"], "float64"))


def clipped_share(samples: NDArray[np.float32]) -> float:
    """Return the share of the samples of a channel that are clipped, 0 to 1.

    Samples are clipped if they are in a flat top: a run of at least `FLAT_TOP_SAMPLES` equal samples at the highest or lowest
    value of the clip (values beyond full scale count as full scale), which the signal reaches or leaves with a jump. A top that
    is only rounded by quantisation has no such jump. Below full scale there must be at least two flat tops. This also finds
    clipping in recordings whose level was lowered later, but not if a lossy codec or a resampler has changed the tops.

    Args:
        samples: float32 (n_samples,), one channel, full scale is -1 to 1.
    """
    limited = np.clip(samples, -_FULL_SCALE, _FULL_SCALE)
    steps = np.abs(np.diff(limited))
    moving = steps[steps > 0]
    if not moving.size:
        return 0.0
    # After a gain, the smallest step is several units of the file's grid; in a pure tone, all steps may be large.
    grid = np.gcd.reduce(np.rint(np.clip(samples, -1, 1) * 2**23).astype(np.int64)) / 2**23
    round_top = _ROUND_TOP_STEPS * min(moving.min(), _LARGEST_GAIN * grid)
    n_clipped = 0
    for extreme in (limited.max(), limited.min()):
        if abs(extreme) < _SMALLEST_EXTREME:
            continue
        at_extreme = np.concatenate([[False], limited == extreme, [False]])
        edges = np.flatnonzero(at_extreme[1:] != at_extreme[:-1])
        first, behind = edges[::2], edges[1::2]
        jump_in = np.where(first > 0, np.abs(limited[first - 1] - extreme), 0)
        jump_out = np.where(behind < limited.size, np.abs(limited[np.minimum(behind, limited.size - 1)] - extreme), 0)
        is_flat = (behind - first >= FLAT_TOP_SAMPLES) & (np.maximum(jump_in, jump_out) > round_top)
        # In recordings with few bits, noise makes a single flat top now and then.
        if is_flat.sum() >= 2 or abs(extreme) == _FULL_SCALE:
            n_clipped += int((behind - first)[is_flat].sum())
    return n_clipped / limited.size


def _read_header(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            return {"broken": MISSING, "reason": "no such file"}
        if not path.stat().st_size:
            return {"broken": EMPTY, "reason": "the file is empty (0 bytes)"}
    except OSError as error:
        return {"broken": DOES_NOT_OPEN, "reason": f"cannot be opened ({error.strerror})"}
    try:
        header = read_header(path)
    except AudioError as error:
        kind = NOT_FETCHED if isinstance(error, NotFetchedError) else DOES_NOT_OPEN
        return {"broken": kind, "reason": _reason(error, path)}
    columns: dict[str, Any] = {column: getattr(header, column) for column in HEADER_COLUMNS}
    tracks = f"{header.n_tracks} sound tracks" if header.n_tracks > 1 else None
    columns |= {"longer": header.longer or None, "tracks": tracks}
    if not header.duration_s:
        columns |= {"broken": EMPTY, "reason": "contains no samples"}
    return columns


def _measure(clip: FileSegment) -> dict[str, Any]:
    try:
        read = partial(decode, clip.path, start_s=clip.start_s, end_s=clip.end_s)
        decoded = read(with_hash=True)
        share = clipped_share(decoded.samples)
        if decoded.n_channels > 1:
            # The mean of the channels may have no flat tops although a channel has.
            channels = (read(channel=number).samples for number in range(decoded.n_channels))
            share = max(map(clipped_share, channels))
    except AudioError as error:
        reason = _reason(error, clip.path)
        return {"broken": NOT_FINITE if "NaN" in reason else DOES_NOT_DECODE, "reason": reason}
    samples = decoded.samples
    return {
        "peak_dbfs": _dbfs(float(np.abs(samples).max())),
        "rms_dbfs": _dbfs(float(np.sqrt(np.square(samples, dtype=np.float64).mean()))),
        "dc_offset": float(samples.mean(dtype=np.float64)),
        "clipped_share": share,
        "kept_in_mean": decoded.kept_in_mean,
        "audio_hash": decoded.audio_hash,
        "fingerprint": fingerprint(samples, decoded.sample_rate_hz),
        "shares_above": shares_above(samples, decoded.sample_rate_hz),
        "duration_s": samples.size / decoded.sample_rate_hz,
    }


def _reason(error: AudioError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ").rstrip(".")


def _dbfs(amplitude: float) -> float:
    """Return an amplitude (full scale is 1) as a level in dB relative to full scale; -inf for 0."""
    return 20 * float(np.log10(amplitude)) if amplitude else -np.inf
