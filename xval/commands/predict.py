"""Predict audio files with a saved model.

Files may have any sample rate, length and audio format. Without further options each file gets a row with the most probable
class and its probability, the numbers of a regression, or the reconstruction error of an autoencoder. Models that label
frames give events. start_s and end_s are the segment of the file that was read.

A file that is unlike the training data is named with its out-of-distribution score (novelty). Above 1 it is farther from the
training clips, in the model's own embedding, than 99 % of the validation clips are. --coverage 0.9 adds a set of classes
(conformal prediction); the model abstains if a set has several classes, or the file is silent or unlike the training data.

With --follow or --microphone, rows are written as csv as they come. An existing csv file is continued, and its files are not
predicted again.

exit code: 0 done; 1 if a file could not be read, or its prediction is NaN or infinite (all others are predicted); 2 wrong
usage or input
"""

import argparse
from typing import TYPE_CHECKING

import numpy as np

from preprocessing.console import EXIT_FAILED, make_console
from xval.base import shelf
from xval.base.errors import SettingsError, counted
from xval.commands import _model_arguments as arguments
from xval.commands._output import add_output, output_of
from xval.report.text_tables import Output, print_table, write_table

if TYPE_CHECKING:
    import pandas as pd

    from xval.reuse.inference import SavedModel

SUMMARY = "predict audio files with a saved model"
GROUP = "Models"
_TOP_ON_SCREEN = 3
_ABSTAINED = "abstained"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    arguments.add_model(parser, takes_folds=True)
    arguments.add_audio(parser, is_needed=False)
    for source in shelf.load_offers("prediction_source"):
        source.add_arguments(parser)
    arguments.add_pieces(parser)
    arguments.add_items(parser)
    add_output(parser, "the predictions")
    parser.add_argument(
        "--coverage",
        type=float,
        metavar="SHARE",
        help="conformal prediction: sets of classes that contain the true class for this share of the clips of unseen "
        "speakers, such as 0.9; abstains if a set has several",
    )
    parser.add_argument(
        "--top", type=int, metavar="K", help="only the K most probable classes of each row (default: all; on the screen 3)"
    )


def run(options: argparse.Namespace) -> int:
    """Predict, and print or write the table; return 1 if a file is skipped."""
    output = output_of(options)
    sources = shelf.load_offers("prediction_source")
    for source in sources:
        if source.is_chosen(options, output):
            code: int = source.run(options, output, keep_top)
            return code
    if not options.audio:
        instead = "".join(source.INSTEAD for source in sources)
        raise SettingsError(f"AUDIO is missing after MODEL ({options.model}). Give audio files or folders{instead}.")
    console = make_console()
    messages = make_console(is_error=True) if output.is_printed else console
    model = arguments.load(options, messages)
    items = arguments.items_of(options, model, messages)
    table = model.predict(
        options.audio,
        per=arguments.pieces_of(options),
        every_s=options.every,
        skip_unreadable=True,
        items=items,
        coverage=options.coverage,
    )
    left_out, n_cut = table.attrs["left_out"], table.attrs["cut"]
    if output == Output():
        top = keep_top(table, model, options.top)
        print_table(_as_sentences(top), console, nothing=f"no {model.description.task.answer_word}s")
    else:
        write_table(table if options.top is None else keep_top(table, model, options.top), output, messages)
    if n_cut:
        messages.print(
            f"{counted(n_cut, 'file')} longer than the {model.description.example_s:.3g} s of the model's input, so only the "
            "beginning of each was used (see end_s). --segments covers all of it."
        )
    if options.coverage is not None:
        messages.print(_describe_sets(table, options.coverage))
    for line in [
        *arguments.describe_seen(table, model),
        *arguments.describe_doubts(table),
        *arguments.describe_unknown(table, model),
    ]:
        messages.print(line, markup=False)
    for unread in left_out:
        messages.print(unread.line, markup=False)
    return EXIT_FAILED if left_out else 0


def _describe_sets(table: "pd.DataFrame", coverage: float) -> str:
    """Return a line on the coverage of the sets and the number of rows with a prediction."""
    n_speakers, n_needed = table.attrs["speakers"]
    if n_speakers < n_needed:
        return arguments.describe_too_few(n_speakers, n_needed, coverage)
    n_answered = int((~table["answer"].str.startswith(_ABSTAINED)).sum()) if len(table) else 0
    return (
        f"{n_answered} of {counted(len(table), 'row')} predicted. Sets contain the true class for {100 * coverage:g} % of "
        f"the clips of unseen speakers, if these are like the {n_speakers} validation speakers."
    )


def keep_top(table: "pd.DataFrame", model: "SavedModel", n_classes: int | None) -> "pd.DataFrame":
    """Return a table of predictions with only the most probable classes; None: three of them, if there are classes.

    The columns class_1, probability_1, class_2, ... replace the probability of each class.
    """
    is_wanted, n_classes = n_classes is not None, _TOP_ON_SCREEN if n_classes is None else n_classes
    if n_classes < 1:
        raise SettingsError(f"--top {n_classes}: expected a whole number from 1.")
    columns = [f"probability_{name}" for name in model.class_names]
    if not columns or columns[0] not in table:
        if is_wanted and len(table):
            raise SettingsError("--top: needs probabilities of classes, but these rows have none. Remove it.")
        return table
    values = table[columns].to_numpy()
    order = np.argsort(-values, axis=1, kind="stable")[:, :n_classes]
    is_repeated = "predicted" in table and not len(model.thresholds)  # it is the first class
    kept = table.drop(columns=[*columns, *(["predicted"] if is_repeated else [])])
    for place in range(order.shape[1]):
        chosen = order[:, place]
        kept[f"class_{place + 1}"] = np.array(model.class_names, dtype=object)[chosen]
        kept[f"probability_{place + 1}"] = values[np.arange(len(values)), chosen]
    return kept


def _as_sentences(top: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table of `keep_top` with a column ``predictions``, ``seven 0.91, six 0.07``, and ``labels`` if multi-label."""
    n_places = sum(str(name).startswith("class_") for name in top)
    if not n_places:
        return top
    columns = [(top[f"class_{place}"], top[f"probability_{place}"]) for place in range(1, n_places + 1)]
    rows = zip(*(zip(classes, values, strict=True) for classes, values in columns), strict=True)
    predictions = [", ".join(f"{name} {value:.3f}" for name, value in row) for row in rows]
    labels = {"labels": top["predicted"].replace("", "none")} if "predicted" in top else {}
    answers = {"answer": top["answer"]} if "answer" in top else {}
    return top[["path", "start_s", "end_s"]].assign(**answers, **labels, predictions=predictions)
