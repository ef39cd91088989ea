"""What a rule of the audit finds, and its verdict; it is never ok if nothing was checked."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from xval.answers.audit.evidence import NotCheckableError
from xval.base.errors import ResultsError, first_of
from xval.base.findings import Finding, Rule

_MOST_QUOTED = 5
VerdictState = Literal["ok", "warning", "not checkable", "FAILED"]

FAULT, DAMAGED, NOT_CHECKABLE, WARNING, NOTE = "", "damaged", "not checkable", "warning", "note"
"""Levels of what is found: it breaks the rule; a file is damaged, cut short or lost, so that it is not known whether what the
rule says is broken; it could not be checked; the user should know it; or it says why there was nothing to check."""


@dataclass(frozen=True)
class AuditVerdict:
    """The result of a rule.

    Attributes:
        statement: What the rule says.
        n_checked: Number of folds (or other things) that were checked.
        findings: What was found, each of one of the levels above.
    """

    rule: str
    statement: str
    n_checked: int
    findings: tuple[Finding, ...] = ()

    @property
    def state(self) -> VerdictState:
        """FAILED: it is broken. not checkable: a part could not be checked, and the rest holds. warning, ok: it holds."""
        if self.faults:
            return "FAILED"
        if self.not_checkable:
            return "not checkable"
        return "warning" if self.warnings else "ok"

    @property
    def faults(self) -> tuple[str, ...]:
        """What breaks it, with names."""
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
        """Return it as plain values, which JSON can hold."""
        names = ("rule", "statement", "state", "n_checked", "faults", "not_checkable", "warnings", "notes")
        return {name: getattr(self, name) for name in names}


@dataclass
class Findings:
    """What one rule has found so far.

    Attributes:
        found: All of it, but for what could not be checked.
        not_checkable: The names of what could not be checked, by the reason.
        n_checked: As of `AuditVerdict`.
    """

    found: list[Finding] = field(default_factory=list)
    not_checkable: dict[str, list[str]] = field(default_factory=dict)
    n_checked: int = 0

    @contextmanager
    def looking_at(self, what: str) -> Iterator[None]:
        """Count something that is checked; if the block finds it not checkable or damaged, its name is noted instead."""
        try:
            yield
        except (NotCheckableError, ResultsError) as error:
            self.not_checkable.setdefault(str(error), []).append(what)
        else:
            self.n_checked += 1

    def add(self, *found: Finding, what: str = "") -> None:
        """Add what was found of something that is checked, by its name; empty: the messages name it."""
        self.found += [replace(finding, message=f"{what}: {finding.message}") if what else finding for finding in found]

    def verdict(self, rule: Rule) -> AuditVerdict:
        """Return the verdict, whose state is that of the weightiest finding."""
        not_checkable = [
            ": ".join(filter(None, (first_of(what, _MOST_QUOTED, "; "), reason))) for reason, what in self.not_checkable.items()
        ]
        if not (self.n_checked or not_checkable or any(finding.level != WARNING for finding in self.found)):
            not_checkable = ["no fold is finished"]
        found = (*self.found, *(Finding(text, level=NOT_CHECKABLE) for text in not_checkable))
        return AuditVerdict(rule.findings[0].slug, rule.findings[0].message, self.n_checked, found)


def quoted(names: Collection[str]) -> str:
    """Return the first few names in quotes, and how many more there are."""
    return first_of((f"'{name}'" for name in sorted(names)), _MOST_QUOTED)
