"""Test a saved model on labelled data, and report how reliable the scores are.

MODEL is EXPERIMENT[:N] (the ensemble of the folds of an instance; without :N, of the one that validation selects), or the
path of a fold folder or of a .keras file. DATA is a folder whose folders are the classes, or several folders, each a class; a
table (csv, tsv, xlsx, parquet) with the columns path and label, and, if known, item, start_s and end_s; or a prepared
dataset: data/<dataset>, or its name.

Clips with a label that is not a class of the model are named and not scored. Clips that were used to train the model or to
choose its epoch are recognised by their audio, and in the same dataset also by their item.

exit code: 0 done, with a warning if clips could not be read; 1 no clip could be read; 2 model, data or an option is wrong
"""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.clips.notation import composed
from preprocessing.console import make_console, progress_bar
from preprocessing.corpora import row_options, rows_of
from preprocessing.options.argument_parser import add_data_folder_argument
from preprocessing.parallel import reading_processes
from xval.base.errors import counted
from xval.commands import _model_arguments as arguments
from xval.measures.labels import read_renames
from xval.results.folder import neighbour_folder

if TYPE_CHECKING:
    from xval.reuse.inference import SavedModel

SUMMARY = "test a saved model on labelled data: metrics, confusions, speakers, calibration"
GROUP = "Models"

_PLACE = re.compile(r"(experiment|instance|fold)_\d+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    arguments.add_model(parser, takes_folds=True)
    parser.add_argument(
        "data",
        nargs="+",
        metavar="DATA",
        help="a folder of class folders, a table, or a prepared dataset; or the folder of each class",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the report (default: evaluation_<model>_on_<data> next to the results)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing evaluation")
    parser.add_argument("--leave-out-seen", action="store_true", help="exclude the clips that the model has seen")
    parser.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="LABEL=CLASS",
        help="read this label of the data as this class; repeatable",
    )
    parser.add_argument("--items", default="", metavar="A,B", help="only the clips of these items")
    parser.add_argument("--item-pattern", default="none", metavar="REGEX", help="for a folder: finds the item in a file's path")
    parser.add_argument(
        "--label-pattern",
        default="none",
        metavar="REGEX",
        help="for a folder: finds the label in a file's path, if folders do not give it",
    )
    parser.add_argument("--labels", default="none", metavar="A,B", help="the class of each folder, if several are given")
    parser.add_argument(
        "--audio-folder", type=Path, metavar="DIR", help="folder to which the paths of a table or dataset are relative"
    )
    table_options = parser.add_argument_group(
        "of a table", "A class of the model is never read as a missing value, even if --missing has its name."
    )
    for option in row_options():
        if option.name != "map_labels":  # which is --rename here
            option.add_to(table_options)
    add_data_folder_argument(parser)
    parser.add_argument(
        "--annotation-policy", metavar="POLICY",
        help="for recordings: union, intersection, ignore_disagreement or an annotator (default: as in training)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Evaluate, print the report and write its folder."""
    from xval.models.saved.description import read_description
    from xval.report.new_data.folder import report_folder, write_report
    from xval.report.new_data.text import Subject, describe
    from xval.reuse.inference.locate import find_members
    from xval.reuse.new_data.evaluation import Choices, evaluate_on
    from xval.reuse.new_data.labelled_clips import ReadOptions, naming_reader, read_labelled_clips

    renames = read_renames(options.rename)
    choices = Choices(renames, options.leave_out_seen, options.annotation_policy, reading_processes(None))
    items = tuple(composed(part).strip() for part in options.items.split(",") if part.strip())
    # Before the backend is loaded: what is wrong with the data is said at once.
    description = read_description(find_members(options.model).members[0])
    read = ReadOptions(
        options.data_folder, options.audio_folder, options.item_pattern, options.label_pattern, items, options.labels,
        rows_of(vars(options)), (*description.class_names, *renames),
    )  # fmt: skip
    with naming_reader(options.data[0], options.data_folder):
        clips = read_labelled_clips(options.data, description.task_type, read)
    output = options.output or neighbour_folder(options.model) / f"evaluation_{_model_name(options.model)}_on_{clips.name}"
    console = make_console()
    if clips.note:
        console.print(f"Note       {clips.note}")
    with report_folder(output, overwrite=options.overwrite) as folder:
        model = arguments.load(options, console)
        with naming_reader(options.data[0], options.data_folder):
            outcome = evaluate_on(model, clips, choices, lambda title: progress_bar(console, title))
        subject = Subject(_describe_model(model), ", ".join(options.data), model.task_type, model.class_names)
        lines = describe(subject, outcome)
        write_report(folder, subject, outcome, model.descriptions, lines)
    console.print("\n".join([*lines, "", str(output)]))
    return 0


def _model_name(path: Path) -> str:
    """Return the name of the model in the folder name: its place in its experiment, or its file."""
    parts = path.resolve().parts
    places = [part for part in parts if _PLACE.fullmatch(part)]
    dataset = parts[parts.index(places[0]) - 1] if places and places[0].startswith("experiment") else ""
    return "_".join(filter(None, [dataset, *places])) or path.stem


def _describe_model(model: "SavedModel") -> str:
    n_members, first = len(model.descriptions), model.description
    n_folds = len({description.fold for description in model.descriptions})
    repeats = f", {n_members} models" if n_members > n_folds else ""
    which = (
        f"ensemble of {counted(n_folds, 'fold')}{repeats}"
        if n_members > 1
        else f"fold {first.fold}"
        if first.fold
        else "all of it"
    )
    return f"{model.path} ({first.architecture}, trained on {first.dataset}, {which})"
