"""Findings (a message and advice), the common form of all reports of problems, and their registry.

A `Rule` looks for something; a `Finding` has the words for it. A package of rules has them in its files, and `rules_of` finds
all of them, so that a new one is a file: faults and cautions of preprocessing/quality/findings/, rules of xval/answers/audit/,
xval/answers/leakage_kinds.py, xval/settings/contradictions.py and, of estimators, classical_faults.py and combination.py.
What is found about results has a code, by which it can be silenced: the files ``xv303_no_clear_winner.py`` of
xval/answers/findings/ and of the extras are named by code and slug.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from string import Formatter
from typing import Any, Self

_XVAL = Path(__file__).resolve().parents[1]


class _Texts(Formatter):
    """Formats ``{n:clip|clips}`` depending on whether a number is 1, and ``{more:? and {more} more}`` if not empty."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith("?"):
            return format_spec[1:] if value else ""
        one, is_choice, several = format_spec.partition("|")
        if is_choice:
            return one if value == 1 else several
        return str(super().format_field(value, format_spec))


@dataclass(frozen=True)
class Finding:
    """A message and advice. The texts of a rule have fields in braces; `fill` fills them.

    Attributes:
        message: The problem, in a sentence.
        advice: The advice.
        slug: A short name, as for rules of ruff: ``no-clear-winner``.
        code: The code for silencing it: ``XV303``; empty: it cannot be silenced.
        level: The severity, a word of its package; empty: there is only one level.
        where: What it applies to, with separate reasons if they differ: numbers of variants (none: all), rows of clips, names.
        subject: The word for what it applies to: variant, clip, class, item.
        shows_first: Whether the terminal shows the reason of the first one.
    """

    message: str
    advice: str = ""
    slug: str = ""
    code: str = ""
    level: str = ""
    where: Mapping[int | str, str] = field(default_factory=dict)
    subject: str = "clip"
    shows_first: bool = False

    @classmethod
    def coded(cls, module: str, message: str, advice: str) -> "Finding":
        """Return a finding whose code and slug are in the name of its module: ``__name__``."""
        code, _, slug = module.rpartition(".")[2].partition("_")
        return cls(message, advice, slug.replace("_", "-"), code.upper())

    def fill(self, where: Iterable[int | str] = (), /, **fields: object) -> "Finding":
        """Return the finding with these values in its texts."""
        message, advice = (_Texts().vformat(text, (), fields) for text in (self.message, self.advice))
        reasons = where if isinstance(where, Mapping) else dict.fromkeys(where, "")
        return replace(self, message=message, advice=advice, where=reasons)

    @property
    def name(self) -> str:
        """Code and slug: ``XV303 no-clear-winner``."""
        return f"{self.code} {self.slug}".strip()

    @property
    def caution(self) -> str:
        """Message and advice, if any, for the middle of a line, as for findings on a dataset."""
        return ". ".join(filter(None, (self.message, self.advice)))

    @property
    def short_line(self) -> str:
        """Code, slug and message, for lines without room for the advice."""
        return f"{self.name}: {self.message}"

    @property
    def line(self) -> str:
        """Code, slug, message and advice in one line."""
        return f"{self.short_line} {self.advice}"


class Rule:
    """A rule: the decorator of a function that looks for a problem.

    Attributes:
        position: The position of the rule in its package.
        findings: Its possible findings, with fields in the texts.
        find: The function; its arguments and result are the same for all rules of a kind.
    """

    find: Callable[..., Any]

    def __init__(self, position: float, *findings: Finding) -> None:
        self.position, self.findings = position, findings

    def __call__(self, find: Callable[..., Any]) -> Self:
        """Decorate the function."""
        self.find = find
        return self


@cache
def rules_of(package: str, kind: type[Rule] = Rule) -> tuple[Rule, ...]:
    """Return the rules of a kind in a module, or in the files of a package, by position."""
    paths = getattr(import_module(package), "__path__", None)
    files = [package] if paths is None else [f"{package}.{found.name}" for found in iter_modules(paths)]
    return tuple(rule for rule in _rules_in(files) if isinstance(rule, kind))


@cache
def coded_files() -> dict[str, str]:
    """Return the module of each finding about results by its code, from the file names and without importing them."""
    paths = [*_XVAL.glob("answers/findings/xv[0-9]*.py"), *_XVAL.glob("extras/*/xv[0-9]*.py")]
    modules = {path.name.partition("_")[0].upper(): path.relative_to(_XVAL.parent).with_suffix("") for path in paths}
    return {code: ".".join(modules[code].parts) for code in sorted(modules)}


@cache
def coded_rules() -> tuple[Rule, ...]:
    """Return the rules of `coded_files`, by position."""
    return _rules_in(coded_files().values())


def _rules_in(modules: Iterable[str]) -> tuple[Rule, ...]:
    values = [value for module in modules for value in vars(import_module(module)).values()]
    rules = [rule for value in values for rule in (value if isinstance(value, tuple) else (value,)) if isinstance(rule, Rule)]
    return tuple(sorted(rules, key=lambda rule: rule.position))
