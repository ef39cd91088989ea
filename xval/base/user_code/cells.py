"""Write functions and classes of a notebook cell or a Python session as modules, which other processes can import.

A module contains the source of the definition and of all that it uses from the session: imports, other definitions and
constants. Its name has the hash of its syntax tree, so that a changed definition is a new module.
"""

import __future__

import ast
import inspect
import linecache
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from hashlib import file_digest
from importlib import invalidate_caches
from pathlib import Path
from symtable import symtable
from tempfile import TemporaryDirectory
from textwrap import dedent
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from xval.base.errors import SettingsError
from xval.base.json_files import write_atomically
from xval.base.literals import read_literal, source_of
from xval.base.user_code.data_files import named_files
from xval.base.user_code.files import imported_modules
from xval.base.user_code.modules import CELL_MODULE
from xval.base.user_code.syntax_trees import (
    ALL_NAMES,
    DEFINITIONS,
    hash_tree,
    imports_in,
    names_bound,
    names_used,
    walk_outside_functions,
    without_docstring,
)

ARCHITECTURE_CONSTANTS = ("reshaping_type", "task_types", "features", "backends", "defaults")
"""Names of variables by which a file, or a cell, describes the architecture that it defines."""

_PREFIX = "cell_"
_N_DIGITS = 8
_MISSING = object()
_FOLDERS: list[TemporaryDirectory[str]] = []
"""The folder where the modules of this process are written, until a run copies them next to its results; empty: none yet."""


def write_cell_module(part: Any, setting: str) -> str:
    """Write a module with a function or class of the session and all that it uses; return the name of the module.

    Args:
        part: The function or class.
        setting: The setting whose value it is, for errors; of an ``architecture``, the constants of its cell are written too.

    Raises:
        SettingsError: Its source cannot be read, or it uses an object of the session that cannot be written as source.
    """
    try:
        return _write_module(part, is_architecture=setting == "architecture")
    except _NotWritableError as error:
        name = str(part.__name__)
        raise SettingsError(
            f"'{name}' {error} {f'{error.remedy} Or put' if error.remedy else 'Put'} '{name}' and what it uses into a file "
            f"next to the notebook or script, such as my_parts.py, and write {setting}='my_parts.{name}'."
        ) from error


def _write_module(part: Any, used_by: Sequence[object] = (), *, is_architecture: bool = False) -> str:
    text = _Writing(part, used_by, is_architecture=is_architecture).text()
    tree = ast.parse(text)
    files = [path for _, path in named_files(tree, [Path.cwd()])]  # jobs run in the folder of the session and read them there
    name = f"{_PREFIX}{_hash_all(tree, files)}"
    if not _FOLDERS:
        _FOLDERS.append(TemporaryDirectory(prefix="xval_cells_"))
    if _FOLDERS[0].name not in sys.path:  # a session may have replaced the path
        sys.path.append(_FOLDERS[0].name)
    _write(Path(_FOLDERS[0].name) / f"{name}.py", text)
    # Forgotten, so that it is imported again: the cell may have registered its classes with Keras since, under the same names.
    sys.modules.pop(name, None)
    return name


def is_cell_module(name: str) -> bool:
    """Return whether a module has a name as `write_cell_module` gives it."""
    return CELL_MODULE.fullmatch(name) is not None


def keep_cell_modules(names: Iterable[str], folder: Path) -> None:
    """Copy modules of cells, and those that they import, into a folder, from which they are imported from then on.

    Args:
        names: Names of modules; those that are no modules of cells are skipped.
        folder: Created if needed.
    """
    waiting = [*filter(is_cell_module, names)]
    while waiting:
        source = Path(_FOLDERS[0].name) / f"{waiting.pop()}.py" if _FOLDERS else Path()
        if source.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            if str(folder.resolve()) not in sys.path:
                sys.path.insert(sys.path.index(_FOLDERS[0].name), str(folder.resolve()))
            _write(folder / source.name, source.read_text(encoding="utf-8"))
            waiting += filter(is_cell_module, (name.partition(".")[0] for name in imported_modules({source.name: source})))


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_atomically(path, text.encode())
    invalidate_caches()  # otherwise Python does not see a file that is added to a folder it has just listed


