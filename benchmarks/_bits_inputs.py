"""The experiments of same_bits.py: generated sounds, scripts on them, and the commands that users type.

The scripts import only public names of xval, so that they run on any state of the code.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE_HZ = 8000
PITCHES_HZ = {"low": 400, "middle": 900, "high": 1600}
SMALL = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 20}
_SMALL = " ".join(f"--set {name}={value}" for name, value in SMALL.items())
TONES = {"dataset": "tones", "num_folds": 2, "num_epochs": 2, "batch_size": 8, "learning_rate": 0.01, "executor": "inline"}
TONES |= SMALL
CNN = {"architecture": "cnn_small", "n_filters": (4, 8)}
MLP = {"architecture": "mlp", "n_units": (16,), "dropout": 0.2}
SECOND, THIRD = {"num_experiment": 2}, {"num_experiment": 3}
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
        TONES | SECOND,
        [{**CNN, "initial_model": EARLIER, "frozen": "convolutions"}, {**CNN, "initial_model": EARLIER, "frozen_layers": 1}],
    ),
    "combination": (
        TONES | THIRD,
        [
            {"architecture": "feature_combination", "models": [EARLIER], "classifier": "random_forest"},
            {"architecture": "feature_combination", "models": [EARLIER], "pca_components": 5, "basic_features": False},
        ],
    ),
    "baselines": (
        TONES,
        [
            {"architecture": "logistic", "C": (1.0,), "comment_1": "a line"},
            {"architecture": "svm", "C": (1.0, 10.0), "time_parts": 2},
            {"architecture": "knn"},
            {"architecture": "forest"},
        ],
    ),
    "labels": (
        TONES | {"task_type": "multilabel_classification", "num_epochs": 4},
        [MLP, {**MLP, "label_smoothing": 0.1, "augment_mixup": 0.3, "comment_1": "smoothed"}],
    ),
    "regression": (
        TONES | {"task_type": "regression", "monitor": "val_mae"},
        [{**MLP, "augment_mixup": 0.2}, {**CNN, "regularization_lambda": 0.001, "normalization": "per_clip"}],
    ),
    "regression_baselines": (
        TONES | SECOND | {"task_type": "regression"},
        [{"architecture": "ridge"}, {"architecture": "svr", "C": (1.0,)}],
    ),
    "repeats": (TONES | {"num_epochs": 1}, [MLP, {**MLP, "learning_rate": 0.03}, {"architecture": "logistic", "C": (1.0,)}]),
    "mfcc": (TONES | {"features": "mfcc"}, [CNN, {"architecture": "svm", "C": (1.0,)}]),
    "other_backends": (TONES, [{**CNN, "num_epochs": 1}]),
}
_SEARCH = f"""from xval import Experiment, choice, log_uniform
experiment = Experiment("search", **{TONES | {"monitor": "val_accuracy", "page": "complete"}!r})
experiment[1] = {MLP!r}
space = {{"learning_rate": log_uniform(1e-3, 1e-1), "n_units": choice([(4,), (8, 8)])}}
experiment.search(space, 2, at_once=1, architecture="mlp", comment_1="searched")
if __name__ == "__main__":
    experiment.main()
