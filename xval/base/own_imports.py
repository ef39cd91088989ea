"""Which modules of the user's own may be imported, the one rule on code that lies beside results.

Whoever looks at results, which may come from elsewhere, runs nothing of theirs: only what ``--import``, or ``modules=`` of
`xval.load_model`, names is imported. Where an experiment runs, its code does. `xval.base.user_code.import_own` asks here.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from xval.base.config_file import ROOT, study_around
from xval.base.errors import SettingsError
from xval.base.module_places import PACKAGES, find_spec


class _Rule(NamedTuple):
    """What may be imported: these modules; or all."""

    names: tuple[str, ...] = ()
    is_all: bool = True
    is_decided: bool = False


_rule = _Rule()


@contextmanager
def importing_only(names: Iterable[str]) -> Iterator[None]:
    """Import no module of the user's own but for these, and what they import."""
    with _following(_Rule(tuple(names), is_all=False, is_decided=True)):
        yield


@contextmanager
def running() -> Iterator[None]:
    """Import whatever an experiment names: it runs."""
    with _following(_Rule(is_decided=True)):
        yield


@contextmanager
def reading_model(names: Iterable[str]) -> Iterator[None]:
    """Import these modules in addition; and no others, if nothing is decided yet: in a session, a notebook or a script."""
    with _following(_Rule((*_rule.names, *names), is_all=_rule.is_all and _rule.is_decided, is_decided=True)):
        yield


@contextmanager
def _following(rule: _Rule) -> Iterator[None]:
    global _rule  # of the process: what threads import follows it, too
    before, _rule = _rule, rule
    try:
        yield
    finally:
        _rule = before


def named() -> tuple[str, ...]:
    """Return the modules that were named."""
    return _rule.names


def is_restricted() -> bool:
    """Return whether only named modules are imported."""
    return not _rule.is_all


def may_import(name: str) -> bool:
    """Return whether a module is imported."""
    if _rule.is_all or any(f"{name}.".startswith(f"{given}.") for given in _rule.names):
        return True
    # What is imported of a package is its __init__, too.
    specs = [find_spec(".".join(name.split(".")[:count])) for count in range(1, name.count(".") + 2)]
    files = [Path(spec.origin).resolve() if spec and spec.origin else None for spec in specs]
    script = getattr(sys.modules["__main__"], "__file__", None)
    study = study_around(Path(script).resolve().parent) if script else None
    trusted = [*(ROOT / package for package in PACKAGES), *([study] if study else [])]  # whose script is what runs
    return all(file is not None and any(file.is_relative_to(folder) for folder in trusted) for file in files)


def refuse(name: str) -> SettingsError:
    """Return the error of a module that was not named."""
    return SettingsError(
        f"module {name}: not imported, because code that comes with results is not run automatically. If you trust this "
        f"code, give --import {name}, or modules=['{name}'] to load_model; it is searched in the folder that settings.json "
        "names."
    )
