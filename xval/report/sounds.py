"""`Sound`: a clip in a page, with compressed audio and a spectrogram as data URIs."""

import base64
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from matplotlib.image import imsave
from numpy.typing import NDArray

from preprocessing.audio.read import read_audio, resample
from preprocessing.corpus import Corpus
from preprocessing.features.extract import extract
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.interrupts import interrupts_postponed
from xval.base.errors import AudioError, SettingsError

LONGEST_S = 15.0
"""The embedded length of longer clips, from the beginning."""

_MP3_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_HIGHEST_RATE_HZ = 24000
_MOST_FRAMES = 600


class Sound(NamedTuple):
    """A clip in a page.

    Attributes:
        audio: Data URI; empty if the audio is not available.
        spectrogram: Data URI of a PNG, low frequencies at the bottom; empty if the audio is not available.
        duration_s: Duration of the embedded part.
        top_hz: The highest frequency of the spectrogram.
        note: Why there is no audio, or what was cut off.
    """

    audio: str = ""
    spectrogram: str = ""
    duration_s: float = 0.0
    top_hz: float = 0.0
    note: str = ""


class Sounds:
    """The clips of a corpus, which are embedded up to `most_bytes` in total; later ones have a note instead.

    The spectrogram is a log-mel spectrogram with the frame lengths of the settings.

    Attributes:
        missing: The reason for the first unavailable clip; empty: all were available.
    """

    def __init__(self, corpus: Corpus, settings: FeatureSettings, most_bytes: int) -> None:
        self._corpus = corpus
        self._settings = settings.model_copy(
            update={
                "features": "logmel",
                "frontend": "none",
                "crop_s": None,
                "stretch_frames": None,
                "scale": "db",
                "top_db": 80,
            }
        )
        self._left_bytes, self.missing = most_bytes, ""

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {str(clip): row for row, clip in enumerate(self._corpus.index["clip"])}

    def get(self, clip: str) -> Sound:
        """Return a clip, or a note on why it is not available."""
        row = self._rows.get(clip)
        if row is None:
            return Sound(note="The clip is not in the dataset.")
        if self._left_bytes <= 0:
            return Sound(note="Skipped to keep the page small.")
        facts = self._corpus.index.iloc[row]
        start_s = 0.0 if np.isnan(facts["start_s"]) else float(facts["start_s"])
        end_s = None if np.isnan(facts["end_s"]) else float(facts["end_s"])
        notes = []
        if facts["duration_s"] > LONGEST_S:
            end_s = start_s + LONGEST_S
            notes.append(f"The first {LONGEST_S:g} of {facts['duration_s']:.1f} s.")
        if self._settings.sample_rate_hz > 2 * _HIGHEST_RATE_HZ:
            notes.append(f"Audible up to {_HIGHEST_RATE_HZ / 2000:g} kHz.")
        try:
            sound = _make_sound(self._corpus.audio_folder / str(facts["path"]), start_s, end_s, self._settings)
        except (AudioError, SettingsError, OSError) as error:
            self.missing = self.missing or str(error)
            return Sound(note=str(error))
        self._left_bytes -= len(sound.audio) + len(sound.spectrogram)
        return sound._replace(note=" ".join(notes))


def _make_sound(path: Path, start_s: float, end_s: float | None, settings: FeatureSettings) -> Sound:
    rate_hz, channel = settings.sample_rate_hz, settings.channel_number
    samples, _ = read_audio(path, sample_rate_hz=rate_hz, start_s=start_s, end_s=end_s, channel=channel)
    top_hz = settings.fmax_hz or rate_hz / 2
    return Sound(_audio(samples, rate_hz), draw_levels(extract(samples, settings)), samples.size / rate_hz, top_hz)


def _audio(samples: NDArray[np.float32], rate_hz: int) -> str:
    """Return samples as MP3, which every browser plays, or as FLAC if libsndfile does not support MP3."""
    wanted_hz = next(mp3_rate_hz for mp3_rate_hz in _MP3_RATES_HZ if mp3_rate_hz >= min(rate_hz, _HIGHEST_RATE_HZ))
    peak = max(float(np.abs(samples).max()), 1e-9)
    played = resample(samples, rate_hz, wanted_hz) / max(peak, 1.0)
    buffer = BytesIO()
    kind = "MP3" if "MP3" in soundfile.available_formats() else "FLAC"
    with interrupts_postponed():  # libsndfile calls the methods of the buffer
        soundfile.write(buffer, played, wanted_hz, format=kind)
    return _data_uri("audio/mpeg" if kind == "MP3" else "audio/flac", buffer.getvalue())


def draw_levels(levels: NDArray[np.float32]) -> str:
    """Return a picture of features (n_frames, n_bins), low bins at the bottom, as a data URI."""
    step = -(-len(levels) // _MOST_FRAMES)
    picture = levels[: len(levels) // step * step].reshape(-1, step, levels.shape[1]).max(axis=1)
    buffer = BytesIO()
    imsave(buffer, picture.T, cmap="magma", origin="lower", format="png")
    return _data_uri("image/png", buffer.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
