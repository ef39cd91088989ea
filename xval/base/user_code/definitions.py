"""Find the user's own functions and classes by dotted path (``my_package.my_module.my_function``), without running any code."""

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from xval.base.errors import SettingsError, suggestion
from xval.base.literals import parse_module, source_of
from xval.base.user_code.cells import write_cell_module
from xval.base.user_code.modules import find_spec, places
from xval.base.user_code.syntax_trees import ALL_NAMES, imports_in

HOW_TO_NAME = "Name your own part by its dotted path: my_package.my_module.my_function."
OBJECT_PREFIX = "keras:"
"""How the text form of a Keras object begins. Such a text is no dotted path, although it may contain dots."""
_STARTS_A_RUN = ("main", "run", "cross_validate")


@dataclass(frozen=True)
class Module:
    """A module that was found and parsed: its dotted path, its file and its syntax tree."""

    name: str
    file: Path
    tree: ast.Module

    def functions(self) -> list[str]:
        """Return the names of the public functions and classes that are defined in it."""
        kinds = ast.FunctionDef | ast.ClassDef
        return [node.name for node in self.tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


@dataclass(frozen=True)
class Definition:
    """The function or class that a dotted path names.

    Attributes:
        path: The dotted path.
        module: The module in which its last name was found.
        node: The function or class; None if the module has the name from an import or an assignment, so that only running the
            module would show what it is.
    """

    path: str
    module: Module
    node: ast.FunctionDef | ast.ClassDef | None

    def check_signature(self, n_positional: int, wanted: str) -> None:
        """Check that a function can be called with some positional arguments and no others; a class is not checked.

        Args:
            n_positional: Number of positional arguments.
            wanted: The expected signature as the error shows it, such as ``loss(y_true, y_pred)``.

        Raises:
            SettingsError: It cannot.
        """
        if isinstance(self.node, ast.FunctionDef) and not _accepts(self.node.args, n_positional):
            raise SettingsError(
                f"'{self.path}': received {self.node.name}({source_of(self.node.args)}) in {self.module.file}, line "
                f"{self.node.lineno}; expected {wanted}."
            )


def is_dotted(name: str) -> bool:
    """Return whether a setting's text is the dotted path of user code; the text form of a Keras object is not."""
    return "." in name and not name.startswith(OBJECT_PREFIX)


def path_of(part: Any, setting: str) -> str:
    """Return the dotted path of a function or class, by which other processes can import it.

    A definition of a notebook or a session is first written as a module.

    Args:
        part: The function or class.
        setting: The setting whose value it is, for errors.

    Raises:
        SettingsError: It is a lambda, or is defined inside a function or a class; or it is defined in a notebook or a session
            and cannot be written as a module.
    """
    name = str(part.__qualname__)
    if not name.isidentifier():
        what = "a lambda" if "<lambda>" in name else f"'{name}', which is defined inside another function or class,"
        short = "NAME" if "<lambda>" in name else name.rpartition(".")[2]
        raise SettingsError(
            f"{what} has no name that the training processes can import. Write it as a function into a file next to your "
            f"script, such as my_parts.py, and write {setting}='my_parts.{short}'."
        )
    module = str(part.__module__)
    if module == "__main__" and (module := _name_of_main()) == "__main__":
        module = write_cell_module(part, setting)
    return f"{module}.{name}"


def _name_of_main() -> str:
    """Return the name by which the running script can be imported; ``__main__`` if it is no Python file."""
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name)
    return Path(file).stem if file and Path(file).suffix == ".py" and Path(file).stem.isidentifier() else "__main__"


def find_definition(path: str) -> Definition:
    """Find the function or class that a dotted path names, without running any code.

    Raises:
        SettingsError: There is no such module, it has nothing of this name, or it has a syntax error.
    """
    module_name, _, name = path.rpartition(".")
    module = find_module(module_name)
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return Definition(path, module, node)
    if not _binds(module.tree, name):
        if any(isinstance(node, ast.AsyncFunctionDef) and node.name == name for node in module.tree.body):
            raise SettingsError(f"'{path}': {module.file} defines '{name}' with async def. Write def.")
        raise SettingsError(f"'{path}': {module.file} has no '{name}'. {suggestion(name, module.functions())}")
    return Definition(path, module, None)


