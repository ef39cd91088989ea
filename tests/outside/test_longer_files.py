"""A file that holds more than its header says is read whole, wherever it is read; what is ordinary stays as it is."""

import io
import re
import struct

import numpy as np
import pandas as pd
import pytest
import soundfile

RATE_HZ, SECONDS = 16000, 3
MP3 = {"format": "MP3", "subtype": "MPEG_LAYER_III"}


def tone(seconds, hz=440):
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(int(hz)).normal(size=time_s.size)
    return 0.3 * np.sin(2 * np.pi * hz * time_s) + 0.02 * noise


def encoded(samples, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, **options)
    return bytearray(file.getvalue())


def joined(hz, **options):
    return b"".join(encoded(tone(1, hz + 100 * part), **options) for part in range(SECONDS))


def patched(hz, name, n_bytes, **options):
    """Return a file whose chunk of samples says to have so many bytes."""
    content = encoded(tone(SECONDS, hz), **options)
    form = ">I" if options["format"] == "AIFF" else "<I"
    struct.pack_into(form, content, content.find(name) + 4, n_bytes)
    return content


def mp3_tag(hz, *, flags=None, n_frames=None):
    content = encoded(tone(SECONDS, hz), **MP3)
    tag = max(content.find(b"Xing"), content.find(b"Info"))
    if n_frames is not None:
        struct.pack_into(">I", content, tag + 8, n_frames)
    if flags is not None:
        struct.pack_into(">I", content, tag + 4, flags)
    return content


def short_flac(hz):
    content = encoded(tone(SECONDS, hz), format="FLAC")
    content[21] &= 0xF0
    content[22:26] = struct.pack(">I", RATE_HZ)  # STREAMINFO: one second
    return content


def with_tail(hz, tail):
    return encoded(tone(SECONDS, hz), format="WAV") + tail


LONGER = {
    "joined.mp3": lambda hz: joined(hz, **MP3),
    "no_frames.mp3": lambda hz: mp3_tag(hz, n_frames=0),
    "no_field.mp3": lambda hz: mp3_tag(hz, flags=0),
    "half.mp3": lambda hz: mp3_tag(hz, n_frames=20),
    "chained.ogg": lambda hz: joined(hz, format="OGG", subtype="VORBIS"),
    "same.ogg": lambda hz: bytes(encoded(tone(1, hz), format="OGG", subtype="VORBIS")) * SECONDS,
    "opus.ogg": lambda hz: joined(hz, format="OGG", subtype="OPUS"),
    "few.flac": short_flac,
    "short.wav": lambda hz: patched(hz, b"data", 2 * RATE_HZ, format="WAV"),
    "float.wav": lambda hz: patched(hz, b"data", 4 * RATE_HZ, format="WAV", subtype="FLOAT"),
    "empty.wav": lambda hz: patched(hz, b"data", 0, format="WAV"),
    "low.aiff": lambda hz: patched(hz, b"SSND", 2 * RATE_HZ + 8, format="AIFF", subtype="PCM_16"),
}
ORDINARY = {
    "list.wav": lambda hz: with_tail(hz, b"LIST" + struct.pack("<I", 20000) + b"INFO" + b"x" * 19996),
    "id3.wav": lambda hz: with_tail(hz, b"id3 " + struct.pack("<I", 30000) + np.random.default_rng(0).bytes(30000)),
    "zeros.wav": lambda hz: with_tail(hz, bytes(40000)),
    "tag.wav": lambda hz: with_tail(hz, b"ID3\4" + np.random.default_rng(0).bytes(9000)),
    "lame.mp3": lambda hz: encoded(tone(SECONDS, hz), **MP3) + b"TAG" + bytes(125),
    "vorbis.ogg": lambda hz: encoded(tone(SECONDS, hz), format="OGG", subtype="VORBIS"),
    "lossless.flac": lambda hz: encoded(tone(SECONDS, hz), format="FLAC"),
}
FILES = LONGER | ORDINARY


@pytest.fixture
def written(empty):
    """Return a folder with every kind of file, each a speaker's, in the folders of two classes."""
    for number, (name, make) in enumerate(FILES.items()):
        path = empty.folder / "audio" / "ab"[number % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(300 + 7 * number))
    return empty


def whole(seconds):
    """Hold the length of each file, by its path, to be whole; joined mp3 files have the padding of each."""
    wrong = {path: value for path, value in seconds.items() if not SECONDS - 0.01 < value < SECONDS + 0.4}
    assert len(seconds) == len(FILES)
    assert not wrong


@pytest.mark.long
def test_check_prepare_and_convert_read_them_whole(written):
    ended = written.prepare("folders", "--check", "audio", "--dataset", "small")
    assert ended.returncode == 0, ended.stderr
    checked = pd.read_csv(written.folder / "data/small/quality/quality.csv", dtype={"faults": str}, keep_default_na=False)
    whole(dict(zip(checked["path"], checked["duration_s"], strict=True)))
    assert not checked["faults"].str.contains("open|decode|empty").any()

    ended = written.prepare("folders", "audio", "--dataset", "small")
    assert ended.returncode == 0, ended.stderr
    index = pd.read_parquet(written.folder / "data/small/corpus.parquet")
    whole(dict(zip(index["path"], index["duration_s"], strict=True)))

    ended = written.python("-m", "preprocessing", "convert", "audio", "copies", "--workers", "1")
    assert ended.returncode == 0, ended.stderr
    copies = sorted((written.folder / "copies").rglob("*.wav"))
    whole({str(path): soundfile.info(path).duration for path in copies})


