"""The findings of a rule of the audit, and its verdict, which is never ok if nothing was checked."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from xval.answers.audit.evidence import NotCheckableError
from xval.base.errors import XvalError, first_of
from xval.base.findings import Finding, Rule

_MOST_QUOTED = 5
VerdictState = Literal["ok", "warning", "not checkable", "FAILED"]

FAULT, DAMAGED, NOT_CHECKABLE, WARNING, NOTE = "", "damaged", "not checkable", "warning", "note"
"""Levels of findings: it breaks the rule; a file is damaged, cut short or lost, so that the rule may be broken; it could not
be checked; the user should know it; or it says why there was nothing to check."""


@dataclass(frozen=True)
class AuditVerdict:
    """The result of a rule.

    Attributes:
        statement: The rule, in a sentence.
        n_checked: Number of folds (or other things) that were checked.
        findings: The findings, each with one of the levels above.
    """

    rule: str
    statement: str
    n_checked: int
    findings: tuple[Finding, ...] = ()

    @property
    def state(self) -> VerdictState:
        """FAILED: the rule is broken; not checkable: one part is, and the rest holds; warning, ok: the rule holds."""
        if self.faults:
            return "FAILED"
        if self.not_checkable:
            return "not checkable"
        return "warning" if self.warnings else "ok"

    @property
    def faults(self) -> tuple[str, ...]:
        """What breaks the rule, with names."""
        return self._texts(FAULT, DAMAGED)

    @property
    def not_checkable(self) -> tuple[str, ...]:
        """What could not be checked, and why."""
        return self._texts(NOT_CHECKABLE)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know."""
        return self._texts(WARNING)

    @property
    def notes(self) -> tuple[str, ...]:
        """Why there was nothing to check."""
        return self._texts(NOTE)

    def _texts(self, *levels: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(finding.message for finding in self.findings if finding.level in levels))

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain values for JSON."""
        names = ("rule", "statement", "state", "n_checked", "faults", "not_checkable", "warnings", "notes")
        return {name: getattr(self, name) for name in names}


@dataclass
class Findings:
    """The findings of one rule so far.

    Attributes:
        found: All findings except what could not be checked.
        not_checkable: For each reason, the names of what could not be checked.
        n_checked: As in `AuditVerdict`.
    """

    found: list[Finding] = field(default_factory=list)
    not_checkable: dict[str, list[str]] = field(default_factory=dict)
    n_checked: int = 0

    @contextmanager
    def looking_at(self, what: str) -> Iterator[None]:
        """Count one thing as checked; if the block raises an error of xval, note its name and the error as not checkable."""
        try:
            yield
        except (NotCheckableError, XvalError) as error:
            self.not_checkable.setdefault(str(error), []).append(what)
        else:
            self.n_checked += 1

    def add(self, *found: Finding, what: str = "") -> None:
        """Add findings on the checked thing `what`, whose name begins each message; empty: the messages name it."""
        self.found += [replace(finding, message=f"{what}: {finding.message}") if what else finding for finding in found]

    def verdict(self, rule: Rule) -> AuditVerdict:
        """Return the verdict, whose state is that of the most serious finding."""
        not_checkable = [
            ": ".join(filter(None, (first_of(what, _MOST_QUOTED, "; "), reason))) for reason, what in self.not_checkable.items()
        ]
        if not (self.n_checked or not_checkable or any(finding.level != WARNING for finding in self.found)):
            not_checkable = ["no fold is finished"]
        found = (*self.found, *(Finding(text, level=NOT_CHECKABLE) for text in not_checkable))
        return AuditVerdict(rule.findings[0].slug, rule.findings[0].message, self.n_checked, found)


def quoted(names: Collection[str]) -> str:
    """Return the first few names in quotes and the number of further names."""
    return first_of((f"'{name}'" for name in sorted(names)), _MOST_QUOTED)
