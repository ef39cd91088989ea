"""Read the defaults that config.ini has, by section; and find the study, a folder with the user's own parts.

The config.ini of the project is read first, then that of the user, which changes a few of its lines. Values are text, which
the settings turn into types; nothing is interpolated, and keys keep their case.

A study (``xval new``) is a folder with a config.ini and a folder experiments, perhaps with architectures/ and corpora/. It is
searched around the script that runs, then around the current folder. Without a study, a config.ini next to the script, or else
in the current folder, changes the defaults, if it belongs to xval and not to another program.
"""

import os
import sys
from configparser import (
    ConfigParser,
    DuplicateOptionError,
    DuplicateSectionError,
    MissingSectionHeaderError,
    ParsingError,
)
from configparser import Error as ConfigParserError
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from xval.base.errors import SettingsError, first_of, suggestion
from xval.base.operating_system import read_regular
from xval.base.setting_names import SETTING_NAMES
from xval.base.synonyms import describe_synonym

APART = frozenset({"offline_augmentation", "mixing"})
"""The sections that have no settings of instances: ``xval augment`` reads them."""

ROOT = Path(__file__).resolve().parents[2]
"""The folder with the packages: the clone of the project, or site-packages if a wheel was installed."""

_INSTALLED = ROOT / "xval" / "config.ini"  # setup.py puts it there, only in a wheel
CONFIG_PATH = _INSTALLED if _INSTALLED.is_file() else ROOT / "config.ini"

_COPY_MARK = ROOT / "environment.txt"  # written by xval/experiment/snapshot.py into a copy of the code, which has all parts
FOLDERS = {"experiment_folder": "results", "data_folder": "data"}
"""The defaults of the two folders, which also programs below the settings of instances read."""


def find_study() -> Path | None:
    """Return the folder of the user's study; None: there is no study, or this is the copy of the code that a job runs."""
    if _COPY_MARK.is_file():
        return None
    return next(filter(None, map(study_around, _starts())), None)


def study_around(start: Path) -> Path | None:
    """Return the study that a folder belongs to."""
    for folder in (start, *start.parents):
        if _is_of_project(folder):
            break  # what is installed, and a clone of the project, are in no study, though their folders may
        if (folder / "config.ini").is_file() and (folder / "experiments").is_dir():
            return folder
    return None


def _starts() -> tuple[Path, Path]:
    return (Path(sys.argv[0]).resolve().parent if sys.argv[0] else Path.cwd(), Path.cwd())


def _is_of_project(folder: Path) -> bool:
    return folder == Path(sys.prefix).resolve() or (folder / "xval" / "__init__.py").is_file()


def _nearest_config() -> Path | None:
    """Return the config.ini next to the script, or else in the current folder, unless it belongs to the project."""
    if _COPY_MARK.is_file():
        return None
    for start in dict.fromkeys(_starts()):
        path = start / "config.ini"
        is_installed = Path(sys.prefix).resolve() in start.parents or start.is_relative_to(ROOT / "xval")
        if not is_installed and not _is_of_project(start) and path.is_file():
            return path
    return None


def own_config() -> Path | None:
    """Return the config.ini that changes the defaults: that of the study, or else the nearest, if it belongs to xval."""
    if (study := find_study()) is not None:
        return study / "config.ini"
    path = _nearest_config()
    return path if path is not None and not _why_foreign(path) else None


def describe_own_config() -> str:
    """Return a line on a config.ini next to the script or in the current folder: what it sets, or why it is not used."""
    study, path = find_study(), _nearest_config()
    if path is None or (study is not None and path.parent == study):
        return ""
    shown = os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    if study is not None:
        return f"{shown} is not used, because the study {study} has its own config.ini. Move its lines there."
    if why := _why_foreign(path):
        return f"{shown} is not used: {why}"
    keys = [key for values in _read(path).values() for key in values]
    return f"{shown} changes the defaults of {first_of(keys)}." if keys else ""


def _why_foreign(path: Path) -> str:
    """Return why a config.ini does not belong to xval; empty: it does.

    A config.ini of xval has a key of xval in its section, whose name may be misspelt, or only sections of xval.
    """
    known = known_names()
    sections = ", ".join(f"[{section}]" for section in known)
    try:
        own = _read(path)
    except SettingsError as error:
        return f"{str(error).removeprefix(str(path)).lstrip(', :')} A config.ini of xval has sections: {sections}."
    meant = {section: next(iter(get_close_matches(section, known, n=1)), "") for section in own}
    if own.keys() <= known.keys() or any(own[section].keys() & known.get(meant[section], frozenset()) for section in own):
        return ""
    places = {key: section for section, keys in known.items() for key in keys}
    misplaced = [f"'{key}' belongs in [{places[key]}]" for values in own.values() for key in values if key in places]
    return (
        "it has no key in the section where xval expects it. "
        f"{f'{first_of(misplaced, 3)}.' if misplaced else f'Sections of xval: {sections}.'}"
    )


