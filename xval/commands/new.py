"""Make a folder for your own study, with an experiment that runs at once.

  experiments/first.py      an experiment that compares a network of xval with one of the study
  architectures/own_cnn.py  the network of the study; the setting architecture takes the name of each file in this folder
  corpora/own_words.py      a reader of recordings; xval prepare takes the name of each file in this folder
  config.ini                the settings that the study changes; all others have xval's defaults
  .gitignore                excludes data/ and results/, which the study makes

The networks and readers of xval are available too. Scripts and commands store data/ and results/ in the study, from whichever
of its folders you start them.
"""

import argparse
import shutil
from pathlib import Path

from preprocessing.console import make_console
from xval.base.config_file import CONFIG_PATH
from xval.base.errors import SettingsError
from xval.base.json_files import naming
from xval.base.operating_system import quote

SUMMARY = "make a folder for your own study: an experiment, an architecture, a reader, settings"
GROUP = "Start"

_EXPERIMENT = '''"""Which network recognises words of unseen speakers? (generated demo corpus, 4 folds)

xval prepare demo
python experiments/first.py
"""

from xval import Experiment

experiment = Experiment(
    description="Words of unseen speakers: a network of xval and one of this study",
    dataset="demo",
    num_experiment=1,
    num_epochs=20,
)
experiment[1] = {"architecture": "cnn_small", "comment_1": "of xval"}
experiment[2] = {"architecture": "own_cnn", "n_filters": 24, "comment_1": "of this study"}

if __name__ == "__main__":
    experiment.main()
'''
_ARCHITECTURE = '''"""A network of this study. The engine adds softmax and loss to its linear outputs."""

import keras
from keras import layers

reshaping_type = "conv"  # it reads (frames, bins, channels)
task_types = ("classification",)


def build(input_shape: tuple[int, ...], output_shape: tuple[int, ...], *, n_filters: int = 16) -> keras.Model:
    """Build the network; the arguments after the * are options of an instance."""
    inputs = x = layers.Input(input_shape)
    x = layers.Conv2D(n_filters, 3, padding="same", activation="relu")(x)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, layers.Dense(output_shape[-1])(x), name="own_cnn")
'''
_CORPUS = '''"""Recordings named WORD_SPEAKER_TAKE.wav, as in the demo corpus.

xval prepare own_words data/demo/audio
"""

from pathlib import Path

import pandas as pd


def list_clips(audio_folder: Path) -> pd.DataFrame:
    """List the recordings with path, item (which folds keep together) and label.

    Args:
        audio_folder: The folder of the recordings.
    """
    rows = []
    for path in sorted(audio_folder.glob("*_*_*.wav")):
        word, speaker, _ = path.stem.split("_")
        rows.append({"path": path.name, "item": speaker, "label": word})
    return pd.DataFrame(rows, columns=["path", "item", "label"])
'''
_CONFIG = """\
# The settings that this study changes, in their sections. All settings with meaning, unit and default:
# {defaults}

[folds]
num_folds = 4
# Repeats the cross-validation three times if training is cheap, so that intervals are about the method.
fold_repeats = auto
"""
_IGNORED = "/data/\n/results/\n__pycache__/\n.ipynb_checkpoints/\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder to make, such as my_study")


def run(options: argparse.Namespace) -> int:
    """Make the folder, and print the next steps."""
    folder: Path = options.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"FOLDER {folder}: it already exists and is not empty. Give a new folder.")
    files = {
        "experiments/first.py": _EXPERIMENT,
        "architectures/own_cnn.py": _ARCHITECTURE,
        "corpora/own_words.py": _CORPUS,
        "config.ini": _CONFIG.format(defaults=CONFIG_PATH),
        ".gitignore": _IGNORED,
    }
    was_there = folder.exists()
    try:
        for name, text in files.items():
            path = folder / name
            with naming(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    except BaseException:  # so that the same command works when there is room
        shutil.rmtree(folder, ignore_errors=True)
        if was_there:
            folder.mkdir(exist_ok=True)
        raise
    lines = [f"Made       {folder / name}" for name in files]
    lines += [
        f"Next       cd {quote(str(folder))}",
        "           xval prepare demo",
        "           python experiments/first.py",
    ]
    make_console().print("\n".join(lines))
    return 0
