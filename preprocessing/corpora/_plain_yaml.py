"""YAML that may come from anywhere: plain values alone, and no more of them than a corpus needs to be described.

Comes in: a text. Goes out: text, numbers, dates, lists and dicts; or an error with the line. Nothing in it is carried out.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xval.base.errors import CorpusError, brief

_MOST_VALUES = 500_000
_DEEPEST = 50
_LONGEST_NUMBER = 1000
"""Longer ones take Python minutes."""
_LONGEST_SHOWN = 100
_OF_NUMBER = re.compile(r"[-+.:_\da-fA-FxX]+")
_STANDARD = "tag:yaml.org,2002:"
_PLAIN = frozenset(_STANDARD + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map"))


def parse_plain(text: str, path: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        CorpusError: It has tags of objects, too many values, or is too deep; names the line.
        ValueError: It is no YAML, or has a date or number that is none.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml.parse(text, Loader=loader), path)
        return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader
    except CorpusError:
        raise
    except Exception as error:  # of YAML, or of a date, number or key that is none
        raise ValueError(brief(error) or type(error).__name__) from error


def _check_events(events: Iterator[Any], path: Path) -> None:
    """Refuse tags, depth, numbers and aliases that no description of a corpus has, before any value is made."""
    import yaml

    n_values = 0
    begun: list[tuple[str | None, int]] = []
    sizes: dict[str, int] = {}
    for event in events:
        where = f"{path}, line {event.start_mark.line + 1}"
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = begun.pop()
            if anchor:
                sizes[anchor] = n_values - before
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in (anchor for anchor, _ in begun):
                raise CorpusError(f"{where}: the alias {event.anchor} is inside the value that it names.")
            n_values += sizes.get(event.anchor, 1)
        else:
            _check_value(event, where)
            n_values += 1
        if n_values > _MOST_VALUES:
            raise CorpusError(f"{where}: more than {_MOST_VALUES} values once aliases are expanded, which no such file has.")
        if isinstance(event, yaml.CollectionStartEvent):
            begun.append((event.anchor, n_values - 1))
            sizes.pop(event.anchor, None)  # of another value that had the name before
            if len(begun) > _DEEPEST:
                raise CorpusError(f"{where}: lists nested more than {_DEEPEST} levels deep, which no such file has.")


def _check_value(event: Any, where: str) -> None:
    """Refuse a value that is not written as a plain one."""
    if event.tag not in (None, "!", *_PLAIN):
        tag = event.tag.replace(_STANDARD, "!!", 1) if event.tag.startswith(_STANDARD) else event.tag
        shown = ascii(tag if len(tag) <= _LONGEST_SHOWN else f"{tag[:_LONGEST_SHOWN]}...")
        raise CorpusError(
            f"{where}: the tag {shown} creates a program's object, which is not supported. Write the plain value instead."
        )
    text = getattr(event, "value", "")
    if len(text) > _LONGEST_NUMBER and _OF_NUMBER.fullmatch(text):
        raise CorpusError(f"{where}: a number of {len(text)} characters; at most {_LONGEST_NUMBER} are allowed.")
