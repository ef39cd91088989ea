"""Parse Python literals, expressions and files that come from elsewhere; nothing is executed.

Whatever Python's parser raises for texts that are nested too deeply or have endless numbers becomes a ValueError or a
SyntaxError.
"""

import ast
from pathlib import Path

_TOO_DEEP = (RecursionError, MemoryError)
"""What the parser and its trees raise of hundreds or thousands of signs in a row."""

_N_SHOWN = 200


def parse_expression(text: str) -> ast.expr:
    """Return the tree of an expression.

    Raises:
        ValueError, SyntaxError: It is none, or is nested too deeply.
    """
    try:
        return ast.parse(text, mode="eval").body
    except _TOO_DEEP as error:
        raise ValueError("it is nested too deeply") from error


def parse_module(path: Path) -> ast.Module:
    """Return the tree of a file.

    Raises:
        OSError: It cannot be read.
        SyntaxError: It is not Python, or is nested too deeply.
    """
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except _TOO_DEEP as error:
        raise SyntaxError("an expression is nested too deeply") from error
    except ValueError as error:  # null bytes, in some versions of Python
        raise SyntaxError(str(error)) from error


def source_of(node: ast.AST) -> str:
    """Return the text of a tree, for messages: no more than its beginning where it is long."""
    try:
        text = ast.unparse(node)
    except RecursionError:
        return "... (nested too deeply)"
    return text if len(text) <= _N_SHOWN else f"{text[:_N_SHOWN]}..."


def read_literal(literal: str | ast.expr) -> object:
    """Return the value of a literal.

    Raises:
        ValueError, SyntaxError: It is none, is nested too deeply, or has a whole number of more digits than Python writes.
    """
    try:
        value: object = ast.literal_eval(literal)
        repr(value)  # which fails of such a number; messages and JSON would meet it later
    except _TOO_DEEP as error:
        raise ValueError("it is nested too deeply") from error
    except TypeError as error:  # a list in a set
        raise ValueError(str(error)) from error
    return value
