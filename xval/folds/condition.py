"""Choose rows of a table by a condition such as ``language == "de" and age >= 60``.

The text is parsed by Python's parser and never executed. Only names of columns, constants, comparisons, ``in``, ``and``, ``or``
and ``not`` are allowed; calls, attributes and subscripts are not.
"""

import ast
import operator
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError, suggestion
from xval.base.literals import parse_expression, source_of

if TYPE_CHECKING:
    import pandas as pd

_Rows: TypeAlias = NDArray[np.bool_]

_ALLOWED = "names of columns (`in backticks` where they have blanks), texts in quotes, numbers, == != < <= > >= in, and or not"
NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d*)?([eE][+-]?\d+)?")
"""Pattern of texts that are numbers; 007 is a name."""
_LONGEST = 1000
_N_SHOWN = 200
_N_OTHERS = 5
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}


@dataclass(frozen=True)
class Condition:
    """A checked condition."""

    text: str

    def __post_init__(self) -> None:
        """Raise an error for a text that is not an allowed expression."""
        try:
            self._check(self._parse()[0])
        except RecursionError as error:
            raise self._fault("it is nested too deeply") from error

    def choose(self, table: "pd.DataFrame") -> _Rows:
        """Return whether each row of a table satisfies the condition: bool (n_rows,).

        A row without a value in a column satisfies no comparison with it, including ``!=`` and ``not in``.

        Raises:
            SettingsError: There is no such column, a text is compared with a number, or texts are ordered although some are
                numbers.
        """
        expression, names = self._parse()
        return self._evaluate(expression, table, names)

    def _parse(self) -> tuple[ast.expr, dict[str, str]]:
        """Return the expression, and the columns in backticks by the names that replace them."""
        columns: dict[str, str] = {}

        def replace(match: re.Match[str]) -> str:
            if match[1] is None:
                return match[0]  # a text in quotes
            name = f"column_{len(columns)}_in_backticks"
            columns[name] = match[1]
            return name

        text = re.sub(r"\"[^\"]*\"|'[^']*'|`([^`]+)`", replace, self.text.strip())
        if len(text) > _LONGEST:
            raise SettingsError(
                f"condition of {len(text)} characters; at most {_LONGEST} are allowed. Add a column to the table instead."
            )
        try:
            return parse_expression(text), columns
        except (SyntaxError, ValueError) as error:
            raise self._fault("it is not an expression") from error

    def _fault(self, what: str) -> SettingsError:
        shown = self.text if len(self.text) <= _N_SHOWN else f"{self.text[:_N_SHOWN]}..."
        return SettingsError(f"condition {shown!r}: {what}; allowed: {_ALLOWED}.")

    def _check(self, node: ast.expr) -> None:
        """Raise an error for an expression that is neither true nor false for a row."""
        match node:
            case ast.BoolOp():
                for part in node.values:
                    self._check(part)
            case ast.UnaryOp(op=ast.Not()):
                self._check(node.operand)
            case ast.Compare():
                left = node.left
                for kind, right in zip(node.ops, node.comparators, strict=True):
                    self._check_comparison(left, kind, right)
                    left = right
            case _:
                raise self._fault(f"'{source_of(node)}' is not a comparison")

    def _check_comparison(self, left: ast.expr, kind: ast.cmpop, right: ast.expr) -> None:
        if isinstance(kind, ast.In | ast.NotIn):
            if not (isinstance(left, ast.Name) and isinstance(right, ast.Tuple | ast.List) and right.elts):
                raise self._fault('in and not in need a column before them, and after them a list such as ("de", "en")')
            for element in right.elts:
                self._constant(element)
        elif type(kind) not in _COMPARISONS:
            raise self._fault("'is' does not compare values. Use ==")
        elif isinstance(left, ast.Name) == isinstance(right, ast.Name):
            raise self._fault("a column must be compared with a text or a number")
        else:
            self._constant(right if isinstance(left, ast.Name) else left)

    def _constant(self, node: ast.expr) -> str | float:
        sign = 1
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            node, sign = node.operand, -1
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and sign == 1:
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            with suppress(OverflowError):
                return float(sign * value)
        raise self._fault(f"'{source_of(node)}' is neither a text nor a number")

    def _evaluate(self, node: ast.expr, table: "pd.DataFrame", names: dict[str, str]) -> _Rows:
        if isinstance(node, ast.BoolOp):
            parts = [self._evaluate(part, table, names) for part in node.values]
            return np.asarray((np.all if isinstance(node.op, ast.And) else np.any)(parts, axis=0))
        if isinstance(node, ast.UnaryOp):
            return ~self._evaluate(node.operand, table, names)
        assert isinstance(node, ast.Compare)  # noqa: S101 - as `_check` has seen
        chosen, left = np.ones(len(table), bool), node.left
        for kind, right in zip(map(type, node.ops), node.comparators, strict=True):
            turned = isinstance(right, ast.Name)  # 60 <= age
            column, constant = (right, left) if turned else (left, right)
            chosen &= self._compare(column, _TURNED.get(kind, kind) if turned else kind, constant, table, names)
            left = right
        return chosen

    def _compare(
        self, column: ast.expr, kind: type[ast.cmpop], right: ast.expr, table: "pd.DataFrame", names: dict[str, str]
    ) -> _Rows:
        assert isinstance(column, ast.Name)  # noqa: S101 - as `_check` has seen
        name = names.get(column.id, column.id)
        if name not in table:
            raise SettingsError(
                f"condition {self.text!r}: there is no column '{name}'. {suggestion(name, map(str, table.columns))}"
            )
        values = table[name]
        wanted = [self._constant(element) for element in (right.elts if isinstance(right, ast.Tuple | ast.List) else [right])]
        is_number = values.dtype.kind in "iuf"
        if not is_number and (kind in _TURNED or not all(isinstance(element, str) for element in wanted)):
            self._refuse_mixed(name, values)
        if wrong := [element for element in wanted if isinstance(element, str) == is_number]:
            holds = "numbers" if is_number else "texts, which need quotes"
            raise SettingsError(f"condition {self.text!r}: column '{name}' has {holds}; received {wrong[0]!r}.")
        filled = values.notna().to_numpy(bool)
        if kind in (ast.In, ast.NotIn):
            is_listed = values.isin(wanted).to_numpy(bool)
            return filled & (is_listed if kind is ast.In else ~is_listed)
        chosen = np.zeros(len(table), bool)
        present = values[filled].astype(float if is_number else str).to_numpy(dtype=None if is_number else object)
        chosen[filled] = _COMPARISONS[kind](present, wanted[0])
        return chosen

    def _refuse_mixed(self, name: str, values: "pd.Series[Any]") -> None:
        """Raise an error for a column of numbers and other texts, because as texts 9 comes after 10."""
        texts = list(map(str, values.dropna()))
        others = list(dict.fromkeys(text for text in texts if not NUMBER.fullmatch(text)))
        if others and any(map(NUMBER.fullmatch, texts)):
            n_others = sum(text in others for text in texts)
            shown = ", ".join(f"'{text}'" for text in others[:_N_OTHERS]) + ", ..." * (len(others) > _N_OTHERS)
            raise SettingsError(
                f"condition {self.text!r}: column '{name}' cannot be compared as numbers, because {n_others} of its "
                f"{len(texts)} cells are not numbers: {shown}. Leave these cells empty; for tables, --missing lists texts "
                "that mean an empty cell."
            )
