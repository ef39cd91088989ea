"""What a syntax tree says, whatever its comments, docstrings and layout: a hash; the names that it binds, uses and acts on."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_WRITERS = {
    "dump", "touch", "mkdir", "makedirs", "unlink", "remove", "CSVLogger", "ModelCheckpoint", "BackupAndRestore", "FileHandler",
}  # fmt: skip
_WRITING_MODE = re.compile("[rwaxbt+]*[wax+][rwaxbt+]*")
_WITHOUT_MEANING = ("ctx", "kind", "type_comment")  # the rest says it


def hash_tree(nodes: Iterable[ast.AST]) -> str:
    """Return sixteen hex digits of syntax trees, the same on each version of Python that writes the same trees."""
    digest = blake2b(digest_size=8)
    waiting: list[object] = [[*nodes]]
    while waiting:  # no recursion: expressions may be nested deeply
        part = waiting.pop()
        if isinstance(part, ast.AST):
            fields = [
                (name, value)
                for name, value in ast.iter_fields(part)
                if name not in _WITHOUT_MEANING and value is not None and value != []  # which newer versions leave out
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
    """Return the statements of a module, class or function but for its docstring."""
    first = body[0] if body else None
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return [*body[1:]] if is_text else [*body]


def walk_outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a statement but for what stands within functions and classes, which have names of their own."""
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        yield part
        if not isinstance(part, DEFINITIONS | ast.Lambda):
            waiting += ast.iter_child_nodes(part)


def names_bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines or assigns; those of imports are left out."""
    names = set()
    for part in walk_outside_functions(node):
        if isinstance(part, DEFINITIONS):
            names.add(part.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
    return names


def is_assignment(node: ast.stmt) -> bool:
    """Return whether a statement gives values to names and does nothing else."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return bool(targets) and all(isinstance(target, ast.Name | ast.Tuple | ast.List) for target in targets)


def names_used(node: ast.AST) -> Iterator[list[str]]:
    """Yield the names from outside that a statement uses, each with the attributes behind it.

    A text that is a name counts as one. What a function or comprehension binds for itself is left out.
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
    """Return the names that a function, or a comprehension, binds for itself; none where the node is no scope of its own."""
    if isinstance(node, _COMPREHENSIONS):
        parts: list[ast.AST] = [target for generator in node.generators for target in ast.walk(generator.target)]
    elif isinstance(node, _FUNCTIONS):
        body = node.body if isinstance(node.body, list) else [node.body]
        waiting = [*body, *ast.walk(node.args)]
        parts = []
        while waiting:
            part = waiting.pop()
            parts.append(part)
            if not isinstance(part, DEFINITIONS | ast.Lambda | _COMPREHENSIONS | ast.arguments):
                waiting += ast.iter_child_nodes(part)
    else:
        return set()
    names, outside = set(), set()
    for part in parts:
        if isinstance(part, ast.arg):
            names.add(part.arg)
        elif isinstance(part, DEFINITIONS):
            names.add(part.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.Global | ast.Nonlocal):
            outside.update(part.names)
    return names - outside


def names_acted_on(node: ast.stmt) -> set[str]:
    """Return the names that a statement assigns to, deletes or calls; empty text: it does something else."""
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


def texts_in(node: ast.AST) -> Iterator[str]:
    """Yield the texts in a statement that may name a file to be read, and those that ``/`` joins, as it joins them.

    Left out is what a call writes to: the first argument of ``open(name, "w")``, and those of functions that save.
    """
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