def has_module(name: str) -> bool:
    """Return whether there is a module of this dotted path, without importing it."""
    return all(name.split(".")) and find_spec(name) is not None


def find_module(name: str) -> Module:
    """Find a module by its dotted path and parse its source, without running any code.

    Raises:
        SettingsError: There is no such module, it is no Python source file, it has a syntax error, or it is the running script
            and would start the run again when it is imported.
    """
    parts = name.split(".")
    if parts[0] == "__main__":
        raise SettingsError(
            f"'{name}': the training processes cannot import by name what a notebook or script defines itself. Give the "
            "function or class itself, without quotes. Or move it to a file next to it, such as my_parts.py, and write "
            f"my_parts instead of {name}."
        )
    for count in range(1, len(parts) + 1):
        if not parts[count - 1] or find_spec(".".join(parts[:count])) is None:
            raise SettingsError(_describe_missing(name, parts[: count - 1], parts[count - 1]))
    spec = find_spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise SettingsError(f"'{name}' is not a Python source file. Name a module and a function in it.")
    file = Path(spec.origin)
    try:
        tree = parse_module(file)
    except SyntaxError as error:
        raise SettingsError(f"{file}, line {error.lineno}: {error.msg}") from error
    if _is_running(file) and (line := _line_that_runs(tree)):
        raise SettingsError(
            f"{file}, line {line}: this line runs the experiment whenever the file is imported, as the training processes do "
            f"to find '{name}'. Move the line below if __name__ == \"__main__\":, or your parts to a file next to the "
            "script, such as my_parts.py."
        )
    return Module(name, file, tree)


def _is_running(file: Path) -> bool:
    """Return whether a file is the running script."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    return script is not None and Path(script).resolve() == file.resolve()


def _line_that_runs(tree: ast.Module) -> int:
    """Return the number of the first line of a script that starts a run when it is imported; 0: there is none."""
    other_modules = {imported.bound for imported in imports_in(tree.body, package="") if imported.module != "xval"}
    for statement in tree.body:
        is_definition = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        is_guarded = isinstance(statement, ast.If) and "__name__" in source_of(statement.test)
        if is_definition or is_guarded:
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                called = source_of(node.func)
                if called.rpartition(".")[2] in _STARTS_A_RUN and called.partition(".")[0] not in other_modules:
                    return node.lineno
    return 0


def _accepts(arguments: ast.arguments, n_positional: int) -> bool:
    positional = [*arguments.posonlyargs, *arguments.args]
    n_needed = len(positional) - len(arguments.defaults)
    enough = n_positional <= len(positional) or arguments.vararg is not None
    return n_needed <= n_positional and enough and None not in arguments.kw_defaults


def _binds(tree: ast.Module, name: str) -> bool:
    """Return whether a module may get a name other than by a definition at its top level, such as by an import."""
    nodes = [*ast.walk(tree)]
    if any(imported.bound in (name, ALL_NAMES) for imported in imports_in(nodes, package="")):
        return True
    if any(isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name for node in nodes):
        return True
    return any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)


def _describe_missing(name: str, package: Sequence[str], missing: str) -> str:
    """Return the error text for a module that does not exist, with the closest names that do."""
    if package:
        spec = find_spec(".".join(package))
        locations = list(spec.submodule_search_locations or ()) if spec else []
        where = ".".join(package)
    else:
        locations = [folder for folder in (sys.path[0], *places()) if folder]
        where = " and ".join(dict.fromkeys(locations))
    names = {module.name for module in iter_modules(locations) if not module.name.startswith("_")}
    return f"'{name}': there is no module '{missing}' in {where}. {suggestion(missing, names)}"
