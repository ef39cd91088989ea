"""One file per corpus, found by its name: add a file here and ``xval prepare NAME`` reads that corpus.

The folder corpora of a user's study (see `xval.base.config_file.find_study`) holds further ones.

Such a file begins with a docstring (what it is, its layout, source and licence) and has

    list_clips(audio_folder: Path, *, option: type = default, ...) -> DataFrame

with a row per clip: path (relative to audio_folder), item (str), label (text or number), and, where known, clip, phase,
fold, start_s, end_s, source_clip, augmented; and any further column (gender, age, recorder). A keyword-only argument with a
default is an option of the command line, one without a default is there by itself; the docstring's Args section is their
help; ``rows: RowOptions`` stands for the options of that class. Instead of label there may be columns of numbers,
``label:<name>``, for a regression. What these files share is in _layout.py, _tables.py and _annotation_tables.py. A folder or
table that is missing, empty or other than described, and a value that no option may have, is refused with a CorpusError;
options that contradict each other with a SettingsError.
A note for the user, such as how many clips are skipped, goes into ``attrs["note"]`` of the table (empty: none), and what an
item is (speaker, actor) into ``attrs["item_name"]``. May be added:

    default_audio_folder(data_folder, **options) -> Path    the audio folder becomes an option
    default_dataset(**options) -> str                       else the dataset is named after the file
    KNOWN_AS: tuple[str, ...]                               names of the corpus, and of what it was taken from, by which the
                                                            authors of pretrained encoders name what these were trained on
    NUMBERS: Collection[str]                                labels that are numbers: the task is a regression of them
    task_type(**options) -> str                             else the option task_type, or classification
    DOWNLOADS: tuple[Archive, ...]                          what ``--download`` fetches, with checksums
    ADVISED: tuple[str, ...]                                settings, as KEY=VALUE, that the printed Next gives its experiment
    audio_folder_of(folders, **options) -> Path             several folders may be given, of which list_clips gets the sequence;
                                                            its paths are relative to what this returns
    list_recordings(audio_folder, **options)                for ``--task-type frame_classification``, options as list_clips:
        -> (DataFrame, DataFrame)                           whole recordings (path, item, label: which classes occur), and
                                                            their events (path, start_s, end_s, label, annotator); one
                                                            without an event has a row without start_s and end_s
"""

import argparse
import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from preprocessing.corpora._layout import split_names
from preprocessing.options.named_files import file_names, load_file, read_options
from xval.base.config_file import own_folder
from xval.base.errors import CorpusError, SettingsError, XvalError, suggestion
from xval.base.user_code import imports

if TYPE_CHECKING:
    import pandas as pd

    from preprocessing.corpora._download import Archive
    from preprocessing.corpora._reading import RowOptions

_TRUTH = {"true": True, "false": False}
_ANY_NAMES = ("folders", "voxceleb")
"""What these read are folders in folders, of whatever names."""


