"""Importing modules of a user's own."""

import sys

from xval.base.user_code.imports import load


def test_a_module_is_imported_while_another_thread_imports_too(own_package, monkeypatch):
    class Name(str):
        def partition(self, separator):
            sys.modules["imported_meanwhile"] = sys
            return str(self).partition(separator)

    monkeypatch.setitem(sys.modules, "imported_meanwhile", sys)
    del sys.modules["imported_meanwhile"]
    monkeypatch.setitem(sys.modules, Name("first"), sys)

    assert load("own_package.parts.loss")
    assert "imported_meanwhile" in sys.modules
