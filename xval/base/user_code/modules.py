"""Find modules of the user's own code without importing them.

Searched in this order: the folders that results name (`looking_in`), Python's path (first the folder of the script), the user's
study (`xval.base.config_file.find_study`), and the root of the project.
"""

import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, update_wrapper
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, Generic, ParamSpec, TypeVar

from xval.base.config_file import ROOT, find_study, own_folder
from xval.base.errors import XvalError
from xval.base.version import DISTRIBUTION

SHARED_PACKAGE = "architectures"  # a package of xval to which a study adds files; its files are hashed like the user's own
ENGINE = ("xval", "preprocessing", "augmentation")  # packages of xval that never count as the user's own code
PACKAGES = (*ENGINE, SHARED_PACKAGE)  # all packages of xval; a copy of the code contains them whole
_PACKAGES_FOLDERS = {"site-packages", "dist-packages"}  # folders of installed packages, of any environment on the path
CELL_MODULE = re.compile("cell_[0-9a-f]{8}")
"""The names of modules that `xval.base.user_code.cells` writes."""
_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")

_IMPORTED: set[str] = set()
"""Names of top-level modules that may be imported from the folders of `looking_in`."""
_FOLDERS: ContextVar[tuple[str, ...]] = ContextVar("folders", default=())
_LAST: ContextVar[tuple[str, ...]] = ContextVar("last", default=())


class CellFolder(str):
    """A folder of `looking_in` that came with results; only modules of cells are looked for in it."""

    __slots__ = ()


@contextmanager
def looking_in(folders: Iterable[str]) -> Iterator[None]:
    """Within this block, look for modules and for architectures/ first in the folders where results say that they were.

    Modules are read there, but imported from there only if `take_from_folders` has named them.
    """
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    token = _FOLDERS.set((*dict.fromkeys([*folders, *_FOLDERS.get()]),))
    try:
        yield
    finally:
        _FOLDERS.reset(token)


@contextmanager
def looking_last_in(folder: Path) -> Iterator[None]:
    """Within this block, also look for modules of the user's own code in a folder, after all others, so that it hides none."""
    token = _LAST.set((str(folder),))
    try:
        yield
    finally:
        _LAST.reset(token)


def looked_in() -> tuple[str, ...]:
    """Return the folders of `looking_in`; a cache of what names mean needs them as a part of its key."""
    return _FOLDERS.get()


def _folders_of_any() -> tuple[str, ...]:
    """Return the folders of `looking_in` in which modules of any name are looked for, not only modules of cells."""
    return tuple(folder for folder in looked_in() if not isinstance(folder, CellFolder))


class cached_by_place(Generic[_Given, _Answer]):  # noqa: N801 - a decorator
    """Caches a function that looks names up, as `functools.cache` does, separately for each value of `looked_in`."""

    def __init__(self, function: Callable[_Given, _Answer]) -> None:
        update_wrapper(self, function)

        @cache
        def remembered(_: tuple[str, ...], *args: _Given.args, **kwargs: _Given.kwargs) -> _Answer:
            return function(*args, **kwargs)

        self._remembered = remembered
        self.cache_clear = remembered.cache_clear

    def __call__(self, *args: _Given.args, **kwargs: _Given.kwargs) -> _Answer:  # noqa: D102 - of the function
        return self._remembered(looked_in(), *args, **kwargs)  # type: ignore[arg-type]


def take_from_folders(names: Iterable[str]) -> None:
    """Allow top-level modules of these names to be imported from the folders of `looking_in`."""
    _IMPORTED.update(names)


class _Finder:
    """A finder in `sys.meta_path` that finds modules in the folders of `looking_in`."""

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None = None, _: ModuleType | None = None) -> ModuleSpec | None:
        # All other imports, such as pandas, are not looked for next to results.
        return find_in_folders(name) if path is None and name in _IMPORTED else None


def find_in_folders(name: str) -> ModuleSpec | None:
    """Return a top-level module in the folders of `looking_in`; None: there is none, or xval itself needs the name."""
    folders = looked_in() if CELL_MODULE.fullmatch(name) else _folders_of_any()
    if not folders or name in PACKAGES:
        return None
    spec = PathFinder.find_spec(name, folders)
    if spec is None or _is_needed(name):
        return None
    if spec.origin is not None:
        return spec
    # As in Python, any module goes before a folder of its name without __init__.py.
    anywhere = PathFinder.find_spec(name)
    if anywhere is not None and anywhere.origin is not None:
        return anywhere
    spec.submodule_search_locations = [*(spec.submodule_search_locations or ())]  # fixed: Python would compute them again
    return spec


def _is_needed(name: str) -> bool:
    """Return whether xval itself uses a module of this name, of Python or a required package, which no file may replace."""
    if name not in sys.stdlib_module_names:
        return _is_required(name)
    loaded = sys.modules.get(name)
    file = getattr(loaded, "__file__", None)
    return loaded is not None and (file is None or is_installed(Path(file)))


