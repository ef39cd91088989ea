"""The scripts of four systems from audio files to figures, at the networks' own sizes, on generated corpora.

python benchmarks/systems.py [NAME ...] [--folder FOLDER] [--quick]

Writes corpora in the layouts of VoxCeleb1, the Free Music Archive, annotated bats and folders of sounds, prepares each with the
command that users run, and runs `experiments/voxceleb.py`, `fma.py`, `bats.py` and `folders.py`, which print their tables. What
differs from the scripts is the corpus and the number of epochs, folds and batches, as the commands that it prints say. An
interrupted run goes on where it was. --quick: small corpora and one epoch.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from _generated_calls import write_calls
from _generated_music import write_music
from _generated_voices import write_voices

from preprocessing.corpora._demo_speech import write_demo_speech

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class System:
    """A script of experiments/, its corpus, and which of its instances run.

    Attributes:
        write: Writes the corpus into a folder; with ``quick=True`` a small one.
        prepare: What follows ``xval prepare``; ``{folder}`` stands for the folder of the corpus.
        instances: First and last instance.
        settings: What is changed in the script's settings.
        quick: What else is changed with --quick.
    """

    write: Callable[..., None]
    prepare: str
    instances: Sequence[tuple[int, int]]
    settings: dict[str, object]
    quick: dict[str, object]


def write_folders(folder: Path, *, quick: bool) -> None:
    """Write words of the demo corpus into a folder for each word."""
    loose = folder / "loose"
    for recording in write_demo_speech(loose, n_speakers=6 if quick else 12, seed=1):
        place = folder / "audio" / recording.word
        place.mkdir(parents=True, exist_ok=True)
        recording.path.rename(place / recording.path.name)
    loose.rmdir()


SYSTEMS = {
    "voxceleb": System(
        lambda folder, *, quick: write_voices(folder, n_speakers=4 if quick else 40),
        "voxceleb {folder} --phases {folder}/iden_split.txt --set features=waveform",
        [(1, 1), (6, 6)],
        {"num_epochs": 10, "batch_size": 16},
        {"num_epochs": 1},
    ),
    "fma": System(
        lambda folder, *, quick: write_music(folder, n_artists=3 if quick else 8, n_tracks=1 if quick else 3),
        "fma {folder}",
        [(1, 4)],
        {"tensorboard": "false"},
        {"num_epochs": 1},
    ),
    "bats": System(
        lambda folder, *, quick: write_calls(folder, n_recordings=6 if quick else 24, recording_s=4 if quick else 10),
        "bats {folder} --task-type frame_classification --set features=waveform --set clip_length_s=none",
        [(1, 1), (3, 3)],
        {"fold_strategy": "holdout", "num_epochs": 10},
        {"num_epochs": 1},
    ),
    "folders": System(
        write_folders,
        "folders {folder}/audio --item-pattern _(s\\d+)_",
        [(1, 4)],
        {},
        {"num_epochs": 1, "num_folds": 2},
    ),
}


def run(name: str, place: Path, *, quick: bool) -> None:
    """Write and prepare the corpus of a system, unless that has been done, and run its script."""
    system = SYSTEMS[name]
    folder = place / "corpora" / name
    if not folder.exists():
        unfinished = folder.with_name(f"{name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        system.write(unfinished, quick=quick)
        unfinished.rename(folder)
    prepare = [word.format(folder=folder) for word in system.prepare.split()]
    _call(place, "-m", "preprocessing", *prepare)
    settings = system.settings | (system.quick if quick else {})
    changes = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    for first, last in system.instances:
        started = time.perf_counter()
        _call(place, str(ROOT / "experiments" / f"{name}.py"), str(first), str(last), "--quiet", *changes)
        print(f"{time.perf_counter() - started:.0f} s", flush=True)


def _call(place: Path, *arguments: str) -> None:
    """Run Python with these arguments in a folder; where it fails, end with its exit code."""
    print("$ python", shlex.join(arguments), flush=True)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run([sys.executable, *arguments], cwd=place, env=os.environ | {"PYTHONPATH": path}, check=False)
    if ended.returncode:
        sys.exit(ended.returncode)


def main() -> None:
    """Run the systems that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(SYSTEMS)} (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("data/systems"), help="gets corpora, stores and results")
    parser.add_argument("--quick", action="store_true", help="small corpora and one epoch")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in SYSTEMS:
            parser.error(f"{name}: unknown; choose from {', '.join(SYSTEMS)}")
    for name in arguments.names or SYSTEMS:
        run(name, arguments.folder.resolve(), quick=arguments.quick)


if __name__ == "__main__":
    main()
