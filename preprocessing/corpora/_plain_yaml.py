"""Read YAML of unknown origin safely: only text, numbers, dates, lists and dicts; nothing in it is executed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xval.base.errors import CorpusError, brief

_DEEPEST = 50
_LONGEST_SHOWN = 100
_STANDARD = "tag:yaml.org,2002:"
_PLAIN = frozenset(_STANDARD + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map"))


def parse_plain(text: str, path: Path) -> Any:
    """Return the content of a YAML file.

    Args:
        text: The text of the file.
        path: The file, for errors.

    Raises:
        CorpusError: It has tags of objects, is nested too deeply, or has a value inside itself; the error names the line.
        ValueError: It is no valid YAML, or has an invalid date or number.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml.parse(text, Loader=loader), path)
        return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader
    except CorpusError:
        raise
    except Exception as error:  # YAML's own errors, and those of invalid dates, numbers and keys
        raise ValueError(brief(error) or type(error).__name__) from error


def _check_events(events: Iterator[Any], path: Path) -> None:
    """Raise CorpusError for tags, and for nesting that would crash the process, before any value is created."""
    import yaml

    anchors: list[str | None] = []  # the anchors of the lists and dicts around an event
    for event in events:
        where = f"{path}, line {event.start_mark.line + 1}"
        if isinstance(event, yaml.CollectionStartEvent):
            anchors.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchors.pop()
        elif isinstance(event, yaml.AliasEvent) and event.anchor in anchors:
            raise CorpusError(f"{where}: the alias {event.anchor} is inside the value that it names.")
        if len(anchors) > _DEEPEST:
            raise CorpusError(f"{where}: lists nested more than {_DEEPEST} levels deep, which no such file has.")
        tag: str | None = getattr(event, "tag", None)
        if tag is not None and tag not in ("!", *_PLAIN):
            name = tag.replace(_STANDARD, "!!", 1) if tag.startswith(_STANDARD) else tag
            shown = ascii(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...")
            raise CorpusError(
                f"{where}: the tag {shown} creates a program's object, which is not supported. Write the plain value instead."
            )