@dataclass(frozen=True)
class Option:
    """One keyword-only argument of a `list_clips`.

    Attributes:
        name: The argument's name; on the command line ``_`` is written ``-``.
        kind: int, float, bool, str or Path.
        choices: The allowed values, where they are few; else empty.
        default: The value when it is not given; `inspect.Parameter.empty` when it must be given.
        help: What the docstring says.
    """

    name: str
    kind: type
    choices: tuple[str, ...]
    default: Any
    help: str

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty

    @property
    def flag(self) -> str:
        """What it is called on the command line."""
        return self.name.upper() if self.is_required else f"--{self.name.replace('_', '-')}"

    def parse(self, text: str) -> Any:
        """Turn the text of the command line into a value."""
        if self.choices and text not in self.choices:
            from preprocessing.clips.table import TASK_TYPES

            if self.name == "task_type" and text in TASK_TYPES:  # another task is no misspelt one
                raise SettingsError(
                    f"{self.flag} {text}: these labels are for {' or '.join(self.choices)}. For numbers or several labels "
                    "use a table: xval prepare table --help"
                )
            raise SettingsError(f"{self.flag} {text}: unknown value. {suggestion(text, self.choices)}")
        if self.kind is bool:
            if text.lower() not in _TRUTH:
                raise SettingsError(f"{self.flag} {text}: expected true or false.")
            return _TRUTH[text.lower()]
        try:
            return self.kind(text)
        except ValueError as error:
            raise SettingsError(f"{self.flag} {text}: expected a number ({self.kind.__name__}).") from error

    def add_to(self, parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
        """Add it to a command line."""
        text = self.help.replace("%", "%%")
        if self.is_required:
            parser.add_argument(self.name, type=self.parse, metavar=self.flag, help=text)
            return
        may_stand_alone: dict[str, Any] = {"nargs": "?", "const": True} if self.kind is bool else {}
        parser.add_argument(
            self.flag,
            **may_stand_alone,
            type=self.parse,
            default=self.default,
            metavar="|".join(self.choices) or self.kind.__name__.upper(),
            help=f"{text} (default: {self.default})",
        )


@dataclass(frozen=True)
class CorpusReader:
    """A file of corpora/, loaded.

    Attributes:
        description: Its docstring.
        options: The keyword-only arguments of the function.
        audio_folder_help: What the function's docstring says about its audio folder.
    """

    name: str
    description: str
    list_clips: "Callable[..., pd.DataFrame]"
    options: tuple[Option, ...]
    audio_folder_help: str
    _module: ModuleType

    @property
    def has_default_audio_folder(self) -> bool:
        """Whether the audio folder may be omitted."""
        return hasattr(self._module, "default_audio_folder")

    @property
    def usage(self) -> str:
        """The shortest command that reads this corpus."""
        words = [] if self.has_default_audio_folder else ["AUDIO_FOLDER"]
        words += [option.name.upper() for option in self.options if option.is_required]
        return " ".join(["xval prepare", self.name, *words])

    def default_audio_folder(self, data_folder: Path, **options: object) -> Path:
        """Return the audio folder of these options when none is given."""
        folder: Path = self._module.default_audio_folder(data_folder, **options)
        return folder

    @property
    def takes_rows(self) -> bool:
        """Whether it reads a table as `RowOptions` say."""
        return _takes_rows(self.list_clips)

    @property
    def takes_several_folders(self) -> bool:
        """Whether several audio folders may be given, not one only."""
        return hasattr(self._module, "audio_folder_of")

    def audio_folder_of(self, folders: Sequence[Path], **options: object) -> Path:
        """Return what the paths of clips are relative to where these folders are given.

        Raises:
            UsageError: They do not go together.
        """
        folder: Path = self._module.audio_folder_of(folders, **options)
        return folder

    def default_dataset(self, **options: object) -> str:
        """Return the dataset name of these options when none is given."""
        if not hasattr(self._module, "default_dataset"):
            return self.name
        name: str = self._module.default_dataset(**options)
        return name

    def task_type(self, **options: object) -> str:
        """Return what these options make of the labels: ``classification`` or ``regression``."""
        if hasattr(self._module, "task_type"):
            return str(self._module.task_type(**options))
        if hasattr(self._module, "NUMBERS"):
            are_numbers = all(name in self._module.NUMBERS for name in split_names(str(options.get("label", ""))))
            return "regression" if are_numbers else "classification"
        chosen = str(options.get("task_type", "auto"))
        return "classification" if chosen == "auto" else chosen

    @property
    def known_as(self) -> tuple[str, ...]:
        """The names that others call the corpus by, and those of what it was taken from; empty: it may be any."""
        return tuple(getattr(self._module, "KNOWN_AS", ()))

    @property
    def advised(self) -> tuple[str, ...]:
        """Settings of an experiment that suit the corpus better than those of config.ini, as ``KEY=VALUE``."""
        return tuple(getattr(self._module, "ADVISED", ()))

    @property
    def has_recordings(self) -> bool:
        """Whether whole recordings with annotated events can be listed, for frame classification."""
        return hasattr(self._module, "list_recordings")

    def list_recordings(self, audio_folder: Path, **options: object) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """Return the recordings of a corpus, and their events."""
        recordings, events = _with_rows(self._module.list_recordings)(audio_folder, **options)
        return recordings, events

    @property
    def may_download(self) -> bool:
        """Whether ``--download`` fetches it."""
        return hasattr(self._module, "DOWNLOADS")

    @property
    def downloads(self) -> "tuple[Archive, ...]":
        """What ``--download`` fetches."""
        if not self.may_download:
            address = re.search(r"^Source:.*?(https?://[^\s`,;)]+)", self.description, re.MULTILINE | re.DOTALL)
            raise CorpusError(
                f"--download: {self.name} cannot be downloaded automatically. Download it yourself: {address[1].rstrip('.')}"
                if address
                else f"--download: {self.name} has no archive to download. Remove --download."
            )
        archives: tuple[Archive, ...] = self._module.DOWNLOADS
        return archives


def corpus_names() -> tuple[str, ...]:
    """Return the corpora that can be read: the files of this folder, and of the folder corpora of the user's study."""
    names, own = file_names(__name__), own_folder("corpora")
    if own is None or str(own) in __path__ or imports.is_restricted():  # a reader is code
        return names
    if twice := [path.stem for path in own.glob("*.py") if path.stem in names]:
        raise CorpusError(f"{own}: {twice[0]}.py has the name of a corpus of the project. Rename the file.")
    __path__.append(str(own))
    return file_names(__name__)


def summarise_corpus(name: str) -> str:
    """Return the first sentence of a corpus file's docstring, without importing the file."""
    files = (Path(folder) / f"{name}.py" for folder in __path__)
    source = next(path for path in files if path.is_file()).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0].replace("\n", " ")


