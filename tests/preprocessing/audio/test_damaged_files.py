"""Two hundred damaged files among good ones: nothing stops, what can be used is used, and of the rest each has its reason."""

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.typing import NDArray

from preprocessing.corpus import make_corpus
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store.make import make_store

RATE_HZ = 16000
N_SAMPLES = 8000
N_EACH = 10
Encode = Callable[..., Path]

BROKEN_OFF = r"truncated|cannot be decoded|contains no "
NO_AUDIO = r"cannot be decoded as audio"
USABLE = ""


class Kind(NamedTuple):
    """A kind of damage.

    Attributes:
        suffix: Ending of the names of such files.
        reason: What the reason must match; empty where the file can be used.
        make: Writes one, given its path and a random generator.
    """

    suffix: str
    reason: str
    make: Callable[[Path, np.random.Generator], object]


def sound(rng: np.random.Generator, n_samples: int = N_SAMPLES, n_channels: int = 1) -> NDArray[np.float32]:
    return rng.uniform(-0.3, 0.3, (n_samples, n_channels)).astype(np.float32)


def write(path: Path, samples: NDArray[np.float32], rate_hz: int = RATE_HZ, **options: str) -> bytes:
    soundfile.write(path, samples, rate_hz, **options)
    return path.read_bytes()


def cut(path: Path, content: bytes, rng: np.random.Generator) -> None:
    """Leave a part of a file; its last tenth is not missed in every format."""
    path.write_bytes(content[: rng.integers(1, len(content) * 9 // 10)])


def with_one(value: float, rng: np.random.Generator) -> NDArray[np.float32]:
    samples = sound(rng)
    samples[rng.integers(N_SAMPLES)] = value
    return samples


def write_giant(path: Path, rng: np.random.Generator) -> None:
    """Write a wav file of 6 GB of zeros, which takes no room on the disk."""
    content = bytearray(write(path, sound(rng, 100), format="RF64"))
    start, n_bytes = content.index(b"data") + 8, 6_000_000_000
    content[20:44] = struct.pack("<QQQ", n_bytes + start - 8, n_bytes, n_bytes // 2)
    path.write_bytes(content)
    os.truncate(path, start + n_bytes)


def write_promising(path: Path, rng: np.random.Generator) -> None:
    """Write a flac file whose header promises a thousand hours."""
    content = bytearray(write(path, sound(rng)))
    content[21] |= 0x0F
    path.write_bytes(content)


def kinds(encode: Encode) -> dict[str, Kind]:
    def m4a(path: Path, rng: np.random.Generator, **options: str) -> bytes:
        return encode(path, sound(rng), RATE_HZ, container="mp4", **options).read_bytes()

    return {
        "cut_wav": Kind(".wav", BROKEN_OFF, lambda path, rng: cut(path, write(path, sound(rng)), rng)),
        "cut_mp3": Kind(".mp3", BROKEN_OFF, lambda path, rng: cut(path, write(path, sound(rng)), rng)),
        "cut_flac": Kind(".flac", BROKEN_OFF, lambda path, rng: cut(path, write(path, sound(rng)), rng)),
        "cut_m4a": Kind(".m4a", BROKEN_OFF, lambda path, rng: cut(path, m4a(path, rng), rng)),
        "cut_streamed_m4a": Kind(".m4a", BROKEN_OFF, lambda path, rng: cut(path, m4a(path, rng, movflags="faststart"), rng)),
        "zero_bytes": Kind(".wav", r"the file is empty \(0 bytes\)", lambda path, rng: path.touch()),
        "zeros": Kind(".mp3", NO_AUDIO, lambda path, rng: path.write_bytes(bytes(int(rng.integers(1, 50_000))))),
        "random_wav": Kind(".wav", NO_AUDIO, lambda path, rng: path.write_bytes(rng.bytes(rng.integers(1, 20_000)))),
        "random_m4a": Kind(".m4a", NO_AUDIO, lambda path, rng: path.write_bytes(rng.bytes(rng.integers(1, 20_000)))),
        "text": Kind(".wav", NO_AUDIO, lambda path, rng: path.write_text(f"This is {rng.random()}, and no audio.\n" * 100)),
        "nan": Kind(".wav", "NaN or infinite", lambda path, rng: write(path, with_one(np.nan, rng), subtype="FLOAT")),
        "infinite": Kind(".wav", "NaN or infinite", lambda path, rng: write(path, with_one(-np.inf, rng), subtype="FLOAT")),
        "header_only": Kind(".wav", "contains no samples", lambda path, rng: write(path, sound(rng, 0))),
        "silent": Kind(".flac", "silent, every sample", lambda path, rng: write(path, 0 * sound(rng))),
        "giant": Kind(".wav", "too long to be read", write_giant),
        "promising": Kind(".flac", "too long to be read", write_promising),
        "one_sample": Kind(".wav", "too short: received 1 sample", lambda path, rng: write(path, sound(rng, 1) + 0.5, 48000)),
        "seven_channels": Kind(".wav", USABLE, lambda path, rng: write(path, sound(rng, n_channels=7))),
        "m4a_called_wav": Kind(".wav", USABLE, m4a),
        "flac_called_m4a": Kind(".m4a", USABLE, lambda path, rng: write(path, sound(rng), format="FLAC")),
    }


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, encode: Encode) -> tuple[pd.DataFrame, Path]:
    """Write the damaged files and 40 good ones; return their list, with the reason expected of each, and their folder."""
    folder = tmp_path_factory.mktemp("damaged")
    good = Kind(".wav", USABLE, lambda path, rng: write(path, sound(rng)))
    rows = []
    for name, kind in {**kinds(encode), **{f"good_{number}": good for number in range(4)}}.items():
        for number in range(N_EACH):
            path = f"{name}_{number}{kind.suffix}"
            kind.make(folder / path, np.random.default_rng([len(rows), 2024]))
            rows.append({"path": path, "item": f"s{number % 5}", "label": "ab"[number % 2], "reason": kind.reason})
    return pd.DataFrame(rows), folder


@pytest.mark.parametrize("n_processes", [1, 2])
def test_two_hundred_damaged_files_stop_nothing(clips: tuple[pd.DataFrame, Path], tmp_path: Path, n_processes: int) -> None:
    expected, folder = clips
    assert (~expected["path"].str.startswith("good")).sum() == 200
    corpus, left_out = make_corpus(
        expected.drop(columns="reason"),
        folder,
        dataset="damaged",
        data_folder=tmp_path,
        corpus="table",
        n_processes=n_processes,
    )
    small = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 100, "n_mels": 10}
    settings = FeatureSettings(**small)
    store, left_out_later = make_store(corpus, settings, n_processes=n_processes)

    found = pd.concat([left_out, left_out_later]).set_index("path")["reason"]
    unusable = expected[expected["reason"] != USABLE].set_index("path")["reason"]
    assert sorted(found.index) == sorted(unusable.index)
    wrong = [f"{path}: {found[path]}" for path in found.index if not re.search(unusable[path], found[path])]
    assert wrong == []
    assert all(reason.endswith(".") and str(folder) not in reason for reason in found)
    used = sorted(expected.loc[expected["reason"] == USABLE, "path"])
    assert sorted(corpus.index.set_index("clip").loc[store.examples["clip"], "path"]) == used
    assert len(used) == 70
    for item in store.items:
        assert np.isfinite(store.predictors(item)).all()
