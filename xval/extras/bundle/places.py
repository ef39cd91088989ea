"""Remove folders of this machine from files that are shared.

Paths in the folder of the study become relative to it, and the home folder of the user becomes ``~``.
"""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from xval.base.json_files import json_text, read_json


def find_places(experiment: Path | None) -> dict[str, str]:
    """Return the folders that files of an experiment may name, each with its replacement, the longest path first."""
    studies = [] if experiment is None else [experiment.absolute().parents[2], experiment.resolve().parents[2]]
    homes = [Path.home(), Path.home().resolve()]
    named = {**dict.fromkeys(map(str, homes), "~"), **dict.fromkeys(map(str, studies), ".")}
    return {place: named[place] for place in sorted(named, key=len, reverse=True) if place != Path(place).anchor}


def read_portable(path: Path, places: Mapping[str, str]) -> bytes:
    """Return a JSON file in which the folders of this machine are replaced and those of the user's own code are removed."""
    content = {name: value for name, value in (read_json(path) or {}).items() if name != "own_folders"}
    return json_text(_in_texts(content, lambda text: without_places(text, places).removeprefix("./"))).encode()


def find_naming_files(files: Mapping[str, bytes], places: Sequence[str]) -> list[str]:
    """Return the files that name a folder of this machine, as a script may; a member of a zip file is ZIP/MEMBER."""
    naming = []
    for name, content in files.items():
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                inner = {f"{name}/{member}": archive.read(member) for member in archive.namelist()}
            naming += find_naming_files(inner, places)
        elif any(place.encode() in content for place in places):
            naming.append(name)
    return naming


def without_places(text: str, places: Mapping[str, str]) -> str:
    """Return a text in which each folder of this machine has its replacement from ``places``."""
    for place, replacement in places.items():
        text = text.replace(f"{place}/", f"{replacement}/").replace(place, replacement) if place in text else text
    return text


def _in_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(name): _in_texts(inner, change) for name, inner in value.items()}
    return [_in_texts(inner, change) for inner in value] if isinstance(value, list) else value
