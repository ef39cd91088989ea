"""The arguments that the commands of ``xval prepare`` share: which dataset and which features; and the list of datasets.

They become a `CorpusChoice` and `FeatureSettings`.
"""

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from preprocessing import corpora
from preprocessing.clips.listing import ASK, KEEP, ONE, OVERLAPS, SEVERAL, SHARED_FILES, SIMILAR_NAMES, shorten
from preprocessing.corpora._layout import refuse_unknown, split_names
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.options.argument_parser import Parser, add_data_folder_argument, number_reader
from preprocessing.options.settings_section import read_settings_section
from xval.base.errors import SettingsError, counted

if TYPE_CHECKING:
    import pandas as pd

MIN_DURATION_S, CLIPPED_SHARE = 0.1, 0.001
"""Clips that are shorter, or have at least this share of clipped samples, are reported by --check."""
SETTINGS_HELP = "change a feature setting for this command; repeatable"


@dataclass(frozen=True)
class CorpusChoice:
    """Which corpus a user means, and where it is.

    Attributes:
        options: The corpus's own options.
        audio_folder: What the paths of its clips are relative to.
        folders: Those that are given, where the reader takes several; else empty.
        classes: The only ones that are kept; empty: all.
        dataset: Name of the corpus in experiments.
        task_type: What its labels are for.
        speech_table: A table of words or phonemes to which its clips are cut; None: they stay whole.
        corrections: A corrections.csv that is applied to its labels; None: they stay as they are.
        similar_names: ``ask``, ``one`` or ``several``: whether names that differ only in notation are asked about, the same,
            or different.
        overlaps: ``ask`` or ``keep``: whether clips of one file that overlap are asked about.
        shared_files: ``ask`` or ``keep``: whether a file of which several items have segments is asked about.
    """

    reader: corpora.CorpusReader
    options: dict[str, Any]
    audio_folder: Path
    dataset: str
    data_folder: Path
    task_type: str
    speech_table: Path | None = None
    corrections: Path | None = None
    folders: tuple[Path, ...] = ()
    classes: tuple[str, ...] = ()
    similar_names: str = ASK
    overlaps: str = ASK
    shared_files: str = ASK

    def __post_init__(self) -> None:
        """Refuse to cut recordings whose frames are labelled, and to choose classes where there are none."""
        if self.classes and self.task_type != "classification":
            raise SettingsError(f"--classes: clips have no classes with task_type={self.task_type}. Remove --classes.")
        if self.speech_table is not None and self.task_type == "frame_classification":
            raise SettingsError(
                f"--speech-table {self.speech_table}: frame_classification keeps whole recordings, with silence as "
                "background. Remove --speech-table."
            )

    def list_clips(self) -> "pd.DataFrame":
        """Return the clips of the corpus, cut to their words where there is a table of these."""
        from preprocessing.clips.table import with_common_names
        from preprocessing.corpora._speech import cut_to_speech

        answer = {SIMILAR_NAMES: self.similar_names} if self.reader.takes_rows else {}
        clips = self.reader.list_clips(self.folders or self.audio_folder, **self.options, **answer)
        if self.similar_names == ONE:
            clips = with_common_names(clips, self.task_type)
        clips.attrs[SIMILAR_NAMES] = self.similar_names
        if not self.reader.has_recordings:
            clips.attrs |= {OVERLAPS: self.overlaps, SHARED_FILES: self.shared_files}
        # Of folders that are given one by one nothing else is listed.
        called = dict(zip(clips["path"], clips["clip"], strict=True)) if self.folders and "clip" in clips else None
        if self.classes:
            clips = _keep_classes(clips, self.classes)
        return clips if self.speech_table is None else cut_to_speech(clips, self.audio_folder, self.speech_table, called)

    def list_recordings(self) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """Return the recordings of a corpus whose frames are labelled, and their events."""
        from preprocessing.clips.table import with_common_names

        recordings, events = self.reader.list_recordings(self.audio_folder, **self.options)
        if self.similar_names == ONE:
            recordings = with_common_names(recordings, self.task_type)
            events = with_common_names(events, "classification")
        recordings.attrs[SIMILAR_NAMES] = self.similar_names
        return recordings, events

    @property
    def place(self) -> str:
        """Where it is, as it was given."""
        return ", ".join(map(str, self.folders or [self.audio_folder]))

    def feature_overrides(self, overrides: Sequence[str]) -> list[str]:
        """Return ``KEY=VALUE`` of a command line behind those that the task asks for.

        Frames are labelled on the grid of the samples, so that there is no other form of features for them.
        """
        return [*(["features=waveform"] if self.task_type == "frame_classification" else []), *overrides]


