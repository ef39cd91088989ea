"""What parts of the user's own are made of: a hash of each definition that they use, whatever its comments and layout.

Comes in: dotted paths, as settings name them. Goes out: the hash of each function, class, variable and import at the top level
of a module of the user's own that they use, in turn. Files are parsed, nothing is run. What else a file has does not count:
another network, say, that is written under the first. What counts besides: what modules run when they are imported, though
nothing of them is used; and data files whose names stand in what counts. `xval.base.code_changes` compares two such.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b, file_digest
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple

from xval.base.data_files import find_file
from xval.base.errors import SettingsError
from xval.base.literals import parse_module, source_of
from xval.base.module_places import ENGINE, SHARED_PACKAGE, find_spec, is_own, looked_in
from xval.base.shipped_architectures import HASHES
from xval.base.syntax_trees import (
    DEFINITIONS,
    hash_tree,
    is_assignment,
    names_acted_on,
    names_bound,
    names_used,
    texts_in,
    walk_outside_functions,
    without_docstring,
)

SHIPPED = "shipped "
"""What precedes the hash of a definition in a file of architectures/ that is as xval ships it."""

IMPORTED = "imported "
"""What precedes the hash of what is run or used only because a module is imported of which nothing is used."""
FILE = "file "
"""What precedes the hash of a data file, whose name stands in the place of a definition's."""
FORM = ":"
"""The key of the form of such hashes; without it they are of a version of xval that saw neither imports nor files."""
IMPORT = "import"  # which no definition is called
"""What a module runs when it is imported, in the place of a definition's name."""

_FORM_NOW = "2"
_ALL = "*"
_DECLARING = {"Experiment", "cross_validate"}
_READ_ANY_NAME = {"globals", "vars", "locals", "eval", "exec"}
_NOT_RUN = ("__name__ == '__main__'", "TYPE_CHECKING", "typing.TYPE_CHECKING")
_State = tuple[int, int, int]


def hash_definitions(parts: Iterable[str]) -> dict[str, str]:
    """Return sixteen hex digits of each definition of the user's own that some parts use.

    They are given by ``module:name``; ``module:`` stands for what a module runs outside of definitions.

    Args:
        parts: Dotted paths of functions, classes or objects. What is installed, and xval itself, has no hash.

    Raises:
        SettingsError: A module has a syntax error.
    """
    asked = tuple(sorted(set(parts))), looked_in()
    states, hashes = _KNOWN.get(asked, ({}, {}))
    if asked not in _KNOWN or states != {path: _state(path) for path in states}:
        reading = _Reading()
        hashes = reading.hash_all(_Place(*path.rpartition(".")[::2]) for path in asked[0])
        _KNOWN[asked] = reading.states, hashes
    return dict(hashes)


_KNOWN: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[dict[Path, _State | None], dict[str, str]]] = {}
"""The answers of `hash_definitions` so far, by parts and `looked_in`, with the states of the files that they are of."""


class _Place(NamedTuple):
    """A name at the top level of a module; empty: what the module runs when it is imported."""

    module: str
    name: str