def test_check_names_them(written):
    ended = written.prepare("folders", "--check", "audio", "--dataset", "small", "--headers-only")

    line = next(line for line in " ".join(ended.stdout.split()).split("Doubtful ") if line.startswith("longer than its header"))
    named = pd.read_csv(written.folder / "data/small/quality/quality.csv", keep_default_na=False)
    named = named[named["faults"].str.contains("longer than its header")].set_index("clip")
    assert f"{len(LONGER)} clips (a/" in line
    assert "All of it is read" in line
    assert {path.partition("/")[2] for path in named.index} == set(LONGER)
    assert named.loc["a/short.wav", "reason"] == "its header says 1.00 s, but it has 3.00 s"
    assert all(re.fullmatch(r"its header says [012]\.\d\d s, but it has 3\.\d\d s", reason) for reason in named["reason"])


@pytest.mark.long
def test_a_stretch_behind_the_end_of_the_header_is_there(written):
    lines = [f"{'ab'[number % 2]}/{name},2.0,2.5,{'ab'[number % 2]},s{number % 5}" for number, name in enumerate(LONGER)]
    written.file("audio/events.csv", "\n".join(["path,start_s,end_s,label,item", *lines, ""]))

    checked = written.prepare(
        "events", "--check", "audio/events.csv", "--dataset", "small", "--item", "item", "--label", "label"
    )
    ended = written.prepare("events", "audio/events.csv", "--dataset", "small", "--item", "item", "--label", "label")

    assert "outside" not in checked.stdout.lower(), checked.stdout
    assert ended.returncode == 0, ended.stderr
    assert f"{len(LONGER)} clips of 5 items" in ended.stdout
    assert "Skipped" not in ended.stdout


def test_samples_of_ordinary_files_are_those_of_libsndfile(written):
    ended = written.python("-m", "preprocessing", "convert", "audio", "copies", "--subtype", "FLOAT", "--workers", "1")
    assert ended.returncode == 0, ended.stderr
    for name in ORDINARY:
        (original,) = (written.folder / "audio").glob(f"*/{name}")
        (copied,) = (written.folder / "copies").glob(f"*/{name.partition('.')[0]}.wav")
        expected, copy = (soundfile.read(path, dtype="float32")[0] for path in (original, copied))
        np.testing.assert_allclose(copy, expected, rtol=0, atol=1e-6 * name.endswith("mp3"))


def test_a_file_of_more_than_4_gib_is_not_as_long_as_its_32_bits_say(empty):
    n_bytes = 2**32 + 2 * RATE_HZ * 1000
    path = empty.folder / "audio" / "wrapped.wav"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", (36 + n_bytes) % 2**32) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16))
        file.write(b"data" + struct.pack("<I", n_bytes % 2**32))
        file.truncate(44 + n_bytes - 2 * RATE_HZ)
        file.seek(0, 2)
        file.write((2**15 * tone(1)).astype("<i2").tobytes())  # the rest takes no room on the disk
    first_s = n_bytes / (2 * RATE_HZ) - 0.95
    lines = [f"wrapped.wav,{first_s + k / 10:.2f},{first_s + 0.1 + k / 10:.2f},call,s{k % 3}" for k in range(9)]
    empty.file("audio/events.csv", "\n".join(["path,start_s,end_s,label,item", *lines, ""]))

    ended = empty.prepare("events", "audio/events.csv", "--dataset", "small", "--item", "item")

    assert "9 clips of 3 items" in ended.stdout, ended.stdout + ended.stderr


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_two_files_in_one_are_named(empty, kind):
    for speaker in range(4):
        for label, hz in (("low", 300), ("high", 1500)):
            path = empty.folder / "audio" / label / f"s{speaker}.{kind.lower()}"
            path.parent.mkdir(parents=True, exist_ok=True)
            one = bytes(encoded(tone(1, hz + speaker), format=kind))
            path.write_bytes(one * (2 if speaker == 3 else 1))

    ended = empty.prepare("folders", "audio", "--dataset", "small")

    assert "Skipped    2 clips" in ended.stdout, ended.stdout + ended.stderr
    reasons = (empty.folder / "data/small/left_out.csv").read_text()
    assert "a second file begins at byte" in reasons


@pytest.mark.long
def test_predict_and_show_hear_all_of_it(copied):
    content = bytearray((copied.folder / "audio/low/s0_0.wav").read_bytes())
    struct.pack_into("<I", content, content.find(b"data") + 4, 200)
    (copied.folder / "short.wav").write_bytes(content)
    fold = f"{copied.EXPERIMENT}/instance_1/fold_1"

    ended = copied.xval("predict", fold, "audio/low/s0_0.wav", "short.wav", "--output", "answers.csv")
    shown = copied.python("-m", "preprocessing", "show", "audio/low/s0_0.wav", "short.wav", "--set", "n_mels=8")

    assert ended.returncode == 0, ended.stderr
    whole, short = pd.read_csv(copied.folder / "answers.csv")["probability_low"]
    assert whole == short
    first, second = (line.partition(": ")[2] for line in shown.stdout.splitlines())
    assert first == second, shown.stderr
