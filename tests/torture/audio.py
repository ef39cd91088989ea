"""Damaged audio files: each is used, or named with the reason; the clips beside it are used.

Comes in: a case. Goes out: what was wrong. A corpus of good clips and one damaged file is listed and made a store, answered by
a saved model, and copied by one of the commands that read folders of audio.
"""

import io
import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import _case
import numpy as np
import pandas as pd
import soundfile
from _case import Case, Outcome
from _commands import Ended, run
from _projects import RATE_HZ, RESULTS, SETTINGS, digests, make_baselines, tone, write_audio

SUMMARY = "damaged audio through listing, store, predict and copies"
NEEDS_KERAS = True
N_CASES = 300
MARK = "damaged"
MOST_STORE_BYTES = 5_000_000
COPIES = (
    ("-m", "preprocessing", "convert", "audio", "copies"),
    ("-m", "augmentation", "audio", "copies", "1", "--workers", "1"),
    ("-m", "preprocessing", "folders", "--check", "audio", "--item-pattern", "[0-9]", "--workers", "1"),
)


def wav(samples: np.ndarray, rate_hz: int = RATE_HZ, subtype: str = "PCM_16", form: str = "WAV") -> bytes:
    """Return the bytes of an audio file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, subtype=subtype, format=form)
    return file.getvalue()


def header(*, tag: int = 1, channels: int = 1, rate_hz: int = RATE_HZ, bits: int = 16, block: int | None = None,
           data: bytes = b"", claims: int | None = None, riff: int | None = None) -> bytes:  # fmt: skip
    """Return a wav file whose header says what it is told."""
    block = channels * bits // 8 if block is None else block
    form = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    body = (
        b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data) if claims is None else claims)
    )
    return b"RIFF" + struct.pack("<I", len(body) + len(data) if riff is None else riff) + body + data


def _good(rng: random.Random) -> np.ndarray:
    return tone(np.random.default_rng(rng.randrange(2**32)))


def _pcm(rng: random.Random) -> bytes:
    return (_good(rng) * 30000).astype("<i2").tobytes()


def truncated(rng: random.Random) -> tuple[str, bytes]:
    length = rng.choice([*range(1, 48), rng.randrange(48, 2000)])
    return f".wav cut after {length} bytes", wav(_good(rng))[:length]


def wrong_sizes(rng: random.Random) -> tuple[str, bytes]:
    content, place = bytearray(wav(_good(rng))), rng.choice([4, 16, 40])
    value = rng.choice([0, 1, 3, 17, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 2, rng.randrange(2**32)])
    content[place : place + 4] = struct.pack("<I", value)
    return f".wav with {value} for the size at byte {place}", bytes(content)


def no_content(rng: random.Random) -> tuple[str, bytes]:
    name, content = rng.choice([
        ("an empty", b""), ("zeros in a", bytes(4000)), ("random bytes in a", rng.randbytes(4000)),
        ("a header alone in a", wav(np.zeros(0))), ("one sample in a", wav(np.ones(1) / 2)),
        ("silence in a", wav(np.zeros(2000))), ("a constant in a", wav(np.full(2000, 0.5))), ("ff bytes in a", b"\xff" * 4000),
    ])  # fmt: skip
    ending = rng.choice([".wav", ".flac", ".ogg", ".mp3"])
    return f"{ending} {name} file", content


def odd_rate(rng: random.Random) -> tuple[str, bytes]:
    rate_hz = rng.choice([0, 1, 2, 7, 100, 3999, 44099, 768000, 10**6, 10**9, 2**31 - 1, 2**31, 2**32 - 1])
    return f".wav that claims {rate_hz} Hz", header(rate_hz=rate_hz, data=_pcm(rng))


def odd_samples(rng: random.Random) -> tuple[str, bytes]:
    samples, value = _good(rng), rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, 1e-40, 1e10])
    share = rng.choice([0.0, 0.01, 1.0])
    samples[: max(1, int(share * len(samples)))] = value
    return f".wav with {value} in {share:.0%} of its samples", wav(samples, subtype="FLOAT")


def cut_compressed(rng: random.Random) -> tuple[str, bytes]:
    ending, subtype = rng.choice([("mp3", "MPEG_LAYER_III"), ("ogg", "VORBIS"), ("flac", "PCM_16"), ("ogg", "OPUS")])
    content, share = wav(np.tile(_good(rng), 4), subtype=subtype, form=ending.upper()), rng.uniform(0.01, 0.99)
    if rng.random() < 0.3:
        return f".{ending} ({subtype}) without its first {share:.0%}", content[int(share * len(content)) :]
    return f".{ending} ({subtype}) cut after {share:.0%}", content[: int(share * len(content))]


def other_content(rng: random.Random) -> tuple[str, bytes]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.wav", wav(_good(rng)))
    name, content = rng.choice([
        ("text", b"this is not an audio\n" * 50), ("HTML", b"<!DOCTYPE html><html><body>404</body></html>"),
        ("zip", archive.getvalue()),
        ("PNG", b"\x89PNG\r\n\x1a\n" + rng.randbytes(500)), ("JSON", b'{"path": 1}'), ("ELF", b"\x7fELF" + rng.randbytes(2000)),
        ("a pickle", b"cos\nsystem\n(S'touch canary'\ntR."), ("a playlist", b"#EXTM3U\nfile:///etc/passwd\n"),
        ("a concat script", b"ffconcat version 1.0\nfile /etc/passwd\n"),
        ("an LFS pointer", b"version https://git-lfs.github.com/spec/v1\n"),
    ])  # fmt: skip
    ending = rng.choice([".wav", ".mp3", ".flac", ".m4a", ".opus"])
    return f"{ending} that is {name}", content


def odd_channels(rng: random.Random) -> tuple[str, bytes]:
    channels = rng.choice([0, 3, 64, 1024, 65535])
    return f".wav of {channels} channels", header(channels=channels, data=_pcm(rng) * max(1, min(channels, 64)))


def odd_widths(rng: random.Random) -> tuple[str, bytes]:
    bits, tag = rng.choice([64, 12, 3, 0, 255, 8, 32, 1]), rng.choice([1, 3, 2, 6, 7, 0x11, 0x55, 0xFFFE, 0xFFFF, 0])
    return f".wav of {bits} bits and format {tag:#x}", header(tag=tag, bits=bits, data=_pcm(rng) * 4)


def huge_claims(rng: random.Random) -> tuple[str, bytes]:
    claims = rng.choice([2**31 - 2, 2**31, 2**32 - 2, 2**32 - 1])
    name = rng.choice(["wav", "rf64", "flac", "w64", "au"])
    if name == "wav":
        return f".wav that claims {claims} bytes", header(data=_pcm(rng), claims=claims, riff=claims)
    content = bytearray(wav(_good(rng), form="RF64" if name == "rf64" else name.upper()))
    if name == "rf64":
        content[20:44] = struct.pack("<QQQ", 2**62, 2**62, 2**61)
    elif name == "flac":  # total samples: 36 bits at the end of STREAMINFO's numbers
        content[21:26] = bytes([content[21] | 0x0F]) + b"\xff\xff\xff\xff"
    else:
        place = bytes(content).find(b"data") + 16 if name == "w64" else 8
        content[place : place + (8 if name == "w64" else 4)] = (
            struct.pack("<Q", 2**62) if name == "w64" else struct.pack(">I", claims)
        )
    return f".{'wav' if name == 'rf64' else name} ({name}) that claims an enormous length", bytes(content)


def flipped_bits(rng: random.Random) -> tuple[str, bytes]:
    ending, subtype = rng.choice(
        [("wav", "PCM_16"), ("mp3", "MPEG_LAYER_III"), ("ogg", "VORBIS"), ("flac", "PCM_16"), ("aiff", "PCM_24")]
    )
    content, n_bits = bytearray(wav(_good(rng), subtype=subtype, form=ending.upper())), rng.choice([1, 5, 50])
    for _ in range(n_bits):
        content[rng.randrange(min(len(content), rng.choice([60, len(content)])))] ^= 1 << rng.randrange(8)
    return f".{ending} with {n_bits} flipped bits", bytes(content)


MAKERS: tuple[Callable[[random.Random], tuple[str, bytes]], ...] = (
    truncated, wrong_sizes, no_content, odd_rate, odd_samples, cut_compressed, other_content, odd_channels, odd_widths,
    huge_claims, flipped_bits,
)  # fmt: skip


def odd_file(rng: random.Random, folder: Path) -> tuple[str, Path]:
    """Put something that is no regular file, or has an odd name, into a folder; the twelfth kind."""
    path = folder / f"{MARK}.wav"
    kind = rng.choice(["pipe", "folder", "loop", "nowhere", "/dev/zero", "/dev/full", "name"])
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "loop" | "nowhere" | "/dev/zero" | "/dev/full":
            path.symlink_to({"loop": path.name, "nowhere": "not there"}.get(kind, kind))
        case _:
            odd = rng.choice([
                b"\xff\xfe latin \xe4", b"a\nb", b"\x1b[2J", b"=1+1", b"-rf", b"a,b;c\"d'", "ü".encode(), "u\u0308".encode(),
                b" ", b"%s{}", b"x" * 228, b"x" * 240, b"x" * 244, b"\\..\\", b"\x7f\x01",
            ])  # fmt: skip
            path = folder / os.fsdecode(odd[: 251 - len(MARK)] + MARK.encode() + b".wav")
            path.write_bytes(wav(_good(rng)))
    return f"{kind} {path.name!r:.60}", path


def damage(rng: random.Random, kind: int, folder: Path) -> tuple[str, Path]:
    """Put a damaged file of a kind into a folder; return what it is and where."""
    if kind == len(MAKERS):
        return odd_file(rng, folder)
    description, content = MAKERS[kind](rng)
    path = folder / f"{MARK}{description.split()[0]}"
    path.write_bytes(content)
    return f"{MAKERS[kind].__name__}: {description}", path


def prepare(base: Path) -> None:
    """Make a saved model, if it is to answer."""
    if not _case.is_light:
        make_baselines(base)


def n_cases(_base: Path) -> int:
    """Return how many files there are."""
    return N_CASES


def run_case(case: Case) -> Outcome:
    """Take one damaged file through the commands that read audio."""
    rng, folder = case.rng(), case.folder
    write_audio(folder / "audio" / "clips", n_items=2, n_takes=1)
    labels = folder / "audio" / "low"
    for name in ("low", "high"):
        (folder / "audio" / name).mkdir()
        for path in (folder / "audio" / "clips").glob(f"*_{name}_*.wav"):
            path.rename(folder / "audio" / name / path.name)
    (folder / "audio" / "clips" / "toy.csv").unlink()
    (folder / "audio" / "clips").rmdir()
    description, path = damage(rng, case.number % (len(MAKERS) + 1), labels)
    outcome = Outcome(description)
    words = ("-m", "preprocessing", "folders", "audio", "--item-pattern", "[0-9]|damaged", "--dataset", "toy", "--workers", "1")
    outcome.faults += _faults_of_store(run((*words, *SETTINGS), folder, 60), folder)
    if not _case.is_light:
        outcome.faults += _faults_of_predict(case, path, rng)
    before = digests(folder)
    copied = run(rng.choice(COPIES), folder, 60)
    outcome.faults += copied.faults
    written = [folder / name for name, digest in digests(folder).items() if before.get(name) != digest]
    if copied.code == 0 and not _is_named(copied, written):
        outcome.faults.append(f"{' '.join(copied.words[1:3])}: exit code 0, and says nothing of the file")
    if copied.code and MARK not in copied.printed:
        outcome.faults.append(f"{' '.join(copied.words[1:3])}: refused without the name of the file: {copied.printed[-200:]}")
    return outcome


def _faults_of_store(ended: Ended, folder: Path) -> list[str]:
    """Return what is wrong with the end of preprocessing."""
    faults, place = list(ended.faults), folder / "data" / "toy"
    if ended.code:
        if MARK not in ended.printed:
            faults.append(f"preprocessing: refused without the name of the file: {ended.printed[-300:]}")
        return faults
    index = pd.read_parquet(place / "corpus.parquet")
    left_out = (place / "left_out.csv").read_text(errors="replace") if (place / "left_out.csv").exists() else ""
    is_used = index.astype(str).apply(lambda column: column.str.contains(MARK)).to_numpy().any()
    if not is_used and MARK not in left_out and MARK not in ended.printed:
        faults.append("preprocessing: exit code 0, and the file is neither used nor named")
    if (n_good := int((~index["path"].astype(str).str.contains(MARK)).sum())) != 4:
        faults.append(f"preprocessing: only {n_good} of 4 good clips are used")
    if (size := sum(path.stat().st_size for path in place.rglob("*") if path.is_file())) > MOST_STORE_BYTES:
        faults.append(f"preprocessing: a store of {size / 1e6:.0f} MB from 1 s of audio")
    for path in place.rglob("*.npy"):
        values = np.load(path)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            faults.append(f"preprocessing: NaN or infinity in {path.name}")
    return faults


def _faults_of_predict(case: Case, path: Path, rng: random.Random) -> list[str]:
    """Let a saved model answer the file, or all files; return what is wrong with that."""
    model = case.base / RESULTS / "experiment_1" / "instance_1" / "fold_1"
    is_alone = rng.random() < 0.5 and not path.name.startswith("-")
    ended = run(("-m", "xval", "predict", str(model), str(path) if is_alone else "audio"), case.folder, 60)
    faults = list(ended.faults)
    if MARK not in ended.printed:
        faults.append(f"predict: exit code {ended.code}, and says nothing of {path.name!r}: {ended.printed[-200:]}")
    if "nan" in ended.printed.replace(MARK, "").split():
        faults.append("predict: answers nan")
    if not is_alone and ended.code == 0 and "0_low_0" not in ended.printed:
        faults.append("predict: the good clips are not answered")
    return faults


def _is_named(ended: Ended, written: list[Path]) -> bool:
    """Return whether a command says something of the file, or has copied it."""
    texts = [path.read_text(errors="replace") for path in written if path.suffix in (".csv", ".html", ".txt")]
    return MARK in ended.printed or any(MARK in path.name for path in written) or any(MARK in text for text in texts)
