"""Write the experiment script of `xval quickstart`, and read it again.

The script has an instance for each step, from the simplest baseline to the strongest model that is available, the cheapest
first.
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
"""The features that a dataset is prepared with, which are those of the first step that uses spectra."""

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
_LONG_TAIL = 1.5  # ratio of the longest clip to the 99 % quantile of lengths, from which clips are cut to that quantile
_RATE_HZ = 16000  # as in config.ini; recordings of a lower rate are not resampled to it
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


def write_steps(path: Path, corpus: Corpus, num_experiment: int) -> None:
    """Write an experiment script with baselines and networks for a dataset.

    Args:
        path: The script to write.
        corpus: The prepared dataset.
        num_experiment: The number of the experiment.

    Raises:
        SettingsError: There are no steps for the task of the dataset.
        FoldsError: The items of the dataset cannot be split into folds.
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
        **({} if corpus.is_custom else window_settings(int(corpus.index["sample_rate_hz"].max()))),
    }
    has_classes = corpus.task_type == "classification"
    if corpus.is_custom:
        steps = _array_steps(has_classes=has_classes)
    else:
        steps = _steps(has_classes=has_classes, length=typical_length(corpus.index["duration_s"].dropna().to_numpy()))
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


def window_settings(rate_hz: int) -> dict[str, object]:
    """Return settings for windows of 25 ms every 10 ms at a sample rate (Hz); empty from the rate of config.ini on."""
    if rate_hz >= _RATE_HZ:
        return {}
    window = round(0.025 * rate_hz)
    return {
        "sample_rate_hz": rate_hz,
        "n_fft": 1 << (2 * window - 1).bit_length(),
        "win_length": window,
        "hop_length": round(0.01 * rate_hz),
    }


def typical_length(durations_s: NDArray[np.float64]) -> dict[str, object]:
    """Return the setting clip_length_s if a few clips are much longer than the others, otherwise no setting.

    The value is the length (s) that 99 % of the clips do not exceed. Without it a network would be trained on the silence that
    pads all clips to the longest one.

    Args:
        durations_s: float64 (n_clips,), in seconds.
    """
    typical_s = float(np.quantile(durations_s, 0.99)) if len(durations_s) else 0.0
    if not typical_s or durations_s.max() < _LONG_TAIL * typical_s:
        return {}
    return {"clip_length_s": math.ceil(10 * typical_s) / 10}


def read_steps(path: Path) -> Declaration:
    """Return the declaration of a script that `write_steps` wrote and the user may have edited.

    Raises:
        SettingsError: The script has an error, or no experiment with instances.
    """
    sys.path.insert(0, str(path.resolve().parent))  # as Python does if the script is run directly
    try:
        experiment = runpy.run_path(str(path), run_name=path.stem).get("experiment")
    except XvalError:
        raise
    except Exception as error:  # the user may have written anything
        raise SettingsError(f"{path}: {one_line(error)}. See where: python {path}") from error
    if not isinstance(experiment, Experiment) or not len(experiment):
        raise SettingsError(f"{path}: has no `experiment` with instances. Move it away, and `quickstart` writes it again.")
    return experiment.declaration


def _steps(*, has_classes: bool, length: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    """Return the parameters of each step; `length` has settings of the length of clips for the network."""
    simple, strong = ("svm", "svm") if has_classes else ("ridge", "svr")
    linear = "logistic" if has_classes else "ridge"
    hand_made = [name for name in _HAND_MADE if _is_available(name)]
    pretrained = [name for name in preset_names() if name not in (*_HAND_MADE, "duration_level") and _is_available(name)]
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


def _is_available(encoder: str) -> bool:
    """Return whether the package or the files of an encoder are on this machine."""
    try:
        identify(read_settings([f"{name}={value}" for name, value in _embedding(encoder).items()]))
    except SettingsError:
        return False
    return True


def _array_steps(*, has_classes: bool) -> Sequence[Mapping[str, object]]:
    """Return the parameters of the steps for the user's own features, for which there is no audio."""
    names = ("constant", "svm" if has_classes else "ridge", "mlp")
    return [{"architecture": name, "comment_1": name} for name in names]


def _embedding(name: str) -> dict[str, object]:
    return {"features": "embedding", "embedding_model": name}


def _quoted(value: object) -> str:
    """Return a value as a Python literal, in the style of ruff."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(key)}: {_quoted(entry)}" for key, entry in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
