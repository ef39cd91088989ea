"""What ``xval augment`` writes is read as the folder that it was made of: every copy beside its source."""

import csv
import shutil
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.clips.augmented_copies import COPIES_COLUMNS, COPIES_NAME, add_copies
from preprocessing.clips.listing import copy_name
from preprocessing.clips.table import check_clips
from preprocessing.corpora import find_corpus

N_COPIES = 2
FMA_HEADER = (
    ",album,artist,set,track,track\n,id,id,split,genre_top,listens\ntrack_id,,,,,\n2,1,7,training,Rock,12\n5,2,8,test,Pop,30\n"
)
EVALUATION = "[6.2901 - 8.2357]\tSes01{0}_impro01_{0}000\tneu\t[2.5000, 2.0000, 3.5000]\n"

CORPORA: dict[str, tuple[tuple[str, ...], dict[str, str], dict[str, object]]] = {
    "audiomnist": (("data/01/0_01_0.wav", "data/02/7_02_1.wav"), {}, {}),
    "crema_d": (("AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_IEO_HAP_HI.wav"), {}, {}),
    "emodb": (("wav/03a01Fa.wav", "wav/09b10Wb.wav"), {}, {"folds": "gender"}),
    "esc50": (("audio/1-100032-A-0.ogg", "audio/5-9032-A-0.ogg"), {}, {}),
    "events": (
        ("A1.flac", "night/B2.flac"),
        {"calls.csv": "file,start_s,end_s,label\nA1.flac,0,0.2,x\nA1.flac,0.3,0.5,y\nB2,0.1,0.2,x\n"},
        {"annotation": Path("calls.csv")},
    ),
    "fma": (("fma_small/000/000002.mp3", "fma_small/000/000005.mp3"), {"fma_metadata/tracks.csv": FMA_HEADER}, {}),
    "folders": (("dog/1.mp3", "cat/deep/1.m4a"), {}, {}),
    "fsdd": (("recordings/0_anna_0.wav", "recordings/1_bert_0.wav"), {}, {}),
    "iemocap": (
        tuple(f"Session1/sentences/wav/Ses01{sex}_impro01/Ses01{sex}_impro01_{sex}000.wav" for sex in "FM"),
        {f"Session1/dialog/EmoEvaluation/Ses01{sex}_impro01.txt": EVALUATION.format(sex) for sex in "FM"},
        {},
    ),
    "ravdess": (("Actor_01/03-01-01-01-01-01-01.wav", "Actor_16/03-01-06-01-02-02-16.wav"), {}, {"folds": "gender"}),
    "speech_commands": (
        ("right/a69b9b3e_nohash_0.wav", "left/b69b9b3e_nohash_0.wav"),
        {"validation_list.txt": "", "testing_list.txt": "left/b69b9b3e_nohash_0.wav\n"},
        {},
    ),
    "table": (
        ("one.mp3", "deep/two.1.ogg"),
        {"clips.csv": "path,item,label,phase\none.mp3,a,x,train\ndeep/two.1.ogg,b,y,test\n"},
        {"table": Path("clips.csv")},
    ),
    "urbansound8k": (("audio/fold5/100032-3-0-0.wav", "audio/fold10/100648-1-0-0.wav"), {}, {}),
    "voxceleb": (
        ("id1/v/00001.m4a", "id2/w/00001.m4a"),
        {"phases.csv": "phase,path\n1,id1/v/00001.m4a\n3,id2/w/00001.m4a\n"},
        {"phases": "phases.csv"},
    ),
}
"""Audio files, files that come with them, and the options; paths among these are relative to the folder."""


def write(folder: Path, path: str, seed: int) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).uniform(-0.3, 0.3, 4000)
    suffix = PurePosixPath(path).suffix
    soundfile.write(folder / path, samples, 8000, format={".flac": "FLAC", ".ogg": "OGG"}.get(suffix, "WAV"))


def augment(folder: Path, output: Path, paths: tuple[str, ...]) -> None:
    """Write what the command writes: unchanged files as wav, copies, the list, and the files that came with them."""
    shutil.copytree(folder, output, ignore=shutil.ignore_patterns("*.wav", "*.mp3", "*.m4a", "*.ogg", "*.flac"))
    rows = []
    for position, path in enumerate(paths):
        source = PurePosixPath(path).with_suffix(".wav")
        write(output, source.as_posix(), position)
        for number in range(1, N_COPIES + 1):
            copy = source.with_name(copy_name(source.stem, number)).as_posix()
            write(output, copy, 10 * number + position)
            rows.append((copy, source.as_posix(), number, 1.0, "gain", "{}", 1))
    with (output / COPIES_NAME).open("w", newline="") as file:
        csv.writer(file).writerows([COPIES_COLUMNS, *rows])


def list_all(name: str, folder: Path, options: dict[str, object]) -> pd.DataFrame:
    placed = {
        key: type(value)(str(folder / str(value))) if str(value).endswith(".csv") else value for key, value in options.items()
    }
    reader = find_corpus(name)
    values = {option.name: option.default for option in reader.options if not option.is_required} | placed
    clips = check_clips(reader.list_clips(folder, **values), folder, task_type=reader.task_type(**values))
    return add_copies(clips, folder)


def plain(path: str) -> str:
    return PurePosixPath(path).with_suffix("").as_posix()


@pytest.mark.parametrize("name", CORPORA)
def test_a_folder_of_copies_is_read_as_its_source(name: str, tmp_path: Path) -> None:
    paths, texts, options = CORPORA[name]
    folder, output = tmp_path / "input", tmp_path / "output"
    for position, path in enumerate(paths):
        write(folder, path, position)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    augment(folder, output, paths)

    before, after = list_all(name, folder, options), list_all(name, output, options)

    assert not before["augmented"].any()
    originals, copies = after[~after["augmented"]], after[after["augmented"]]
    kept = ["item", "label", "phase", "fold", "start_s", "end_s"]
    expected, found = (
        clips.assign(path=clips["path"].map(plain)).set_index(["path", "start_s"], drop=False)[kept].sort_index()
        for clips in (before, originals)
    )
    if name in ("folders", "events"):  # A file, or recording, is its item.
        expected["item"], found["item"] = expected["item"].map(plain), found["item"].map(plain)
    pd.testing.assert_frame_equal(found, expected)
    assert len(copies) == N_COPIES * len(originals)
    sources = originals.set_index("clip").loc[copies["source_clip"]]
    pd.testing.assert_frame_equal(copies[kept].reset_index(drop=True), sources[kept].reset_index(drop=True))
    assert copies["path"].map(lambda path: (output / path).is_file()).all()
    assert [path.split(".augmented-")[0] for path in copies["path"]] == [plain(path) for path in sources["path"]]
