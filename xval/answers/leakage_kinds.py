"""The kinds of leakage of Kapoor and Narayanan, and what is known of each in an experiment.

Source: Kapoor and Narayanan (2023), "Leakage and the reproducibility crisis in machine-learning-based science", Patterns 4 (9).
"""

from collections.abc import Sequence
from typing import NamedTuple

from xval.answers.audit.normaliser import ENROLLED, TRANSDUCTIVE
from xval.answers.audit.verdict import AuditVerdict, Damage
from xval.base.findings import Finding

_NOT_AUDITED = "the audit was not run"
_ARRAYS = "how the arrays were made is not known"


class _Row(NamedTuple):
    """How a kind is judged: the rules of the audit, what holds where they do, and whether arrays leave it unknown."""

    name: str
    rules: tuple[str, ...]
    holds: str
    from_arrays: bool = False


_ROWS = (
    _Row("L1.1 no test set", ("items",), "every item is tested by models for which it was not in training or validation"),
    _Row(
        "L1.2 preprocessing on training and test set",
        ("normaliser", "thresholds"),
        "features are computed per clip and scaled by the training items",
        from_arrays=True,
    ),
    _Row(
        "L1.3 selection on training and test set",
        ("items",),
        "epochs, settings and features are chosen on items that the fold does not test",
        from_arrays=True,
    ),
    _Row(
        "L1.4 duplicates",
        ("identical audio", "near-duplicates", "augmented copies"),
        "no clip or near-duplicate is on two sides of a fold; copies with another pitch, speed or room are not detected",
    ),
    _Row(
        "L2 features that are not legitimate",
        ("earlier models", "seen audio"),
        "no model, nor a part of it, was trained on clips that its fold tests",
        from_arrays=True,
    ),
    _Row("L3.1 temporal leakage", (), "when the clips were recorded is not known"),
    _Row(
        "L3.2 training and test samples that depend on each other",
        ("items", "clips", "random split", "shared columns"),
        "whole items are on one side, as far as their names and columns distinguish them",
    ),
    _Row("L3.2 one speaker under two names", (), "not checked: items are distinguished only by their names and columns"),
    _Row(
        "L3.3 sampling bias in the test set",
        (),
        "whether the dataset is like the recordings that the model is for is not known",
    ),
)


def leakage_by_kind(verdicts: Sequence[AuditVerdict] | None, *, is_custom: bool) -> list[Finding]:
    """Return what is known of each kind of leakage: its name is the slug, the message says what its level rests on.

    The level is ok: it was looked for and not found; leaked: it was found; unknown: it was not, or could not be, looked for.

    Args:
        verdicts: Of the audit; None: it was not run, and nothing is known.
        is_custom: Whether the examples were handed in as arrays.
    """
    by_rule = {verdict.rule: verdict for verdict in verdicts or ()}
    return [_judge(row, by_rule, is_custom=is_custom, is_audited=verdicts is not None) for row in _ROWS]


def _judge(row: _Row, by_rule: dict[str, AuditVerdict], *, is_custom: bool, is_audited: bool) -> Finding:
    if not row.rules:
        return Finding(slug=row.name, level="unknown", message=row.holds)
    if not is_audited:
        return Finding(slug=row.name, level="unknown", message=_NOT_AUDITED)
    verdicts = [by_rule[rule] for rule in row.rules if rule in by_rule]
    broken = {verdict.rule: [fault for fault in verdict.faults if not isinstance(fault, Damage)] for verdict in verdicts}
    if failed := [f"{rule}: {faults[0]}" for rule, faults in broken.items() if faults]:
        return Finding(slug=row.name, level="leaked", message="; ".join(failed))
    if is_custom and row.from_arrays:
        return Finding(slug=row.name, level="unknown", message=_ARRAYS)
    doubts = [
        f"{verdict.rule}: {(*verdict.faults, *verdict.not_checkable, *verdict.warnings)[0]}"
        for verdict in verdicts
        if verdict.state != "ok"
    ]
    if doubts or len(verdicts) < len(row.rules):
        return Finding(slug=row.name, level="unknown", message="; ".join(doubts) or _NOT_AUDITED)
    by_item = [note for verdict in verdicts for note in verdict.notes if TRANSDUCTIVE in note or ENROLLED in note]
    return Finding(slug=row.name, level="ok", message="; ".join([row.holds, *by_item]))
