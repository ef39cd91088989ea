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


def named(reader, paths):
    """Return a layout of files whose names tell all; each path comes with its class."""

    def lay_out(folder, *options):
        for number, (path, place) in enumerate(paths):
            tone(folder / path, place, number)
        return [reader, str(folder), *options]

    lay_out.__name__ = reader
    return lay_out


def speech_commands(folder, *options):
    lists = {"validation": [], "testing": []}
    for speaker in range(10):
        for place, word in enumerate(("no", "yes")):
            path = f"{word}/0a{speaker:02}_nohash_0.wav"
            tone(folder / path, place, speaker)
            if speaker > 5:
                lists["validation" if speaker < 8 else "testing"].append(path)
    for side, paths in lists.items():
        (folder / f"{side}_list.txt").write_text("\n".join(paths))
    return ["speech_commands", str(folder), *options]


def iemocap(folder, *options):
    for session, motion in np.ndindex(5, 2):
        dialog = f"Ses{session + 1:02}{'FM'[motion]}_impro01"
        lines = []
        for place, emotion in enumerate(("neu", "ang")):
            utterance = f"{dialog}_{'FM'[motion]}{place:03}"
            tone(folder / f"Session{session + 1}/sentences/wav/{dialog}/{utterance}.wav", place, 2 * session + motion)
            lines.append(f"[{place}.0 - {place}.5]\t{utterance}\t{emotion}\t[{2 + place}.0, 3.0, {3 + session % 2}.0]")
        sheet = folder / f"Session{session + 1}/dialog/EmoEvaluation/{dialog}.txt"
        sheet.parent.mkdir(parents=True, exist_ok=True)
        sheet.write_text("\n".join(lines) + "\n")
    return ["iemocap", str(folder), *options]


def events(folder, *options):
    lines = ["path,start_s,end_s,label"]
    for number in range(6):
        tone(folder / f"r{number}.wav", 2, number, 2.0)
        lines += [f"r{number}.wav,{begin},{begin + 0.4},{label}" for begin, label in ((0.2, "a"), (1.0, "b"))]
    (folder / "events.csv").write_text("\n".join(lines))
    return ["events", str(folder / "events.csv"), *options]


def fma(folder, *options):
    lines = [",album,artist,set,set,track", ",id,id,split,subset,genre_top", "track_id,,,,,"]
    sides = ["training"] * 6 + ["validation"] * 2 + ["test"] * 2
    for number, side in enumerate(sides, start=1):
        tone(folder / "fma_small" / "000" / f"{number:06}.wav", number % 2, number)
        lines.append(f"{number},{number},{number},{side},small,{('Rock', 'Folk')[number % 2]}")
    (folder / "fma_metadata").mkdir()
    (folder / "fma_metadata" / "tracks.csv").write_text("\n".join(lines))
    return ["fma", str(folder), *options]


def bats(folder, *options):
    lines = ["FileID,File name,Voice start sample (1),Voice end sample (1)"]
    for number in range(6):
        tone(folder / "files" / f"{number}.wav", 2, number, 2.0)
        lines.append(f"{number},{number}.wav,2000,4000")
    (folder / "FileInfo.csv").write_text("\n".join(lines))
    rows = [f"{number},1,2000,4000" for number in range(6)]
    (folder / "annotation.csv").write_text("\n".join(["FileID,Context,Start sample,End sample", *rows]))
    return ["bats", str(folder), *options]


