"""Explain predictions: which parts of a clip a model uses, as a picture over the spectrogram of each clip.

MODEL is one trained model; CLIPS are audio files, folders of them, or clips of its dataset. For a classifier on combined
features, without CLIPS, the command prints the permutation importance of each group of features: how much the test score
drops if its values are permuted.

  integrated_gradients  the contribution of each value to the probability (or number), from silence to the clip; contributions
                        add up to the difference between both predictions, and the picture shows how exactly (more
                        exactly with more --steps)
  occlusion             how much the prediction drops if a patch of time and frequency is replaced by silence; for any model

exit code: 0 done; 2 if the model cannot be explained this way
"""

import argparse
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.console import make_console
from preprocessing.file_replacement import replace_file
from xval.base.errors import CorpusError, SettingsError
from xval.base.json_files import read_json
from xval.commands import _model_arguments as arguments
from xval.results.folder import ESTIMATOR_NAME

if TYPE_CHECKING:
    from rich.console import Console

    from xval.reuse.inference.sources import Audio

_PICTURES = (".png", ".jpg", ".jpeg", ".svg", ".pdf")
SUMMARY = "explain predictions by integrated gradients or occlusion; feature importance"
NAME = "explain"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    arguments.add_model(parser)
    parser.add_argument("clips", nargs="*", metavar="CLIPS", help="audio files, folders, or clips of the model's dataset")
    parser.add_argument(
        "--method", choices=("integrated_gradients", "occlusion"), default="integrated_gradients", help="default: %(default)s"
    )
    parser.add_argument("--of", metavar="NAME", help="class or number to explain (default: the most probable class)")
    parser.add_argument(
        "--steps", type=int, default=64, metavar="N", help="steps of integrated gradients (default: %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder of the pictures (default: explanations/ in the folder of the model)"
    )
    parser.add_argument(
        "--data-folder", type=Path, metavar="DIR", help="folder of all datasets (default: that of the experiment)"
    )


def run(options: argparse.Namespace) -> int:
    """Write a picture of each explanation and print a line for each; without clips print the feature importance."""
    if options.steps < 1:
        raise SettingsError(f"--steps {options.steps}: expected a whole number from 1.")
    if options.output is not None and options.output.suffix.lower() in _PICTURES:
        raise SettingsError(f"--output {options.output}: expected a folder, for a picture of each clip, not a picture.")
    console = make_console()
    fold = options.model if options.model.is_dir() else options.model.parent
    model = arguments.load(options, console)
    if not options.clips:
        _print_importance(fold, options, console)
        return 0
    from rich.text import Text

    from xval.extras.explanations.clips import explain
    from xval.extras.explanations.picture import describe, draw_explanation

    output = options.output or fold / "explanations"
    audio = [_find(clip, fold, model.description.dataset, options.data_folder) for clip in options.clips]
    written: dict[str, int] = {}
    for explanation in explain(model, audio, method=options.method, output_name=options.of, steps=options.steps):
        stem = re.sub(r"[^\w.-]+", "_", Path(explanation.name).stem)
        written[stem] = written.get(stem, 0) + 1
        number = f"_{written[stem]}" if written[stem] > 1 else ""
        path = output / f"{stem}{number}_{explanation.method}.png"
        replace_file(path, partial(Path.write_bytes, data=draw_explanation(explanation)), among_many=True)
        console.print(Text(f"{path}: {describe(explanation)}"), soft_wrap=True)
    return 0


def _print_importance(fold: Path, options: argparse.Namespace, console: "Console") -> None:
    from xval.report.text_tables import print_table

    if not (fold / ESTIMATOR_NAME).is_file():
        raise SettingsError(
            f"{fold}: give clips to explain. Only a fold of a scikit-learn estimator can be explained without clips."
        )
    from xval.extras.explanations.estimator import measure_importance

    print_table(measure_importance(fold, data_folder=options.data_folder), console, nothing="no features")


def _find(clip: str, fold: Path, dataset: str, data_folder: Path | None) -> "Audio":
    """Return an existing audio file or folder, or else the clip of this name in the dataset of the experiment."""
    if Path(clip).exists():
        return clip
    from preprocessing.corpus import open_corpus
    from xval.reuse.inference.sources import Segment

    places = (fold.parent, fold, *sorted(fold.glob("instance_*")))  # for a fold, an instance, an experiment
    saved_settings = next(filter(None, (read_json(place / "settings.json") for place in places)), {})
    experiment_data = Path(str(saved_settings.get("parameters", {}).get("data_folder", "data")))
    corpus = open_corpus(dataset, data_folder or experiment_data)
    matches = corpus.index[corpus.index["clip"] == clip]
    if matches.empty:
        raise CorpusError(f"{clip}: neither a file nor a clip of {corpus.folder}.")
    row = matches.iloc[0]
    return Segment(corpus.audio_folder / str(row["path"]), row["start_s"], row["end_s"])
