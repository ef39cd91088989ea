"""Generate speech in the layout of VoxCeleb1: speakers, their videos, and utterances of several seconds.

The files are ``wav/id00001/video2/00001.wav`` and ``iden_split.txt`` in the form of the official list.

The voices are those of the demo corpus (source-filter synthesis). They speak chains of syllables. Every video of a speaker has
its own room, microphone and noise, so that a network has to recognise the voice, not the room.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from preprocessing.corpora._demo_speech import SAMPLE_RATE_HZ, WORDS, Speaker, draw_speaker
from preprocessing.corpora._synthesis import Samples, glottal_source, record, resonate

SEED = 5
# The first videos of a speaker train, one validates, one tests: phases 1, 2 and 3 of the official list.
N_VIDEOS = 5
N_UTTERANCES = 3
UTTERANCE_S = (3.2, 5.0)

_SYLLABLES_PER_S = 4.5
_HIGHER_FORMANTS_HZ = (3500, 4500, 5500)
_BANDWIDTHS_HZ = np.array([70.0, 100.0, 150.0, 220.0, 280.0, 350.0])
_LEVEL = 0.08


def write_voices(folder: Path, *, n_speakers: int) -> None:
    """Write the utterances of all speakers as wav files (16 bit, 16 kHz, mono), and the list of the phases."""
    lines = []
    for number in range(n_speakers):
        speaker = draw_speaker(number, seed=SEED)
        for video in range(N_VIDEOS):
            # The room of a speaker of the demo corpus who does not speak here.
            place = draw_speaker(1000 + N_VIDEOS * number + video, seed=SEED).room
            for utterance in range(N_UTTERANCES):
                rng = np.random.default_rng([SEED, number, video, utterance])
                name = f"id{number + 1:05}/video{video + 1}/{utterance + 1:05}.wav"
                path = folder / "wav" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, _speak(replace(speaker, room=place), rng), SAMPLE_RATE_HZ, subtype="PCM_16")
                lines.append(f"{max(1, video - N_VIDEOS + 4)} {name}\n")
    (folder / "iden_split.txt").write_text("".join(lines), encoding="utf-8")


def _speak(speaker: Speaker, rng: np.random.Generator) -> Samples:
    """Return an utterance, float64 (n_samples,): random vowels, some of them behind a voiceless breath."""
    n_samples = round(rng.uniform(*UTTERANCE_S) * SAMPLE_RATE_HZ)
    n_syllables = round(n_samples / SAMPLE_RATE_HZ * _SYLLABLES_PER_S * speaker.pace)
    time = np.linspace(0, n_syllables, n_samples, endpoint=False)
    vowels = np.array(list(WORDS.values()))
    drawn = rng.integers(len(vowels), size=n_syllables + 1)
    higher = np.broadcast_to(_HIGHER_FORMANTS_HZ, (n_syllables + 1, 3))
    formants_hz = np.hstack([vowels[drawn], higher]) * speaker.vowel_factors[drawn] * speaker.tract_factor
    voiceless = rng.random(n_syllables) < 0.4
    within = time % 1
    voicing = 1 - voiceless[time.astype(int)] * np.clip(1 - within / 0.25, 0, 1)
    loudness = 0.1 + 0.9 * np.sin(np.pi * within) ** 1.5
    contour = np.interp(time, np.arange(n_syllables + 1), rng.normal(0, 0.08, n_syllables + 1)) - 0.2 * time / n_syllables
    source = glottal_source(speaker.voice, speaker.pitch_hz * 2**contour, voicing, rng, sample_rate_hz=SAMPLE_RATE_HZ)
    spoken = loudness * resonate(source, formants_hz, speaker.tract_factor * _BANDWIDTHS_HZ, sample_rate_hz=SAMPLE_RATE_HZ)
    recorded = record(spoken, speaker.room, rng, sample_rate_hz=SAMPLE_RATE_HZ)
    return np.clip(_LEVEL * recorded, -1, 1)
