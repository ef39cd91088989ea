"""Properties of syntax trees that comments, docstrings and layout do not change: a hash; names bound, used and imported."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from types import UnionType
from typing import NamedTuple

DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
ALL_NAMES = "*"
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_WITHOUT_MEANING = ("ctx", "kind", "type_comment")  # they follow from the rest of the tree, or change nothing


def hash_tree(nodes: Iterable[ast.AST]) -> str:
    """Return the hash of syntax trees without docstrings, sixteen hex digits, equal in all Pythons that make equal trees."""
    digest = blake2b(digest_size=8)
    waiting: list[object] = [[*nodes]]
    while waiting:  # no recursion: expressions may be nested deeply
        part = waiting.pop()
        if isinstance(part, ast.AST):
            fields = [
                (name, value)
                for name, value in ast.iter_fields(part)
                if name not in _WITHOUT_MEANING and value is not None and value != []  # fields that newer Pythons omit
            ]
            digest.update(f"{type(part).__name__} {len(fields)} ".encode())
            for name, value in reversed(fields):
                is_body = name == "body" and isinstance(part, DEFINITIONS)
                waiting += [without_docstring(value) if is_body else value, name]
        elif isinstance(part, list):
            digest.update(f"list {len(part)} ".encode())
            waiting += reversed(part)
        else:
            digest.update(f"{part!r} ".encode(errors="backslashreplace"))
    return digest.hexdigest()


def without_docstring(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a module, class or function without its docstring."""
    first = body[0] if body else None
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return [*body[1:]] if is_text else [*body]


class Import(NamedTuple):
    """A name that an import statement binds.

    Attributes:
        bound: The name; `ALL_NAMES`: all names of the module.
        module: The module from which it is imported; for ``import a.b`` this is ``a``, to which the name ``a`` refers.
        name: The name in the module; empty: the module itself is imported.
        path: The whole dotted path in the statement.
    """

    bound: str
    module: str
    name: str
    path: str


def imports_in(nodes: Iterable[ast.AST], package: str) -> Iterator[Import]:
    """Yield the names that import statements bind.

    Args:
        nodes: Syntax nodes of a module; those that are no import statements are skipped.
        package: The package of the module, to which relative imports refer.
    """
    for part in nodes:
        if isinstance(part, ast.Import):
            for alias in part.names:
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                yield Import(alias.asname or module, module, "", alias.name)
        elif isinstance(part, ast.ImportFrom):
            above = package.rsplit(".", part.level - 1)[0] if part.level else ""
            module = ".".join(filter(None, (above, part.module)))
            for alias in part.names:
                is_all = alias.name == ALL_NAMES
                yield Import(alias.asname or alias.name, module, alias.name, module if is_all else f"{module}.{alias.name}")


def walk_outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the syntax nodes of a statement without those inside functions and classes, which have their own scopes."""
    return _walk_outside(node, DEFINITIONS | ast.Lambda)


def _walk_outside(node: ast.AST, scopes: UnionType) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        yield part
        if not isinstance(part, scopes):
            waiting += ast.iter_child_nodes(part)


def names_bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines or assigns; imported names are skipped."""
    return set(_bound_by(walk_outside_functions(node)))


def _bound_by(parts: Iterable[ast.AST]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, DEFINITIONS):
            yield part.name
        elif isinstance(part, ast.arg):
            yield part.arg
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def is_assignment(node: ast.stmt) -> bool:
    """Return whether a statement only assigns values to names."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return bool(targets) and all(isinstance(target, ast.Name | ast.Tuple | ast.List) for target in targets)


def names_used(node: ast.AST) -> Iterator[list[str]]:
    """Yield the names from outside that a statement uses, each with the attributes after it: ``a.b.c`` as [a, b, c].

    A string literal that is a valid name counts as a name. Local names of functions and comprehensions are skipped.
    """
    waiting: list[tuple[ast.AST, frozenset[str]]] = [(node, frozenset())]
    while waiting:
        part, bound_inside = waiting.pop()
        attributes: list[str] = []
        while isinstance(part, ast.Attribute):
            attributes.insert(0, part.attr)
            part = part.value
        if isinstance(part, ast.Name):
            if part.id not in bound_inside:
                yield [part.id, *attributes]
        elif isinstance(part, ast.Constant):
            if isinstance(part.value, str) and part.value.isidentifier():
                yield [part.value]
        else:
            own = bound_inside | _bound_in_scope(part)
            for child in ast.iter_child_nodes(part):
                is_outside = isinstance(child, ast.arguments) or child in getattr(part, "decorator_list", ())
                waiting.append((child, bound_inside if is_outside else own))


def _bound_in_scope(node: ast.AST) -> set[str]:
    """Return the local names of a function or a comprehension; none for other nodes."""
    if isinstance(node, _COMPREHENSIONS):
        return set(_bound_by(part for generator in node.generators for part in ast.walk(generator.target)))
    if not isinstance(node, _FUNCTIONS):
        return set()
    scopes = DEFINITIONS | ast.Lambda | _COMPREHENSIONS
    body = node.body if isinstance(node.body, list) else [node.body]
    parts = [part for statement in body for part in _walk_outside(statement, scopes)]
    from_outside = {name for part in parts if isinstance(part, ast.Global | ast.Nonlocal) for name in part.names}
    return set(_bound_by([*parts, *ast.walk(node.args)])) - from_outside


def names_acted_on(node: ast.stmt) -> set[str]:
    """Return the names that a statement assigns to, deletes or calls; an empty text among them stands for any other effect."""
    names = set()
    for part in walk_outside_functions(node):
        if not isinstance(part, ast.stmt) or hasattr(part, "body"):
            continue
        targets = [part.target] if isinstance(part, ast.AnnAssign | ast.AugAssign) else getattr(part, "targets", [part])
        for target in targets:
            root = target.value if isinstance(target, ast.Expr) else target
            while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
                root = root.func if isinstance(root, ast.Call) else root.value
            names.add(root.id if isinstance(root, ast.Name) else "")
    return names
