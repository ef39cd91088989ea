"""What is known of each kind of leakage: ok where rules hold, leaked where one fails, unknown where nothing looked."""

import pytest

from xval.answers.audit.verdict import DAMAGED, FAULT, NOT_CHECKABLE, WARNING, AuditVerdict, Findings
from xval.answers.leakage_kinds import KINDS, leakage_by_kind
from xval.base.findings import Finding, rules_of

RULES = rules_of("xval.answers.audit")

ALWAYS_UNKNOWN = {"L3.1 temporal leakage", "L3.2 one speaker under two names", "L3.3 sampling bias in the test set"}


def verdicts(**states):
    """Return a verdict of each rule, ok but for those that are named (spaces as underscores)."""
    states = {name.replace("_", " "): state for name, state in states.items()}
    made = []
    for rule in RULES:
        state = states.get(rule.findings[0].slug, "ok")
        levels = {"FAILED": FAULT, "not checkable": NOT_CHECKABLE, "warning": WARNING}
        found = (Finding("fold 1: unchanged", level=levels[state]),) if state in levels else ()
        made.append(AuditVerdict(rule.findings[0].slug, rule.findings[0].message, 1, found))
    return made


def states_of(found):
    return {kind.name: kind.level for kind in found}


def test_every_rule_that_a_kind_rests_on_is_there():
    assert {rule for kind in KINDS for rule in kind.rules} <= {rule.findings[0].slug for rule in RULES}


def test_where_all_rules_hold_only_what_no_rule_looks_at_is_unknown():
    found = leakage_by_kind(verdicts(), is_custom=False)

    assert {kind.name for kind in found if kind.level == "unknown"} == ALWAYS_UNKNOWN
    assert {kind.level for kind in found} == {"ok", "unknown"}
    assert all(kind.message for kind in found)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [("near_duplicates", "L1.4 duplicates"), ("earlier_models", "L2 features that are not legitimate"),
     ("normaliser", "L1.2 preprocessing on training and test set")],
)  # fmt: skip
def test_a_rule_that_fails_is_leakage_of_its_kind_and_one_that_cannot_be_checked_is_unknown(rule, kind):
    rule = "near-duplicates" if rule == "near_duplicates" else rule
    for state, expected in (("FAILED", "leaked"), ("not checkable", "unknown"), ("warning", "unknown")):
        (judged,) = [row for row in leakage_by_kind(verdicts(**{rule: state}), is_custom=False) if row.name == kind]
        assert (judged.level, judged.message) == (expected, f"{rule.replace('_', ' ')}: fold 1: unchanged")


def test_a_rule_that_fails_for_a_damaged_file_leaves_its_kind_unknown():
    (rule,) = (rule for rule in RULES if rule.findings[0].slug == "seen audio")
    findings = Findings()
    findings.add(Finding("seen_audio.npy: damaged", level=DAMAGED), what="fold 1")
    others = [verdict for verdict in verdicts() if verdict.rule != rule.findings[0].slug]
    for state in ("unknown", "leaked"):
        (kind,) = [kind for kind in leakage_by_kind([*others, findings.verdict(rule)], is_custom=False) if "L2" in kind.name]
        assert kind.level == state
        findings.add(Finding("its model was trained on another version of a tested clip"), what="fold 2")
    assert kind.message == "seen audio: fold 2: its model was trained on another version of a tested clip"


def test_what_was_done_to_arrays_is_unknown():
    found = states_of(leakage_by_kind(verdicts(), is_custom=True))

    assert found["L1.1 no test set"] == "ok"
    assert {found[name] for name in found if name.startswith(("L1.2", "L1.3", "L2"))} == {"unknown"}
    assert set(states_of(leakage_by_kind(None, is_custom=False)).values()) == {"unknown"}  # without an audit
