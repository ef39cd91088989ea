"""Where modules of the user's own are found, without being imported.

Comes in: the name of a module. Goes out: its `ModuleSpec`. Modules are looked for where Python looks, the folder of the script
first, in the user's study (see `xval.base.config_file.find_study`), and in the root of the project; before all of these in the
folders where results say that they lay (`looking_in`).
"""

import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, update_wrapper
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Generic, ParamSpec, TypeVar

from xval.base.config_file import ROOT, find_study, own_folder

SHARED_PACKAGE = "architectures"  # of the project; a study adds files to it
ENGINE = ("xval", "preprocessing", "augmentation")  # of the project; an architecture of it is read like one's own
PACKAGES = (*ENGINE, SHARED_PACKAGE)  # of the project; a copy of the code has them whole
_PACKAGES_FOLDERS = {"site-packages", "dist-packages"}  # of any environment on the path, such as that of the user
CELL_MODULE = re.compile("cell_[0-9a-f]{8}")
"""The names of modules that `xval.base.cell_code` writes."""
_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")

_FOLDERS: ContextVar[tuple[str, ...]] = ContextVar("folders", default=())
_LAST: ContextVar[tuple[str, ...]] = ContextVar("last", default=())


class CellFolder(str):
    """A folder of `looking_in` that came with results, where nothing but modules of cells is looked for."""

    __slots__ = ()


@contextmanager
def looking_in(folders: Iterable[str]) -> Iterator[None]:
    """Look for modules, and for architectures/, in these folders before anywhere else: results say that they lay there."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    token = _FOLDERS.set((*dict.fromkeys([*folders, *_FOLDERS.get()]),))
    try:
        yield
    finally:
        _FOLDERS.reset(token)


@contextmanager
def looking_last_in(folder: Path) -> Iterator[None]:
    """Look for modules of the user's own in a folder, too, after everywhere else, so that none of it hides another."""
    token = _LAST.set((str(folder),))
    try:
        yield
    finally:
        _LAST.reset(token)


def looked_in() -> tuple[str, ...]:
    """Return the folders of `looking_in`, which whatever is remembered of a name is remembered with."""
    return _FOLDERS.get()


def _folders_of_any() -> tuple[str, ...]:
    """Return the folders of `looking_in` that may have modules of any name."""
    return tuple(folder for folder in looked_in() if not isinstance(folder, CellFolder))


class cached_by_place(Generic[_Given, _Answer]):  # noqa: N801 - a decorator
    """Remembers the answers of a function that looks names up, as `functools.cache` does, those of each `looked_in` apart."""

    def __init__(self, function: Callable[_Given, _Answer]) -> None:
        update_wrapper(self, function)

        @cache
        def remembered(_: tuple[str, ...], *args: _Given.args, **kwargs: _Given.kwargs) -> _Answer:
            return function(*args, **kwargs)

        self._remembered = remembered
        self.cache_clear = remembered.cache_clear

    def __call__(self, *args: _Given.args, **kwargs: _Given.kwargs) -> _Answer:  # noqa: D102 - of the function
        return self._remembered(looked_in(), *args, **kwargs)  # type: ignore[arg-type]


class _Finder:
    """Finds modules in the folders of `looking_in`, as one of `sys.meta_path`; those of the project lie in no user's folder."""

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None = None, _: ModuleType | None = None) -> ModuleSpec | None:
        folders = looked_in() if CELL_MODULE.fullmatch(name) else _folders_of_any()
        if path is not None or not folders or name in PACKAGES:
            return None
        spec = PathFinder.find_spec(name, folders)
        if spec is None or spec.origin is not None:
            return spec
        # A folder without __init__.py stands behind any module of its name, as in Python.
        anywhere = PathFinder.find_spec(name)
        if anywhere is not None and anywhere.origin is not None:
            return anywhere
        spec.submodule_search_locations = [*(spec.submodule_search_locations or ())]  # which are else looked for again
        return spec


def architecture_folders() -> list[Path]:
    """Return the folders of the user's own architectures: those that results say of, and that of the study."""
    # Those of a clone, or of a copy of the code, are no study's.
    places = [Path(place) for place in _folders_of_any()]
    of_results = [place / SHARED_PACKAGE for place in places if not (place / "xval" / "__init__.py").is_file()]
    folders = [*of_results, own_folder(SHARED_PACKAGE)]
    return [*dict.fromkeys(folder for folder in folders if folder is not None and folder.is_dir())]


def places() -> list[str]:
    """Return where modules are looked for after where Python looks: the user's study, the root of the project, `looking_in`.

    And, last, in the folder where a command is typed.
    """
    return [*(str(folder) for folder in (find_study(), ROOT) if folder is not None), *_folders_of_any(), *_LAST.get()]


def find_spec(name: str) -> ModuleSpec | None:
    """Return what `importlib.util.find_spec` does, but without importing the packages that the module lies in."""
    locations: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        answers = (finder.find_spec(".".join(parts[:count]), locations) for finder in sys.meta_path)
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


def is_own(spec: ModuleSpec) -> bool:
    """Return whether a module is a file of the user's own, neither of Python nor installed."""
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
    """Return what packages have put into a folder of any name, as `pip install --target` does, by their lists of files."""
    lists = (path.read_text(encoding="utf-8") for path in folder.glob("*.dist-info/RECORD"))
    return frozenset(line.partition(",")[0].partition("/")[0] for text in lists for line in text.splitlines())
