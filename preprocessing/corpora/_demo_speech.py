"""The demo corpus: a few English words, spoken by synthetic speakers with very different voices and rooms, as wav files.

Speakers differ much more from each other than the takes of one speaker. Therefore a model that was trained on other takes of a
speaker performs well, and one that was not trained on the speaker performs much worse, as with real speech.
"""

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from preprocessing.corpora._synthesis import Room, Samples, Voice, glottal_source, peaking_filter, record, resonate
from xval.base.errors import CorpusError

SAMPLE_RATE_HZ = 16000
N_TAKES = 7

# First three formants of American men (Hz), from Peterson and Barney, Control methods used in a study of the vowels (1952).
WORDS = {
    "heed": (270, 2290, 3010),
    "hid": (390, 1990, 2550),
    "head": (530, 1840, 2480),
    "had": (660, 1720, 2410),
    "hod": (730, 1090, 2440),
    "hood": (440, 1020, 2240),
}
_D_FORMANTS_HZ = (250, 1700, 2600)
_HIGHER_FORMANTS_HZ = (3500, 4500, 5500)
_BANDWIDTHS_HZ = np.array([70.0, 100.0, 150.0, 220.0, 280.0, 350.0])
_EQUALISER_RANGES_HZ = ((100, 300), (300, 800), (800, 1800), (1800, 3500), (3500, 7000))

# How much speakers and takes differ: standard deviations of the logarithm of formants, and of an equaliser band (dB). They
# set the difficulty: a plain 4-block CNN reached 0.94 on a random split and 0.61 on unseen speakers (4 folds, chance 0.17).
SMALLEST_TRACT_FACTOR, LARGEST_TRACT_FACTOR = 0.9, 1.4
FORMANT_SPREAD = 0.04
VOWEL_SPREAD = 0.04
COLOUR_SPREAD_DB = 8.0
TAKE_SPREAD = 0.01

_LEVEL_DB = -22.0
_GOLDEN_RATIO = 0.6180339887


class Recording(NamedTuple):
    """A file of the demo corpus."""

    path: Path
    speaker: str
    word: str
    pitch_hz: float


@dataclass(frozen=True)
class Speaker:
    """A synthetic speaker in a recording room.

    Attributes:
        voice: How the vocal folds vibrate.
        room: The room and the equipment of the recordings.
        pitch_hz: Usual fundamental frequency (Hz).
        tract_factor: Factor of all formants: 0.9 for a tall man, 1.4 for a small child.
        vowel_factors: float64 (n_words, n_formants), this speaker's factors of the formants in each word.
        pace: Length of a word relative to the usual length.
    """

    voice: Voice
    room: Room
    pitch_hz: float
    tract_factor: float
    vowel_factors: Samples
    pace: float


def write_demo_speech(folder: Path, *, n_speakers: int, seed: int) -> list[Recording]:
    """Synthesise `N_TAKES` takes of every word for every speaker, and write a wav file (16 bit, 16 kHz, mono) for each.

    Args:
        folder: Folder for the files, created if missing. Files of the same name are replaced.
        n_speakers: Number of speakers. With more speakers, the first ones stay the same.
        seed: Seed of the speakers and takes.

    Returns:
        The files, named ``{word}_{speaker}_{take}.wav``, in the order of speakers, words and takes.
    """
    recordings = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(n_speakers):
            speaker = draw_speaker(number, seed=seed)
            name = f"s{number + 1:02}"
            for word_number, word in enumerate(WORDS):
                for take in range(N_TAKES):
                    rng = np.random.default_rng([seed, number, word_number, take])
                    path = folder / f"{word}_{name}_{take}.wav"
                    _write_wav(path, speak(word, speaker, rng))
                    recordings.append(Recording(path, name, word, speaker.pitch_hz))
    except OSError as error:
        raise CorpusError(f"{folder}: the demo corpus cannot be written there: {error.strerror}.") from error
    return recordings


