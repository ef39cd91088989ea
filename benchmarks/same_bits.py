"""Whether two states of the code give the same results, bit for bit: digests of what short experiments leave.

python benchmarks/same_bits.py make CHECKOUT OUTPUT.json [--digits FOLDER] [--only NAME,...]      about 8 minutes on 2 cores
python benchmarks/same_bits.py compare BEFORE.json AFTER.json                                     exit code 1: they differ

CHECKOUT is a folder with this project and its environment in .venv, FOLDER the recordings of the Free Spoken Digit Dataset
(default: the environment variable XVAL_FSDD; without it the job of the digits is left out), NAME a job of JOBS. Each job runs
in an empty temporary folder with the commands that users type, on the scripts of experiments/ and on small ones that are
written here, so that nothing is asked of the code but what users ask of it. The checkout is only read.

Every file that a job leaves is digested, and its name is too: of JSON each value and the order of the keys, of csv, parquet and
npz each column or array, of model.keras its configuration and each weight with its type and shape, of model.skops the pipeline,
of results.xlsx each row with all formats and links, and the charts; other files as they are. Left out is what differs between
two runs of the same code, or between two states of the code that mean the same:

- of JSON: seconds, compile_s and peak_memory_mb; code_hash and versions; corpus_fingerprint, since the index of a corpus has
  the path of its folder; date_saved of model.keras, and so initial_model_hash and the hashes of the models of a combination
- of model.keras and model.skops: addresses in memory, which become numbers; what is shared still counts
- of results.xlsx: what is in the columns 'time (s)', 'seconds' and 'peak_memory_mb', and their widths; the date of the file
- of folders: code/, the copy of the code; what is in lock files
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from _digests import of_folder

RATE_HZ = 8000
PITCHES_HZ = {"low": 400, "middle": 900, "high": 1600}

SMALL = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 20}
TONES = {"dataset": "tones", "num_folds": 3, "num_epochs": 3, "batch_size": 8, "learning_rate": 0.01, **SMALL}
CNN = {"architecture": "cnn_small", "n_filters": (4, 8)}
MLP = {"architecture": "mlp", "n_units": (16,), "dropout": 0.2}
EARLIER = "results/tones/experiment_1/instance_1/fold_{fold}/model.keras"
SCRIPTS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "models": (
        TONES,
        [
            CNN,
            {**MLP, "evaluate_training": True, "class_weights": "balanced", "optimizer": "sgd", "schedule": "cosine"},
            {**CNN, "features": "waveform", "frontend": "logmel", "crop_s": 0.2, "augment_mixup": 0.3, "augment_gain_db": 3.0},
            {"architecture": "crnn", "example_length_s": 0.2, "clip_average": "logits", "augment_time_shift_s": 0.02},
        ],
    ),
    "transfer": (
        TONES | {"num_experiment": 2},
        [{**CNN, "initial_model": EARLIER, "frozen": "convolutions"}, {**CNN, "initial_model": EARLIER, "frozen_layers": 1}],
    ),
    "combination": (
        TONES | {"num_experiment": 3},
        [
            {"architecture": "feature_combination", "models": [EARLIER], "classifier": "random_forest"},
            {"architecture": "feature_combination", "models": [EARLIER], "pca_components": 5, "basic_features": False},
        ],
    ),
    "regression": (
        TONES | {"task_type": "regression", "monitor": "val_mae"},
        [{**MLP, "augment_mixup": 0.2}, {**CNN, "regularization_lambda": 0.001, "normalization": "per_clip"}],
    ),
    "other_backends": (TONES, [{**CNN, "num_epochs": 1}]),
}
# Of each job its commands, which run in a folder of its own beside inputs/; what is behind > gets the standard output.
_PREPARE = "-m preprocessing folders ../inputs/sounds --item-pattern s[0-9] --dataset"
_BATS = "{experiments}/bats.py {instances} --folds 1 --set num_epochs=2 --set n_filters=4 --set kernel_length=51"
_BATS += f" --set sample_rate_hz={RATE_HZ} --set n_conv_filters=(4,) --set n_units=(8,)"
JOBS: dict[str, tuple[str, ...]] = {
    "demo": (
        "-m preprocessing demo",
        "{experiments}/demo.py --list > list.txt",
        "{experiments}/demo.py",
        "-m xval check results/demo/experiment_1 > check.txt",
    ),
    "digits": (
        "-m preprocessing fsdd {digits}",
        "{experiments}/fsdd.py 1 --folds 1 --set num_epochs=2",
        "{experiments}/fsdd.py 5 --folds 2 --set num_epochs=2",
    ),
    "folders": (
        f"{_PREPARE} folders",
        "{experiments}/folders.py --folds 1 --set num_epochs=3",
        "{experiments}/folders_representation.py 1 --folds 1 --set num_epochs=2",
    ),
    "frames": (
        "-m preprocessing bats ../inputs/bats --task-type frame_classification",
        _BATS.replace("{instances}", "1 2") + " --set n_gru_units=8",
        _BATS.replace("{instances}", "3"),
        _BATS.replace("{instances}", "4") + " --set n_gru_units=8",
    ),
    "models": (
        f"{_PREPARE} tones",
        "../inputs/models.py",
        "../inputs/transfer.py",
        "../inputs/combination.py",
        "-m xval predict results/tones/experiment_1/instance_1/fold_2/model.keras ../inputs/others --output predicted.csv",
        "-m xval predict results/tones/experiment_1 ../inputs/others --every 0.1 --output predicted.json",
        "-m xval evaluate results/tones/experiment_1/instance_1 ../inputs/others --item-pattern s[0-9] --output evaluation",
        "-m xval embed results/tones/experiment_1/instance_1/fold_1 ../inputs/others",
        "-m xval refit results/tones/experiment_1 3",
        "-m xval rebuild results/tones/experiment_1",
        "-m xval check results/tones/experiment_2 > check.txt",
    ),
    "regression": (
        "-m preprocessing table ../inputs/sounds/numbers.csv --dataset tones --task-type regression",
        "../inputs/regression.py",
    ),
    "other_backends": (
        f"{_PREPARE} tones",
        "../inputs/other_backends.py --folds 1 --set backend=torch",
        "../inputs/other_backends.py --folds 1 --set backend=jax --set num_experiment=2",
    ),
    "augmentation": (
        "-m augmentation ../inputs/sounds copies 2",
        "-m augmentation mix ../inputs/bats ../inputs/backgrounds mixtures --set mixture_uses=2",
    ),
}


def write_sounds(folder: Path, seed: int) -> None:
    """Write tones with some noise into class folders, and numbers.csv with the pitch and the length of each."""
    rng = np.random.default_rng(seed)
    lines = ["path,item,label:pitch,label:length"]
    for name, pitch_hz in PITCHES_HZ.items():
        (folder / name).mkdir(parents=True)
        for speaker in range(6):
            for take in range(3):
                samples = tone(pitch_hz * rng.uniform(0.8, 1.2), rng.uniform(0.4, 0.6), rng)
                path = f"{name}/s{speaker}_{take}.wav"
                soundfile.write(folder / path, samples, RATE_HZ)
                lines.append(f"{path},s{speaker},{pitch_hz / 1000},{len(samples) / RATE_HZ}")
    (folder / "numbers.csv").write_text("\n".join(lines), encoding="utf-8")


def write_bats(folder: Path, backgrounds: Path) -> None:
    """Write recordings of two calls in noise, which two annotators heard differently, events.csv on them, and mere noise."""
    rng = np.random.default_rng(7)
    (folder / "files").mkdir(parents=True)
    backgrounds.mkdir()
    file_info = ["FileID,File name,Voice start sample (1),Voice end sample (1),Voice start sample (2),Voice end sample (2)"]
    annotation, events = ["FileID,Context,Start sample,End sample"], ["path,start_s,end_s,label,item"]
    for number in range(6):
        noises = [0.01 * rng.normal(size=RATE_HZ // 2) for _ in range(3)]
        calls = [tone(pitch_hz * rng.uniform(0.9, 1.1), 0.6, rng) for pitch_hz in (900, 1600)]
        parts = [noises[0], calls[0], noises[1], calls[1], noises[2]]
        soundfile.write(folder / "files" / f"{number}.wav", np.concatenate(parts), RATE_HZ)
        soundfile.write(backgrounds / f"{number}.wav", 0.05 * rng.normal(size=12 * RATE_HZ), RATE_HZ)
        edges = np.cumsum([len(part) for part in parts])
        file_info.append(f"{number},{number}.wav,{edges[0]},{edges[1]},{edges[2]},{edges[3]}")
        annotation += [f"{number},1,{edges[0]},{edges[1] + 800}", f"{number},1,{edges[2]},{edges[3]}"]
        for place, label in ((0, "a"), (2, "b")):
            events.append(f"files/{number}.wav,{edges[place] / RATE_HZ},{edges[place + 1] / RATE_HZ},{label},{number}")
    for name, lines in {"FileInfo.csv": file_info, "annotation.csv": annotation, "events.csv": events}.items():
        (folder / name).write_text("\n".join(lines), encoding="utf-8")


def tone(pitch_hz: float, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """Return the samples of a tone with noise."""
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return 0.3 * np.sin(2 * np.pi * pitch_hz * time_s) + 0.02 * rng.normal(size=time_s.size)


def write_inputs(folder: Path) -> None:
    """Write the sounds and the scripts that jobs read."""
    folder.mkdir()
    write_sounds(folder / "sounds", seed=1)
    write_sounds(folder / "others", seed=2)
    write_bats(folder / "bats", folder / "backgrounds")
    for name, (parameters, instances) in SCRIPTS.items():
        lines = ["from xval import Experiment", f"experiment = Experiment({name!r}, **{parameters!r})"]
        lines += [f"experiment[{number}] = {instance!r}" for number, instance in enumerate(instances, start=1)]
        lines += ["if __name__ == '__main__':", "    experiment.main()", ""]
        (folder / f"{name}.py").write_text("\n".join(lines), encoding="utf-8")
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))  # the augmentation notes how old its sources are


def run_python(checkout: Path, words: list[str], folder: Path, jax_cache: Path) -> str:
    """Run a checkout's Python in a folder and return its standard output; where it fails, print what it wrote and end."""
    variables = {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "PYTHONPATH")}
    variables["JAX_COMPILATION_CACHE_DIR"] = str(jax_cache)  # what the other state has compiled is not taken
    command = [str(checkout / ".venv" / "bin" / "python"), *words]
    ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{shlex.join(command)} ended with exit code {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout


def make(checkout: Path, digits: Path | None, names: list[str]) -> dict[str, str]:
    """Run jobs and return the digests of what they leave."""
    found: dict[str, str] = {}
    places = {"{experiments}": shlex.quote(str(checkout / "experiments")), "{digits}": shlex.quote(str(digits))}
    with tempfile.TemporaryDirectory() as place:
        jax_cache = Path(place) / "jax"
        printed = run_python(checkout, ["-c", "import xval; print(xval.__file__)"], Path(place), jax_cache).strip()
        if not Path(printed).resolve().is_relative_to(checkout):
            sys.exit(f"The environment of {checkout} has xval from {printed}; install it there.")
        write_inputs(Path(place) / "inputs")
        for name in names:
            started, folder = time.perf_counter(), Path(place) / name
            folder.mkdir()
            for command in JOBS[name]:
                for mark, path in places.items():
                    command = command.replace(mark, path)
                words, _, output = command.partition(" > ")
                written = run_python(checkout, shlex.split(words), folder, jax_cache)
                if output:
                    (folder / output).write_text(written, encoding="utf-8")
            digests = {f"{name}/{part}": value for part, value in of_folder(folder).items()}
            found |= digests
            print(f"{name:16} {time.perf_counter() - started:6.1f} s {len(digests):8,} digests", flush=True)
    return found


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> int:
    """Print what differs, and return the exit code."""
    names = dict.fromkeys([*before, *after])
    differing = [name for name in names if before.get(name) != after.get(name)]
    for name in differing:
        print(f"{name}: {before.get(name, 'not there')} before, {after.get(name, 'not there')} after")
    print(f"{len(differing)} of {len(names)} digests differ" if differing else f"{len(names)} digests, the same")
    return int(bool(differing) or not names)


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    making, comparing = actions.add_parser("make"), actions.add_parser("compare")
    making.add_argument("checkout", type=Path)
    making.add_argument("output", type=Path)
    making.add_argument("--digits", type=Path, default=os.environ.get("XVAL_FSDD"), help="recordings of the digits (XVAL_FSDD)")
    making.add_argument("--only", metavar="NAME,...", help=f"only these jobs of: {', '.join(JOBS)}")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.action == "compare":
        return compare(json.loads(given.before.read_bytes()), json.loads(given.after.read_bytes()))
    names = given.only.split(",") if given.only else [name for name in JOBS if name != "digits" or given.digits]
    if unknown := set(names) - set(JOBS):
        parser.error(f"--only: no job {', '.join(sorted(unknown))}; allowed: {', '.join(JOBS)}")
    digits = given.digits and Path(given.digits).resolve()
    started = time.perf_counter()
    found = make(given.checkout.resolve(), digits, names)
    given.output.write_text(json.dumps(found, indent=0, ensure_ascii=False), encoding="utf-8")
    print(f"{len(found):,} digests in {given.output}, {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
