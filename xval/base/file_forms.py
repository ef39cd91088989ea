"""Read what a file or another process holds as a dataclass whose types are checked."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

from pydantic import TypeAdapter, ValidationError

Kind = TypeVar("Kind")


def form_of(kind: type[Kind]) -> TypeAdapter[Kind]:
    """Return what checks and reads the plain values of a dataclass; it is made once, since that takes milliseconds.

    A dataclass says by ``__pydantic_config__`` whether more names than its own are refused.
    """
    return cast("TypeAdapter[Kind]", _form_of(kind))


def describe_faults(error: ValidationError, whole: str = "content") -> str:
    """Return which values are wrong, and why; `whole` names all of them together."""
    faults = error.errors(include_url=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or whole}: {fault['msg']}" for fault in faults)


_form_of: Callable[[type], TypeAdapter[object]] = cache(TypeAdapter)
