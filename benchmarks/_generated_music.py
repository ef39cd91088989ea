"""Generate music in the layout of the Free Music Archive: tracks of 30 s by artists of eight genres.

The files are ``fma_small/000/000002.wav`` and ``fma_metadata/tracks.csv``.

A genre is a range of tempos, a drum pattern, a chord progression, and the sound of its instruments. An artist stays near the
genre, but has an individual tempo, key, timbres and equaliser, so that the artists of a genre differ, and some are near other
genres.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import lfilter, sosfilt

from preprocessing.corpora._synthesis import Samples, peaking_filter

SEED = 7
SAMPLE_RATE_HZ = 44100
TRACK_S = 30.0
_STEPS_PER_BAR = 16
_EQUALISER_HZ = (80, 400, 1500, 5000)


@dataclass(frozen=True)
class Genre:
    """What the tracks of a genre have in common.

    Attributes:
        tempo: Beats per minute.
        kick, snare, hat: A bar of 16 steps each; ``x`` sounds.
        chords: The roots of the bars, in semitones above the key.
        minor: Whether the third is minor.
        partials: How fast the overtones of the instruments fall: amplitude of partial k is 1 / k**partials.
        decay_s: How long a note sounds.
        notes: Share of the steps on which the melody plays.
        drive: How far the sum is distorted.
        swing: Delay of every second step (share of a step).
    """

    tempo: float
    kick: str
    snare: str
    hat: str
    chords: tuple[int, ...]
    minor: bool
    partials: float
    decay_s: float
    notes: float
    drive: float
    swing: float = 0.0


GENRES = {
    "Electronic": Genre(
        128, "x...x...x...x...", "....x.......x...", "..x...x...x...x.", (0, 0, 8, 10), True, 1.0, 0.2, 0.6, 1.0
    ),
    "Experimental": Genre(
        70, "x.......x..x....", "......x.........", "x..x..x..x..x..x", (0, 1, 6, 7), True, 0.4, 1.5, 0.15, 3.0
    ),
    "Folk": Genre(100, "................", "................", "................", (0, 5, 7, 0), False, 1.6, 0.7, 0.5, 0.2),
    "Hip-Hop": Genre(
        88, "x..x......x.....", "....x.......x...", "x.x.x.x.x.x.x.xx", (0, 0, 3, 5), True, 2.2, 0.4, 0.2, 1.0, 0.3
    ),
    "Instrumental": Genre(
        75, "................", "................", "................", (0, 9, 5, 7), False, 2.2, 2.0, 0.25, 0.1
    ),
    "International": Genre(
        110, "x..x..x...x.x...", "..x..x..x..x..x.", "x.xxx.xxx.xxx.xx", (0, 1, 0, 10), False, 1.2, 0.3, 0.7, 0.4, 0.2
    ),
    "Pop": Genre(118, "x...x...x...x...", "....x.......x...", "x.x.x.x.x.x.x.x.", (0, 7, 9, 5), False, 1.6, 0.5, 0.5, 0.5),
    "Rock": Genre(125, "x.....x.x.......", "....x.......x...", "x.x.x.x.x.x.x.x.", (0, 3, 5, 0), False, 0.8, 0.6, 0.4, 6.0),
}


def write_music(folder: Path, *, n_artists: int, n_tracks: int) -> None:
    """Write the tracks of all artists as wav files (16 bit, 44.1 kHz, mono) and their table.

    Args:
        folder: Gets fma_small/ and fma_metadata/.
        n_artists: Artists of each genre, 3 or more: the last but one validates, the last tests.
        n_tracks: Tracks of each artist.
    """
    header = [["", "album", "artist", "set", "track"], ["", "id", "id", "split", "genre_top"], ["track_id", "", "", "", ""]]
    rows = []
    splits = ["training"] * (n_artists - 2) + ["validation", "test"]
    for genre_number, (name, genre) in enumerate(GENRES.items()):
        for artist, split in enumerate(splits):
            for _ in range(n_tracks):
                number = len(rows) + 2
                path = folder / "fma_small" / "000" / f"{number:06}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                samples = _play(
                    genre, np.random.default_rng([SEED, genre_number, artist]), np.random.default_rng([SEED, number])
                )
                soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
                artist_id = n_artists * genre_number + artist + 1
                rows.append([number, artist_id, artist_id, split, name])
    (folder / "fma_metadata").mkdir(exist_ok=True)
    with (folder / "fma_metadata" / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(header + rows)


def _play(genre: Genre, artist: np.random.Generator, track: np.random.Generator) -> Samples:
    """Return a track, float64 (n_samples,), within -1 and 1."""
    n_samples = round(TRACK_S * SAMPLE_RATE_HZ)
    own = np.exp(artist.normal(0, 0.12, 6))
    key_hz = 110 * 2 ** (artist.integers(12) / 12)
    levels = np.exp(artist.normal(0, 0.4, 4))
    bands = [peaking_filter(hz, artist.normal(0, 5), 1.0, sample_rate_hz=SAMPLE_RATE_HZ) for hz in _EQUALISER_HZ]
    step_s = 60 / (genre.tempo * own[0] * np.exp(track.normal(0, 0.03))) / 4
    partials, decay_s = genre.partials * own[1], genre.decay_s * own[2]
    third = 3 if genre.minor else 4
    mixed = np.zeros(n_samples)
    drums = {"kick": _kick(own[3]), "snare": _noise(track, 0.12, 0.5), "hat": _noise(track, 0.03, -0.7)}
    for step in range(int(TRACK_S / step_s)):
        start = round((step + genre.swing * (step % 2)) * step_s * SAMPLE_RATE_HZ)
        place, bar = step % _STEPS_PER_BAR, step // _STEPS_PER_BAR
        for (name, sound), level in zip(drums.items(), levels, strict=False):
            if getattr(genre, name)[place] == "x":
                _add(mixed, start, level * np.exp(track.normal(0, 0.1)) * sound)
        root = genre.chords[bar % len(genre.chords)]
        if place % 8 == 0:
            for semitones in (0, third, 7):
                _add(mixed, start, 0.3 * _note(key_hz * 2 ** ((root + semitones) / 12), partials, 2 * decay_s))
        if track.random() < genre.notes:
            semitones = 12 + root + int(track.choice([0, 2, third, 7, 9 + (third == 4)]))
            _add(mixed, start, 0.4 * levels[3] * _note(key_hz * 2 ** (semitones / 12), partials, decay_s))
    mixed = np.tanh(genre.drive * own[4] * mixed) / np.tanh(genre.drive * own[4])
    mixed = sosfilt(np.array(bands), mixed + track.normal(0, 0.002, n_samples))
    return 0.7 * mixed / np.abs(mixed).max()


@lru_cache(maxsize=100)
def _note(pitch_hz: float, falling: float, decay_s: float) -> Samples:
    """Return a tone with overtones that fades, float64 (n_samples,)."""
    time = np.arange(round(3 * decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    overtones = range(1, 1 + min(12, int(0.4 * SAMPLE_RATE_HZ / pitch_hz)))
    tone = sum(np.sin(2 * np.pi * number * pitch_hz * time) / number**falling for number in overtones)
    return tone * np.exp(-time / decay_s) * np.minimum(1, time / 0.005)


def _kick(size: float) -> Samples:
    """Return a drum whose pitch falls."""
    time = np.arange(round(0.25 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return np.sin(2 * np.pi * (50 * size * time - 4 * np.exp(-time / 0.03))) * np.exp(-time / 0.08)


def _noise(rng: np.random.Generator, decay_s: float, pole: float) -> Samples:
    """Return coloured noise that fades."""
    time = np.arange(round(4 * decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    hiss = lfilter([1 - abs(pole)], [1, -pole], rng.normal(0, 1, len(time)))
    return hiss * np.exp(-time / decay_s)


def _add(mixed: Samples, start: int, sound: Samples) -> None:
    """Add a sound to the mix, in place, from a sample on, as far as the mix reaches."""
    length = min(len(sound), len(mixed) - start)
    if length > 0:
        mixed[start : start + length] += sound[:length]
