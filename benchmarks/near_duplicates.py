"""Near-duplicates among recordings: false pairs of a corpus, and the share of altered copies found. Prints the ratio last.

python benchmarks/near_duplicates.py [--quick] [FOLDER]    its .wav files, else generated speech; 3,000 digits take 4 minutes

Every file is taken for a recording of its own. A copy counts as found when its source is among the nearest fingerprints (or the
other way round) and their likeness is high enough, as `xval prepare --check` decides.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

from preprocessing.audio.read import read_audio, resample
from preprocessing.corpora._demo_speech import write_demo_speech
from preprocessing.quality import near_duplicates
from preprocessing.quality.near_duplicates import SMALLEST_LIKENESS, fingerprint, likeness

N_QUICK_FILES = 20
ENCODINGS = {"MP3": ("MP3", "MPEG_LAYER_III"), "Vorbis": ("OGG", "VORBIS"), "Opus": ("OGG", "OPUS")}


def copies(samples: NDArray[np.float32], rate_hz: int, rng: np.random.Generator) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield altered copies of a clip with what was done to them."""
    yield "12 dB louder, clipped", np.clip(samples * 10 ** (12 / 20), -1, 1)
    yield "12 dB softer, 16 bits", np.rint(samples * 10 ** (-12 / 20) * 2**15) / np.float32(2**15)
    for name, (container, subtype) in ENCODINGS.items():
        file = io.BytesIO()
        soundfile.write(file, samples, rate_hz, format=container, subtype=subtype)
        file.seek(0)
        yield name, soundfile.read(file, dtype="float32")[0]
    ahead, behind = rng.integers(0, round(0.2 * rate_hz), 2)
    yield "up to 0.2 s of zeros", np.pad(samples, (ahead, behind))
    yield "without the upper half of the band", resample(resample(samples, rate_hz, rate_hz // 2), rate_hz // 2, rate_hz)
    for cut_s in (0.02, 0.05):
        n_cut = round(cut_s * rate_hz)
        yield f"cut by {1000 * cut_s:.0f} ms at both ends", samples[n_cut : max(len(samples) - n_cut, n_cut + 1)]


def main(folder: Path, *, is_quick: bool) -> None:
    """Print the false pairs and, for each way of altering a copy, the share that is found."""
    paths = sorted(folder.glob("*.wav"))[: N_QUICK_FILES if is_quick else None]
    rng, rate_hz = np.random.default_rng(1), near_duplicates.RATE_HZ
    clips = [read_audio(path, sample_rate_hz=rate_hz)[0] for path in paths]
    begin = time.perf_counter()
    prints = np.stack([fingerprint(samples, rate_hz) for samples in clips])
    pairs = near_duplicates.find_candidates(pd.Series(list(prints)))
    peaks = [likeness(clips[first], clips[second]) for first, second in pairs]
    taken_s = time.perf_counter() - begin
    n_false = sum(peak >= SMALLEST_LIKENESS for peak in peaks)
    print(
        f"{len(clips)} files, {len(pairs)} candidates: {n_false} false pairs, likeness up to {max(peaks):.2f}; {taken_s:.1f} s"
    )
    cosines = prints @ prints.T
    np.fill_diagonal(cosines, 0)
    found: dict[str, list[bool]] = {}
    for number, samples in enumerate(clips):
        for name, copy in copies(samples, rate_hz, rng):
            to_copy = prints @ fingerprint(copy.astype(np.float32), rate_hz)
            own = to_copy[number]
            rank = min((cosines[number] > own).sum(), (to_copy > own).sum())
            is_near = rank < near_duplicates.N_NEIGHBOURS and own >= near_duplicates.SMALLEST_COSINE
            is_alike = is_near and likeness(samples, copy.astype(np.float32)) >= SMALLEST_LIKENESS
            found.setdefault(name, []).append(bool(is_alike))
    for name, outcomes in found.items():
        print(f"{name:36} {np.mean(outcomes):.4f}")
    print(f"ratio {np.mean([outcome for outcomes in found.values() for outcome in outcomes]):.4f} (copies found, of all)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--quick", action="store_true", help=f"{N_QUICK_FILES} files alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as generated:
        if arguments.folder is None:
            write_demo_speech(Path(generated), n_speakers=2 if arguments.quick else 12, seed=1)
        main(arguments.folder or Path(generated), is_quick=arguments.quick)
