"""The ladder of `xval quickstart`: the steps from the least baseline to the strongest model that is at hand, as a script.

Comes in: a prepared corpus and what is installed. Goes out: an experiment script with an instance for each step, the cheapest
first; and later what that script declares.
"""

import json
import math
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from preprocessing.commands.command_line import read_settings
from preprocessing.corpus import Corpus
from preprocessing.embeddings.embedder import identify
from preprocessing.encoders import find_preset, preset_names
from preprocessing.quality.foldable import judge_folds
from xval.backend.devices import find_gpus
from xval.base.errors import FoldsError, SettingsError, XvalError, one_line, plural_of
from xval.base.item_word import ITEM, written_out
from xval.base.json_files import naming
from xval.experiment.declare import Experiment
from xval.settings.resolve import Declaration

MFCC: Mapping[str, object] = {"features": "mfcc", "n_mfcc": 20}
"""The features that a corpus is prepared with: those of the first step that reads spectra."""

_HAND_MADE = ("opensmile-egemaps", "praat", "opensmile-compare")
_FINE_TUNING = {  # docs/finetuning.md
    "architecture": "encoder",
    "backend": "torch",
    "learning_rate": 3e-5,
    "batch_size": 8,
    "num_epochs": 20,
    "warmup_epochs": 1,
    "crop_s": 5,
    "sample_rate_hz": 16000,
}
_LONG_TAIL = 1.5  # from this ratio of the longest clip to the length that 99 % do not exceed on, the network reads that length
_RATE_HZ = 16000  # of config.ini; recordings of a lower rate are not resampled to it
_TASKS = ("classification", "regression")

_SCRIPT = '''"""{description}

The instances are steps from the simplest baseline to the strongest model, the cheapest first. `xval quickstart` wrote this
script, and you may edit it. Finished folds are kept, so running it again trains only new instances.

python {path}
"""

from xval import Experiment

experiment = Experiment(
    description="{description}",
{shared})
{instances}
if __name__ == "__main__":
    experiment.main()
'''


def write_ladder(path: Path, corpus: Corpus, num_experiment: int) -> None:
    """Write the script of a corpus.

    Raises:
        SettingsError: There is no ladder for the task of the corpus.
        FoldsError: Its items cannot be split.
    """
    if corpus.task_type not in _TASKS:
        raise SettingsError(
            f"{corpus.dataset}: its task is {corpus.task_type}, but `quickstart` has steps only for {' and '.join(_TASKS)}. "
            "Write your own experiment: docs/experiments.md."
        )
    folds = judge_folds(corpus.index, corpus.task_type)
    if folds.refusal:
        raise FoldsError(f"{corpus.dataset}: {folds.refusal}")
    shared: dict[str, object] = {
        "dataset": corpus.dataset,
        "num_experiment": num_experiment,
        "task_type": corpus.task_type,
        **{name: int(value) if value.isdecimal() else value for name, value in (text.split("=") for text in folds.settings)},
        **({} if corpus.is_custom else windows_of_rate(int(corpus.index["sample_rate_hz"].max()))),
    }
    has_classes = corpus.task_type == "classification"
    if corpus.is_custom:
        steps = _of_arrays(has_classes=has_classes)
    else:
        steps = _steps(has_classes=has_classes, length=length_of_most(corpus.index["duration_s"].dropna().to_numpy()))
    items = plural_of(written_out(corpus.item_name) or ITEM)
    text = _SCRIPT.format(
        description=f"Baselines and networks on unseen {items} of {corpus.dataset}",
        path=path.as_posix(),
        shared="".join(f"    {name}={_quoted(value)},\n" for name, value in shared.items()),
        instances="".join(f"experiment[{number}] = {_quoted(step)}\n" for number, step in enumerate(steps, start=1)),
    )
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def windows_of_rate(rate_hz: int) -> dict[str, object]:
    """Return windows of 25 ms with a step of 10 ms, for a lower rate than that of config.ini."""
    if rate_hz >= _RATE_HZ:
        return {}
    window = round(0.025 * rate_hz)
    return {
        "sample_rate_hz": rate_hz,
        "n_fft": 1 << (2 * window - 1).bit_length(),
        "win_length": window,
        "hop_length": round(0.01 * rate_hz),
    }


def length_of_most(durations_s: NDArray[np.float64]) -> dict[str, object]:
    """Return the length (s) that 99 % of the clips do not exceed, as a setting, where a few clips are much longer.

    A network would otherwise read the silence that pads all clips to the longest one.
    """
    of_most_s = float(np.quantile(durations_s, 0.99)) if len(durations_s) else 0.0
    if not of_most_s or durations_s.max() < _LONG_TAIL * of_most_s:
        return {}
    return {"clip_length_s": math.ceil(10 * of_most_s) / 10}


def read_ladder(path: Path) -> Declaration:
    """Return what a script of `write_ladder` declares, as it is now."""
    sys.path.insert(0, str(path.resolve().parent))  # as Python does where it is run by itself
    try:
        experiment = runpy.run_path(str(path), run_name=path.stem).get("experiment")
    except XvalError:
        raise
    except Exception as error:  # whatever its user has written
        raise SettingsError(f"{path}: {one_line(error)}. See where: python {path}") from error
    if not isinstance(experiment, Experiment) or not len(experiment):
        raise SettingsError(f"{path}: has no `experiment` with instances. Move it away, and `quickstart` writes it again.")
    return experiment.declaration


def _steps(*, has_classes: bool, length: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    """Return the parameters of each step; `length` is of the clips that the network reads."""
    simple, strong = ("svm", "svm") if has_classes else ("ridge", "svr")
    linear = "logistic" if has_classes else "ridge"
    hand_made = [name for name in _HAND_MADE if _is_here(name)]
    pretrained = [name for name in preset_names() if name not in (*_HAND_MADE, "duration_level") and _is_here(name)]
    tuned = [name for name in pretrained if find_preset(name).family == "transformers"] if find_gpus() else []
    return [
        {"architecture": "constant", "comment_1": "the most frequent class" if has_classes else "the mean"},
        {"architecture": simple, **_embedding("duration_level"), "comment_1": f"{simple} on duration and level"},
        {"architecture": strong, **MFCC, "time_parts": 3, "comment_1": f"{strong} on MFCC"},
        *({"architecture": strong, **_embedding(name), "comment_1": f"{strong} on {name}"} for name in hand_made),
        {"architecture": "cnn_small", "recipe": "speech", **length, "comment_1": "a small network by the recipe for speech"},
        *(
            {"architecture": head, **_embedding(name), "comment_1": f"{head} on {name}"}
            for name in pretrained
            for head in (linear, strong)
        ),
        *({"encoder": name, **_FINE_TUNING, "comment_1": f"{name}, fine-tuned"} for name in tuned),
    ]


def _is_here(encoder: str) -> bool:
    """Return whether the package or the files of an encoder are on this machine."""
    try:
        identify(read_settings([f"{name}={value}" for name, value in _embedding(encoder).items()]))
    except SettingsError:
        return False
    return True


def _of_arrays(*, has_classes: bool) -> Sequence[Mapping[str, object]]:
    """Return the steps for features of the user's own, of which there is no audio."""
    names = ("constant", "svm" if has_classes else "ridge", "mlp")
    return [{"architecture": name, "comment_1": name} for name in names]


def _embedding(name: str) -> dict[str, object]:
    return {"features": "embedding", "embedding_model": name}


def _quoted(value: object) -> str:
    """Return a literal of Python as ruff writes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(key)}: {_quoted(entry)}" for key, entry in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