def draw_speaker(number: int, *, seed: int) -> Speaker:
    """Return a speaker of the demo corpus; the sizes of successive speakers are spread evenly from men to children."""
    rng = np.random.default_rng([seed, number])
    size = ((seed + number) * _GOLDEN_RATIO) % 1
    n_formants = len(_BANDWIDTHS_HZ)
    bands = [
        peaking_filter(
            rng.uniform(*range_hz), rng.normal(0, COLOUR_SPREAD_DB), rng.uniform(0.7, 2), sample_rate_hz=SAMPLE_RATE_HZ
        )
        for range_hz in _EQUALISER_RANGES_HZ
    ]
    voice = Voice(
        open_quotient=rng.uniform(0.4, 0.85),
        tilt=rng.uniform(0.0, 0.7),
        breath=10 ** (rng.uniform(-35, -8) / 20),
        jitter=rng.uniform(0.003, 0.02),
        shimmer=rng.uniform(0.02, 0.1),
    )
    room = Room(
        equaliser=np.array(bands),
        reverberation_s=rng.uniform(0.05, 0.4),
        wet=rng.uniform(0.1, 0.5),
        noise_db=rng.uniform(-45, -20),
        noise_pole=rng.uniform(-0.3, 0.95),
        response_seed=int(rng.integers(2**31)),
    )
    tract_factor = SMALLEST_TRACT_FACTOR * (LARGEST_TRACT_FACTOR / SMALLEST_TRACT_FACTOR) ** size
    return Speaker(
        voice=voice,
        room=room,
        pitch_hz=100 * 2 ** (1.5 * size + rng.normal(0, 0.2)),
        tract_factor=tract_factor,
        vowel_factors=np.exp(rng.normal(0, FORMANT_SPREAD, n_formants) + rng.normal(0, VOWEL_SPREAD, (len(WORDS), n_formants))),
        pace=rng.uniform(0.8, 1.25),
    )


def speak(word: str, speaker: Speaker, rng: np.random.Generator) -> Samples:
    """Speak a word once: h, vowel, d.

    Args:
        word: One of `WORDS`.
        speaker: The speaker.
        rng: Generator of the differences between takes: length, pitch contour, loudness, formants, pauses, noise.

    Returns:
        float64 (n_samples,), -1 to 1, with a length of 0.25 to 0.65 s at `SAMPLE_RATE_HZ`.
    """
    n_samples = round(speaker.pace * rng.uniform(0.3, 0.42) * SAMPLE_RATE_HZ)
    time = np.linspace(0, 1, n_samples)
    start, rise, fall, wave_depth = rng.normal([0, 0.05, -0.2, 0], [0.05, 0.05, 0.08, 0.03])
    pitch_hz = speaker.pitch_hz * 2 ** (start + rise * time + fall * time**2 + wave_depth * np.sin(9 * time))
    h_end, d_begin = rng.uniform(0.15, 0.25), rng.uniform(0.7, 0.8)
    voicing = np.interp(time, [0, h_end - 0.08, h_end], [0, 0, 1])
    loudness = np.interp(time, [0, 0.05, h_end, d_begin, 0.93, 1], [0, 0.8, 1, 0.8, 0.05, 0])
    source = glottal_source(speaker.voice, pitch_hz, voicing, rng, sample_rate_hz=SAMPLE_RATE_HZ)
    factors = speaker.vowel_factors[list(WORDS).index(word)] * np.exp(rng.normal(0, TAKE_SPREAD, len(_BANDWIDTHS_HZ)))
    vowel_hz = np.array([*WORDS[word], *_HIGHER_FORMANTS_HZ]) * factors
    d_hz = np.array([*_D_FORMANTS_HZ, *_HIGHER_FORMANTS_HZ])
    closing = np.interp(np.linspace(0, 1, 50), [0, d_begin, 1], [0, 0, 0.8])[:, np.newaxis]
    spoken = loudness * resonate(
        source,
        speaker.tract_factor * ((1 - closing) * vowel_hz + closing * d_hz),
        speaker.tract_factor * _BANDWIDTHS_HZ,
        sample_rate_hz=SAMPLE_RATE_HZ,
    )
    before, after = rng.integers(SAMPLE_RATE_HZ // 100, SAMPLE_RATE_HZ // 16, 2)
    recorded = record(np.pad(spoken, (before, after)), speaker.room, rng, sample_rate_hz=SAMPLE_RATE_HZ)
    return np.clip(recorded * 10 ** (rng.normal(_LEVEL_DB, 2) / 20), -1, 1)


def _write_wav(path: Path, samples: Samples) -> None:
    """Write float64 samples (n_samples,) as a mono wav file of 16 bits."""
    integers: NDArray[np.int16] = np.round(samples * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(integers.tobytes())