def known_names() -> dict[str, frozenset[str]]:
    """Return the names of the settings that a config.ini may have, by section.

    They are those of xval and those in the project's own file, which also has the options of transforms that a user adds.
    """
    written = _read(CONFIG_PATH)
    return {section: frozenset([*names, *written.get(section, {})]) for section, names in SETTING_NAMES.items()}


def experiments_folder() -> Path:
    """Return the folder of experiment scripts, of the study or the project, relative to the current folder."""
    study = find_study()
    return Path(os.path.relpath(study) if study else ".", "experiments")


def own_folder(name: str) -> Path | None:
    """Return the folder ``architectures`` or ``corpora`` of the study, if there is one."""
    study = find_study()
    folder = None if study is None else study / name
    return folder if folder is not None and folder.is_dir() else None


def read_defaults(path: Path = CONFIG_PATH) -> dict[str, dict[str, str]]:
    """Return the defaults that a config file has, as ``{section: {key: text}}``, in the order of the file.

    The project's own is read with the changes of the user's (`own_config`); relative folders of corpora and results are then
    those of the study, and without a study, those that the file names are below its own. A key is in one section only, and a
    user's config.ini changes keys but adds none. A setting that the file lacks has the default of its field.
    """
    sections = _read(path)
    if path != CONFIG_PATH:
        return sections
    sections["experiment"] = FOLDERS | sections.get("experiment", {})
    own = own_config()
    if own is None:
        return sections
    changed, known = _read(own), known_names()
    for section, values in changed.items():
        if section not in known:
            raise SettingsError(f"{own}: unknown section [{section}]. {suggestion(section, known)}")
        for key in values:
            if key not in known[section]:
                place = next((f"Move it to [{other}]." for other, keys in known.items() if key in keys), "")
                advice = place or describe_synonym(key) or suggestion(key, known[section])
                raise SettingsError(f"{own}: unknown key '{key}' in [{section}]. {advice}")
        sections[section] = sections.get(section, {}) | values
    is_study = find_study() is not None
    for key in FOLDERS:
        if is_study or key in changed.get("experiment", {}):
            sections["experiment"][key] = _below(own.parent, sections["experiment"][key])
    return sections


def _below(place: Path, folder: str) -> str:
    """Return a folder of the study: relative within the study, otherwise absolute."""
    current, path = Path.cwd(), place / folder
    return os.path.relpath(path, current) if current.is_relative_to(place) and path.is_relative_to(place) else str(path)


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        text = read_regular(path).decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the defaults: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not text in UTF-8 ({error.reason}, byte {error.start}). Save it as UTF-8.") from error
    return {name: dict(values) for name, values in _parse(text, path).items()}


@cache  # a program asks for its defaults many times
def _parse(text: str, path: Path) -> dict[str, dict[str, str]]:
    parser = ConfigParser(interpolation=None, default_section="\0", inline_comment_prefixes=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text, source=str(path))
    except ConfigParserError as error:
        raise SettingsError(f"{path}{_describe_fault(error)}") from error
    sections = {name: dict(parser[name]) for name in parser.sections()}
    seen: dict[str, str] = {}
    for section, values in sections.items():
        for key in values:
            if key in seen:
                raise SettingsError(f"{path}: '{key}' is in [{seen[key]}] and in [{section}]. Keep one of them.")
            seen[key] = section
    return sections


def _describe_fault(error: ConfigParserError) -> str:
    """Return where a config file is wrong and what to write instead, as the end of a line that begins with its path."""
    if isinstance(error, DuplicateSectionError):
        return f", line {error.lineno}: [{error.section}] is there twice. Put its lines into the first [{error.section}]."
    if isinstance(error, DuplicateOptionError):
        return f", line {error.lineno}: '{error.option}' is there twice in [{error.section}]. Keep one of the two lines."
    if isinstance(error, MissingSectionHeaderError):
        return f", line {error.lineno}: received {error.line!r} before any section. Put one above it, such as [training]."
    if isinstance(error, ParsingError):
        number, line = error.errors[0]
        return f", line {number}: received {line}; expected 'name = value', '# comment' or '[section]'."
    return f": {error}"


def default_folder(name: str) -> Path:
    """Return ``data_folder`` or ``experiment_folder``, as config.ini or the study has it."""
    return Path(read_defaults()["experiment"][name])