"""
# The lines keep their numbers and words, which warnings show, whatever a state of the code calls the table of scores.
_FIGURES = """import sys
from pathlib import Path
import xval as x; from xval import load_predictions, load_results; load_figures = getattr(x, "load_scores", 0) or x.load_figures
tables = Path("tables", *sys.argv[2:], sys.argv[1])
tables.mkdir(parents=True)
load_results(sys.argv[1], items=True).to_csv(tables / "results.csv", index=False)
load_figures(sys.argv[1]).to_csv(tables / "figures.csv", index=False)
load_predictions(sys.argv[1]).to_csv(tables / "predictions.csv", index=False)
"""
_FOLDERS = f"-m preprocessing folders ../inputs/sounds --item-pattern s[0-9] --workers 1 {_SMALL} --dataset"
_TABLE = f"-m preprocessing table ../inputs/sounds/{{table}}.csv --dataset tones --workers 1 {_SMALL}"
_BATS = "{experiments}/bats.py {instances} --executor inline --set num_folds=2 --set num_epochs=2 --set n_filters=4"
_BATS += f" --set kernel_length=51 --set sample_rate_hz={RATE_HZ} --set n_conv_filters=(4,) --set n_units=(8,)"
_DIGITS = "--executor inline --folds 1 --set num_epochs=2"


def _looks(experiment: str, *further: str, n_instances: int = 2) -> tuple[str, ...]:
    """Return the commands that show a finished experiment, and those that follow `-m xval` besides."""
    looks = (
        f"status {experiment}",
        f"audit {experiment}",
        f"report {experiment} --latex",
        f"report {experiment} --markdown",
        f"report {experiment} --details",
    )
    compared = f"{'!' * (n_instances < 2)}-m xval compare {experiment} --output {experiment.replace('/', '_')}.csv"
    return (f"../inputs/figures.py {experiment}", *(f"-m xval {command}" for command in (*looks, *further)), compared)


# Of each job its commands, which run in a separate folder next to inputs/; one behind ! ends with an exit code other than 0.
_CLIP = "data/demo/audio/had_s01_1.wav"
_DEMO, _ONE, _TWO = "results/demo/experiment_1", "results/tones/experiment_1", "results/tones/experiment_2"
JOBS: dict[str, tuple[str, ...]] = {
    "demo": (
        "-m preprocessing demo --workers 1",
        "{experiments}/demo.py --list",
        "{experiments}/demo.py --dry-run",
        "{experiments}/demo.py --workers 1 --set num_epochs=2",
        "{experiments}/demo.py --workers 1 --set num_epochs=2",
        *_looks(
            _DEMO,
            f"compare {_DEMO} 1 --baseline 3 --metric accuracy --rope 0.05",
            f"groups {_DEMO} --output groups.csv",
            f"groups {_DEMO}:1 --by pitch_hz --metric accuracy",
            f"sample-size --from {_DEMO}:3 --baseline 1 --output plan.csv",
            f"sample-size --from {_DEMO}:3 --baseline 1 --output plan.png",
            f"review-labels {_DEMO} --output suspicious.csv",
            f"report {_DEMO} --confusion confusion.png",
            f"ensemble {_DEMO} 1,3",
            f"refit {_DEMO}:3",
            f"predict {_DEMO} {_CLIP} --top 2",
            f"predict {_DEMO}:3 data/demo/audio --coverage 0.8 --output sets.csv",
            f"explain {_DEMO}/instance_3/fold_1 {_CLIP} --steps 8",
            f"bundle {_DEMO}/instance_3/fold_1 --output bundle",
            f"export {_DEMO}/instance_1/fold_1 --output network.onnx",
            f"add-metrics {_DEMO} uar",
            f"report {_DEMO}",
            f"report {_DEMO} --details",
            f"audit {_DEMO} --output audit.json",
            "list results --output listed.csv",
        ),
    ),
    "digits": (
        "-m preprocessing fsdd {digits} --workers 2",
        *(f"{{experiments}}/fsdd.py {instance} {_DIGITS}" for instance in (1, 5, 12)),
        *_looks("results/fsdd/experiment_1", "compare results/fsdd/experiment_1 --baseline 1"),
    ),
    "folders": (
        f"{_FOLDERS} folders",
        "{experiments}/folders.py 1 --executor inline --folds 1 --set num_epochs=2",
        "{experiments}/folders_representation.py 1 --executor inline --folds 1,2 --set num_folds=2 --set num_epochs=2",
        *_looks("results/folders/experiment_1", n_instances=1),
        *_looks("results/folders/experiment_2", n_instances=1),
    ),
    "frames": (
        "-m preprocessing bats ../inputs/bats --task-type frame_classification --workers 1",
        _BATS.replace("{instances}", "1 2") + " --set n_gru_units=8",
        _BATS.replace("{instances}", "3"),
        _BATS.replace("{instances}", "4") + " --set n_gru_units=8",
        *_looks(
            "results/bats/experiment_1",
            "compare results/bats/experiment_1 2 --baseline 1",
            "predict results/bats/experiment_1/instance_3/fold_1 ../inputs/bats/files --output predicted.csv",
            "rebuild results/bats/experiment_1",
        ),
    ),
    "models": (
        f"{_FOLDERS} tones",
        "../inputs/models.py",
        "../inputs/transfer.py",
        "../inputs/combination.py",
        *_looks(
            _ONE,
            f"predict {_ONE}/instance_1/fold_2/model.keras ../inputs/others --output predicted.csv",
            f"predict {_ONE} ../inputs/others --every 0.1 --output predicted.json",
            f"evaluate {_ONE}/instance_1 ../inputs/others --item-pattern s[0-9] --output evaluation",
            f"embed {_ONE}/instance_1/fold_1 ../inputs/others",
            "speaker-eer embeddings.parquet --speaker-pattern (s[0-9])",
            f"refit {_ONE}:1",
            f"export {_ONE}/instance_1/fold_1 --format weights_h5 --output exported.weights.h5",
            f"compare {_ONE} {_TWO}:1 --baseline 1",
        ),
        *_looks("results/tones/experiment_3", "explain results/tones/experiment_3/instance_1/fold_1"),
    ),
    "baselines": (
        _TABLE.format(table="sounds"),
        "../inputs/baselines.py --repeats 2",
        *_looks(
            _ONE,
            f"groups {_ONE}:1",
            f"ensemble {_ONE} 1,2,4 --method stack",
            f"ensemble {_ONE} 1,2,4 --choose",
            f"refit {_ONE}:1",
            f"predict {_ONE}/instance_2 ../inputs/others --output predicted.xlsx",
            f"evaluate {_ONE}/instance_2 ../inputs/others --item-pattern s[0-9] --output evaluation",
        ),
    ),
    "labels": (
        _TABLE.format(table="labels") + " --task-type multilabel_classification",
        "../inputs/labels.py",
        *_looks(_ONE, f"ensemble {_ONE} 1,2", f"refit {_ONE}:1", f"groups {_ONE}", f"rebuild {_ONE}"),
    ),
    "regression": (
        _TABLE.format(table="numbers") + " --task-type regression",
        "../inputs/regression.py",
        "../inputs/regression_baselines.py",
        *_looks(_ONE, f"compare {_ONE} {_TWO}:2 --baseline 1", f"ensemble {_ONE} 1,2", f"groups {_ONE}", f"refit {_ONE}"),
        *_looks(_TWO),
    ),
    "search": (
        f"{_FOLDERS} tones",
        "../inputs/search.py",
        *_looks(_ONE, f"refit {_ONE}:2", f"rebuild {_ONE}", f"report {_ONE}"),
    ),
    "repeats": (
        _TABLE.format(table="sounds"),
        "../inputs/repeats.py --folds 1",
        f"-m xval status {_ONE}",
        "../inputs/repeats.py --repeats 2 --fold-repeats 2 --dry-run",
        "../inputs/repeats.py --repeats 2 --fold-repeats 2",
        *_looks(_ONE, f"groups {_ONE}", f"sample-size --from {_ONE}:1 --baseline 3"),
        f"-c \"import shutil; shutil.rmtree('{_ONE}/instance_2/fold_2')\"",
        f"-m xval status {_ONE}",
        f"-m xval rebuild {_ONE}",
        f"-m xval report {_ONE}",
        f"../inputs/figures.py {_ONE} incomplete",
    ),
    "mistakes": (
        _TABLE.format(table="sounds"),
        "-m preprocessing table ../inputs/sounds/sounds.csv --dataset tones --check",
        "!../inputs/repeats.py --set learning_rat=0.1",
        "!../inputs/repeats.py --set learning_rate=fast",
        "!../inputs/repeats.py 7",
        "!../inputs/repeats.py --set num_folds=60",
        "!../inputs/repeats.py --set dataset=tone",
        "!../inputs/repeats.py 1 --set initial_model=nowhere.keras",
        "!-m xval status results",
        "!-m xval compare results/tones/experiment_1",
        "!-m preprocessing table ../inputs/sounds/nothing.csv",
    ),
    "mfcc": (
        _TABLE.format(table="sounds") + " --set features=mfcc",
        "../inputs/mfcc.py",
        *_looks(_ONE),
    ),
    "two_corpora": (
        f"{_FOLDERS} tones",
        f"{_FOLDERS.replace('sounds', 'others')} others",
        "-m xval cross-corpus tones others --set architecture=svm --output pairs.csv",
        "-m xval cross-corpus tones others --set architecture=svm --output pairs.csv",
        "-m xval quickstart tones --minutes 0",
        "experiments/start_tones.py 1 4",
        *_looks(_ONE),
    ),
    "other_backends": (
        f"{_FOLDERS} tones",
        "../inputs/other_backends.py --folds 1 --set backend=torch",
        "../inputs/other_backends.py --folds 1 --set backend=jax --set num_experiment=2",
    ),
    "augmentation": (
        "-m augmentation ../inputs/sounds copies 2",
        "-m augmentation mix ../inputs/bats ../inputs/backgrounds mixtures --set mixture_uses=2",
    ),
}


def write_inputs(folder: Path) -> None:
    """Write the sounds and the scripts that jobs read."""
    folder.mkdir(parents=True)
    _write_sounds(folder / "sounds", seed=1)
    _write_sounds(folder / "others", seed=2)
    _write_bats(folder / "bats", folder / "backgrounds")
    for name, (parameters, instances) in SCRIPTS.items():
        lines = ["from xval import Experiment", f"experiment = Experiment({name!r}, **{parameters!r})"]
        lines += [f"experiment[{number}] = {instance!r}" for number, instance in enumerate(instances, start=1)]
        lines += ["if __name__ == '__main__':", "    experiment.main()", ""]
        (folder / f"{name}.py").write_text("\n".join(lines), encoding="utf-8")
    (folder / "search.py").write_text(_SEARCH, encoding="utf-8")
    (folder / "figures.py").write_text(_FIGURES, encoding="utf-8")
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))  # the augmentation notes how old its sources are


def _write_sounds(folder: Path, seed: int) -> None:
    """Write tones with some noise into class folders, and tables of their classes, their labels, and their pitch and length."""
    rng, rng_of_labels = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    tables = {"sounds": ["path,item,label,room"], "labels": ["path,item,label,room"]}
    tables["numbers"] = ["path,item,label:pitch,label:length,room"]
    for place, (name, pitch_hz) in enumerate(PITCHES_HZ.items()):
        (folder / name).mkdir(parents=True)
        for speaker in range(6):
            for take in range(3):
                samples = _tone(pitch_hz * rng.uniform(0.8, 1.2), rng.uniform(0.4, 0.6), rng)
                path, room = f"{name}/s{speaker}_{take}.wav", ("hall", "office")[speaker % 2]
                labels = ("", name, f"{name};loud")[(place + take) % 3]
                if labels.endswith("loud"):
                    samples = samples * 3
                soundfile.write(folder / path, samples, RATE_HZ)
                mistaken = [*PITCHES_HZ][place - 1] if rng_of_labels.random() < 0.25 else name  # so that scores are not all 1
                tables["sounds"].append(f"{path},s{speaker},{mistaken},{room}")
                tables["labels"].append(f"{path},s{speaker},{labels},{room}")
                tables["numbers"].append(f"{path},s{speaker},{pitch_hz / 1000},{len(samples) / RATE_HZ},{room}")
    for name, lines in tables.items():
        (folder / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")


def _write_bats(folder: Path, backgrounds: Path) -> None:
    """Write recordings of two calls in noise, which two annotators labelled differently, events.csv on them, and mere noise."""
    rng = np.random.default_rng(7)
    (folder / "files").mkdir(parents=True)
    backgrounds.mkdir()
    file_info = ["FileID,File name,Voice start sample (1),Voice end sample (1),Voice start sample (2),Voice end sample (2)"]
    annotation, events = ["FileID,Context,Start sample,End sample"], ["path,start_s,end_s,label,item"]
    for number in range(6):
        noises = [0.01 * rng.normal(size=RATE_HZ // 2) for _ in range(3)]
        calls = [_tone(pitch_hz * rng.uniform(0.9, 1.1), 0.6, rng) for pitch_hz in (900, 1600)]
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


def _tone(pitch_hz: float, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return 0.3 * np.sin(2 * np.pi * pitch_hz * time_s) + 0.02 * rng.normal(size=time_s.size)
