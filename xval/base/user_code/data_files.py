"""Find the data files that the user's code reads, by their names in its string literals."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_LONGEST = 255
_WRITERS = {
    "dump", "touch", "mkdir", "makedirs", "unlink", "remove", "CSVLogger", "ModelCheckpoint", "BackupAndRestore", "FileHandler",
}  # fmt: skip
_WRITING_MODE = re.compile("[rwaxbt+]*[wax+][rwaxbt+]*")


def named_files(node: ast.AST, folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the string literals in code that name an existing file, each with the path of the file.

    Literals that are joined by ``/``, as with pathlib, count as one name. Calls that write files are skipped: ``open(name,
    "w")`` and functions whose names say that they save.

    Args:
        node: The code.
        folders: Searched in this order; the first file of a name counts.
    """
    for text in _texts_in(node):
        if (path := _find_file(text, folders)) is not None:
            yield text, path


def _find_file(text: str, folders: Sequence[Path]) -> Path | None:
    if not text.strip() or len(text) > _LONGEST or not text.isprintable():
        return None
    for folder in folders:
        try:
            if (path := folder / text).is_file():
                return path
        except OSError:  # such as a path that is too long for the system
            return None
    return None


def _texts_in(node: ast.AST) -> Iterator[str]:
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Call) and _writes(part):
            continue
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div):
            names: list[str] = []
            inner: ast.expr = part
            while isinstance(inner, ast.BinOp) and isinstance(inner.right, ast.Constant) and isinstance(inner.right.value, str):
                names.insert(0, inner.right.value)
                inner = inner.left
            while isinstance(inner, ast.Call) and len(inner.args) == 1:  # Path("filters")
                inner = inner.args[0]
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                names.insert(0, inner.value)
            if names:
                yield "/".join(names)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        waiting += ast.iter_child_nodes(part)


def _writes(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id if isinstance(call.func, ast.Name) else ""
    given = [*call.args, *(word.value for word in call.keywords)]
    modes = [argument.value for argument in given if isinstance(argument, ast.Constant)]
    is_opened = name == "open" and any(isinstance(mode, str) and _WRITING_MODE.fullmatch(mode) for mode in modes)
    return is_opened or name in _WRITERS or name.startswith(("save", "to_", "write"))
