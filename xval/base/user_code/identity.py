"""The identity of the user's own code: a hash of each definition that a part uses, and the changes between two readings.

Files are parsed, no code is run. Comments, docstrings, layout and unused definitions in a file, such as another network, do not
count. These count:

- the functions, classes, variables and imports at the top level of the user's modules that the part uses, recursively;
- statements outside of definitions that these modules, and the modules that they import, run when they are imported;
- definitions that register themselves with something that the part uses, by a decorator or by the `__init_subclass__` of a
  base class;
- data files whose names are string literals in any of these.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import blake2b, file_digest
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple

from xval.base.errors import SettingsError
from xval.base.literals import parse_module, source_of
from xval.base.user_code.data_files import named_files
from xval.base.user_code.modules import ENGINE, SHARED_PACKAGE, find_spec, is_own, looked_in
from xval.base.user_code.shipped_architectures import HASHES
from xval.base.user_code.syntax_trees import (
    ALL_NAMES,
    DEFINITIONS,
    hash_tree,
    imports_in,
    is_assignment,
    names_acted_on,
    names_bound,
    names_used,
    walk_outside_functions,
    without_docstring,
)

Definitions = Mapping[str, str]
"""Hashes by ``module:name``; see `hash_definitions`."""

FORM = ":"
"""The key under which the version of the form of these hashes is stored.

