"""Sound that is in the files and not in the clips: further tracks and chunks of samples, hidden files, links; and overlaps."""

import os
import shutil
import struct

import av
import numpy as np
import pandas as pd
import pytest
import soundfile

RATE_HZ = 8000
NAMES = [f"{speaker}_{take}" for speaker in "abc" for take in range(2)]


def noise(seconds=0.5, seed=0):
    return (0.1 * np.random.default_rng(seed).normal(size=int(seconds * RATE_HZ))).astype("float32")


@pytest.fixture
def clips(empty):
    """Return a folder with the files of two classes: f/x/a_0.wav to f/y/c_1.wav."""
    for number, name in enumerate(NAMES):
        path = empty.folder / "f" / "xy"[number % 2] / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(seed=number), RATE_HZ)
    return empty


def table(study, *further, header="path,item,label"):
    rows = [f"f/{'xy'[number % 2]}/{name}.wav,{name[0]},{'xy'[number % 2]}" for number, name in enumerate(NAMES)]
    more = "," * (header.count(",") - 2)
    study.file("t.csv", "\n".join([header, *(row + more for row in rows), *further]))


def said(ended):
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return " ".join(ended.stdout.split())


def write_tracks(path, n_tracks):
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("flac", rate=RATE_HZ, layout="mono") for _ in range(n_tracks)]
        for number, stream in enumerate(streams):
            samples = (noise(0.5 + number, seed=9 + number) * 32767).astype("i2")
            for first in range(0, len(samples), 4096):
                frame = av.AudioFrame.from_ndarray(samples[None, first : first + 4096].copy(), format="s16", layout="mono")
                frame.sample_rate, frame.pts = RATE_HZ, first
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


@pytest.mark.long
def test_files_with_several_sound_tracks_are_told(clips):
    write_tracks(clips.folder / "one.mkv", 1)
    write_tracks(clips.folder / "two.mkv", 2)
    table(clips, "one.mkv,d,x", "two.mkv,d,y")

    text = said(clips.prepare("table", "t.csv", sample_rate_hz=RATE_HZ))
    assert "1 of 8 clips, such as two.mkv, has up to 2 sound tracks in a file, of which only the first is read." in text
    text = said(clips.python("-m", "preprocessing", "table", "--check", "t.csv", "--workers", "1"))
    assert "several sound tracks: 1 clip (two.mkv: 2 sound tracks)" in text


@pytest.mark.parametrize("between", [b"", b"LIST" + struct.pack("<I", 4) + b"INFO", b"note" + struct.pack("<I", 3) + b"abc\0"])
def test_a_second_chunk_of_samples_is_named(clips, between):
    path = clips.folder / "f/x/a_0.wav"
    more = (noise(1.0, seed=8) * 32767).astype("<i2").tobytes()
    content = path.read_bytes() + between + b"data" + struct.pack("<I", len(more)) + more
    path.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])

    said(clips.prepare("folders", "f", "--dataset", "e"))

    left_out = pd.read_csv(clips.folder / "data/e/left_out.csv")
    assert left_out["path"].tolist() == ["x/a_0.wav"]
    assert "a second chunk of samples begins at byte" in left_out["reason"][0]


def test_hidden_audio_is_counted(clips):
    for name in ("x/.a_3.wav", "x/.new/a_4.wav", ".z/a_5.wav", "x/._a_0.wav", "__MACOSX/x/._a_0.wav"):
        path = clips.folder / "f" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clips.folder / "f/x/a_0.wav", path)

    text = said(clips.prepare("folders", "f", "--dataset", "e"))

    assert "3 hidden audio files in it are skipped (.z/a_5.wav, x/.a_3.wav, x/.new/a_4.wav)" in text


def test_a_folder_that_is_linked_twice_is_named(clips):
    (clips.folder / "f/y").rename(clips.folder / "store")
    for name in ("dog", "hound"):
        (clips.folder / "f" / name).symlink_to(clips.folder / "store")

    text = said(clips.prepare("folders", "f", "--dataset", "e"))

    assert "hound is the same folder as dog and is read once, as dog" in text
    assert "no audio in the folders" not in text


@pytest.mark.parametrize("make", [os.symlink, os.link, shutil.copy])
def test_overlaps_are_found_through_links_and_copies(clips, make):
    make(clips.folder / "f/x/a_0.wav", clips.folder / "other.wav")
    table(clips, "other.wav,a,y,0.1,0.4", header="path,item,label,start_s,end_s")

    text = " ".join(clips.mistake("-m", "preprocessing", "table", "t.csv").split())

    assert "The clips 'f/x/a_0.wav' and 'other.wav#0.1-0.4' overlap" in text
    assert clips.prepare("table", "t.csv", "--overlaps", "keep").returncode == 0


def test_a_copy_of_a_whole_file_is_as_in_a_list_without_stretches(clips):
    shutil.copy(clips.folder / "f/x/a_0.wav", clips.folder / "other.wav")
    table(clips, "other.wav,a,x,,", "f/x/b_0.wav,d,x,0.1,0.4", header="path,item,label,start_s,end_s")
    (clips.folder / "t.csv").write_text((clips.folder / "t.csv").read_text().replace("f/x/b_0.wav,b,x,,\n", ""))
    assert clips.prepare("table", "t.csv").returncode == 0