def feature_names() -> Collection[str]:
    """Return the names of the feature settings."""
    return FeatureSettings.model_fields


def _keep_classes(clips: "pd.DataFrame", classes: Sequence[str]) -> "pd.DataFrame":
    """Return the clips of some classes, with a note of the others."""
    from preprocessing.clips.label_sets import plain_name
    from preprocessing.clips.table import natural_key

    labels, classes = clips["label"].map(plain_name), [*map(plain_name, classes)]
    refuse_unknown("classes", classes, sorted(set(labels), key=natural_key), "there is no such class.")
    if len(set(classes)) == 1:
        raise SettingsError(f"--classes {classes[0]}: received one class; expected two or more, separated by commas.")
    is_kept = labels.isin(classes)
    kept = clips[is_kept].reset_index(drop=True)
    if not is_kept.all():
        others = sorted(set(labels[~is_kept]), key=natural_key)
        note = f"{counted(int((~is_kept).sum()), 'clip')} of other classes skipped ({shorten(others)})"
        kept.attrs["note"] = "; ".join(filter(None, [clips.attrs.get("note"), note]))
    return kept


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
        commands: Commands that the help lists in addition to the corpora, and what they do.
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
            + f"Arguments and options of {what}: {program} {name} --help",
        ).print_help()
        raise SystemExit(0)
    if arguments[0].startswith("-"):
        raise SettingsError(f"The first argument must be the name of a corpus; received {arguments[0]}. See {program} --help")
    return arguments[0]


def make_corpus_parser(program: str, corpus: str) -> tuple[Parser, corpora.CorpusReader]:
    """Return the parser of a command that reads a corpus, and the reader; `read_corpus_choice` reads what the parser finds."""
    reader = corpora.find_corpus(corpus)
    parser = Parser(prog=f"{program} {corpus}", description=reader.description)
    if reader.has_default_audio_folder:
        parser.add_argument("--audio-folder", type=Path, metavar="DIR", help=reader.audio_folder_help)
    else:
        several: dict[str, Any] = {"nargs": "+"} if reader.takes_several_folders else {}
        parser.add_argument("audio_folder", type=Path, metavar="AUDIO_FOLDER", help=reader.audio_folder_help, **several)
    if reader.takes_several_folders:
        parser.add_argument("-i", action="store_true", dest="_", help="may precede the folders")
    for option in reader.options:
        option.add_to(parser)
    if reader.has_recordings:
        parser.add_argument(
            "--task-type",
            choices=("classification", "frame_classification"),
            default="classification",
            help="classification: every event is a clip; frame_classification: recordings are kept whole and their frames are "
            "labelled (default: classification)",
        )
    if "classes" not in [option.name for option in reader.options]:  # of a reader of the user's own
        parser.add_argument(
            "--classes",
            dest="kept_classes",
            type=lambda text: tuple(split_names(text)),
            default=(),
            metavar="A,B",
            help="use only the clips of these classes (default: all)",
        )
    names = [option.name for option in reader.options]  # a reader of the user's own may have such an option
    if SIMILAR_NAMES not in names:
        parser.add_argument(
            "--similar-names",
            dest="answer_names",
            choices=(ASK, ONE, SEVERAL),
            default=ASK,
            help="treat items, or classes, that differ only in notation (Anna and anna, 1 and 01, spk_1 and spk-1) as one or "
            "as several (default: ask)",
        )
    if OVERLAPS not in names and not reader.has_recordings:
        parser.add_argument(
            "--overlaps",
            dest="answer_overlaps",
            choices=(ASK, KEEP),
            default=ASK,
            help="keep: allow overlapping clips of one file (default: ask)",
        )
    if SHARED_FILES not in names and not reader.has_recordings:
        parser.add_argument(
            "--shared-files",
            dest="answer_shared_files",
            choices=(ASK, KEEP),
            default=ASK,
            help="keep: allow segments of several items in one file, such as two speakers in a dialogue (default: ask)",
        )
    parser.add_argument(
        "--speech-table",
        type=Path,
        metavar="FILE",
        help="a table with a row per word or phoneme (path, start_s, end_s): every clip is trimmed to its first and last one",
    )
    parser.add_argument("--dataset", metavar="NAME", help="name of the dataset in experiments (default: that of the corpus)")
    add_data_folder_argument(parser)
    return parser, reader


