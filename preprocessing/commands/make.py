"""``xval prepare CORPUS ...``: read a dataset, write its index, make its feature store, and print what became of the clips."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from preprocessing.commands import COMMANDS
from preprocessing.commands.command_line import (
    SETTINGS_HELP,
    add_check_arguments,
    feature_names,
    make_corpus_parser,
    options_of_check,
    read_corpus_choice,
    read_corpus_name,
)
from preprocessing.console import make_console
from preprocessing.corpora import CorpusReader
from preprocessing.options.argument_parser import Parser, add_settings_argument, add_workers_argument
from preprocessing.parallel import reading_processes
from xval.base.errors import SettingsError

_PROGRAM = "xval prepare"
_USAGE = f"""\
CORPUS ... [--dataset NAME] [--data-folder DIR] [--set KEY=VALUE] [--workers N]
       {_PROGRAM} CORPUS ... --check [--headers-only] [--output DIR]
       {_PROGRAM} {"|".join(COMMANDS)} ..."""
_DESCRIPTION = "Read the audio of a corpus and make the feature store that experiments use."


def main(arguments: Sequence[str]) -> int:
    """Make the index and the feature store of a corpus, and say what became of its clips; with --check, only report on it."""
    name = read_corpus_name(arguments, _PROGRAM, _USAGE, _DESCRIPTION, COMMANDS)
    parser, reader = make_parser(name)
    known = parser.parse_all(arguments[1:])
    _refuse_what_does_not_go_together(known)
    chosen = read_corpus_choice(known, reader)
    n_processes = reading_processes(known.workers)
    if known.check:
        from preprocessing.commands.check import check_corpus  # here, because it loads pandas, which the help does without

        return check_corpus(chosen, known, n_processes)
    from preprocessing.commands.corpus_features import make_features  # here, as above

    make_features(chosen, known.overrides, make_console(), download_first=known.download, n_processes=n_processes)
    return 0


def _refuse_what_does_not_go_together(known: argparse.Namespace) -> None:
    making_options = {"--corrections": known.corrections, "--download": known.download or None}
    for option, value in (making_options if known.check else options_of_check(known)).items():
        if value is not None:
            raise SettingsError(f"{option}: {'does not go' if known.check else 'goes'} with --check.")


def make_parser(corpus: str) -> tuple[Parser, CorpusReader]:
    """Return the parser of the command line of a corpus, and its reader."""
    parser, reader = make_corpus_parser(_PROGRAM, corpus)
    fetched = "download the corpus into its audio folder first" if reader.may_download else argparse.SUPPRESS
    parser.add_argument(
        "--corrections",
        type=Path,
        metavar="FILE",
        help="apply the labels on which all reviewers of xval review-labels agree (corrections.csv), and make a separate "
        "dataset (default name: with _corrected)",
    )
    parser.add_argument("--download", action="store_true", help=fetched)
    add_settings_argument(parser, SETTINGS_HELP, feature_names)
    add_workers_argument(parser, " that read audio")
    add_check_arguments(parser)
    return parser, reader
