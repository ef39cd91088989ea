"""The command line of ``python -m preprocessing``: its help, and its words turned into a `Command`.

Comes in: argv. Goes out: a `Command` whose values have their types, or a help text.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from preprocessing import corpora
from preprocessing.features.settings import FeatureSettings
from preprocessing.parallel import count_cores
from xval.config_file import read_section
from xval.errors import SettingsError, suggestion

_PROGRAM = "python -m preprocessing"
COMMANDS = {
    "check": "report what is wrong with a corpus before anything is trained on it",
    "show": "draw a clip as a model gets it: waveform, spectrogram, windows",
    "convert": "write wav copies of the audio files in a folder",
}
"""What else can be asked for, each a module of this package with a function main(arguments)."""


@dataclass(frozen=True)
class CorpusChoice:
    """Which corpus a user means, and where it lies.

    Attributes:
        reader: The corpus.
        options: The corpus's own options.
        audio_folder: What the paths of its clips are relative to.
        dataset: Name of the corpus in experiments.
        data_folder: Folder of all corpora.
        task_type: What its labels are for.
    """

    reader: corpora.CorpusReader
    options: dict[str, Any]
    audio_folder: Path
    dataset: str
    data_folder: Path
    task_type: str


@dataclass(frozen=True)
class Command:
    """What a user asks for.

    Attributes:
        corpus: Which corpus.
        download: Fetch it first.
        overrides: ``KEY=VALUE`` of the features other than in config.ini.
        settings: The features of the store that is made.
        n_processes: Processes that read audio.
    """

    corpus: CorpusChoice
    download: bool
    overrides: tuple[str, ...]
    settings: FeatureSettings
    n_processes: int


class Parser(argparse.ArgumentParser):
    """Raises what argparse would print and exit with."""

    def error(self, message: str) -> NoReturn:
        """Raise a `SettingsError` with argparse's message."""
        raise SettingsError(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help")

    def parse_all(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Read the command line.

        Raises:
            SettingsError: An option is unknown, missing, or its value impossible.
            SystemExit: ``--help`` was asked for and printed.
        """
        known, unknown = self.parse_known_args(arguments)
        for word in unknown:
            if word.startswith("-"):
                raise SettingsError(f"Unknown option {word}. {suggestion(word.partition('=')[0], self._option_string_actions)}")
            raise SettingsError(f"Unexpected '{word}': {self.format_usage().strip()}")
        return known


def parse_command(arguments: Sequence[str]) -> Command:
    """Read the command line.

    Raises:
        SettingsError: An option is unknown, missing, or its value impossible; so is a feature setting.
        CorpusError: There is no such corpus.
        SystemExit: ``--help`` was asked for and printed.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        _general_help().print_help()
        raise SystemExit(0)
    if arguments[0].startswith("-"):
        raise SettingsError(f"The name of a corpus comes first, not {arguments[0]}. See {_PROGRAM} --help")
    parser = make_corpus_parser(f"{_PROGRAM} {arguments[0]}", arguments[0])
    fetched = (
        "fetch the corpus into its audio folder first" if corpora.find_corpus(arguments[0]).may_download else argparse.SUPPRESS
    )
    parser.add_argument("--download", action="store_true", help=fetched)
    add_settings_argument(parser)
    parser.add_argument("--workers", type=n_workers, metavar="N", help="processes that read audio (default: one for each core)")
    known = parser.parse_all(arguments[1:])
    corpus = read_corpus_choice(known, arguments[0])
    # Frames are labelled on the grid of the samples, so that there is no other form of features for them.
    overrides = [*(["features=waveform"] if corpus.task_type == "frame_classification" else []), *known.overrides]
    return Command(
        corpus=corpus,
        download=known.download,
        overrides=tuple(overrides),
        settings=read_settings(overrides),
        n_processes=known.workers or count_cores(),
    )


def read_settings(overrides: Sequence[str]) -> FeatureSettings:
    """Return the feature settings of config.ini with those of ``--set KEY=VALUE`` over them.

    Raises:
        SettingsError: Not of this form, an unknown key, or a value that is not allowed.
    """
    from pydantic import ValidationError

    defaults = read_section("features")
    chosen: dict[str, str] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise SettingsError(f"--set {override}: KEY=VALUE is wanted, such as --set n_mels=40")
        if key not in defaults:
            raise SettingsError(f"--set {override}: unknown feature setting '{key}'. {suggestion(key, defaults)}")
        chosen[key] = value
    try:
        return FeatureSettings.model_validate({**defaults, **chosen})
    except ValidationError as error:
        faults: dict[str, list[str]] = {}
        for fault in error.errors(include_url=False):
            key = str(fault["loc"][0]) if fault["loc"] else ""
            faults.setdefault(key, []).append(fault["msg"].removeprefix("Value error, "))
        raise SettingsError("\n".join(_describe_fault(key, faults[key], chosen) for key in faults)) from error


def _describe_fault(key: str, reasons: Sequence[str], chosen: Mapping[str, str]) -> str:
    """Return one message about one feature setting, or about several that contradict each other (no key)."""
    reason = " or: ".join(reasons)
    if not key:
        return f"--set {' --set '.join(f'{name}={value}' for name, value in chosen.items())}: {reason}."
    value = chosen.get(key, read_section("features")[key])
    where = f"--set {key}={value}" if key in chosen else f"config.ini, [features] {key} = {value}"
    names = re.findall(r"'([^']+)'", reason)
    return f"{where}: {reason}. {suggestion(value, names) if len(names) > 1 else ''}".rstrip()


def make_corpus_parser(program: str, corpus: str) -> Parser:
    """Return the parser of a command that reads a corpus; `read_corpus_choice` reads what it finds.

    Args:
        program: What stands before the options.
        corpus: Name of the corpus.

    Raises:
        CorpusError: There is no such corpus.
    """
    reader = corpora.find_corpus(corpus)
    formatter = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog=program, description=reader.description, formatter_class=formatter, allow_abbrev=False)
    if reader.has_default_audio_folder:
        parser.add_argument("--audio-folder", type=Path, metavar="DIR", help=reader.audio_folder_help)
    else:
        parser.add_argument("audio_folder", type=Path, metavar="AUDIO_FOLDER", help=reader.audio_folder_help)
    for option in reader.options:
        text = option.help.replace("%", "%%")
        if option.is_required:
            parser.add_argument(option.name, type=option.parse, metavar=option.name.upper(), help=text)
        else:
            parser.add_argument(
                option.flag,
                type=option.parse,
                default=option.default,
                metavar="|".join(option.choices) or option.kind.__name__.upper(),
                help=f"{text} (default: {option.default})",
            )
    if reader.has_recordings:
        parser.add_argument(
            "--task-type",
            choices=("classification", "frame_classification"),
            default="classification",
            help="classification: every event is a clip; frame_classification: recordings stay whole, and their frames are "
            "labelled (default: classification)",
        )
    parser.add_argument("--dataset", metavar="NAME", help="its name in experiments (default: after the corpus)")
    parser.add_argument(
        "--data-folder",
        type=Path,
        default=Path(read_section("experiment")["data_folder"]),
        metavar="DIR",
        help="folder of all corpora (default: %(default)s)",
    )
    return parser


def read_corpus_choice(values: argparse.Namespace, corpus: str) -> CorpusChoice:
    """Return which corpus a command line means.

    Args:
        values: What a parser of `make_corpus_parser` found.
        corpus: Name of the corpus.

    Raises:
        CorpusError: There is no such corpus.
    """
    reader = corpora.find_corpus(corpus)
    options = {option.name: getattr(values, option.name) for option in reader.options}
    return CorpusChoice(
        reader=reader,
        options=options,
        audio_folder=values.audio_folder or reader.default_audio_folder(values.data_folder, **options),
        dataset=reader.default_dataset(**options) if values.dataset is None else values.dataset,
        data_folder=values.data_folder,
        task_type=values.task_type if reader.has_recordings else reader.task_type(**options),
    )


def add_settings_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--set KEY=VALUE`` for `read_settings`, as ``overrides``."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="a feature setting other than in config.ini, for this command alone; may be repeated",
    )


def n_workers(text: str) -> int:
    """Read a number of processes.

    Raises:
        SettingsError: It is not a whole number from 1.
    """
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"--workers {text}: a whole number from 1 is wanted.")
    return int(text)


def _general_help() -> argparse.ArgumentParser:
    """Return the parser that prints the corpora and the other commands."""
    width = max(map(len, (*corpora.corpus_names(), *COMMANDS)))
    listed = "\n".join(f"  {name:{width}}  {corpora.summarise_corpus(name)}" for name in corpora.corpus_names())
    others = "\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())
    return argparse.ArgumentParser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} CORPUS ... [--dataset NAME] [--data-folder DIR] [--set KEY=VALUE] [--workers N]\n"
        f"       {_PROGRAM} {'|'.join(COMMANDS)} ...",
        description="Read the audio of a corpus and make the feature store that experiments train on.",
        epilog=f"corpora:\n{listed}\n\nother commands:\n{others}\n\n"
        f"What a corpus or command needs and which options it has: {_PROGRAM} NAME --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