def find_corpus(name: str) -> CorpusReader:
    """Load the file of a corpus."""
    names = corpus_names()  # which finds those of the study
    if name not in names:
        known, _, near = suggestion(name, names).partition(" Did you mean")
        hint = f"Did you mean{near}"
        if Path(name).exists() or not near:
            folder = name if Path(name).is_dir() else "FOLDER"
            table = name if Path(name).is_file() else "FILE"
            ways = f"xval prepare folders {folder} (a folder for each class), or xval prepare table {table}."
            hint = f"For recordings of your own: {ways}"
        raise CorpusError(f"Unknown corpus '{name}'. {known} {hint}")
    module = load_file(__name__, name, kind="corpus", wanted=("list_clips",), error=CorpusError)
    helps = _argument_helps(inspect.getdoc(module.list_clips) or "")
    arguments = read_options(module, "list_clips", n_positional=1, error=CorpusError)
    own = [argument for argument in arguments if not _is_rows(argument)]
    options = [_option(argument, helps.get(argument.name, ""), module) for argument in own]
    options += row_options() if len(own) < len(arguments) else []
    description, folder_help = inspect.getdoc(module) or "", helps.get("audio_folder", "")
    return CorpusReader(name, description, _with_rows(module.list_clips), tuple(options), folder_help, module)


def row_options() -> "list[Option]":
    """Return the options of the rows of a table, which all commands share that read one."""
    return [
        Option(option.name, *_kind(option.type) or (str, ()), option.default, option.metadata["help"])
        for option in fields(_rows_kind())
        if "help" in option.metadata
    ]


def rows_of(options: Mapping[str, Any]) -> "RowOptions":
    """Return what the values of options, by their names, say of the rows of a table."""
    kind = _rows_kind()
    return kind(**{option.name: options[option.name] for option in fields(kind) if option.name in options})


def _rows_kind() -> "type[RowOptions]":
    """Return `RowOptions`, which is loaded only now: readers of tables load numpy."""
    from preprocessing.corpora._reading import RowOptions

    return RowOptions


def _takes_rows(function: Callable[..., Any]) -> bool:
    return any(map(_is_rows, inspect.signature(function).parameters.values()))


def _is_rows(argument: inspect.Parameter) -> bool:
    return argument.name == "rows" and argument.annotation is _rows_kind()


def _with_rows(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a reader that takes each option of rows by its name, where it takes them as one."""
    if not _takes_rows(function):
        return function
    names = {option.name for option in fields(_rows_kind())}

    @wraps(function)
    def read(folder: Path, **options: Any) -> Any:
        others = {name: value for name, value in options.items() if name not in names}
        return function(folder, **others, rows=rows_of(options))

    return read


def recognise(folder: Path) -> list[str]:
    """Return the corpora that list clips of a folder without further options; sorted.

    Readers that bring their audio along, or need a table, say nothing about a folder.
    """
    known = []
    for name in corpus_names():
        try:
            reader = find_corpus(name)
            needs_more = reader.has_default_audio_folder or any(option.is_required for option in reader.options)
            if name in _ANY_NAMES or needs_more:
                continue
            clips = reader.list_clips(folder)
        except XvalError:
            continue
        if len(clips):
            known.append(name)
    return known


def _option(parameter: inspect.Parameter, description: str, module: ModuleType) -> Option:
    """Read an option from an argument's annotation."""
    kind = _kind(parameter.annotation)
    if kind is None:
        raise CorpusError(
            f"{module.__file__}: argument '{parameter.name}' of list_clips has the annotation {parameter.annotation!r}; "
            "expected int, float, bool, str, Path and Literal of texts."
        )
    return Option(parameter.name, *kind, parameter.default, description)


def _kind(annotation: Any) -> tuple[type, tuple[str, ...]] | None:
    """Return the kind and the choices of an option; None: it cannot be one."""
    choices: tuple[str, ...] = ()
    if get_origin(annotation) is Literal:
        annotation, choices = str, get_args(annotation)
    is_known = annotation in (int, float, bool, str, Path) and all(isinstance(choice, str) for choice in choices)
    return (annotation, choices) if is_known else None


def _argument_helps(docstring: str) -> dict[str, str]:
    """Return ``{argument: text}`` of the Args section of a Google-style docstring."""
    section = re.search(r"^Args:\n((?:[ ]{4}.*\n?|\n)*)", docstring, re.MULTILINE)
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section.group(1), re.MULTILINE) if section else []
    return {name: re.sub(r"\s+", " ", text).strip() for name, text in entries}
