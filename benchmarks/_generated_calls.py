"""Generate soundscapes in the layout of the bats' corpus: calls in noise, annotated twice.

The files are ``files101/001.wav``, ``FileInfo.csv`` and ``annotation.csv``.

A call is a harmonic chirp that rises or falls, of 0.1 to 0.6 s; between calls there are clicks and hum that are none. The
second annotator sets every border up to 10 ms elsewhere and misses every thirtieth call.
"""

import csv
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import lfilter

SEED = 11
SAMPLE_RATE_HZ = 16000
_GAP_S = (0.3, 1.5)
_CALL_S = (0.1, 0.6)
_BORDER_S = 0.01
_MISSED = 1 / 30


def write_calls(folder: Path, *, n_recordings: int, recording_s: float) -> None:
    """Write the recordings as wav files (16 bit, 16 kHz, mono) and both tables of their calls."""
    info: list[list[object]] = [["FileID", "File name", "File folder", "Voice start sample (1)", "Voice end sample (1)"]]
    calls: list[list[object]] = [["FileID", "Context", "Start sample", "End sample"]]
    (folder / "files101").mkdir(parents=True, exist_ok=True)
    for number in range(1, n_recordings + 1):
        rng = np.random.default_rng([SEED, number])
        samples, borders = _record(rng, round(recording_s * SAMPLE_RATE_HZ))
        soundfile.write(folder / "files101" / f"{number:03}.wav", samples, SAMPLE_RATE_HZ, subtype="PCM_16")
        info.append([number, f"{number:03}.wav", "files101", *(sample for call in borders for sample in call)])
        seen = [call for call in borders if rng.random() > _MISSED]
        shift = round(_BORDER_S * SAMPLE_RATE_HZ)
        moved = [np.clip(np.add(call, rng.integers(-shift, shift + 1, 2)), 0, len(samples)) for call in seen]
        calls += [[number, "call", int(start), int(end)] for start, end in moved] or [[number, "", "", ""]]
    for name, rows in (("FileInfo.csv", info), ("annotation.csv", calls)):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def _record(rng: np.random.Generator, n_samples: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return a recording, float64 (n_samples,), and first sample and end of its calls."""
    noise = lfilter([1], [1, -rng.uniform(0, 0.95)], rng.normal(0, 1, n_samples))
    mixed = noise / np.std(noise)
    pitch_hz, brightness = rng.uniform(800, 1800), rng.uniform(0.8, 2)
    snr_db = rng.uniform(3, 15)
    calls = []
    place = int(rng.uniform(*_GAP_S) * SAMPLE_RATE_HZ)
    while place < n_samples - SAMPLE_RATE_HZ:
        length = int(rng.uniform(*_CALL_S) * SAMPLE_RATE_HZ)
        time = np.arange(length) / SAMPLE_RATE_HZ
        kind = rng.random()
        if kind < 0.6:
            sweep = pitch_hz * np.exp(rng.normal(0, 0.1)) * (1 + rng.uniform(-0.4, 0.8) * time / time[-1])
            phase = 2 * np.pi * np.cumsum(sweep) / SAMPLE_RATE_HZ
            sound = sum(np.sin(number * phase) / number**brightness for number in range(1, 4))
            calls.append((place, place + length))
        elif kind < 0.8:
            sound = rng.normal(0, 1, length) * np.exp(-time / 0.01)
        else:
            sound = np.sin(2 * np.pi * rng.uniform(80, 250) * time)
        sound = sound * np.minimum(1, np.minimum(time, time[::-1]) / 0.005)
        mixed[place : place + length] += 10 ** (snr_db / 20) * sound / np.sqrt(np.mean(sound**2))
        place += length + int(rng.uniform(*_GAP_S) * SAMPLE_RATE_HZ)
    return 0.5 * mixed / np.abs(mixed).max(), calls
