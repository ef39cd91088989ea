"""What the tests of this folder may import: what a user imports."""

import ast
import re
from pathlib import Path

import pytest

import xval

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
OURS = {"xval", "preprocessing", "augmentation", "architectures"}
PUBLIC_MODULES = {*OURS, "preprocessing.store"}
PUBLIC = set(re.findall(r"^::: xval[.](\w+)$", (DOCS / "api.md").read_text(), flags=re.MULTILINE)) | {"__version__"}
"""The names that docs/api.md lists."""


def names_in(source):
    """Yield each module of the project that Python code imports, with each name that it takes from there."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.module, alias.name


def names_in_texts(source):
    """Likewise of the scripts that stand in the strings of a test."""
    imported = r"^\s*(?:from\s+([\w.]+)\s+import\s+([\w, ]+)|import\s+([\w.]+))"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for line in re.split(r"[\n;]", node.value):
                if found := re.match(imported, line):
                    module, names, alone = found.groups()
                    yield from ((module or alone, name.split(" as ")[0].strip()) for name in (names or "").split(","))


def forbidden(imports):
    """Return what no user imports."""
    return [
        f"{module}: {name}"
        for module, name in imports
        if module.partition(".")[0] in OURS
        and (module not in PUBLIC_MODULES or (module == "xval" and name and name not in PUBLIC))
    ]


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.name)
def test_a_file_imports_what_the_docs_name_alone(path):
    source = path.read_text()

    assert not forbidden(names_in(source))
    if path.name != "test_net.py":
        assert not forbidden(names_in_texts(source))


@pytest.mark.parametrize(
    "line",
    ["from xval.models import build", "import xval.engine.worker", "from xval import Study", "import preprocessing.clips"],
)
def test_the_rule_sees_an_inner_module_in_code_and_in_a_text(line):
    assert forbidden(names_in(line))
    assert forbidden(names_in_texts(f"script = {line!r}"))


def test_all_public_names_can_be_imported_and_are_in_the_docs():
    offered = {name for name in dir(xval) if getattr(xval, name) is not None and not name.startswith("_")}

    assert offered == PUBLIC - {"__version__"}
