"""Find the files of the user's own code, which are copied next to results: modules, and all that they import."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from xval.base.config_file import find_study
from xval.base.literals import parse_module
from xval.base.size_limits import LARGEST_COPIED_BYTES
from xval.base.user_code.data_files import named_files
from xval.base.user_code.modules import PACKAGES, find_spec, is_own
from xval.base.user_code.syntax_trees import imports_in


def own_files(modules: Iterable[str], *, known: Collection[str]) -> dict[str, Path]:
    """Return the files of the user's own modules and, recursively, of the user's own modules that they import.

    Installed modules (the standard library, site-packages) are skipped. All files of a package count.

    Args:
        modules: Dotted paths.
        known: Names of packages to skip as well, because they are copied in any case.

    Returns:
        The files by their paths in a copy, posix, from which they can be imported under the same names.
    """
    waiting, seen, own = [*modules], set(known), dict[str, Path]()
    while waiting:
        top, *inner = waiting.pop().split(".")
        spec = find_spec(top)
        if top in seen or spec is None or not is_own(spec):
            continue
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        if spec.origin is not None and folders:  # a package: all of it
            seen.add(top)
            files = {f"{top}/{path.relative_to(folders[0]).as_posix()}": path for path in folders[0].rglob("*.py")}
        elif spec.origin is not None:
            seen.add(top)
            files = {f"{top}.py": Path(spec.origin)}
        else:  # a folder without __init__.py may contain anything, so only the named modules of it count
            files = dict(_named_file(folders, top, inner))
        files = {name: path for name, path in files.items() if name not in own}
        own |= files
        waiting += imported_modules(files)
    return own


def data_files(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return the data files that code names and that are in or below its folder, by their paths in a copy (posix).

    Files larger than `LARGEST_COPIED_BYTES` are skipped.

    Args:
        files: Files of code by their paths in the copy, as `own_files` returns them.
    """
    found = {}
    for name, path in files.items():
        with suppress(SyntaxError, OSError):  # a broken file matters only if it is imported, which then raises
            for text, data in named_files(parse_module(path), [path.parent]):
                is_nearby = not Path(text).is_absolute() and ".." not in Path(text).parts
                if is_nearby and data.suffix != ".py" and data.stat().st_size <= LARGEST_COPIED_BYTES:
                    found[(PurePosixPath(name).parent / text).as_posix()] = data
    return found


def own_folders(modules: Iterable[str]) -> list[str]:
    """Return the folders from which the user's own modules and their imports are imported, and the folder of the study."""
    files = own_files(modules, known=PACKAGES)
    folders = [path.resolve().parents[name.count("/")] for name, path in files.items()]
    study = find_study()
    return [*dict.fromkeys(map(str, [*folders, *([study] if study else [])]))]


def _named_file(folders: Sequence[Path], top: str, inner: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield the files of a module, and of the packages above it, in a top-level package without __init__.py."""
    for folder in folders:
        for count in range(1, len(inner) + 1):
            stem = folder.joinpath(*inner[:count])
            for path in (stem.with_suffix(".py"), stem / "__init__.py"):
                if path.is_file():
                    yield f"{top}/{path.relative_to(folder).as_posix()}", path


def imported_modules(files: Mapping[str, Path]) -> Iterator[str]:
    """Yield the dotted paths of all names that files of code import; the files are given as by `own_files`."""
    for name, path in files.items():
        with suppress(SyntaxError):  # a broken file matters only if it is imported, which then raises
            package = ".".join(PurePosixPath(name).parent.parts)
            yield from (imported.path for imported in imports_in(ast.walk(parse_module(path)), package))
