"""One file per corpus, found by its name: add a file here and ``xval prepare NAME`` reads that corpus.

Files in the folder corpora of the user's study are used in the same way (see `xval.base.config_file.find_study`).

Such a file begins with a docstring (what it is, its layout, source and licence) and has

    list_clips(audio_folder: Path, *, option: type = default, ...) -> DataFrame

with a row per clip: path (relative to audio_folder), item (str), label (text or number), and, if known, clip, phase, fold,
start_s, end_s, source_clip, augmented; and any additional columns (gender, age, recorder). A keyword-only argument with a
default is an option of the command line, one without a default is a positional argument; the Args section of the docstring is
their help. An argument ``rows: RowOptions`` stands for all options of that class. For a regression there may be columns of
numbers, ``label:<name>``, instead of label. Code that these files share is in _layout.py, _tables.py and
_annotation_tables.py. A folder or table that is missing, empty or not as described, and a value that an option cannot have,
raise a CorpusError; options that contradict each other raise a SettingsError.
A note for the user, such as how many clips are skipped, goes into ``attrs["note"]`` of the table (empty: none), and the word
for an item (speaker, actor) into ``attrs["item_name"]``. Optional names in such a file:

    default_audio_folder(data_folder, **options) -> Path    makes the audio folder optional
    default_dataset(**options) -> str                       name of the dataset (without it: that of the file)
    KNOWN_AS: tuple[str, ...]                               names of the corpus, and of its sources, as in the lists of training
                                                            data of pretrained encoders
    NUMBERS: Collection[str]                                labels that are numbers, for which the task is a regression
    task_type(**options) -> str                             the task (without it: the option task_type, or classification)
    DOWNLOADS: tuple[Archive, ...]                          the files that ``--download`` fetches, with checksums
    ADVISED: tuple[str, ...]                                settings, as KEY=VALUE, in the experiment that is printed as Next
    audio_folder_of(folders, **options) -> Path             allows several audio folders, which list_clips receives as a
                                                            sequence; paths of clips are relative to the folder returned here
    list_recordings(audio_folder, **options)                for ``--task-type frame_classification``, with the options of
        -> (DataFrame, DataFrame)                           list_clips: whole recordings (path, item, label: the classes in it),
                                                            and their events (path, start_s, end_s, label, annotator); a
                                                            recording without events has a row without start_s and end_s
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
"""Readers of folders with arbitrary names, which would list the clips of any folder."""


@dataclass(frozen=True)
class Option:
    """One keyword-only argument of a `list_clips`.

    Attributes:
        name: The argument's name; on the command line ``_`` is written ``-``.
        kind: Type of its value: int, float, bool, str or Path.
        choices: The allowed values; empty: any.
        default: The default value; `inspect.Parameter.empty`: there is none, the argument is required.
        help: Its text in the docstring of `list_clips`.
    """

    name: str
    kind: type
    choices: tuple[str, ...]
    default: Any
    help: str

    @property
    def is_required(self) -> bool:
        """Whether it has no default and has to be given."""
        return self.default is inspect.Parameter.empty

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return self.name.upper() if self.is_required else f"--{self.name.replace('_', '-')}"

    def parse(self, text: str) -> Any:
        """Return the value of a text on the command line.

        Raises:
            SettingsError: The text is no allowed value.
        """
        if self.choices and text not in self.choices:
            from preprocessing.clips.table import TASK_TYPES

            if self.name == "task_type" and text in TASK_TYPES:  # a task that the reader does not support is not misspelt
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
        """Add the option to a parser of the command line."""
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
        name: Name of the corpus, which is that of the file.
        description: Docstring of the file.
        list_clips: Its function `list_clips`.
        options: The options of `list_clips`.
        audio_folder_help: The text about the audio folder in the docstring of `list_clips`.
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
        """Return the default audio folder for these options; only if `has_default_audio_folder`."""
        folder: Path = self._module.default_audio_folder(data_folder, **options)
        return folder

    @property
    def takes_rows(self) -> bool:
        """Whether it reads a table and has the options of `RowOptions`."""
        return _takes_rows(self.list_clips)

    @property
    def takes_several_folders(self) -> bool:
        """Whether several audio folders may be given instead of one."""
        return hasattr(self._module, "audio_folder_of")

    def audio_folder_of(self, folders: Sequence[Path], **options: object) -> Path:
        """Return the folder to which the paths of clips are relative if these folders are given.

        Raises:
            UsageError: The folders cannot be given together.
        """
        folder: Path = self._module.audio_folder_of(folders, **options)
        return folder

    def default_dataset(self, **options: object) -> str:
        """Return the default name of the dataset for these options."""
        if not hasattr(self._module, "default_dataset"):
            return self.name
        name: str = self._module.default_dataset(**options)
        return name

    def task_type(self, **options: object) -> str:
        """Return the task of the dataset for these options, such as ``classification`` or ``regression``."""
        if hasattr(self._module, "task_type"):
            return str(self._module.task_type(**options))
        if hasattr(self._module, "NUMBERS"):
            are_numbers = all(name in self._module.NUMBERS for name in split_names(str(options.get("label", ""))))
            return "regression" if are_numbers else "classification"
        chosen = str(options.get("task_type", "auto"))
        return "classification" if chosen == "auto" else chosen

    @property
    def known_as(self) -> tuple[str, ...]:
        """Names of the corpus and of its sources, as in lists of training data of encoders; empty: not known."""
        return tuple(getattr(self._module, "KNOWN_AS", ()))

    @property
    def advised(self) -> tuple[str, ...]:
        """Settings that suit the corpus better than those of config.ini, as ``KEY=VALUE``."""
        return tuple(getattr(self._module, "ADVISED", ()))

    @property
    def has_recordings(self) -> bool:
        """Whether whole recordings with annotated events can be listed, for frame classification."""
        return hasattr(self._module, "list_recordings")

    def list_recordings(self, audio_folder: Path, **options: object) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """Return the recordings of a corpus and their events: the result of its `list_recordings`."""
        recordings, events = _with_rows(self._module.list_recordings)(audio_folder, **options)
        return recordings, events

    @property
    def may_download(self) -> bool:
        """Whether ``--download`` fetches it."""
        return hasattr(self._module, "DOWNLOADS")

    @property
    def downloads(self) -> "tuple[Archive, ...]":
        """The files that ``--download`` fetches.

        Raises:
            CorpusError: The corpus cannot be downloaded automatically; the error says where it is.
        """
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
    """Return the names of all corpora: the files of this folder, and of the folder corpora of the user's study.

    Raises:
        CorpusError: A file of the study has the name of a corpus of xval.
    """
    names, own = file_names(__name__), own_folder("corpora")
    if own is None or str(own) in __path__ or imports.is_restricted():  # a reader of the study is code, which may not run
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
    """Load the file of a corpus.

    Raises:
        CorpusError: There is no such corpus, or its file is not as described above.
    """
    names = corpus_names()  # also adds the folder of the study, from which load_file loads
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
    """Return the options of `RowOptions`, which all commands that read a table have."""
    return [
        Option(option.name, *_kind(option.type) or (str, ()), option.default, option.metadata["help"])
        for option in fields(_rows_kind())
        if "help" in option.metadata
    ]


def rows_of(options: Mapping[str, Any]) -> "RowOptions":
    """Return the `RowOptions` among the values of options, given by their names."""
    kind = _rows_kind()
    return kind(**{option.name: options[option.name] for option in fields(kind) if option.name in options})


def _rows_kind() -> "type[RowOptions]":
    """Return the class `RowOptions`, imported only when needed, because its module loads NumPy."""
    from preprocessing.corpora._reading import RowOptions

    return RowOptions


def _takes_rows(function: Callable[..., Any]) -> bool:
    return any(map(_is_rows, inspect.signature(function).parameters.values()))


def _is_rows(argument: inspect.Parameter) -> bool:
    return argument.name == "rows" and argument.annotation is _rows_kind()


def _with_rows(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a reader that accepts each option of `RowOptions` by its name instead of the argument rows."""
    if not _takes_rows(function):
        return function
    names = {option.name for option in fields(_rows_kind())}

    @wraps(function)
    def read(folder: Path, **options: Any) -> Any:
        others = {name: value for name, value in options.items() if name not in names}
        return function(folder, **others, rows=rows_of(options))

    return read


def recognise(folder: Path) -> list[str]:
    """Return the names of the corpora whose readers find their files in a folder, sorted.

    Readers that generate their audio, need other arguments or accept any folder are not tried.
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
    """Return the type and the choices of an option from its annotation; None: the annotation is not supported."""
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