Without it, they are of a version of xval that looked at neither imports nor data files. Form 2 lacks definitions that register
themselves and the declarations of a network's module.
"""
_FORM_NOW = "3"

# What precedes a hash:
_SHIPPED = "shipped "  # of a definition in a file of architectures/ that is as xval ships it
_IMPORTED = "imported "  # of code that counts only because its module is imported, though nothing of the module is used
_REGISTERED = "registered "  # of code that counts only because it registers itself, or because a network's module declares it
_FILE = "file "  # of a data file, whose name is in place of a definition's

# What a module runs outside of definitions, in place of a definition's name:
_RUN = ""
_RUN_BY_IMPORT = "import"  # only because it is imported
_RUN_BY_REGISTERED = "registered"  # only because of what registers itself
_DECLARED = "reshaping_type"  # which a network's module declares next to its build()

_DECLARING = {"Experiment", "cross_validate"}
_READ_ANY_NAME = {"globals", "vars", "locals", "eval", "exec"}
_NOT_RUN = ("__name__ == '__main__'", "TYPE_CHECKING", "typing.TYPE_CHECKING")
_State = tuple[int, int, int]


def hash_definitions(parts: Iterable[str]) -> dict[str, str]:
    """Return the hash of each definition in the user's own code that some parts use.

    Args:
        parts: Dotted paths of functions, classes or objects. Installed code and xval itself have no hash.

    Returns:
        Sixteen hex digits, after a word for the kind where there is one, by ``module:name``; ``module:`` is the key of the
        statements that a module runs outside of definitions.

    Raises:
        SettingsError: A module has a syntax error.
    """
    asked = tuple(sorted(set(parts))), looked_in()
    states, hashes = _READ.get(asked, ({}, {}))
    if asked not in _READ or states != {path: _state(path) for path in states}:
        reading = _Reading()
        hashes = reading.hash_all(_Place(*path.rpartition(".")[::2]) for path in asked[0])
        _READ[asked] = reading.states, hashes
    return dict(hashes)


_READ: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[dict[Path, _State | None], dict[str, str]]] = {}
"""Earlier results of `hash_definitions`, by parts and `looked_in`, with the states of the files that were read."""


def find_changes(before: Definitions | None, now: Definitions | None) -> list[str]:
    """Return the keys of the definitions and files that differ between two results of `hash_definitions`.

    None differ if one side is None (not known). A definition does not differ if both versions are as xval shipped them. A data
    file is compared only if both sides have it, because code that reads another file differs itself. Code that counts only
    because it is imported or registers itself is compared only if both sides are of a version of xval that looked at it.
    """
    if before is None or now is None or before == now:
        return []
    forms = {before.get(FORM, ""), now.get(FORM, "")}
    on_both_sides = (_FILE, _REGISTERED, _IMPORTED)[: 3 if "" in forms else len(forms)]
    changed = []
    for name in sorted({*before, *now} - {FORM}):
        hashes = [side[name] for side in (before, now) if name in side]
        is_seen_once = len(hashes) == 1 and hashes[0].startswith(on_both_sides)
        is_of_xval = all(text.startswith(_SHIPPED) for text in hashes)
        is_same = len(hashes) == 2 and len({text.rpartition(" ")[2] for text in hashes}) == 1
        if not is_seen_once and not is_of_xval and not is_same:
            changed.append(name)
    return changed


def describe_changes(before: Definitions | None, now: Definitions | None) -> str:
    """Return a text that lists the changed definitions file by file; empty: nothing has changed."""
    changes_by_module: dict[str, list[str]] = {}
    for changed in find_changes(before, now):
        module, _, name = changed.partition(":")
        verb = "is gone" if changed not in (now or {}) else "has changed" if changed in (before or {}) else "is new"
        by_import = "code run when it is imported"
        runs = {_RUN: "code outside of functions and classes", _RUN_BY_IMPORT: by_import, _RUN_BY_REGISTERED: by_import}
        what = runs.get(name, name)
        changes_by_module.setdefault(module, []).append(f"{what} {verb}")
    texts = []
    for module, changes in changes_by_module.items():
        spec = find_spec(module)
        texts.append(f"{spec.origin if spec and spec.has_location else module}: {', '.join(changes)}")
    return "; ".join(texts)


def hash_file(tree: ast.Module) -> str:
    """Return the hash of all code of a file, sixteen hex digits, as stored in `HASHES` for the architectures of xval."""
    return hash_tree(without_docstring(tree.body))


class _Place(NamedTuple):
    """A name at the top level of a module; `ALL_NAMES`: all names; `_RUN` and similar: the statements that it runs."""

    module: str
    name: str


_Binding = ast.stmt | _Place
"""What binds a name: a statement, or, for an import, the place from which it is imported."""


class _Module:
    """The top level of a module.

    Attributes:
        variables: The names that are only assigned.
        effects: The statements that do more than define or assign.
        stars: The modules of which it imports all names (``from module import *``).
        loaded: The dotted paths that it imports, used or not, when it is imported or when code of it that counts runs.
        definitions: Its functions and classes.
        is_script: Whether it declares an experiment.
        is_shipped: Whether it is an architecture exactly as xval ships it.
        folders: Where its data files are looked for.
    """

    def __init__(self, name: str, path: Path) -> None:
        tree = parse_module(path)
        is_package = path.name == "__init__.py"
        self.name, self.package = name, name if is_package else name.rpartition(".")[0]
        self.folders = [path.parent, path.parents[name.count(".") + is_package]]
        self.bindings: dict[str, list[_Binding]] = {}
        self.effects: list[ast.stmt] = []
        self.stars: list[str] = []
        self.loaded: list[str] = []
        self.definitions: list[DEFINITIONS] = []
        defined = set()
        for node in without_docstring(tree.body):
            if isinstance(node, ast.If) and source_of(node.test) in _NOT_RUN:
                continue
            for bound, module, inner, path_in_it in imports_in(walk_outside_functions(node), self.package):
                self.loaded.append(path_in_it)
                if bound == ALL_NAMES:
                    self.stars.append(module)
                else:
                    self._bind(bound, _Place(module, inner))
                    defined.add(bound)
            if isinstance(node, ast.Import | ast.ImportFrom):
                continue
            for bound in names_bound(node):
                self._bind(bound, node)
            if isinstance(node, DEFINITIONS):
                defined.add(node.name)
                self.definitions.append(node)
            elif not is_assignment(node):
                self.effects.append(node)
        self.variables = self.bindings.keys() - defined
        self.is_script = self._declares_experiment(tree)
        self.is_shipped = name.startswith(f"{SHARED_PACKAGE}.") and HASHES.get(path.stem) == hash_file(tree)

    def _bind(self, name: str, binding: _Binding) -> None:
        self.bindings.setdefault(name, []).append(binding)

    def _declares_experiment(self, tree: ast.Module) -> bool:
        imported = {binding for bindings in self.bindings.values() for binding in bindings if isinstance(binding, _Place)}
        is_xval = {name for name, bindings in self.bindings.items() if _Place("xval", "") in bindings}
        names = {place.name for place in imported if place.module == "xval"}
        names |= {used[1] for used in names_used(tree) if used[0] in is_xval and len(used) > 1}
        return not names.isdisjoint(_DECLARING)


class _Reading:
    """One reading of the modules that some parts use.

    Attributes:
        states: Time, size and inode of each file that was read, by which a change is noticed; None: there is no such file.
    """

    def __init__(self) -> None:
        self.states: dict[Path, _State | None] = {}
        self._modules: dict[str, _Module | None] = {}
        self._counted: dict[_Place, list[_Binding]] = {}
        self._reached: set[_Place] = set()
        self._run: set[ast.stmt] = set()
        self._files: dict[_Place, Path] = {}
        self._find_own = cache(self._find_own_spec)

    def hash_all(self, parts: Iterable[_Place]) -> dict[str, str]:
        places = [*parts]
        self._follow([place for place in places if place.name != _DECLARED], _RUN)
        used = {*self._counted}
        self._follow_imports(_RUN_BY_IMPORT)
        imported, registered = {*self._counted}, [place for place in places if place.name == _DECLARED]
        while registered:
            self._follow(registered, _RUN_BY_REGISTERED)
            self._follow_imports(_RUN_BY_REGISTERED)
            registered = [*self._registered()]
        shipped = {name for name, module in self._modules.items() if module and module.is_shipped}
        texts: dict[_Place, str] = {}
        for place, bindings in self._counted.items():
            if place in used or place.module not in shipped:
                kind = "" if place in used else _IMPORTED if place in imported else _REGISTERED
                kind = _SHIPPED if place.module in shipped else kind
                texts[place] = f"{kind}{_hash_place(place, bindings)}"
        texts |= {place: f"{_FILE}{_hash_content(path)}" for place, path in self._files.items() if place.module not in shipped}
        form = {} if all(text.startswith(_SHIPPED) for text in texts.values()) else {FORM: _FORM_NOW}
        return form | {f"{module}:{name}": text for (module, name), text in sorted(texts.items())}

    def _follow_imports(self, run_as: str) -> None:
        """Count the statements that merely imported modules run, their decorated definitions, and all that these use."""
        while modules := self._modules_to_import():
            noted = [(module, node) for module in modules if module for node in module.definitions if node.decorator_list]
            self._follow([place for pair in noted for place in self._count_run(*pair, run_as)], run_as)

    def _registered(self) -> list[_Place]:
        """Return the definitions that are not counted yet and register themselves with something that is used."""
        own = [module for module in self._modules.values() if module and not module.is_shipped]
        return [
            place
            for module in own
            for node in module.definitions
            if (place := _Place(module.name, node.name)) not in self._counted and node not in self._run
            if any(self._keeps(*meant) for decorator in node.decorator_list for meant in self._meant(module, decorator))
            or any(map(self._is_told, self._ancestors(module, node)))
        ]

    def _keeps(self, module: _Module, node: ast.stmt) -> bool:
        """Return whether a decorator, by its definition, may register something with a variable or class that is used."""
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return any(node in bindings for bindings in self._counted.values())
        return any(_Place(module.name, head) in self._counted for head, *_ in names_used(node) if head in module.variables)

    def _is_told(self, node: ast.stmt) -> bool:
        """Return whether a class is used and has `__init_subclass__`, by which it learns of its subclasses."""
        inner = node.body if isinstance(node, ast.ClassDef) else []
        is_told = any(isinstance(part, DEFINITIONS) and part.name == "__init_subclass__" for part in inner)
        return is_told and any(node in bindings for bindings in self._counted.values())

    def _ancestors(self, module: _Module, node: ast.stmt) -> list[ast.stmt]:
        """Return the classes in the user's own code from which a class inherits."""
        waiting, found = [(module, node)], list[ast.stmt]()
        while waiting:
            module, node = waiting.pop()
            if isinstance(node, ast.ClassDef) and node not in found:
                found.append(node)
                waiting += [meant for base in node.bases for meant in self._meant(module, base)]
        return found[1:]

    def _meant(self, module: _Module, expression: ast.expr) -> Iterator[tuple[_Module, ast.stmt]]:
        """Yield the statements in the user's own code that define a decorator or a base class, with their modules."""
        while isinstance(expression, ast.Call | ast.Subscript):
            expression = expression.func if isinstance(expression, ast.Call) else expression.value
        waiting, followed = [_Place(module.name, source_of(expression))], set[_Place]()
        while waiting:
            place = waiting.pop()
            target, (head, _, attributes) = self._modules.get(place.module), place.name.partition(".")
            if target is None or place in followed:
                continue
            followed.add(place)
            waiting += [_Place(f"{place.module}.{head}", attributes), *(_Place(star, place.name) for star in target.stars)]
            for binding in target.bindings.get(head, []):
                if isinstance(binding, _Place):
                    waiting.append(_Place(binding.module, ".".join(filter(None, (binding.name, attributes)))))
                else:
                    yield target, binding

    def _modules_to_import(self) -> list[_Module | None]:
        """Read and return the modules, and their packages, that the modules read so far import."""
        own = [module for module in self._modules.values() if module and not module.is_shipped]
        parts = [path.split(".") for module in own for path in module.loaded]
        names = dict.fromkeys(".".join(part[:count]) for part in parts for count in range(1, len(part) + 1))
        return [self._module(name) for name in names if name not in self._modules]

    def _follow(self, waiting: list[_Place], run_as: str) -> None:
        """Count some places, all that they use, and the statements that the modules read for it run."""
        while True:
            while waiting:
                waiting += self._reach(waiting.pop())
            for module in [*filter(None, self._modules.values())]:
                for node in module.effects:
                    if node not in self._run and self._has_effect(module, node):
                        waiting += self._count_run(module, node, run_as)
            if not waiting:
                return

    def _count_run(self, module: _Module, node: ast.stmt, run_as: str) -> Iterator[_Place]:
        self._run.add(node)
        self._counted.setdefault(_Place(module.name, run_as), []).append(node)
        yield from self._uses_of(module, node)

    def _has_effect(self, module: _Module, node: ast.stmt) -> bool:
        """Return whether a statement outside of definitions may change something that is used.

        It may not if it acts only on unused variables of its module. In a script that declares an experiment it may only if it
        acts on a used variable.
        """
        acted_on = names_acted_on(node)
        is_used = any(_Place(module.name, name) in self._counted for name in acted_on & module.variables)
        return is_used or not (module.is_script or acted_on <= module.variables)

    def _reach(self, place: _Place) -> Iterator[_Place]:
        module = self._module(place.module)
        if module is None or place in self._reached:
            return
        self._reached.add(place)
        if package := module.name.rpartition(".")[0]:
            yield _Place(package, _RUN)  # which is imported first
        bindings = module.bindings.get(place.name, [])
        if bindings:
            self._counted[place] = bindings
        if place.name == ALL_NAMES or (place.name and not bindings and "__getattr__" in module.bindings):
            yield from (_Place(module.name, name) for name in module.bindings)
        for binding in bindings:
            yield from self._follow_import(binding, []) if isinstance(binding, _Place) else self._uses_of(module, binding)
        if not bindings:
            yield from (_Place(star, place.name) for star in module.stars)

    def _uses_of(self, module: _Module, node: ast.stmt) -> Iterator[_Place]:
        for text, path in named_files(node, module.folders):
            self._files[_Place(module.name, text)] = path
            self.states[path] = _state(path)
        imported: dict[str, list[_Place]] = {}
        for bound, target, name, path_in_it in imports_in(ast.walk(node), module.package):
            module.loaded.append(path_in_it)
            imported.setdefault(bound, []).append(_Place(target, name))
        for head, *attributes in names_used(node):
            bindings = module.bindings.get(head, [])
            places = [binding for binding in bindings if isinstance(binding, _Place)]
            if bindings:
                self._counted[_Place(module.name, head)] = bindings
            if len(places) < len(bindings):
                yield _Place(module.name, head)
            elif not bindings and head in _READ_ANY_NAME:
                yield _Place(module.name, ALL_NAMES)
            elif not bindings and head not in imported:
                yield from (_Place(star, head) for star in module.stars)
            for place in (*places, *imported.get(head, ())):
                yield from self._follow_import(place, attributes)

    def _follow_import(self, place: _Place, attributes: Sequence[str]) -> Iterator[_Place]:
        """Yield the places that an imported name with attributes refers to: a name in a module, or all names of one."""
        module, names = place.module, [*filter(None, (place.name, *attributes))]
        while names and self._find_own(f"{module}.{names[0]}"):
            yield _Place(module, _RUN)
            module = f"{module}.{names.pop(0)}"
        yield _Place(module, names[0] if names else ALL_NAMES)

    def _module(self, name: str) -> _Module | None:
        """Return a module; None: it is installed, belongs to xval itself, or does not exist."""
        if name not in self._modules:
            self._modules[name] = None
            spec = self._find_own(name)
            if spec and spec.has_location and str(spec.origin).endswith(".py"):
                path = Path(str(spec.origin))
                try:
                    self._modules[name] = _Module(name, path)
                except SyntaxError as error:
                    raise SettingsError(f"{path}, line {error.lineno}: {error.msg}") from error
                self.states[path] = _state(path)
        return self._modules[name]

    def _find_own_spec(self, name: str) -> ModuleSpec | None:
        """Find a module of the user's own code or of architectures/, to which users add; None: another one, or none."""
        top, _, inner = name.partition(".")
        if inner:
            return find_spec(name) if self._find_own(top) else None
        spec = find_spec(top) if top and top not in ENGINE else None
        return spec if spec and (top == SHARED_PACKAGE or is_own(spec)) else None


def _hash_place(place: _Place, nodes: Sequence[_Binding]) -> str:
    """Return the hash of the statements that a module runs, or of the bindings of a name."""
    if place.name in (_RUN, _RUN_BY_IMPORT):
        return hash_tree([node for node in nodes if isinstance(node, ast.stmt)])
    digest = blake2b(digest_size=8)
    for node in nodes:
        text = f"import {node.module} {node.name}" if isinstance(node, _Place) else hash_tree([node])
        digest.update(f"{text}\n".encode())
    return digest.hexdigest()


def _hash_content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "blake2b").hexdigest()[:16]
    except OSError:
        return ""  # the code that reads the file will raise


def _state(path: Path) -> _State | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
