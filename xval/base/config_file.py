"""Read config.ini: the text of every default, by section; and find the study, a folder with the user's own parts.

Comes in: the file at the root of the project, and the few lines that a study changes of it. Goes out: plain text values, which
xval/settings/schema.py turns into types. Nothing is interpolated and keys keep their case.

A study (``python -m xval new``) is a folder with a config.ini and a folder experiments; own architectures/ and corpora/ lie
beside them. It is looked for around the script that runs, then around the current folder.
"""

import os
import sys
from collections.abc import Iterable
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from functools import cache
from pathlib import Path

from xval.base.errors import SettingsError, suggestion
from xval.base.operating_system import read_regular
from xval.base.synonyms import describe_synonym

APART = frozenset({"offline_augmentation", "mixing"})
"""Sections that are no parameters of instances: ``python -m augmentation`` reads them."""

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages: the clone of the project, or site-packages where a wheel was installed."""

_INSTALLED = ROOT / "xval" / "config.ini"  # setup.py puts it there, in a wheel alone
CONFIG_PATH = _INSTALLED if _INSTALLED.is_file() else ROOT / "config.ini"

_COPY_MARK = ROOT / "environment.txt"  # written by xval/experiment/snapshot.py into a copy of the code, which has all parts
_FOLDERS = ("experiment_folder", "data_folder")


def find_study() -> Path | None:
    """Return the folder of the user's study; None: there is none, or this is the copy of the code that a job runs."""
    if _COPY_MARK.is_file():
        return None
    starts = Path(sys.argv[0]).resolve().parent if sys.argv[0] else Path.cwd(), Path.cwd()
    return next(filter(None, map(study_around, starts)), None)


def study_around(start: Path) -> Path | None:
    """Return the study that a folder is or lies in."""
    prefix = Path(sys.prefix).resolve()
    for folder in (start, *start.parents):
        if folder == prefix or (folder / "xval" / "__init__.py").is_file():
            break  # what is installed, and a clone of the project, lie in no study, though their folders may
        if (folder / "config.ini").is_file() and (folder / "experiments").is_dir():
            return folder
    return None


def experiments_folder() -> Path:
    """Return the folder of experiment scripts, that of the study or of the project, as it is typed from the current folder."""
    study = find_study()
    return Path(os.path.relpath(study) if study else ".", "experiments")


def own_folder(name: str) -> Path | None:
    """Return the folder ``architectures`` or ``corpora`` of the study, if there is one."""
    study = find_study()
    folder = None if study is None else study / name
    return folder if folder is not None and folder.is_dir() else None


def read_defaults(path: Path = CONFIG_PATH) -> dict[str, dict[str, str]]:
    """Return the defaults of a config file as ``{section: {key: text}}``, in the order of the file.

    The project's own has the changes of the user's study; relative folders of corpora and results are then those of the study.
    A key stands in one section alone, and a study changes keys but adds none.
    """
    sections = _read(path)
    study = find_study() if path == CONFIG_PATH else None
    if study is None:
        return sections
    own = study / "config.ini"
    for section, values in _read(own).items():
        if section not in sections:
            raise SettingsError(f"{own}: unknown section [{section}]. {suggestion(section, sections)}")
        for key, text in values.items():
            if key not in sections[section]:
                raise SettingsError(
                    f"{own}: unknown key '{key}' in [{section}]. {describe_synonym(key) or suggestion(key, sections[section])}"
                )
            sections[section][key] = text
    for key in _FOLDERS:
        if key in sections.get("experiment", {}):
            sections["experiment"][key] = _of_study(sections["experiment"][key], study)
    return sections


def _of_study(folder: str, study: Path) -> str:
    """Return a folder of the study as it is called from the current folder: short within the study, else absolute."""
    current, path = Path.cwd(), study / folder
    return os.path.relpath(path, current) if current.is_relative_to(study) and path.is_relative_to(study) else str(path)


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        text = read_regular(path).decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the defaults: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not in UTF-8 ({error.reason}, byte {error.start}). Save it as UTF-8.") from error
    return {name: dict(values) for name, values in _parse(text, path).items()}


@cache  # a program asks for its defaults many times
def _parse(text: str, path: Path) -> dict[str, dict[str, str]]:
    parser = ConfigParser(interpolation=None, default_section="\0", inline_comment_prefixes=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text, source=str(path))
    except ConfigParserError as error:
        raise SettingsError(f"{path}: {error}") from error
    sections = {name: dict(parser[name]) for name in parser.sections()}
    seen: dict[str, str] = {}
    for section, values in sections.items():
        for key in values:
            if key in seen:
                raise SettingsError(f"{path}: '{key}' stands in [{seen[key]}] and in [{section}]; keep one.")
            seen[key] = section
    return sections


def read_section(section: str, path: Path = CONFIG_PATH) -> dict[str, str]:
    """Return one section of a config file as ``{key: text}``."""
    sections = read_defaults(path)
    if section not in sections:
        raise SettingsError(f"{path}: section [{section}] is missing. Found: {', '.join(sections)}.")
    return sections[section]


def read_default(section: str, key: str, path: Path = CONFIG_PATH) -> str:
    """Return the text of one default."""
    values = read_section(section, path)
    if key not in values:
        raise SettingsError(describe_missing(key, [section], path))
    return values[key]


def describe_missing(key: str, sections: Iterable[str], path: Path = CONFIG_PATH) -> str:
    """Return the line on a key that a config file lacks, and the section that it belongs into (or one of several)."""
    place = " or ".join(f"[{section}]" for section in sections)
    return f"{path}: '{key}' is missing from {place}. Write it there again, as the config.ini of this version has it."
