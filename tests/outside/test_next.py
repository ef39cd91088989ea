"""The command that preprocessing prints as Next is run as it is printed, with settings that make it quick behind it."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
RATE_HZ = 4000
LABELS = ("a", "b")
QUICK = {"num_epochs": 1, "n_mels": 8}


def tone(path, pitch, seed, duration_s=0.3):
    """Write a tone with noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng([pitch, seed]).normal(size=time_s.size)
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * (400 + 150 * pitch) * time_s) + 0.03 * noise, RATE_HZ)


def ravdess(folder, *options):
    for actor in range(1, 25):
        for emotion in (1, 3):
            tone(folder / f"Actor_{actor:02}" / f"03-01-{emotion:02}-01-01-01-{actor:02}.wav", emotion, actor)
    return ["ravdess", str(folder), *options]


def voxceleb(folder, *options):
    for speaker in (1, 2):
        for place, video in enumerate("abcdef"):
            for number in (1, 2):
                path = folder / f"id1000{speaker}" / f"video_{video}___" / f"{number:05}.wav"
                tone(path, speaker, 10 * place + number)
    return ["voxceleb", str(folder), *options]


def emodb(folder, *options):
    for speaker in ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16"):
        for place, emotion in enumerate("WF"):
            tone(folder / "wav" / f"{speaker}a01{emotion}a.wav", place, int(speaker))
    return ["emodb", str(folder), *options]


def fsdd(folder, *options):
    for speaker in range(6):
        for digit in (0, 1):
            for take in (0, 1):
                tone(folder / f"{digit}_s{speaker}_{take}.wav", digit, 2 * speaker + take)
    return ["fsdd", str(folder), *options]


def table(column, values):
    """Return a layout of a table with a further column, a value for each of ten speakers."""

    def lay_out(folder, *options):
        lines = [f"path,item,label,{column}"]
        for speaker in range(10):
            for place, label in enumerate(LABELS):
                tone(folder / f"{label}{speaker}.wav", place, speaker)
                lines.append(f"{label}{speaker}.wav,s{speaker},{label},{values[speaker]}")
        (folder / "clips.csv").write_text("\n".join(lines))
        return ["table", str(folder / "clips.csv"), *options]

    lay_out.__name__ = f"table_{column}"
    return lay_out


PHASES = table("phase", ["training"] * 6 + ["validation"] * 2 + ["test"] * 2)
FOLDS = table("fold", [number % 5 + 1 for number in range(10)])
CASES = [
    (ravdess, (), "2 2", "fold_strategy=balanced"),
    (ravdess, ("--folds", "five"), "2 2", "predefined"),
    (ravdess, ("--dataset", "mine", "--folds", "five"), "1 1", "fold_strategy=predefined"),
    (emodb, ("--folds", "gender"), "1 1", "fold_strategy=predefined"),
    (voxceleb, ("--set", "features=waveform"), "4 4", "fold_strategy=balanced"),
    (voxceleb, ("--draw-phases", "true", "--dataset", "v"), "1 1", "fold_strategy=predefined"),
    (fsdd, (), "1 1", ""),
    (PHASES, ("--dataset", "phased"), "1 1", "fold_strategy=predefined"),
    (FOLDS, ("--dataset", "folded"), "1 1", "fold_strategy=predefined"),
]


def printed_next(study, words):
    """Prepare a corpus in a folder that has the scripts of the project; return what is printed, and the words of Next."""
    shutil.copytree(ROOT / "experiments", study.folder / "experiments", ignore=shutil.ignore_patterns("__pycache__"))
    prepared = study.python("-m", "preprocessing", *words, "--workers", "1")
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr
    (command,) = re.findall(r"^Next +python (.*(?:\n {2,}.*)*)", prepared.stdout, re.MULTILINE)
    return prepared.stdout, shlex.split(command)


@pytest.mark.parametrize(
    ("lay_out", "options", "instances", "named"), CASES, ids=[f"{case[0].__name__} {' '.join(case[1])}" for case in CASES]
)
def test_the_printed_next_is_accepted(empty, lay_out, options, instances, named):
    said, words = printed_next(empty, lay_out(empty.folder / "audio", *options))

    ended = empty.python(words[0], *instances.split(), *words[1:], "--dry-run", "--executor", "inline")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert named in " ".join(words) + said


def test_advice_names_only_options_that_the_reader_has(empty):
    words = voxceleb(empty.folder / "audio")
    for path in (empty.folder / "audio").rglob("00002.wav"):
        path.unlink()

    said, _ = printed_next(empty, words)

    assert "one clip" in said
    assert "--item-pattern" not in said
