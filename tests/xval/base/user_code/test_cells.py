"""A definition of a session is written with what it uses, and is imported and does the same."""

import linecache
import sys
from importlib import import_module
from types import ModuleType

import pytest

from xval.base.errors import SettingsError
from xval.base.user_code.cells import is_cell_module, write_cell_module


@pytest.fixture
def session(monkeypatch):
    """Return a function that runs a cell, and returns the names of the session."""
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    cells = []

    def run(text):
        name = f"<ipython-input-{len(cells)}-test>"
        cells.append(name)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec", dont_inherit=True), vars(main))  # noqa: S102 - as a notebook does
        return main

    yield run
    for name in cells:
        linecache.cache.pop(name, None)


def written(part, setting="loss"):
    name = write_cell_module(part, setting)
    assert is_cell_module(name)
    return import_module(name)


USED = {
    "a module of a package": ("import xml.dom.minidom", "xml.dom.minidom.Document().nodeType", 9),
    "an alias of a module": ("import os.path as where", "where.basename('a/b')", "b"),
    "a name of a module": ("from math import floor as down", "down(2.5)", 2),
    "a name of a star": ("from math import *", "floor(2.5)", 2),
    "an attribute by another name": ("import math\ndown = math.floor", "down(2.5)", 2),
    "an import in a condition": ("try:\n    import math as m\nexcept ImportError:\n    m = None", "m.floor(2.5)", 2),
    "plain values": ("a, b = {'x': (1,), 'y': [None, -2.5]}, {3, 1}", "(a, b)", ({"x": (1,), "y": [None, -2.5]}, {1, 3})),
    "a number without end": ("top = float('inf')", "top", float("inf")),
    "a function by another name": ("def f():\n    return 1\ng = f", "g() + f()", 2),
    "functions that call each other": (
        "def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n and even(n - 1)",
        "even(4)",
        True,
    ),
    "classes that use each other": (
        "class A:\n    def other(self):\n        return B()\nclass B:\n    def other(self):\n        return A()",
        "type(A().other().other()).__name__",
        "A",
    ),
    "a class without functions": ("class Rates:\n    first = 2", "Rates.first", 2),
    "a data class": ("from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int = 3", "Point().x", 3),
    "a function in a cache": ("import functools\n@functools.cache\ndef slow():\n    return 5", "slow()", 5),
    "annotations of later": ("from __future__ import annotations\ndef f(x: Nowhere) -> Nothing:\n    return x", "f(6)", 6),
    "a text that is a name": ("table = object()", "'table'", "table"),
    "a name of its own": ("x = object()", "[x for x in (1, 2)]", [1, 2]),
    "a builtin": ("", "len('abc')", 3),
}


@pytest.mark.parametrize("case", USED)
def test_what_a_function_uses_is_written_with_it(session, case):
    before, expression, wanted = USED[case]
    session(before)

    part = session(f"def part():\n    return {expression}\n").part

    assert part() == wanted
    assert written(part).part() == wanted


def test_the_name_is_that_of_the_code_and_not_of_its_layout(session):
    first = write_cell_module(session("N = 1 + 1\ndef part():\n    return N\n").part, "loss")
    same = write_cell_module(session("N = 2\n\ndef part():  # as before\n    return (N)\n").part, "loss")
    other = write_cell_module(session("N = 3").part, "loss")

    assert first == same != other


def test_a_class_is_one_however_many_use_it(session):
    main = session("class Shared:\n    pass\ndef one():\n    return Shared\ndef two():\n    return [Shared]\n")

    names = [write_cell_module(part, "loss") for part in (main.one, main.two)]
    one, two = map(import_module, names)

    assert one.one() is two.two()[0]


def test_what_a_cell_says_of_an_architecture_is_written_if_it_is_plain(session):
    main = session("task_types = ('regression',)\nfeatures = object()\ndef build(a, b):\n    return a\n")

    module = written(main.build, "architecture")

    assert module.task_types == ("regression",)
    assert not hasattr(module, "features")
    assert not hasattr(written(main.build, "loss"), "task_types")


def test_two_definitions_of_a_name_are_refused(session):
    main = session("def f():\n    return 1\ng = f\ndef f():\n    return 2\ndef part():\n    return f() + g()\n")

    with pytest.raises(
        SettingsError, match=r"'part' uses 'g', another definition of the name 'f'\. Give each a different name\. Or"
    ):
        write_cell_module(main.part, "loss")


def test_modules_of_cells_are_found_though_the_session_sets_the_path_anew(session, monkeypatch):
    written(session("def first():\n    return 1\n").first)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if "xval_cells_" not in place])
    assert written(session("def second():\n    return 2\n").second).second() == 2