def _hash_all(tree: ast.Module, files: Iterable[Path]) -> str:
    contents = []
    for path in files:
        with path.open("rb") as file:
            contents.append(ast.Constant(file_digest(file, "blake2b").hexdigest()))
    return hash_tree([*without_docstring(tree.body), *contents])[:_N_DIGITS]


class _NotWritableError(Exception):
    """Why a definition cannot be written as a module; the text continues a sentence that begins with its name.

    Attributes:
        remedy: What the user can change in the session; empty: nothing.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy


class _CircleError(Exception):
    """Two definitions use each other, so they have to be in one module."""


class _Writing:
    """The source of a module, collected from the session.

    Classes that the definition uses, and functions with a decorator, become modules of their own: Keras may register them, and
    must do so only once however many networks use them.

    Attributes:
        imports: Import statements.
        statements: Definitions and assignments, each after those that it uses.
    """

    def __init__(self, part: Any, used_by: Sequence[object], *, is_architecture: bool) -> None:
        self.imports: dict[str, None] = {}
        self.statements: list[str] = []
        self._known: dict[str, object] = {}
        self._name, self._part, self._used_by = str(part.__name__), part, used_by
        found = _find_source(part)
        self._globals, self._tree = found.names, found.tree
        for node in reversed(found.tree.body) if is_architecture else ():
            name = _target(node)
            if name in ARCHITECTURE_CONSTANTS and name not in self._known and _is_literal(getattr(node, "value", None)):
                self._known[name] = node
                self.statements.append(ast.unparse(node))
        self._known[self._name] = part
        self._add_definition(found)

    def text(self) -> str:
        future = [line for line in self.imports if line.startswith("from __future__")]
        imports = [*future, *sorted(line for line in self.imports if line not in future)]
        head = f'"""Written by a run: {self._name} of a notebook or a session, and what it uses."""'
        return "\n\n".join([head, *(["\n".join(imports)] if imports else []), *self.statements]) + "\n"

    def _add_definition(self, found: "_Source") -> None:
        if found.has_future_annotations:
            self.imports["from __future__ import annotations"] = None
        self._add_names(found.text)
        self.statements.append(found.text)

    def _add_names(self, text: str) -> None:
        """Add all that a statement uses from the session."""
        chains = [*names_used(ast.parse(text))]
        for name in sorted(_global_names(text)):
            self._add(name, [chain for chain in chains if chain[0] == name])

    def _add(self, name: str, chains: list[list[str]]) -> None:
        value = self._globals.get(name, _MISSING)
        if value is _MISSING or (name.startswith("__") and name.endswith("__")):
            return  # a builtin, or a NameError that the check before the first job finds
        if isinstance(value, ModuleType):
            self.imports |= dict.fromkeys(self._imports_of_submodules(name, chains))
        if name in self._known:
            return
        self._known[name] = value
        if (line := self._import_of(name, value)) is not None:
            self.imports[line] = None
        elif isinstance(getattr(value, "__name__", None), str) and getattr(value, "__module__", None) == "__main__":
            self._add_of_session(name, value)
        elif alias := next(self._aliases_of(name, value), None):
            self._add_names(alias)
            self.statements.append(alias)
        elif isinstance(value, ModuleType):
            self.imports[f"import {value.__name__} as {name}"] = None
        elif isinstance(value, type | FunctionType | BuiltinFunctionType) and _has_path(value):
            self.imports[f"from {value.__module__} import {value.__name__} as {name}"] = None
        else:
            try:
                self.statements.append(f"{name} = {_literal(value)}")
            except (ValueError, RecursionError) as error:
                raise _NotWritableError(
                    f"uses '{name}', an object ({type(value).__name__}) of the session, which other processes cannot access.",
                    f"Make '{name}' inside the function.",
                ) from error

    def _add_of_session(self, name: str, value: Any) -> None:
        """Add a function or class that the session defines, under the name by which it is used."""
        own = str(value.__name__)
        if not own.isidentifier():
            raise _NotWritableError(
                f"uses '{name}', a lambda of the session, which other processes cannot access.", "Write it with def."
            )
        if any(value is user for user in self._used_by):
            raise _CircleError
        is_defined = own != name and own in self._known
        if self._known.setdefault(own, value) is not value:
            raise _NotWritableError(f"uses '{name}', another definition of the name '{own}'.", "Give each a different name.")
        if is_defined:
            self.statements.append(f"{name} = {own}")
            return
        source: _Source | None = _find_source(value, used_as=name)
        if source is not None and source.is_registered:
            with suppress(_CircleError):
                module = _write_module(value, (*self._used_by, self._part))
                self.imports[f"from {module} import {own}"] = None
                source = None
        if source is not None:
            self._add_definition(source)
        if own != name:
            self.statements.append(f"{name} = {own}")

    def _imports_of_submodules(self, name: str, chains: list[list[str]]) -> Iterator[str]:
        """Yield the imports of the session such as ``import a.b`` whose module is used as ``a.b.c``."""
        for bound, module, inner, path in imports_in(self._nodes(), package=""):
            names = path.split(".")
            if bound == module == name and not inner and any(chain[: len(names)] == names for chain in chains):
                yield f"import {path}"

    def _import_of(self, name: str, value: object) -> str | None:
        """Return the import statement of the session that gives a name its value; None: there is none."""
        for bound, module, inner, _ in imports_in(self._nodes(), package=""):
            loaded = sys.modules.get(module)
            if bound == name and not inner and loaded is value:
                return f"import {module}" if module == name else f"import {module} as {name}"
            own = name if inner == ALL_NAMES else inner
            is_there = inner != ALL_NAMES or own in vars(loaded or object)
            if bound in (name, ALL_NAMES) and inner and is_there and getattr(loaded, own, _MISSING) is value:
                return f"from {module} import {own}" if own == name else f"from {module} import {own} as {name}"
        return None

    def _aliases_of(self, name: str, value: object) -> Iterator[str]:
        """Yield assignments of the session such as ``Dense = keras.layers.Dense`` that give a name its value."""
        for node in self._nodes():
            if isinstance(node, ast.Assign) and _target(node) == name and isinstance(node.value, ast.Attribute):
                head, *attributes = source_of(node.value).split(".")
                first = self._globals.get(head)
                if isinstance(first, ModuleType | type) and _follow(first, attributes) is value:
                    yield ast.unparse(node)

    def _nodes(self) -> Iterator[ast.AST]:
        """Yield the syntax nodes outside of definitions, of the cell and then of the other cells of the session."""
        for tree in (self._tree, *_session_trees()):
            for statement in tree.body:
                yield from walk_outside_functions(statement)


class _Source:
    """The source of a function or class of the session.

    Attributes:
        text: The source of its definition.
        is_registered: Whether it may be registered somewhere, because it is a class or has a decorator.
        tree: Syntax tree of the whole cell.
        names: The global variables that it sees.
        has_future_annotations: Whether its cell has ``from __future__ import annotations``.
    """

    def __init__(self, lines: list[str], tree: ast.Module, node: ast.stmt, function: FunctionType | None) -> None:
        part = "".join(lines[_first_line(node) - 1 : node.end_lineno])
        self.text = dedent(part).rstrip()
        if not _is_statement(self.text, node):
            self.text = ast.unparse(node)  # such as a definition that shares its line with another statement
        self.tree = tree
        self.is_registered = isinstance(node, ast.ClassDef) or bool(getattr(node, "decorator_list", ()))
        self._node = node
        self.names = function.__globals__ if function else vars(sys.modules["__main__"])
        self.has_future_annotations = bool(function and function.__code__.co_flags & __future__.annotations.compiler_flag)

    def added_to(self, kind: type) -> str:
        """Return the name of a function that a class got after its definition; empty: there is none."""
        body = getattr(self._node, "body", [])
        bound = {name: statement for statement in body for name in names_bound(statement)}
        for name, function in _functions_of(kind).items():
            is_defined = name in bound and (
                function.__qualname__ == f"{kind.__qualname__}.{name}" or not isinstance(bound[name], DEFINITIONS)
            )
            if not is_defined and function.__code__.co_filename != "<string>":  # the methods that a dataclass generates
                return name
        return ""


def _find_source(part: Any, used_as: str = "") -> _Source:
    """Return the source of a function or class of the session; `used_as` is the name by which another definition uses it."""
    called = f"uses '{used_as}', which" if used_as else "is not available to other processes: it"
    name = str(part.__name__)
    if "<locals>" in str(getattr(part, "__qualname__", "")):
        raise _NotWritableError(f"{called} is defined inside another function.", "Define it at the top level.")
    source = _find_class(part) if isinstance(part, type) else _find_around(inspect.unwrap(part), name)
    if source is None:
        raise _NotWritableError(f"{called} has no readable source, as when typed at a Python prompt before 3.13.")
    if isinstance(part, type) and (added := source.added_to(part)):
        raise _NotWritableError(f"{called} got '{added}' after its definition.", "Write it into the class.")
    return source


def _find_around(function: Any, name: str) -> _Source | None:
    """Return the definition with this name that a function is, or that contains it; None: not found."""
    if not isinstance(function, FunctionType):
        return None
    try:
        lines, _ = inspect.findsource(function.__code__)
    except OSError:
        return None
    if (tree := _parse("".join(lines))) is None:
        return None
    line = function.__code__.co_firstlineno
    nodes = [node for node in _definitions(tree, name) if _first_line(node) <= line <= (node.end_lineno or 0)]
    return _Source(lines, tree, nodes[0], function) if nodes else None


def _find_class(kind: type) -> _Source | None:
    """Return the definition of a class: the one around its functions, or, if it has none, the only one of its name."""
    sources = (_find_around(function, kind.__name__) for function in _functions_of(kind).values())
    if source := next(filter(None, sources), None):
        return source
    found = {hash_tree([node]): (tree, node) for tree in _session_trees() for node in _definitions(tree, kind.__name__)}
    return _Source([], *found.popitem()[1], None) if len(found) == 1 else None


def _functions_of(kind: type) -> dict[str, FunctionType]:
    """Return the functions of the session that a class has, by their names in it."""
    functions = {}
    for name, value in vars(kind).items():
        inner = getattr(value, "fget", None) or getattr(value, "__func__", None) or value
        function = inspect.unwrap(inner) if callable(inner) else None
        if isinstance(function, FunctionType) and function.__module__ == "__main__":
            functions[name] = function
    return functions


def _definitions(tree: ast.Module, name: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    parts = (part for statement in tree.body for part in walk_outside_functions(statement))
    return [part for part in parts if isinstance(part, DEFINITIONS) and part.name == name]


def _first_line(node: ast.stmt) -> int:
    lines: list[int] = [node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))]
    return min(lines)


def _is_statement(text: str, node: ast.stmt) -> bool:
    try:
        return hash_tree(ast.parse(text).body) == hash_tree([node])
    except SyntaxError:
        return False


def _session_trees() -> list[ast.Module]:
    """Return the syntax trees of all cells of the session whose source is known."""
    # An entry without a modification time is of no file, but of a cell.
    texts = ["".join(entry[2]) for entry in [*linecache.cache.values()] if len(entry) > 1 and entry[1] is None]
    return [tree for tree in map(_parse, texts) if tree is not None]


@cache
def _parse(text: str) -> ast.Module | None:
    """Return the syntax tree of a cell, which must not be changed, because it is cached; None: the text is not Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _global_names(text: str) -> set[str]:
    """Return the global names that a statement uses, in any of its scopes."""
    waiting, names = [symtable(text, "cell", "exec")], set[str]()
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        names |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return names


