"""Every line of the tables of features in benchmarks/systems.md works as printed, on generated corpora.

The lines of a table are run in their order in one folder. Scripts train one epoch, with fewer filters and folds.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "benchmarks/systems.md"
SYSTEM = re.compile(r"^### (.+?)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^\|[^|]*\| `(.+)` \|$", re.MULTILINE)
FEATURES = PAGE.read_text().partition("## Every feature and its command")[2]
TABLES = {title: LINE.findall(text) for title, text in SYSTEM.findall(FEATURES)}
QUICK = {
    "exp1": {},
    "voxceleb": {"batch_size": 8},
    "fma": {"batch_size": 4},
    "folders": {"num_folds": 2},
    "folders_representation": {"num_folds": 2, "n_filters": "(8, 16, 32)"},
    "bats": {"fold_strategy": "holdout", "sequence_frames": 10, "n_units": "(16,)"},
}
"""What a script is given besides one epoch."""
GENERATE = f"""
import sys
sys.path.insert(0, {str(ROOT / "benchmarks")!r})
from pathlib import Path
from _generated_calls import write_calls
from _generated_music import write_music
from _generated_voices import write_voices
write_voices(Path("voices"), n_speakers=4)
write_music(Path("music"), n_artists=3, n_tracks=1)
write_calls(Path("calls"), n_recordings=6, recording_s=4)
"""


def test_each_system_has_a_table():
    assert len(TABLES) == 5
    assert all(len(lines) >= 8 for lines in TABLES.values())


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("system", TABLES)
def test_every_line_works_as_printed(system, make_once, tmp_path):
    folder = make_once("systems", write_corpora)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    failed = []
    for line in TABLES[system]:
        ended = run(line, tmp_path)
        if ended.returncode:
            failed.append(f"$ {line}\n{ended.stdout[-1500:]}\n{ended.stderr[-1500:]}")

    assert not failed, "\n\n".join(failed)


def run(line: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a line of a table, Python or a command; an experiment is made small."""
    words = shlex.split(line) if line.startswith(("python ", "xval ", "tensorboard ")) else []
    if not words:
        numbers = "import numpy as np, xval, preprocessing\nx, y = np.random.rand(120, 20, 8), np.arange(120) % 2\n"
        words = ["python", "-c", numbers + line]
    if words[0] == "xval":
        words = ["python", "-m", *words]
    if words[0] == "tensorboard":
        words = ["python", "-m", "tensorboard.main", *words[1:], "--inspect"]
    if words[1].startswith("experiments/") and not {"--list", "--dry-run"} & set(words):
        name = Path(words[1]).stem
        changes = {"num_epochs": 1, "warmup_epochs": 0, "fold_repeats": 1, "page": "none", **QUICK[name]}
        words += [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=1800, check=False
    )


def write_corpora(folder: Path) -> None:
    """Write the folders that the page names, and what is beside them: experiments/ and config.ini of the project."""
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    shutil.copy(ROOT / "config.ini", folder)
    made = subprocess.run([sys.executable, "-c", GENERATE], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert made.returncode == 0
    write_phases(folder / "voices", folder / "phases.csv")
    for path in sorted(folder.glob("voices/wav/*/*/*.wav")):
        to_m4a(path)
    (folder / "music/fma_small/000/000003.wav").write_bytes(b"no audio")
    calls = pd.read_csv(folder / "calls/annotation.csv")
    calls.loc[calls.index % 2 == 1, "Context"] = calls["Context"].replace("call", "fight")
    calls.to_csv(folder / "calls/annotation.csv", index=False)
    write_sounds(folder)
    rng = np.random.default_rng(0)
    (folder / "backgrounds").mkdir()
    soundfile.write(folder / "backgrounds/noise.wav", 0.05 * rng.normal(size=120 * 16000), 16000)
    sizes = {f"s{number}": rng.normal(size=(6, 20, 8)) + number for number in range(6)}
    targets = {name: values.mean((1, 2)) for name, values in sizes.items()}
    from preprocessing.store import write

    write("sizes", sizes, targets, task_type="regression", data_folder=folder / "data")


def to_m4a(path: Path) -> None:
    """Replace a recording by its encoding as AAC."""
    samples, rate_hz = soundfile.read(path, dtype="int16")
    with av.open(path.with_suffix(".m4a"), "w") as file:
        stream = file.add_stream("aac", rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = rate_hz
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    path.unlink()


def write_phases(voices: Path, target: Path) -> None:
    """Write the official list as a map of phases of a user's own; 4 is another word for the test phase."""
    rows = [line.split() for line in (voices / "iden_split.txt").read_text().splitlines()]
    table = pd.DataFrame(rows, columns=["phase", "path"]).replace({"phase": {"3": "4"}})
    table["id"], table["context"] = table["path"].str.split("/").str[0], table["path"].str.split("/").str[1]
    table.to_csv(target, index=False)


def write_sounds(folder: Path) -> None:
    """Write sounds of three classes by eight speakers: in class folders, in folders elsewhere, flat, and a long one."""
    rng = np.random.default_rng(1)
    for number, (place, name, pitch_hz) in enumerate((("a", "low", 300), ("b", "medium", 900), ("c", "high", 2400))):
        for speaker, take in np.ndindex(8, 3):
            sound = tone(pitch_hz + 20 * speaker, 1.0, rng)
            targets = (f"sounds/{name}", f"{place}/{name}", "flat")
            if speaker == 7:  # whom no network hears
                targets = (f"new_sounds/{name}",)
            for target in targets:
                path = folder / target / f"hod_s{speaker + 1:02}_{take + 3 * number * (target == 'flat')}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, sound, 16000)
    soundfile.write(folder / "long.wav", np.concatenate([tone(300, 4, rng), tone(2400, 4, rng)]), 16000)


def tone(pitch_hz: float, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """Return a tone in noise at 16 kHz."""
    times_s = np.arange(int(duration_s * 16000)) / 16000
    return 0.2 * np.sin(2 * np.pi * pitch_hz * times_s) + 0.03 * rng.normal(size=times_s.size)
