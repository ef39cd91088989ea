"""Import modules of the user's own code, and decide which may be imported.

Results may come from elsewhere, so looking at them runs none of their code: only modules that ``--import``, or ``modules=`` of
`xval.load_model`, names are imported. Running an experiment imports whatever it names.
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
    """Which modules may be imported.

    Attributes:
        names: These modules, and what is within them.
        is_all: Whether all modules may be imported.
        is_decided: Whether a command has set the rule; otherwise a session, a notebook or a script calls xval.
    """

    names: tuple[str, ...] = ()
    is_all: bool = True
    is_decided: bool = False


_rule = _Rule()


@contextmanager
def importing_only(names: Iterable[str]) -> Iterator[None]:
    """Within this block, import no modules of the user's own code except these and what they import."""
    with _following(_Rule(tuple(names), is_all=False, is_decided=True)):
        yield


@contextmanager
def running() -> Iterator[None]:
    """Within this block, import all modules that an experiment names, because it is run."""
    with _following(_Rule(is_decided=True)):
        yield


@contextmanager
def reading_model(names: Iterable[str]) -> Iterator[None]:
    """Within this block, also import these modules; and no others if no rule is set yet, as in a session or a notebook."""
    with _following(_Rule((*_rule.names, *names), is_all=_rule.is_all and _rule.is_decided, is_decided=True)):
        yield


@contextmanager
def _following(rule: _Rule) -> Iterator[None]:
    global _rule  # one for the whole process, so that imports of its threads follow it, too
    before, _rule = _rule, rule
    try:
        yield
    finally:
        _rule = before


def named() -> tuple[str, ...]:
    """Return the modules that the user has named as trusted, such as with ``--import``."""
    return _rule.names


def is_restricted() -> bool:
    """Return whether only named modules are imported."""
    return not _rule.is_all


def may_import(name: str) -> bool:
    """Return whether a module may be imported: all may, it was named, or it is of xval or the running script's study."""
    if _rule.is_all or any(f"{name}.".startswith(f"{given}.") for given in _rule.names):
        return True
    # Importing a module also runs the __init__ of each package around it.
    specs = [find_spec(".".join(name.split(".")[:count])) for count in range(1, name.count(".") + 2)]
    files = [Path(spec.origin).resolve() if spec and spec.origin else None for spec in specs]
    script = getattr(sys.modules["__main__"], "__file__", None)
    study = study_around(Path(script).resolve().parent) if script else None
    trusted = [*(ROOT / package for package in PACKAGES), *([study] if study else [])]  # whose script is what runs
    return all(file is not None and any(file.is_relative_to(folder) for folder in trusted) for file in files)


def refuse(name: str) -> SettingsError:
    """Return the error for a module that is not imported because it was not named."""
    return SettingsError(
        f"module {name}: not imported, because code that comes with results is not run automatically. If you trust this "
        f"code, give --import {name}, or modules=['{name}'] to load_model; it is searched in the folder that settings.json "
        "names."
    )


def load(path: str) -> Any:
    """Import the module of a dotted path and return the object that the path names.

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
    """Import a module from Python's path or from the folders of the user's own code.

    Raises:
        SettingsError: Only named modules may be imported, and it is not one of them.
        ImportError: There is no module of this name.
        Exception: Whatever the module raises while it is imported.
    """
    if not may_import(name):
        raise refuse(name)
    for folder in places() if not is_restricted() or named() else ():
        if folder not in sys.path:
            sys.path.append(folder)
    _take_own(name)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # log lines of TensorFlow would disturb the progress display
    if name.startswith(f"{SHARED_PACKAGE}."):
        package = import_module(SHARED_PACKAGE)
        package.__path__ = [*dict.fromkeys([str(ROOT / SHARED_PACKAGE), *map(str, architecture_folders()), *package.__path__])]
    return import_module(name)


def imports_keras(name: str) -> bool:
    """Return whether a module, or user code that it imports, imports Keras or TensorFlow; no code is run."""
    imported = imported_modules(own_files([name], known=PACKAGES))
    return any(module.partition(".")[0] in ("keras", "tensorflow") for module in imported)


def _take_own(name: str) -> None:
    """Let a module, and what it imports, be imported from the folders of the user's own code.

    Modules of these names that were imported from elsewhere, such as from other results, are removed from `sys.modules`.
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
    """Return whether an imported module has another file than the one that would be imported now."""
    file, spec = getattr(sys.modules[module], "__file__", None), find_spec(module)
    return bool(file and spec and spec.origin) and Path(str(file)).resolve() != Path(str(spec and spec.origin)).resolve()