def _as_tuple(given: Path | Sequence[Path]) -> tuple[Path, ...]:
    return (given,) if isinstance(given, Path) else tuple(given)


def read_corpus_choice(values: argparse.Namespace, reader: corpora.CorpusReader) -> CorpusChoice:
    """Return which corpus a command line means.

    Args:
        values: What a parser of `make_corpus_parser` found.
        reader: The corpus.
    """
    options = {option.name: getattr(values, option.name) for option in reader.options}
    corrections: Path | None = getattr(values, "corrections", None)  # not of check, which judges a corpus as it is listed
    own_name = reader.default_dataset(**options) + ("_corrected" if corrections else "")
    given = values.audio_folder or reader.default_audio_folder(values.data_folder, **options)
    folders = _as_tuple(given) if reader.takes_several_folders else ()
    return CorpusChoice(
        reader=reader,
        options=options,
        audio_folder=reader.audio_folder_of(folders, **options) if folders else given,
        folders=folders,
        classes=getattr(values, "kept_classes", ()),
        similar_names=getattr(values, "answer_names", ASK),
        overlaps=getattr(values, "answer_overlaps", ASK),
        shared_files=getattr(values, "answer_shared_files", ASK),
        dataset=own_name if values.dataset is None else values.dataset,
        data_folder=values.data_folder,
        task_type=values.task_type if reader.has_recordings else reader.task_type(**options),
        speech_table=values.speech_table,
        corrections=corrections,
    )


def add_check_arguments(parser: Parser) -> None:
    """Declare --check and what goes only with it, which `options_of_check` reads."""
    group = parser.add_argument_group("check without preparing")
    group.add_argument("--check", action="store_true", help="only report what is wrong with the corpus, without preparing it")
    group.add_argument(
        "--headers-only",
        action="store_true",
        default=None,
        dest="check_headers_only",
        help="read only the headers of the files, which is fast but finds less",
    )
    group.add_argument(
        "--min-duration-s",
        type=number_reader("--min-duration-s"),
        dest="check_min_duration_s",
        metavar="S",
        help=f"report clips that are shorter than this (default: {MIN_DURATION_S} s)",
    )
    group.add_argument(
        "--clipped-share",
        type=number_reader("--clipped-share", largest=1),
        dest="check_clipped_share",
        metavar="SHARE",
        help=f"report clips with at least this share of clipped samples (0 to 1, default: {CLIPPED_SHARE})",
    )
    group.add_argument(
        "--output",
        type=Path,
        dest="check_output",
        metavar="DIR",
        help="folder of the report (default: DATA_FOLDER/DATASET/quality)",
    )


def options_of_check(values: argparse.Namespace) -> dict[str, object]:
    """Return what goes only with --check, by option; None where it is not given."""
    prefix = "check_"
    return {
        f"--{name.removeprefix(prefix).replace('_', '-')}": value
        for name, value in vars(values).items()
        if name.startswith(prefix)
    }
