"""A small corpus of tones and experiments on it, for every kind of trouble: made once, and copied for each case."""

import hashlib
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8000
FEATURES = {"sample_rate_hz": RATE_HZ, "n_fft": 128, "win_length": 128, "hop_length": 64, "n_mels": 8}
SETTINGS = [word for name, value in FEATURES.items() for word in ("--set", f"{name}={value}")]
PREPARE = ("-m", "preprocessing", "table", "audio/toy.csv", "--dataset", "toy", "--workers", "1", *SETTINGS)
BASELINES: list[dict[str, object]] = [
    {"architecture": "logistic", "C": (1.0,)},
    {"architecture": "svm", "C": (1.0,), "gamma": ("scale",)},
]
NETWORK: list[dict[str, object]] = [{"architecture": "mlp", "n_units": (4,), "dropout": 0.2}]


def tone(rng: np.random.Generator, pitch_hz: float = 500.0, n_samples: int = 2000) -> np.ndarray:
    """Return a tone with noise, float64 (n_samples,)."""
    return 0.3 * np.sin(2 * np.pi * pitch_hz * np.arange(n_samples) / RATE_HZ) + 0.02 * rng.normal(size=n_samples)


def write_audio(folder: Path, n_items: int = 4, n_takes: int = 2) -> None:
    """Write clips of two classes and the table toy.csv of them."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = ["path,item,label"]
    for item in range(n_items):
        for label, pitch_hz in (("low", 500), ("high", 1500)):
            for take in range(n_takes):
                name = f"{item}_{label}_{take}.wav"
                soundfile.write(folder / name, tone(rng, pitch_hz, int(rng.integers(1500, 2500))), RATE_HZ)
                rows.append(f"{name},s{item},{label}")
    (folder / "toy.csv").write_text("\n".join(rows) + "\n")


def write_script(folder: Path, instances: Sequence[Mapping[str, object]], name: str = "exp.py", **parameters: object) -> None:
    """Write the script of an experiment on the corpus."""
    given = {
        "dataset": "toy",
        "num_folds": 2,
        "fold_repeats": 1,
        "num_epochs": 2,
        "batch_size": 8,
        "executor": "inline",
        "page": "none",
        **FEATURES,
    }
    lines = ["from xval import Experiment", f"experiment = Experiment('a test', **{given | parameters!r})"]
    lines += [f"experiment[{number}] = {instance!r}" for number, instance in enumerate(instances, start=1)]
    lines += ["if __name__ == '__main__':", "    experiment.main()", ""]
    (folder / name).write_text("\n".join(lines))


def copy(base: Path, folder: Path) -> Path:
    """Copy a project to the folder of a case, and return that; copies of the code, which nothing writes twice, are linked."""
    shutil.copytree(base, folder, symlinks=True, copy_function=_copy_file)
    return folder


def _copy_file(source: str, target: str) -> None:
    if "/code/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def digests(folder: Path) -> dict[str, str]:
    """Return a digest of the content of every regular file below a folder, by its path in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


class Project:
    """A copy of a project that is put back after each command, which changes little of it.

    Args:
        base: What is copied; nothing may write there.
        folder: Not there yet.
    """

    def __init__(self, base: Path, folder: Path) -> None:
        self._base, self.folder = base, copy(base, folder)
        self._stamps = self._scan()

    def changed(self) -> list[str]:
        """Return the paths of what has been made, written, removed or replaced since the last `put_back`."""
        found = self._scan()
        return [name for name in sorted({*found, *self._stamps}) if found.get(name) != self._stamps.get(name)]

    def put_back(self) -> None:
        """Make the copy again what the base is."""
        for name in self.changed():
            path, base = self.folder / name, self._base / name
            if base.is_dir() and path.is_dir() and not path.is_symlink():
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.is_symlink() or path.exists():
                path.unlink()
            if base.is_dir():
                path.mkdir(parents=True, exist_ok=True)
            elif base.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                _copy_file(str(base), str(path))
            if base.parent.is_dir() and path.parent.is_dir():
                shutil.copystat(base.parent, path.parent)  # some commands look when a folder was changed
        self._stamps = self._scan()

    def has_other_content(self, name: str) -> bool:
        """Return whether a file of the base is gone or has another content in the copy."""
        path, base = self.folder / name, self._base / name
        return not path.is_file() or path.stat().st_size != base.stat().st_size or path.read_bytes() != base.read_bytes()

    def _scan(self) -> dict[str, tuple[int, ...]]:
        """Return what tells that a file was written or replaced: number, size, and the time of change, which nobody sets."""
        found: dict[str, tuple[int, ...]] = {}
        for place, folders, files in os.walk(self.folder):
            for path in (Path(place, name) for name in (*folders, *files)):
                at = path.lstat()
                # A file that several copies share changes with each of them.
                when = at.st_mtime_ns if at.st_nlink > 1 else at.st_ctime_ns
                is_folder = stat.S_ISDIR(at.st_mode)
                found[str(path.relative_to(self.folder))] = (0,) if is_folder else (at.st_mode, at.st_ino, at.st_size, when)
        return found
