"""Importing modules of the user's own: which may be imported, the one rule on code that is stored with results, and how.

Whoever looks at results, which may come from elsewhere, runs nothing of theirs: only what ``--import``, or ``modules=`` of
`xval.load_model`, names is imported. Where an experiment runs, its code does.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from xval.base.config_file import ROOT, study_around
from xval.base.errors import SettingsError, suggestion
from xval.base.user_code.files import imported_modules, own_files
from xval.base.user_code.modules import (
    PACKAGES,
    SHARED_PACKAGE,
    architecture_folders,
    find_spec,
    places,
    take_from_folders,
)


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


def load(path: str) -> Any:
    """Import the module of a dotted path and return what the path means.

    Raises:
        SettingsError: The module has nothing of this name.
        Exception: Whatever the module raises while it is imported.
    """
    module_name, _, name = path.rpartition(".")
    module = import_own(module_name)
    if not hasattr(module, name):
        raise SettingsError(f"'{path}': the module has no '{name}'. {suggestion(name, vars(module))}")
    return getattr(module, name)


def import_own(name: str) -> ModuleType:
    """Import a module from where Python looks, or where modules of the user's own are.

    Raises:
        SettingsError: Only named modules are imported, and it is none of them.
        Exception: Whatever the module raises while it is imported; ImportError: there is none of this name.
    """
    if not may_import(name):
        raise refuse(name)
    for folder in places() if not is_restricted() or named() else ():
        if folder not in sys.path:
            sys.path.append(folder)
    _take_own(name)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what imports Keras would have TensorFlow write into the progress
    if name.startswith(f"{SHARED_PACKAGE}."):
        package = import_module(SHARED_PACKAGE)
        package.__path__ = [*dict.fromkeys([str(ROOT / SHARED_PACKAGE), *map(str, architecture_folders()), *package.__path__])]
    return import_module(name)


def imports_keras(name: str) -> bool:
    """Return whether a module, or what it imports of the user's own, may import Keras or TensorFlow; nothing is run."""
    imported = imported_modules(own_files([name], known=PACKAGES))
    return any(module.partition(".")[0] in ("keras", "tensorflow") for module in imported)


def _take_own(name: str) -> None:
    """Have a module, and what it imports, taken from where modules of the user's own are.

    Imported modules of these names that are elsewhere, as those of other results, are forgotten.
    """
    spec = find_spec(name) if name.startswith(f"{SHARED_PACKAGE}.") else None
    architecture = {f"{name.replace('.', '/')}.py": Path(spec.origin)} if spec and spec.origin else {}
    files = own_files([name, *imported_modules(architecture)], known=PACKAGES)
    tops = {path.partition("/")[0].removesuffix(".py") for path in files}
    known = tuple(sys.modules)  # other threads may import meanwhile
    loaded = [module for module in known if module == name or module.partition(".")[0] in tops]
    take_from_folders(tops)
    others = {module for module in loaded if _lies_elsewhere(module)}
    packages = {module.partition(".")[0] for module in others} - {SHARED_PACKAGE}
    for module in loaded:
        if module in others or module.partition(".")[0] in packages:
            del sys.modules[module]


def _lies_elsewhere(module: str) -> bool:
    """Return whether an imported module is of another file than the one that would be found now."""
    file, spec = getattr(sys.modules[module], "__file__", None), find_spec(module)
    return bool(file and spec and spec.origin) and Path(str(file)).resolve() != Path(str(spec and spec.origin)).resolve()
