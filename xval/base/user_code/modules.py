"""Where modules of the user's own are found, without being imported.

Searched in this order: the folders that results name (`looking_in`), where Python looks (first the folder of the script), the
user's study (see `xval.base.config_file.find_study`), the root of the project.
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

SHARED_PACKAGE = "architectures"  # of the project; a study adds files to it
ENGINE = ("xval", "preprocessing", "augmentation")  # of the project; an architecture of it is read like one's own
PACKAGES = (*ENGINE, SHARED_PACKAGE)  # of the project; a copy of the code has them whole
_PACKAGES_FOLDERS = {"site-packages", "dist-packages"}  # of any environment on the path, such as that of the user
CELL_MODULE = re.compile("cell_[0-9a-f]{8}")
"""The names of modules that `xval.base.user_code.cells` writes."""
_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")

_IMPORTED: set[str] = set()
"""What the import of a module of the user's own takes from the folders of `looking_in`: names at the top level."""
_FOLDERS: ContextVar[tuple[str, ...]] = ContextVar("folders", default=())
_LAST: ContextVar[tuple[str, ...]] = ContextVar("last", default=())


class CellFolder(str):
    """A folder of `looking_in` that came with results, where nothing but modules of cells is looked for."""

    __slots__ = ()


@contextmanager
def looking_in(folders: Iterable[str]) -> Iterator[None]:
    """Look for modules, and for architectures/, in these folders before anywhere else: results say that they were there.

    They are read there. They are imported from there only where `take_from_folders` names them.
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


def take_from_folders(names: Iterable[str]) -> None:
    """Let modules be imported from the folders of `looking_in`: those that may be run, and what these import."""
    _IMPORTED.update(names)


class _Finder:
    """Finds modules in the folders of `looking_in`, as one of `sys.meta_path`; those of the project are in no user's folder."""

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None = None, _: ModuleType | None = None) -> ModuleSpec | None:
        # Whatever else is imported meanwhile, such as pandas, is not looked for next to results.
        return find_in_folders(name) if path is None and name in _IMPORTED else None


def find_in_folders(name: str) -> ModuleSpec | None:
    """Return the module of a name at the top level in the folders of `looking_in`; None: there is none, or it is no user's."""
    folders = looked_in() if CELL_MODULE.fullmatch(name) else _folders_of_any()
    if not folders or name in PACKAGES:
        return None
    spec = PathFinder.find_spec(name, folders)
    if spec is None or _is_needed(name):
        return None
    if spec.origin is not None:
        return spec
    # A folder without __init__.py comes after any module of its name, as in Python.
    anywhere = PathFinder.find_spec(name)
    if anywhere is not None and anywhere.origin is not None:
        return anywhere
    spec.submodule_search_locations = [*(spec.submodule_search_locations or ())]  # which are else looked for again
    return spec


def _is_needed(name: str) -> bool:
    """Return whether this program uses a module of Python or of a package that it requires: no file next to results is it."""
    if name not in sys.stdlib_module_names:
        return _is_required(name)
    loaded = sys.modules.get(name)
    file = getattr(loaded, "__file__", None)
    return loaded is not None and (file is None or is_installed(Path(file)))


@cache
def _is_required(name: str) -> bool:
    """Return whether an installed module is of a package that this program requires."""
    spec = PathFinder.find_spec(name)
    if spec is None or is_own(spec):
        return False
    try:
        required = {_plain_name(text) for text in metadata.requires(DISTRIBUTION) or ()}
    except metadata.PackageNotFoundError:  # a clone that is on the path
        return True
    return bool(required & set(map(_plain_name, metadata.packages_distributions().get(name, ()))))


def _plain_name(requirement: str) -> str:
    """Return the name of a distribution as all its spellings have it, without what a requirement says of its version."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def architecture_folders() -> list[Path]:
    """Return the folders of the user's own architectures: those that results say of, and that of the study."""
    # Those of a clone, or of a copy of the code, are no study's.
    places = [Path(place) for place in _folders_of_any()]
    result_folders = [place / SHARED_PACKAGE for place in places if not (place / "xval" / "__init__.py").is_file()]
    folders = [*result_folders, own_folder(SHARED_PACKAGE)]
    return [*dict.fromkeys(folder for folder in folders if folder is not None and folder.is_dir())]


def places() -> list[str]:
    """Return where modules are looked for after where Python looks: the user's study, the root of the project, `looking_in`.

    And, last, in the folder where a command is typed.
    """
    return [*(str(folder) for folder in (find_study(), ROOT) if folder is not None), *_folders_of_any(), *_LAST.get()]


def find_spec(name: str) -> ModuleSpec | None:
    """Return what `importlib.util.find_spec` does, but without importing the packages that the module is in."""
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
    """Return what a finder finds; of a folder without __init__.py too, whose package Python would import first."""
    spec: ModuleSpec | None
    try:
        spec = finder.find_spec(name, locations)
    except KeyError:
        spec = PathFinder.find_spec(name.rpartition(".")[2], locations)
        if spec is not None and spec.submodule_search_locations is not None:
            spec.name, spec.submodule_search_locations = name, [*spec.submodule_search_locations]
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


def describe_place(error: BaseException) -> str:
    """Return the line of an architecture or of the user's own code that an error comes from; empty: it comes from elsewhere.

    ``architectures/own_cnn.py, line 12: ``, the last such line of the traceback, to stand before the error. Errors of xval say
    themselves where.
    """
    if isinstance(error, XvalError):
        return ""
    for frame in reversed(extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        inside = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        if path.is_file() and inside.parts[0] not in ENGINE and not is_installed(path):
            return f"{inside.as_posix()}, line {frame.lineno}: "
    return ""
