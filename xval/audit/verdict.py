"""What a rule of the audit finds, and the verdict that this makes.

Comes in: faults, doubts and remarks of one rule. Goes out: a `Verdict`, which is never ok where nothing was looked at.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from xval.audit.evidence import NotCheckableError

if TYPE_CHECKING:
    from xval.audit.evidence import Evidence

State = Literal["ok", "warning", "not checkable", "FAILED"]


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: Its name.
        statement: What is so where it holds.
        check: Looks at the evidence and notes what it finds.
    """

    name: str
    statement: str
    check: Callable[["Evidence", "Findings"], None]


@dataclass(frozen=True)
class Verdict:
    """What became of a rule.

    Attributes:
        rule: Its name.
        statement: What is so where it holds.
        state: FAILED: it has been found broken. not checkable: something of it could not be looked at; what could be is in
            order. warning: it holds, but. ok: it holds.
        n_checked: How many folds (or other things) were looked at.
        faults: What breaks it, each with the names.
        not_checkable: What could not be looked at, and why.
        warnings: What the user ought to know.
        notes: What there was nothing to look at for.
    """

    rule: str
    statement: str
    state: State
    n_checked: int
    faults: tuple[str, ...] = ()
    not_checkable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Findings:
    """What one rule has found so far.

    Attributes:
        faults: As of `Verdict`; so are the others.
        not_checkable: By the reason, the names of what could not be looked at.
        warnings: See faults.
        notes: See faults.
        n_checked: See faults.
    """

    faults: list[str] = field(default_factory=list)
    not_checkable: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_checked: int = 0

    @contextmanager
    def looking_at(self, what: str) -> Iterator[None]:
        """Count something that is looked at; a `NotCheckableError` in the block is noted with its name instead."""
        try:
            yield
        except NotCheckableError as error:
            self.not_checkable.setdefault(str(error), []).append(what)
        else:
            self.n_checked += 1

    def verdict(self, rule: Rule) -> Verdict:
        """Return the verdict."""
        not_checkable = [": ".join(filter(None, ("; ".join(what), reason))) for reason, what in self.not_checkable.items()]
        if not (self.n_checked or self.faults or not_checkable or self.notes):
            not_checkable = ["no fold is finished"]
        state: State = "ok"
        if self.faults:
            state = "FAILED"
        elif not_checkable:
            state = "not checkable"
        elif self.warnings:
            state = "warning"
        texts = (self.faults, not_checkable, self.warnings, self.notes)
        return Verdict(rule.name, rule.statement, state, self.n_checked, *(tuple(dict.fromkeys(each)) for each in texts))


def named(names: "list[str] | set[str] | frozenset[str]", most: int = 5) -> str:
    """Return some names for a person: the first few in quotes, and how many more there are."""
    listed = sorted(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(f"'{name}'" for name in listed[:most]) + more
