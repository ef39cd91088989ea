"""Review labels that may be wrong (label noise) in the browser: spectrogram, audio, clips to compare with, one key each.

The clips come in this order:
  1. labels that are unlikely by confident learning (Northcutt et al., 2021), per class and speaker. The predictions are of
     models that were not trained on the speaker.
  2. clips with the same or nearly the same audio and another label
  3. all other wrong predictions, the most confident first
One key each: right, wrong (and the right label), unsure, bad recording, undo. The next start continues where this reviewer
stopped. Reviewers do not see each other's verdicts; Cohen's kappa shows how far they agree. This command is for
classification with one label per clip.

Verdicts are stored in data/<dataset>/corrections.csv, and change neither audio nor dataset. To apply those on which all
reviewers agree, make a separate dataset: xval prepare CORPUS ... --corrections FILE

The page can be opened only on this machine. Its address contains a token, and whoever has the address may judge. Ctrl-C
ends it.

exit code: 0 done; 2 if there is nothing to review
"""

import argparse
import getpass
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.console import make_console
from xval.base.errors import CorpusError, SettingsError, counted
from xval.base.operating_system import quote, refusal
from xval.commands._model_arguments import add_model_name
from xval.commands._output import add_output, output_of
from xval.results.named import find_named

if TYPE_CHECKING:
    from rich.console import Console

    from preprocessing.clips.corrections import LabelVerdict
    from xval.extras.label_review.session import Review

SUMMARY = "judge labels that may be wrong, in the browser: spectrogram, audio, one key each"
NAME = "review-labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `xval review-labels` to a parser."""
    add_model_name(parser, "its predictions are used (default: the one that validation selects)")
    parser.add_argument("--reviewer", metavar="NAME", help="name of the reviewer (default: your user name)")
    parser.add_argument("--port", type=int, default=0, help="port of the page (default: a free one)")
    add_output(parser, "the suspicious labels, without opening the page")
    parser.add_argument(
        "--data-folder", type=Path, metavar="DIR", help="folder of all datasets (default: that of the settings)"
    )
    parser.add_argument("--audio-folder", type=Path, metavar="DIR", help="where the audio is now, if it was moved")


def run(options: argparse.Namespace) -> int:
    """Serve the page of the review until Ctrl-C, and print a summary; or write the suspicious labels, if --output is used."""
    from xval.answers.read import choose_instance, read_corpus
    from xval.extras.label_review.server import ReviewServer
    from xval.extras.label_review.session import Review

    output, (folder, number) = output_of(options), find_named(options.experiment)
    instance = choose_instance(folder, number)
    corpus = read_corpus(folder, instance.settings, options.data_folder)
    if options.audio_folder is not None:
        if not options.audio_folder.is_dir():
            raise CorpusError(f"--audio-folder {options.audio_folder}: no such folder.")
        corpus = replace(corpus, audio_folder=options.audio_folder)
    review = Review(instance, corpus, _account() if options.reviewer is None else options.reviewer)
    console = make_console()
    if output.path is not None or output.is_printed:
        import pandas as pd

        from xval.report.text_tables import write_table

        write_table(pd.DataFrame(review.suspects), output, console)
        return 0
    if corpus.corrections:
        raise CorpusError(
            f"{corpus.folder}: its labels were corrected by {corpus.corrections['file']}, and verdicts of two rounds cannot "
            "be combined. Review an experiment of the original dataset to continue its verdicts; --format csv lists the "
            "suspicious labels here."
        )
    _check_writable(review.path)
    if not any((corpus.audio_folder / path).is_file() for path in corpus.index["path"][:10]):
        console.print(f"The audio is no longer in {corpus.audio_folder}. Give its folder with --audio-folder to hear it.")
    server = ReviewServer(review, options.port)
    console.print(f"{review.title}: {counted(len(review.suspects), 'suspicious label')}, reviewer {review.reviewer}")
    console.print(f"Verdicts  {review.path}")
    if n_others := review.count_other_versions():
        console.print(
            f"{counted(n_others, 'verdict')} in it on another version of this dataset (index_hash) are kept, but not shown. "
            "To apply verdicts, keep those of one version in a copy of the file.",
            soft_wrap=True,
        )
    console.print(f"Open      {server.address}", soft_wrap=True)
    console.print("Ctrl-C ends it; verdicts are written one by one.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        console.print()
    finally:
        server.server_close()
    _summarise(review, review.verdicts(), console)
    return 0


def _check_writable(path: Path) -> None:
    """Raise CorpusError if verdicts cannot be written to the folder of a file, before the reviewer judges any clip."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise CorpusError(
            f"{path}: verdicts cannot be written there ({refusal(error)}). Review a writable copy of the dataset "
            "(--data-folder)."
        ) from error


def _account() -> str:
    """Return the name of the user's account; raises SettingsError if it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:  # KeyError, ImportError: before Python 3.13
        raise SettingsError("--reviewer: this account has no name. Give the name of the reviewer.") from error


def _summarise(review: "Review", verdicts: "Sequence[LabelVerdict]", console: "Console") -> None:
    """Print the number of verdicts, the agreement of reviewers, and how to apply the verdicts."""
    from preprocessing.clips.corrections import VERDICTS, describe_agreement

    own = [verdict.verdict for verdict in verdicts if verdict.who == review.reviewer]
    counts = ", ".join(f"{own.count(name)} {name}" for name in VERDICTS if name in own) or "none"
    console.print(f"{counted(len(own), 'verdict')} of {review.reviewer}: {counts}. {review.path}")
    for text in describe_agreement(verdicts):
        console.print(text, soft_wrap=True)
    if own:
        console.print(
            "To apply the verdicts on which all reviewers agree, prepare the dataset again with the same options and\n  "
            f"--corrections {quote(os.fspath(review.path))} --dataset {quote(f'{review.corpus.dataset}_corrected')}",
            soft_wrap=True,
        )
