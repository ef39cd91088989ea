"""The arguments of the commands that apply a model (model, audio, device), and loading that model with notes on its choice."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from xval.base.errors import SettingsError, counted, first_of, verb_of
from xval.base.keras_backends import installed_backends
from xval.commands._own_modules import add_import
from xval.results.named import model_path
from xval.settings.schema import default_settings

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from xval.reuse.inference import SavedModel

N_NAMED = 3  # files in a line


def add_model_name(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare EXPERIMENT[:N], which `xval.results.named.find_named` reads; `what` describes the instance and the default."""
    parser.add_argument(
        "experiment", metavar="EXPERIMENT[:N]", help=f"results/<dataset>/experiment_<n>, with :N its instance N; {what}"
    )


def add_model_path(parser: argparse.ArgumentParser, *, takes_folds: bool = False) -> None:
    """Declare MODEL; `takes_folds`: several folds of an instance are one model, their ensemble."""
    which = (
        "several folds are an ensemble" if takes_folds else "one model: the final one (xval refit) or the one of its only fold"
    )
    parser.add_argument(
        "model",
        type=model_path,
        metavar="MODEL",
        help="EXPERIMENT[:N], such as results/demo/experiment_1:2 (without :N the instance that validation selects; "
        f"{which}); or the path of a fold folder or of a .keras file",
    )


def add_model(parser: argparse.ArgumentParser, *, takes_folds: bool = False) -> None:
    """Declare MODEL and the options for loading it; `takes_folds` is as for `add_model_path`."""
    add_model_path(parser, takes_folds=takes_folds)
    parser.add_argument(
        "--gpu", default=default_settings()["gpu_ID"], metavar="ID", help="0, 1, ..., or cpu (default: %(default)s)"
    )
    add_import(parser)


def add_audio(parser: argparse.ArgumentParser, *, is_needed: bool = True) -> None:
    """Declare AUDIO."""
    parser.add_argument(
        "audio", nargs="+" if is_needed else "*", type=Path, metavar="AUDIO", help="audio files, or folders of them"
    )


def add_pieces(parser: argparse.ArgumentParser) -> None:
    """Declare the options for the unit of a row: file, window or segment."""
    pieces = parser.add_mutually_exclusive_group()
    pieces.add_argument(
        "--segments",
        action="store_true",
        help="a row for each segment of the length of a training example (models that label frames: for each frame)",
    )
    pieces.add_argument("--examples", action="store_true", help="a row for each window, cut as in the experiment")
    parser.add_argument("--every", type=float, metavar="S", help="start a segment every S seconds (implies --segments)")


def add_items(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name the speaker of a file, for models that scale each speaker by its own clips."""
    parser.add_argument(
        "--item-pattern",
        default="none",
        metavar="REGEX",
        help="for models with normalization = per_item: finds the speaker in a file's path (default: one speaker for all)",
    )


def items_of(options: argparse.Namespace, model: "SavedModel", console: "Console") -> list[str] | None:
    """Return the speaker of each file for the argument `items` of `SavedModel.predict`, and print how they were found."""
    from preprocessing.corpora._patterns import compile_pattern, find_in_each
    from xval.reuse.inference.sources import list_sources

    pattern = options.item_pattern
    if not model.description.scaled_by_item:
        if pattern != "none":
            raise SettingsError(
                "--item-pattern: needs a model with normalization=per_item; this one predicts file by file. Remove it."
            )
        return None
    names = [source.name for source in list_sources(options.audio, sample_rate_hz=None, is_custom=False)]
    items: list[str] | None = None
    if pattern != "none":
        compiled = compile_pattern("--item-pattern", pattern)
        items = find_in_each(compiled, 1 if compiled.groups else 0, names)
        if "" in items:
            raise SettingsError(f"--item-pattern {pattern}: finds no speaker in {names[items.index('')]}.")
    count = counted(len(set(items)), "speaker") if items else "one speaker (--item-pattern tells several apart)"
    console.print(f"normalization=per_item: {counted(len(names), 'file')} of {count}, each scaled by its own.")
    return items


def pieces_of(options: argparse.Namespace) -> Literal["file", "example", "segment"]:
    """Return the unit of a row, for the argument `per` of `SavedModel.predict`."""
    if options.every is not None and options.examples:
        raise SettingsError("--every needs --segments and cannot be combined with --examples.")
    if options.segments or options.every is not None:
        return "segment"
    return "example" if options.examples else "file"


def load(options: argparse.Namespace, console: "Console") -> "SavedModel":
    """Load the model, and print how it was chosen."""
    from xval.reuse.inference import load_model

    model = load_model(options.model, gpu=options.gpu)
    trained_on = model.description.backend
    if "keras" in sys.modules and trained_on not in installed_backends():
        runs_on = sys.modules["keras"].backend.backend()
        console.print(f"{options.model} was trained on {trained_on}, which is not installed: it runs on {runs_on}.")
    if model.note:
        console.print(model.note)
    if model.is_untested:
        console.print(f"{options.model}: trained on the whole dataset, so it is untested; its folds were tested.")
    return model


def describe_seen(table: "pd.DataFrame", model: "SavedModel") -> list[str]:
    """Return a line on files that the model was trained on, or that these are not known; empty if there are none."""
    seen = table.attrs["seen"]
    if model.description.is_custom or seen == []:
        return []
    if seen is None:
        return ["Cannot check whether the model was trained on these files: there is no seen_audio.npy next to it."]
    n_models = len(model.members)
    whose = "the model or chose its epoch" if n_models == 1 else f"one or more of the {n_models} models or chose their epoch"
    theirs = f"{'its' if len(seen) == 1 else 'their'} predictions"
    line = (
        f"{counted(len(seen), 'file')} {verb_of(len(seen))} among the audio that trained {whose}, so {theirs} are not a test: "
        f"{first_of(seen, N_NAMED)}"
    )
    return [line]


def describe_doubts(table: "pd.DataFrame") -> list[str]:
    """Return a line on silent files, and one on files unlike the training data of the model."""
    lines = []
    if silent := table.attrs["silent"]:
        listed = first_of(silent, N_NAMED)
        lines.append(f"{counted(len(silent), 'silent file')} (all below -80 dBFS), whose prediction is meaningless: {listed}.")
    if "novelty" not in table:
        return lines
    farthest = table.groupby("path", sort=False)["novelty"].max()
    novel = farthest[farthest > 1]
    if len(novel):
        listed = first_of([f"{path} ({novelty:.2f})" for path, novelty in novel.items()], N_NAMED)
        lines.append(
            f"{counted(len(novel), 'file')} out of distribution (novelty above 1), so predictions there are unreliable: "
            f"{listed}."
        )
    return lines


def describe_unknown(table: "pd.DataFrame", model: "SavedModel") -> list[str]:
    """Return a line if a model has no out-of-distribution score; empty: it has one, or does not predict clips."""
    if "novelty" in table or not len(table) or model.description.frames or model.description.task.target == "input":
        return []
    return ["Out-of-distribution files cannot be detected, because there is no novelty.npy next to the model."]


def describe_too_few(n_speakers: int, n_needed: int, coverage: float) -> str:
    """Return why no set excludes a class."""
    from xval.measures.conformal import largest_coverage

    return (
        f"--coverage {coverage:g} needs {n_needed} validation speakers, but the folds have {n_speakers}, so every set has "
        f"all classes and nothing is predicted. They allow up to {largest_coverage(n_speakers):g}."
    )
