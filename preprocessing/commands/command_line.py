"""What the commands of ``python -m preprocessing`` have in common: which corpus is meant, and which features.

Comes in: argv. Goes out: a `CorpusChoice` and `FeatureSettings`, or a help text that lists the corpora.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from preprocessing import corpora
from preprocessing.features.settings import FeatureSettings
from preprocessing.options.argument_parser import Parser, add_data_folder_argument
from preprocessing.options.settings_section import read_settings_section
from xval.base.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

SETTINGS_HELP = "a feature setting other than in config.ini, for this command alone; may be repeated"


@dataclass(frozen=True)
class CorpusChoice:
    """Which corpus a user means, and where it lies.

    Attributes:
        options: The corpus's own options.
        audio_folder: What the paths of its clips are relative to.
        dataset: Name of the corpus in experiments.
        task_type: What its labels are for.
        speech_table: A table of words or phonemes to which its clips are cut; None: they stay whole.
        corrections: A corrections.csv that is applied to its labels; None: they stay as they are.
    """

    reader: corpora.CorpusReader
    options: dict[str, Any]
    audio_folder: Path
    dataset: str
    data_folder: Path
    task_type: str
    speech_table: Path | None = None
    corrections: Path | None = None

    def __post_init__(self) -> None:
        """Refuse to cut recordings whose frames are labelled."""
        if self.speech_table is not None and self.task_type == "frame_classification":
            raise SettingsError(
                f"--speech-table {self.speech_table}: recordings stay whole for frame_classification, whose silence is the "
                "background. Leave it out."
            )

    def list_clips(self) -> "pd.DataFrame":
        """Return the clips of the corpus, cut to their words where there is a table of these."""
        from preprocessing.corpora._speech import cut_to_speech

        clips = self.reader.list_clips(self.audio_folder, **self.options)
        return clips if self.speech_table is None else cut_to_speech(clips, self.audio_folder, self.speech_table)

    def feature_overrides(self, overrides: Sequence[str]) -> list[str]:
        """Return ``KEY=VALUE`` of a command line behind those that the task asks for.

        Frames are labelled on the grid of the samples, so that there is no other form of features for them.
        """
        return [*(["features=waveform"] if self.task_type == "frame_classification" else []), *overrides]


def read_settings(overrides: Sequence[str]) -> FeatureSettings:
    """Return the feature settings of config.ini with those of ``--set KEY=VALUE`` over them."""
    return read_settings_section(FeatureSettings, "features", overrides)


def read_corpus_name(
    arguments: Sequence[str],
    program: str,
    usage: str,
    description: str,
    commands: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the name of the corpus, which comes first on a command line.

    Args:
        arguments: The command line.
        program: The command, for the help; printed where no corpus is named, or ``--help`` is.
        usage: What follows the command.
        description: What the command does.
        commands: Commands that the help lists beside the corpora, and what they do.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        texts = {name: corpora.summarise_corpus(name) for name in corpora.corpus_names()}
        width = max(map(len, (*texts, *commands)))
        listed, others = (
            "\n".join(f"  {name:{width}}  {text}" for name, text in described.items()) for described in (texts, commands)
        )
        what, name = ("a corpus or command", "NAME") if commands else ("a corpus", "CORPUS")
        Parser(
            prog=program,
            usage=f"{program} {usage}",
            description=description,
            epilog=f"corpora:\n{listed}\n\n"
            + (f"other commands:\n{others}\n\n" if commands else "")
            + f"What {what} needs and which options it has: {program} {name} --help",
        ).print_help()
        raise SystemExit(0)
    if arguments[0].startswith("-"):
        raise SettingsError(f"The name of a corpus comes first, not {arguments[0]}. See {program} --help")
    return arguments[0]


def make_corpus_parser(program: str, corpus: str) -> tuple[Parser, corpora.CorpusReader]:
    """Return the parser of a command that reads a corpus, and the reader; `read_corpus_choice` reads what the parser finds."""
    reader = corpora.find_corpus(corpus)
    parser = Parser(prog=f"{program} {corpus}", description=reader.description)
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
    parser.add_argument(
        "--speech-table",
        type=Path,
        metavar="FILE",
        help="a table with a line per word or phoneme (path, start_s, end_s): every clip is cut to its first and last one",
    )
    parser.add_argument("--dataset", metavar="NAME", help="its name in experiments (default: after the corpus)")
    add_data_folder_argument(parser)
    return parser, reader


def read_corpus_choice(values: argparse.Namespace, reader: corpora.CorpusReader) -> CorpusChoice:
    """Return which corpus a command line means.

    Args:
        values: What a parser of `make_corpus_parser` found.
        reader: The corpus.
    """
    options = {option.name: getattr(values, option.name) for option in reader.options}
    corrections: Path | None = getattr(values, "corrections", None)  # not of check, which judges a corpus as it is listed
    own_name = reader.default_dataset(**options) + ("_corrected" if corrections else "")
    return CorpusChoice(
        reader=reader,
        options=options,
        audio_folder=values.audio_folder or reader.default_audio_folder(values.data_folder, **options),
        dataset=own_name if values.dataset is None else values.dataset,
        data_folder=values.data_folder,
        task_type=values.task_type if reader.has_recordings else reader.task_type(**options),
        speech_table=values.speech_table,
        corrections=corrections,
    )
