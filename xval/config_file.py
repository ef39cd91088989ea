"""Read config.ini: the text of every default, by section.

Comes in: the file at the root of the project. Goes out: plain text values, which xval/settings/schema.py turn
into types. Nothing is interpolated and keys keep their case.
"""

from configparser import ConfigParser
from configparser import Error as ConfigParserError
from pathlib import Path

from xval.errors import SettingsError

APART = frozenset({"offline_augmentation", "mixing"})
"""Sections that are no parameters of instances: ``python -m augmentation`` reads them."""

ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds the packages: the clone of the project, or site-packages where a wheel was installed."""

_INSTALLED = Path(__file__).with_name("config.ini")  # setup.py puts it there, in a wheel alone
CONFIG_PATH = _INSTALLED if _INSTALLED.is_file() else ROOT / "config.ini"


def read_defaults(path: Path = CONFIG_PATH) -> dict[str, dict[str, str]]:
    """Return the defaults of a config file as ``{section: {key: text}}``.

    Args:
        path: The file; the project's own config.ini when omitted.

    Returns:
        The sections in the order of the file.

    Raises:
        SettingsError: The file is missing, malformed, or has one key twice (also in two sections).
    """
    parser = ConfigParser(interpolation=None, default_section="\0", inline_comment_prefixes=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the defaults: {error.strerror}.") from error
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
    """Return one section of a config file as ``{key: text}``.

    Raises:
        SettingsError: As `read_defaults`, or the section is missing.
    """
    sections = read_defaults(path)
    if section not in sections:
        raise SettingsError(f"{path}: section [{section}] is missing. Found: {', '.join(sections)}.")
    return sections[section]
