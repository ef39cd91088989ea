"""The command line of ``python -m preprocessing``: its help, and its words turned into a `Command`.

Comes in: argv. Goes out: a `Command` whose values have their types, or a help text. Next: __main__.py carries it out.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from preprocessing import corpora
from preprocessing.feature_settings import FeatureSettings
from preprocessing.parallel import count_cores
from xval.config_file import read_section
from xval.errors import SettingsError, suggestion

_PROGRAM = "python -m preprocessing"
_GENERAL_FLAGS = ("--audio-folder", "--dataset", "--data-folder", "--set", "--workers", "--help")


@dataclass(frozen=True)
class Command:
    """What a user asks for.

    Attributes:
        reader: The corpus.
        options: The corpus's own options.
        audio_folder: What the paths of its clips are relative to.
        dataset: Name of the corpus in experiments.
        data_folder: Folder of all corpora.
        settings: The features of the store that is made.
        n_processes: Processes that read audio.
    """

    reader: corpora.CorpusReader
    options: dict[str, Any]
    audio_folder: Path
    dataset: str
    data_folder: Path
    settings: FeatureSettings
    n_processes: int


class _Parser(argparse.ArgumentParser):
    """Raises what argparse would print and exit with."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help")


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
    reader = corpora.find_corpus(arguments[0])
    parser = _corpus_parser(reader)
    known, unknown = parser.parse_known_args(arguments[1:])
    for word in unknown:
        if word.startswith("-"):
            flags = [*_GENERAL_FLAGS, *(option.flag for option in reader.options if not option.is_required)]
            raise SettingsError(f"Unknown option {word}. {suggestion(word.partition('=')[0], flags)}")
        raise SettingsError(f"Unexpected '{word}': {parser.format_usage().strip()}")
    values = vars(known)
    options = {option.name: values[option.name] for option in reader.options}
    data_folder = known.data_folder
    return Command(
        reader=reader,
        options=options,
        audio_folder=known.audio_folder or reader.default_audio_folder(data_folder, **options),
        dataset=reader.default_dataset(**options) if known.dataset is None else known.dataset,
        data_folder=data_folder,
        settings=read_settings(known.overrides),
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


def _general_help() -> argparse.ArgumentParser:
    """Return the parser that prints the corpora."""
    width = max(map(len, corpora.corpus_names()))
    listed = "\n".join(f"  {name:{width}}  {corpora.summarise_corpus(name)}" for name in corpora.corpus_names())
    return argparse.ArgumentParser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} CORPUS ... [--dataset NAME] [--data-folder DIR] [--set KEY=VALUE] [--workers N]",
        description="Read the audio of a corpus and make the feature store that experiments train on.",
        epilog=f"corpora:\n{listed}\n\nWhat a corpus needs and which options it has: {_PROGRAM} CORPUS --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _corpus_parser(reader: corpora.CorpusReader) -> argparse.ArgumentParser:
    """Return the parser of what follows the name of a corpus."""
    parser = _Parser(
        prog=f"{_PROGRAM} {reader.name}",
        description=reader.description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
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
    defaults = read_section("experiment")
    general = parser.add_argument_group("every corpus")
    general.add_argument("--dataset", metavar="NAME", help="its name in experiments (default: after the corpus)")
    general.add_argument(
        "--data-folder",
        type=Path,
        default=Path(defaults["data_folder"]),
        metavar="DIR",
        help="folder of all corpora (default: %(default)s)",
    )
    general.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="a feature setting other than in config.ini; may be repeated",
    )
    general.add_argument(
        "--workers", type=_n_workers, metavar="N", help="processes that read audio (default: one for each core)"
    )
    return parser


def _n_workers(text: str) -> int:
    """Read a number of processes."""
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"--workers {text}: a whole number from 1 is wanted.")
    return int(text)
