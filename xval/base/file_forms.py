"""Read the content of a file or the message of another process as a dataclass with checked types."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

from pydantic import TypeAdapter, ValidationError

Kind = TypeVar("Kind")


def form_of(kind: type[Kind]) -> TypeAdapter[Kind]:
    """Return the pydantic adapter that reads and checks a dataclass; it is made once because that takes milliseconds.

    ``__pydantic_config__`` of a dataclass defines whether further names are allowed.
    """
    return cast("TypeAdapter[Kind]", _form_of(kind))


def describe_faults(error: ValidationError, whole: str = "content") -> str:
    """Return the wrong values and the reasons; `whole` is the name of the whole content."""
    faults = error.errors(include_url=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or whole}: {fault['msg']}" for fault in faults)


_form_of: Callable[[type], TypeAdapter[object]] = cache(TypeAdapter)