def audformat(folder, *options):
    """Write a database in audformat with one table, of ten speakers."""
    from audformat import Column, Database, Scheme, Table, filewise_index

    files = [f"audio/{speaker}_{label}.wav" for speaker in range(10) for label in LABELS]
    database = Database("moods")
    database.schemes["emotion"], database.schemes["speaker"] = Scheme(labels=[*LABELS]), Scheme(labels=[*range(10)])
    database["files"] = Table(filewise_index(files))
    for name, values in (("emotion", [*LABELS] * 10), ("speaker", [number // 2 for number in range(20)])):
        database["files"][name] = Column(scheme_id=name)
        database["files"][name].set(values)
    folder.mkdir()
    database.save(str(folder))
    for number, file in enumerate(files):
        tone(folder / file, number % 2, number)
    return ["audformat", str(folder), *options]


def huggingface(folder, *options):
    """Write a dataset of the library datasets with a column of audio, of ten speakers."""
    import datasets

    for number in range(20):
        tone(folder / f"{number}.wav", number % 2, number)
    audio = [{"bytes": (folder / f"{number}.wav").read_bytes(), "path": None} for number in range(20)]
    content = {"audio": audio, "label": [*LABELS] * 10, "speaker": [f"s{number // 2}" for number in range(20)]}
    features = {"audio": datasets.Audio(decode=False), "label": datasets.Value("string"), "speaker": datasets.Value("string")}
    datasets.Dataset.from_dict(content).cast(datasets.Features(features)).save_to_disk(str(folder.parent / "moods"))
    return ["huggingface", "moods", *options]


def demo(folder, *options):
    return ["demo", "--audio-folder", str(folder), "--n-speakers", "6", *options]


AUDIOMNIST = [(f"data/{n:02}/{d}_{n:02}_0.wav", d) for n in range(1, 61) for d in (0, 1)]
CREMA_D = [(f"AudioWAV/{1001 + n}_DFA_{emotion}_XX.wav", d) for n in range(8) for d, emotion in enumerate(("ANG", "HAP"))]
ESC = [(f"audio/{fold}-{1000 + fold}-A-{d}.wav", d) for fold in range(1, 6) for d in (0, 1)]
URBAN = [(f"audio/fold{fold}/{1000 + fold}-{d}-0-0.wav", d) for fold in range(1, 11) for d in (0, 1)]
FOLDERS = [(f"{'ab'[d]}/s{n}_{take}.wav", d) for n in range(8) for d in (0, 1) for take in (0, 1)]


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
    (ravdess, (), "fold_strategy=balanced"),
    (ravdess, ("--folds", "five"), "predefined"),
    (ravdess, ("--dataset", "mine", "--folds", "five"), "fold_strategy=predefined"),
    (emodb, ("--folds", "gender"), "fold_strategy=predefined"),
    (voxceleb, ("--set", "features=waveform"), "fold_strategy=balanced"),
    (voxceleb, ("--draw-phases", "true", "--dataset", "v"), "fold_strategy=predefined"),
    (fsdd, (), ""),
    (PHASES, ("--dataset", "phased"), "fold_strategy=predefined"),
    (FOLDS, ("--dataset", "folded"), "fold_strategy=predefined"),
    (named("audiomnist", AUDIOMNIST), (), "fold_strategy=predefined"),
    (named("crema_d", CREMA_D), (), ""),
    (named("esc10", ESC), (), "fold_strategy=predefined"),
    (named("esc50", ESC), (), "fold_strategy=predefined"),
    (named("urbansound8k", URBAN), (), "fold_strategy=predefined"),
    (named("folders", FOLDERS), ("--item-pattern", r"s\d"), ""),
    (PHASES, ("--dataset", "rebuilt", "--task-type", "representation"), "daf_autoencoder"),
    (speech_commands, (), "fold_strategy=predefined"),
    (iemocap, (), ""),
    (iemocap, ("--label", "valence"), "task_type=regression"),
    (events, (), ""),
    (events, ("--task-type", "frame_classification"), ""),
    (demo, (), ""),
    (fma, (), "experiments/fma.py"),
    (audformat, ("--label", "emotion", "--item", "speaker"), ""),
    (huggingface, ("--item", "speaker"), ""),
    (bats, ("--task-type", "frame_classification"), "experiments/bats.py"),
    (voxceleb, ("--set", "features=mfcc"), ""),
]


IDS = [f"{case[0].__name__} {' '.join(case[1])}" for case in CASES]
LATER = ("audiomnist", "crema_d", "esc50", "urbansound8k", "iemocap --label valence", "events", "demo", "emodb --folds gender")
"""Accepted in `make test-slow` alone, as readers like them are in `make test`."""
QUICK = ("table_phase --dataset phased",)
INSTANCE = {"ravdess": "2 2"}


def printed_next(study, words):
    """Prepare a corpus in a folder that has the scripts of the project; return what is printed, and the words of Next."""
    shutil.copytree(ROOT / "experiments", study.folder / "experiments", ignore=shutil.ignore_patterns("__pycache__"))
    prepared = study.python("-m", "preprocessing", *words, "--workers", "1")
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr
    (command,) = re.findall(r"^Next +python (.*(?:\n {2,}.*)*)", prepared.stdout, re.MULTILINE)
    return prepared.stdout, shlex.split(command)


@pytest.mark.parametrize(
    ("lay_out", "options", "named"),
    [
        pytest.param(*case, id=name, marks=pytest.mark.slow if name.strip() in LATER else [])
        for case, name in zip(CASES, IDS, strict=True)
    ],
)
def test_the_printed_next_is_accepted(empty, lay_out, options, named):
    said, words = printed_next(empty, lay_out(empty.folder / "audio", *options))

    ended = empty.python(*words, "--dry-run")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert named in " ".join(words) + said


@pytest.mark.long
@pytest.mark.parametrize(
    ("lay_out", "options"),
    [
        pytest.param(*case[:2], id=name, marks=[] if name in QUICK else pytest.mark.slow)
        for case, name in zip(CASES, IDS, strict=True)
    ],
)
def test_the_printed_next_trains(empty, lay_out, options):
    """An instance of it: of all that a script declares, the one that is quick."""
    _, words = printed_next(empty, lay_out(empty.folder / "audio", *options))
    script, *rest = (word for word in words if not word.isdigit())

    ended = empty.python(
        script, *INSTANCE.get(Path(script).stem, "1 1").split(), *rest, "--set", "num_epochs=1", "--executor", "inline"
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert list(empty.folder.glob("results/*/experiment_*/instance_*/fold_*/predictions.parquet"))


def test_a_run_says_that_phases_of_the_corpus_are_not_used(empty):
    _, words = printed_next(empty, PHASES(empty.folder / "audio", "--dataset", "phased"))
    empty.script({"architecture": "constant"}, dataset="phased", fold_strategy="balanced")

    other = empty.run()
    own = empty.run("--set", "fold_strategy=predefined", "--set", "num_experiment=2")

    line = (
        "The dataset: its own phases are not used, because fold_strategy = balanced makes others. To use them: --set "
        "fold_strategy=predefined"
    )
    assert line in other.stdout.replace("\n", " "), other.stdout + other.stderr
    assert own.returncode == 0, own.stderr
    assert "phases are not used" not in own.stdout
    assert "fold_strategy=predefined" in words


def test_advice_names_only_options_that_the_reader_has(empty):
    words = voxceleb(empty.folder / "audio")
    for path in (empty.folder / "audio").rglob("00002.wav"):
        path.unlink()

    said, _ = printed_next(empty, words)

    assert "one clip" in said
    assert "--item-pattern" not in said


def test_next_has_the_longer_step_between_frames_for_sounds_unless_another_was_asked_for(empty):
    advised, _ = printed_next(empty, named("esc10", ESC)(empty.folder / "audio"))
    shutil.rmtree(empty.folder / "experiments")
    own, _ = printed_next(empty, named("esc10", ESC)(empty.folder / "more", "--dataset", "own", "--set", "hop_length=100"))

    assert "hop_length=512" in advised
    assert "num_epochs=40" in advised
    assert "hop_length=512" not in own
    assert "hop_length=100" in own