@cache
def _is_required(name: str) -> bool:
    """Return whether an installed module belongs to a package that xval requires."""
    spec = PathFinder.find_spec(name)
    if spec is None or is_own(spec):
        return False
    try:
        required = {_plain_name(text) for text in metadata.requires(DISTRIBUTION) or ()}
    except metadata.PackageNotFoundError:  # xval itself is not installed, but a clone on the path
        return True
    return bool(required & set(map(_plain_name, metadata.packages_distributions().get(name, ()))))


def _plain_name(requirement: str) -> str:
    """Return the normalised name of a distribution (PEP 503) in a requirement such as ``PyYAML>=6``."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def architecture_folders() -> list[Path]:
    """Return the folders of the user's own architectures: those that results name, and that of the study."""
    # A clone of xval, or a copy of its code, has xval's own architectures.
    places = [Path(place) for place in _folders_of_any()]
    result_folders = [place / SHARED_PACKAGE for place in places if not (place / "xval" / "__init__.py").is_file()]
    folders = [*result_folders, own_folder(SHARED_PACKAGE)]
    return [*dict.fromkeys(folder for folder in folders if folder is not None and folder.is_dir())]


def places() -> list[str]:
    """Return the folders in which modules are looked for after Python's path.

    They are the user's study, the root of the project, the folders of `looking_in`, and last that of `looking_last_in`.
    """
    return [*(str(folder) for folder in (find_study(), ROOT) if folder is not None), *_folders_of_any(), *_LAST.get()]


def find_spec(name: str) -> ModuleSpec | None:
    """Find a module by its dotted path as `importlib.util.find_spec` does, but without importing the packages around it.

    Returns:
        The spec; None: there is no such module.
    """
    locations: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        spec = find_in_folders(parts[0]) if count == 1 else None
        if spec is None:
            answers = (_ask(finder, ".".join(parts[:count]), locations) for finder in sys.meta_path)
            spec = next(filter(None, answers), None)
        if spec is None and count == 1:
            spec = PathFinder.find_spec(parts[0], places())
        if spec is None:
            return None
        locations = spec.submodule_search_locations
        if count == 1 and name.startswith(f"{SHARED_PACKAGE}."):
            locations = [*(locations or ()), *map(str, architecture_folders())]
        if locations is None and count < len(parts):
            return None
    return spec


def _ask(finder: Any, name: str, locations: Sequence[str] | None) -> ModuleSpec | None:
    """Return the spec that a finder finds, also in a folder without __init__.py, for which it needs the imported package."""
    spec: ModuleSpec | None
    try:
        spec = finder.find_spec(name, locations)
    except KeyError:
        spec = PathFinder.find_spec(name.rpartition(".")[2], locations)
        if spec is not None and spec.submodule_search_locations is not None:
            spec.name, spec.submodule_search_locations = name, [*spec.submodule_search_locations]
    return spec


def is_own(spec: ModuleSpec) -> bool:
    """Return whether a module is the user's own code: not built in, not of Python, and not installed."""
    places = [spec.origin] if spec.has_location and spec.origin else list(spec.submodule_search_locations or ())
    return bool(places) and not any(is_installed(Path(place)) for place in places)


def is_installed(path: Path) -> bool:
    """Return whether a file or folder belongs to Python or to an installed package."""
    resolved = path.resolve()
    if _PACKAGES_FOLDERS & set(resolved.parts) or any(resolved.is_relative_to(folder) for folder in _python_folders()):
        return True
    return any(resolved.relative_to(folder).parts[0] in _installed_in(folder) for folder in resolved.parents)


@cache
def _python_folders() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))


@cache
def _installed_in(folder: Path) -> frozenset[str]:
    """Return the names at the top level of a folder that packages have installed there, such as with pip's ``--target``."""
    lists = (path.read_text(encoding="utf-8") for path in folder.glob("*.dist-info/RECORD"))
    return frozenset(line.partition(",")[0].partition("/")[0] for text in lists for line in text.splitlines())


def place_in_project(path: Path) -> Path:
    """Return the path of a file as errors name it: of the project, or of a copy of the code, from its root."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def describe_place(error: BaseException) -> str:
    """Return the line of an architecture or of the user's own code in which an error was raised; empty: there is none.

    It is the last such line of the traceback, as a prefix for a message: ``architectures/own_cnn.py, line 12: ``. It is empty
    for errors of xval, whose messages say where they come from.
    """
    if isinstance(error, XvalError):
        return ""
    for frame in reversed(extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        inside = place_in_project(path)
        if path.is_file() and inside.parts[0] not in ENGINE and not is_installed(path):
            return f"{inside.as_posix()}, line {frame.lineno}: "
    return ""