class _Source:
    """What stands at the top level of a module.

    Attributes:
        bindings: What gives a name its meaning: statements, and what it is imported from.
        variables: The names that are assigned alone.
        statements: Those that do more than to define or to assign.
        stars: The modules all of whose names it imports.
        imports: The modules, and the names in modules, that it imports when it is imported itself, used or not.
        decorated: Definitions with a decorator, which may note them somewhere.
        is_script: Whether it declares an experiment.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.tree = parse_module(path)
        self.bindings: dict[str, list[ast.stmt | _Place]] = {}
        self.statements: list[ast.stmt] = []
        self.stars: list[str] = []
        self.imports: list[_Place] = []
        self.decorated: list[ast.stmt] = []
        self.folders = [path.parent, path.parents[name.count(".") + (path.name == "__init__.py")]]
        self._package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        defined = set()
        for node in without_docstring(self.tree.body):
            if isinstance(node, ast.If) and source_of(node.test) in _NOT_RUN:
                continue
            for bound, target in self.imports_in(walk_outside_functions(node)):
                self.bindings.setdefault(bound, []).append(target)
                defined.add(bound)
            self.imports += self.loaded_by(walk_outside_functions(node))
            if isinstance(node, ast.Import | ast.ImportFrom):
                continue
            for bound in names_bound(node):
                self.bindings.setdefault(bound, []).append(node)
            if isinstance(node, DEFINITIONS):
                defined.add(node.name)
                self.decorated += [node] if node.decorator_list else []
            elif not is_assignment(node):
                self.statements.append(node)
        self.variables = self.bindings.keys() - defined
        self.is_script = self._declares_experiment()

    def _declares_experiment(self) -> bool:
        imported = {target for targets in self.bindings.values() for target in targets if isinstance(target, _Place)}
        if any(_Place("xval", name) in imported for name in _DECLARING):
            return True
        uses = (use for node in self.tree.body for use in names_used(node))
        is_xval = {name for name, targets in self.bindings.items() if _Place("xval", "") in targets}
        return any(head in is_xval and _DECLARING.intersection(attributes[:1]) for head, *attributes in uses)

    def loaded_by(self, nodes: Iterable[ast.AST]) -> Iterator[_Place]:
        """Yield what import statements load: modules, and names that may be modules."""
        for part in nodes:
            if isinstance(part, ast.Import):
                yield from (_Place(alias.name, "") for alias in part.names)
            elif isinstance(part, ast.ImportFrom):
                module = self._imported_from(part)
                yield _Place(module, "")
                yield from (_Place(module, alias.name) for alias in part.names if alias.name != _ALL)

    def _imported_from(self, node: ast.ImportFrom) -> str:
        above = self._package.rsplit(".", node.level - 1)[0] if node.level else ""
        return ".".join(filter(None, (above, node.module)))

    def imports_in(self, nodes: Iterable[ast.AST]) -> Iterator[tuple[str, _Place]]:
        """Yield the names that imports bind, and what each is imported from: a module, or a name in it."""
        for part in nodes:
            if isinstance(part, ast.Import):
                for alias in part.names:
                    top = alias.name.partition(".")[0]
                    yield alias.asname or top, _Place(alias.name if alias.asname else top, "")
            elif isinstance(part, ast.ImportFrom):
                module = self._imported_from(part)
                for alias in part.names:
                    if alias.name == _ALL:
                        self.stars.append(module)
                    else:
                        yield alias.asname or alias.name, _Place(module, alias.name)


class _Reading:
    """One reading of the modules that some parts use.

    Attributes:
        states: What tells the files that were read from any others.
    """

    def __init__(self) -> None:
        self.states: dict[Path, _State | None] = {}
        self._specs: dict[str, ModuleSpec | None] = {}
        self._sources: dict[str, _Source | None] = {}
        self._is_own: dict[str, bool] = {}
        self._shipped: set[str] = set()
        self._used: set[_Place] = set()
        self._reached: set[_Place] = set()
        self._run: dict[str, list[ast.stmt]] = {}
        self._loaded: set[_Place] = set()
        self._files: dict[_Place, Path] = {}

    def hash_all(self, parts: Iterable[_Place]) -> dict[str, str]:
        """Return the hashes of some parts and of all that they use."""
        self._follow([*parts])
        hashes = self._hash_read()
        # Then the modules that are imported whatever is used of them: what is known already keeps its hash.
        before = {module: [*nodes] for module, nodes in self._run.items()}
        while more := [module for module in self._imports() if module not in self._sources]:
            decorated = {module: source.decorated for module in more if (source := self._source(module))}
            self._run |= {module: [*nodes] for module, nodes in decorated.items()}
            self._follow(
                [place for module, nodes in decorated.items() for node in nodes for place in self._uses_of(module, node)]
            )
        added = {module: [node for node in nodes if node not in before.get(module, ())] for module, nodes in self._run.items()}
        imported = {_Place(module, IMPORT): hash_tree(nodes) for module, nodes in added.items() if nodes}
        imported |= {place: text for place, text in self._hash_read().items() if place not in hashes and place.name}
        own = {place: f"{IMPORTED}{text}" for place, text in imported.items()}
        own |= {place: f"{FILE}{_hash_content(path)}" for place, path in self._files.items()}
        hashes |= {place: text for place, text in own.items() if place.module not in self._shipped}
        form = {FORM: _FORM_NOW} if any(place.module not in self._shipped for place in hashes) else {}
        return form | {
            f"{module}:{name}": f"{SHIPPED * (module in self._shipped)}{text}"
            for (module, name), text in sorted(hashes.items())
        }

    def _follow(self, waiting: list[_Place]) -> None:
        """Take note of some places, of all that they use, and of what the modules run that are read for it."""
        while True:
            while waiting:
                waiting += self._reach(waiting.pop())
            for module, source in [*self._sources.items()]:
                for node in source.statements if source else ():
                    if node not in self._run.setdefault(module, []) and self._has_effect(module, node):
                        self._run[module].append(node)
                        waiting += self._uses_of(module, node)
            if not waiting:
                return

    def _hash_read(self) -> dict[_Place, str]:
        """Return the hashes of what has been noted, and of what modules run."""
        hashes = {_Place(module, ""): hash_tree(nodes) for module, nodes in self._run.items() if nodes}
        for place in self._used | self._reached:
            source = self._source(place.module)
            if source and place.name in source.bindings:
                hashes[place] = _hash_bindings(source.bindings[place.name])
        return hashes

    def _imports(self) -> list[str]:
        """Return the modules of the user's own that those which were read import, with the packages that they lie in."""
        own = [(module, source) for module, source in self._sources.items() if source and module not in self._shipped]
        names = {place for _, source in own for place in source.imports} | self._loaded
        modules = []
        for module, name in names:
            path = f"{module}.{name}" if name else module
            if self._is_followed(path) and (not name or self._find_spec(path)):
                parts = path.split(".")
                modules += [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        return [*dict.fromkeys(modules)]

    def _reach(self, place: _Place) -> Iterator[_Place]:
        """Take note of a place that is used; yield what it uses."""
        source = self._source(place.module)
        if source is None or place in self._reached:
            return
        self._reached.add(place)
        above = place.module.rpartition(".")[0]
        if above:
            yield _Place(above, "")  # which is imported first
        if place.name == _ALL or (place.name not in source.bindings and place.name and "__getattr__" in source.bindings):
            yield from (_Place(place.module, name) for name in source.bindings)
        for binding in source.bindings.get(place.name, ()):
            if isinstance(binding, ast.stmt):
                yield from self._uses_of(place.module, binding)
            else:
                yield from self._follow_import(binding, [])
        if place.name not in source.bindings:
            yield from (_Place(star, place.name) for star in source.stars)

    def _uses_of(self, module: str, node: ast.stmt) -> Iterator[_Place]:
        """Yield what a statement of a module uses."""
        source = self._source(module)
        if source is None:
            return
        self._loaded.update(source.loaded_by(ast.walk(node)))
        for text in texts_in(node):
            if (path := find_file(text, source.folders)) is not None:
                self._files[_Place(module, text)] = path
                self.states[path] = _state(path)
        imported: dict[str, list[_Place]] = {}
        for name, target in source.imports_in(ast.walk(node)):
            imported.setdefault(name, []).append(target)
        for head, *attributes in names_used(node):
            place, bindings = _Place(module, head), source.bindings.get(head, [])
            targets = [binding for binding in bindings if isinstance(binding, _Place)]
            if bindings:
                self._used.add(place)
            if len(targets) < len(bindings):
                yield place
            elif not bindings and head in _READ_ANY_NAME:
                yield _Place(module, _ALL)
            elif not bindings and head not in imported:
                yield from (_Place(star, head) for star in source.stars)
            for target in (*targets, *imported.get(head, ())):
                yield from self._follow_import(target, attributes)

    def _follow_import(self, target: _Place, attributes: Sequence[str]) -> Iterator[_Place]:
        """Yield what an imported name with attributes means: a name in a module, or all of one."""
        module, names = target.module, [*filter(None, (target.name, *attributes))]
        while names and self._is_followed(module) and self._find_spec(f"{module}.{names[0]}"):
            yield _Place(module, "")
            module = f"{module}.{names.pop(0)}"
        yield _Place(module, names[0] if names else _ALL)

    def _has_effect(self, module: str, node: ast.stmt) -> bool:
        """Return whether a statement outside of definitions may change what is used: not if it acts on unused variables.

        Those of a script that declares an experiment do so only where they act on used ones.
        """
        source = self._source(module)
        used = {place.name for place in self._used | self._reached if place.module == module}
        if source is None:
            return False
        acted_on = names_acted_on(node)
        return bool(acted_on & source.variables & used) if source.is_script else not acted_on <= source.variables - used

    def _source(self, module: str) -> _Source | None:
        """Return the source of a module; None: it is installed, of xval itself, or not there."""
        if module not in self._sources:
            self._sources[module] = None
            spec = self._find_spec(module) if self._is_followed(module) else None
            if spec and spec.has_location and str(spec.origin).endswith(".py"):
                path = Path(str(spec.origin))
                try:
                    source = _Source(module, path)
                except SyntaxError as error:
                    raise SettingsError(f"{path}, line {error.lineno}: {error.msg}") from error
                self._sources[module], self.states[path] = source, _state(path)
                if module.startswith(f"{SHARED_PACKAGE}.") and HASHES.get(path.stem) == hash_file(source.tree):
                    self._shipped.add(module)
        return self._sources[module]

    def _is_followed(self, module: str) -> bool:
        """Return whether a module is of the user's own, or an architecture, which may be."""
        top = module.partition(".")[0]
        if top not in self._is_own:
            spec = self._find_spec(top) if top and top not in ENGINE else None
            self._is_own[top] = spec is not None and (top == SHARED_PACKAGE or is_own(spec))
        return self._is_own[top]

    def _find_spec(self, module: str) -> ModuleSpec | None:
        if module not in self._specs:
            self._specs[module] = find_spec(module)
        return self._specs[module]


def hash_file(tree: ast.Module) -> str:
    """Return the hash of all that stands in a file, as `HASHES` has it of the architectures of xval."""
    return hash_tree(without_docstring(tree.body))


def _hash_bindings(bindings: Sequence[ast.stmt | _Place]) -> str:
    digest = blake2b(digest_size=8)
    for binding in bindings:
        text = f"import {binding.module} {binding.name}" if isinstance(binding, _Place) else hash_tree([binding])
        digest.update(f"{text}\n".encode())
    return digest.hexdigest()


def _hash_content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "blake2b").hexdigest()[:16]
    except OSError:
        return ""  # which the code itself will meet


def _state(path: Path) -> _State | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
