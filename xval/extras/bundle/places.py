"""Folders of this machine, which what is handed on does not name: the home folder of the user, and the study.

Comes in: texts of files. Goes out: the same, with the paths of the study from there on, and ``~`` for the home folder.
"""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from xval.base.json_files import json_text, read_json


def places_of(experiment: Path | None) -> dict[str, str]:
    """Return the folders that files of an experiment may name, and what stands for each; the innermost first."""
    studies = [] if experiment is None else [experiment.absolute().parents[2], experiment.resolve().parents[2]]
    homes = [Path.home(), Path.home().resolve()]
    named = {**dict.fromkeys(map(str, homes), "~"), **dict.fromkeys(map(str, studies), ".")}
    return {place: named[place] for place in sorted(named, key=len, reverse=True) if place != Path(place).anchor}


def read_portable(path: Path, places: Mapping[str, str]) -> bytes:
    """Return a file of JSON whose texts name none of the places, and which does not say where code of the user's own lay."""
    content = {name: value for name, value in (read_json(path) or {}).items() if name != "own_folders"}
    return json_text(_in_texts(content, lambda text: without_places(text, places).removeprefix("./"))).encode()


def find_naming(files: Mapping[str, bytes], places: Sequence[str]) -> list[str]:
    """Return the files that name a place all the same, as a script may; those in a zip file behind its name."""
    naming = []
    for name, content in files.items():
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                inner = {f"{name}/{member}": archive.read(member) for member in archive.namelist()}
            naming += find_naming(inner, places)
        elif any(place.encode() in content for place in places):
            naming.append(name)
    return naming


def without_places(text: str, places: Mapping[str, str]) -> str:
    """Return a text with the stand-ins of the places."""
    for place, stand_in in places.items():
        text = text.replace(f"{place}/", f"{stand_in}/").replace(place, stand_in) if place in text else text
    return text


def _in_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(name): _in_texts(inner, change) for name, inner in value.items()}
    return [_in_texts(inner, change) for inner in value] if isinstance(value, list) else value