def _target(node: ast.AST) -> str:
    """Return the name to which an assignment assigns; empty: not one name, or no assignment."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _follow(value: object, attributes: Iterable[str]) -> object:
    for name in attributes:
        value = getattr(value, name, _MISSING)
    return value


def _has_path(value: Any) -> bool:
    """Return whether a function or class can be imported from its module by its name."""
    module = sys.modules.get(str(value.__module__))
    return str(value.__qualname__) == value.__name__ and hasattr(module, value.__name__)


def _is_literal(node: ast.expr | None) -> bool:
    try:
        read_literal(node or "")
    except (ValueError, SyntaxError):
        return False
    return True


def _literal(value: Any) -> str:
    """Return the source of a plain value, such as ``(1, 'a')``.

    Raises:
        ValueError, RecursionError: It is of a type without a literal, or is nested too deeply.
    """
    kind = type(value)
    if kind in (bool, int, str, bytes, complex, type(None)):
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else f"float('{value}')"
    if kind is dict:
        return "{" + ", ".join(f"{_literal(key)}: {_literal(content)}" for key, content in value.items()) + "}"
    if kind in (list, tuple):
        inner = ", ".join(map(_literal, value))
        return f"[{inner}]" if kind is list else f"({inner}{',' * (len(value) == 1)})"
    if kind in (set, frozenset):
        return f"{kind.__name__}([{', '.join(sorted(map(_literal, value)))}])"
    raise ValueError(f"{kind.__name__} has no literal")
