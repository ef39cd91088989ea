"""The kinds of leakage of Kapoor and Narayanan, and what is known about each in an experiment.

Source: Kapoor and Narayanan (2023), "Leakage and the reproducibility crisis in machine-learning-based science", Patterns 4 (9).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from xval.answers.audit.normaliser import ENROLLED, TRANSDUCTIVE
from xval.answers.audit.verdict import FAULT, AuditVerdict
from xval.base.findings import Finding, Rule

NOT_AUDITED = Finding("the audit was not run", level="unknown")
ARRAYS = Finding("how the arrays were made is not known", level="unknown")


class LeakageKind(Rule):
    """A kind of leakage, whose name is the slug.

    Attributes:
        rules: The rules of the audit that look for it; the message states what holds if they do.
        from_arrays: Whether it is unknown if the user passed arrays.
    """

    def __init__(self, name: str, rules: tuple[str, ...], holds: str, *, from_arrays: bool = False) -> None:
        super().__init__(0, Finding(holds, slug=name, level="ok" if rules else "unknown"), NOT_AUDITED, ARRAYS)
        self.rules, self.from_arrays = rules, from_arrays

    def find(self, verdicts: Sequence[AuditVerdict] | None, *, is_custom: bool) -> Finding:
        """Return what is known about it; the arguments are those of `leakage_by_kind`."""
        holds, slugs = self.findings[0], (TRANSDUCTIVE.slug, ENROLLED.slug)
        unknown = partial(replace, holds, level="unknown")
        if not self.rules:
            return holds
        if verdicts is None:
            return unknown(message=NOT_AUDITED.message)
        by_rule = {verdict.rule: verdict for verdict in verdicts}
        judging = [by_rule[rule] for rule in self.rules if rule in by_rule]
        broken = {verdict.rule: [found.message for found in verdict.findings if found.level == FAULT] for verdict in judging}
        if failed := [f"{rule}: {faults[0]}" for rule, faults in broken.items() if faults]:
            return replace(holds, level="leaked", message="; ".join(failed))
        if is_custom and self.from_arrays:
            return unknown(message=ARRAYS.message)
        doubts = [
            f"{verdict.rule}: {(*verdict.faults, *verdict.not_checkable, *verdict.warnings)[0]}"
            for verdict in judging
            if verdict.state != "ok"
        ]
        if doubts or len(judging) < len(self.rules):
            return unknown(message="; ".join(doubts) or NOT_AUDITED.message)
        by_item = dict.fromkeys(found.message for verdict in judging for found in verdict.findings if found.slug in slugs)
        return replace(holds, message="; ".join([holds.message, *by_item]))


KINDS = (
    LeakageKind(
        "L1.1 no test set", ("items",), "every item is tested by models for which it was not in training or validation"
    ),
    LeakageKind(
        "L1.2 preprocessing on training and test set",
        ("normaliser", "thresholds"),
        "features are computed per clip and scaled by the training items",
        from_arrays=True,
    ),
    LeakageKind(
        "L1.3 selection on training and test set",
        ("items",),
        "epochs, settings and features are chosen on items that the fold does not test",
        from_arrays=True,
    ),
    LeakageKind(
        "L1.4 duplicates",
        ("identical audio", "near-duplicates", "augmented copies"),
        "no clip or near-duplicate is on two sides of a fold; copies with another pitch, speed or room are not detected",
    ),
    LeakageKind(
        "L2 features that are not legitimate",
        ("earlier models", "seen audio"),
        "no model, nor a part of it, was trained on clips that its fold tests",
        from_arrays=True,
    ),
    LeakageKind("L3.1 temporal leakage", (), "when the clips were recorded is not known"),
    LeakageKind(
        "L3.2 training and test samples that depend on each other",
        ("items", "clips", "random split", "shared columns"),
        "whole items are on one side, as far as their names and columns distinguish them",
    ),
    LeakageKind("L3.2 one speaker under two names", (), "not checked: items are distinguished only by their names and columns"),
    LeakageKind(
        "L3.3 sampling bias in the test set",
        (),
        "whether the dataset is like the recordings that the model is for is not known",
    ),
)


def leakage_by_kind(verdicts: Sequence[AuditVerdict] | None, *, is_custom: bool) -> list[Finding]:
    """Return a finding on each kind of leakage, whose message gives the reason for its level.

    Levels: ok: looked for and not found; leaked: found; unknown: not looked for, or it cannot be.

    Args:
        verdicts: The verdicts of the audit; None: it was not run, so every kind is unknown.
        is_custom: Whether the user passed the examples as arrays.
    """
    return [kind.find(verdicts, is_custom=is_custom) for kind in KINDS]
