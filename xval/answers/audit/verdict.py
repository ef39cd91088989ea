"""What a rule of the audit finds, and its verdict; it is never ok if nothing was checked."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from xval.answers.audit.evidence import NotCheckableError
from xval.base.errors import ResultsError, first_of
from xval.base.findings import Rule

_MOST_QUOTED = 5
VerdictState = Literal["ok", "warning", "not checkable", "FAILED"]


class Damage(str):
    """A fault by a file that is damaged, cut short or lost: it is not known whether what the rule says is broken."""

    __slots__ = ()


@dataclass(frozen=True)
class AuditVerdict:
    """The result of a rule.

    Attributes:
        statement: What the rule says.
        state: FAILED: it is broken. not checkable: a part could not be checked, and the rest holds. warning: it holds, with
            warnings. ok: it holds.
        n_checked: Number of folds (or other things) that were checked.
        faults: What breaks it, with names; a `Damage` where a file is damaged.
        not_checkable: What could not be checked, and why.
        warnings: What the user should know.
        notes: Why there was nothing to check.
    """

    rule: str
    statement: str
    state: VerdictState
    n_checked: int
    faults: tuple[str, ...] = ()
    not_checkable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Findings:
    """What one rule has found so far; the attributes are those of `AuditVerdict`.

    Attributes:
        not_checkable: The names of what could not be checked, by the reason.
    """

    faults: list[str] = field(default_factory=list)
    not_checkable: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
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

    def add_faults(self, what: str, faults: Iterable[str]) -> None:
        """Add faults of something that is checked; a `Damage` remains one."""
        self.faults += [type(fault)(f"{what}: {fault}") for fault in faults]

    def verdict(self, rule: Rule) -> AuditVerdict:
        """Return the verdict, whose state is that of the weightiest finding."""
        not_checkable = [
            ": ".join(filter(None, (first_of(what, _MOST_QUOTED, "; "), reason))) for reason, what in self.not_checkable.items()
        ]
        if not (self.n_checked or self.faults or not_checkable or self.notes):
            not_checkable = ["no fold is finished"]
        state: VerdictState = "ok"
        if self.faults:
            state = "FAILED"
        elif not_checkable:
            state = "not checkable"
        elif self.warnings:
            state = "warning"
        texts = (self.faults, not_checkable, self.warnings, self.notes)
        return AuditVerdict(
            rule.findings[0].slug,
            rule.findings[0].message,
            state,
            self.n_checked,
            *(tuple(dict.fromkeys(lines)) for lines in texts),
        )


def quoted(names: Collection[str]) -> str:
    """Return the first few names in quotes, and how many more there are."""
    return first_of((f"'{name}'" for name in sorted(names)), _MOST_QUOTED)
