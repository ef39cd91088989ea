"""A finding fills its texts by numbers and by what there is, and the file of one is named by its code and slug."""

from importlib import import_module
from pkgutil import iter_modules

import pytest

from xval.answers import audit
from xval.base.findings import Finding, Rule, coded_files, coded_rules, rules_of


@pytest.mark.parametrize(
    ("n", "more", "expected"),
    [
        (1, 0, "1 clip has no label."),
        (2, 0, "2 clips have no label."),
        (0, 3, "0 clips have no label; 3 more are silent."),
        (5, 1, "5 clips have no label; 1 more is silent."),
    ],
)
def test_words_follow_numbers_and_parts_are_there_where_they_are_needed(n, more, expected):
    text = "{n} {n:clip has|clips have} no label{more:?; {more} more {more:is|are} silent}."
    assert Finding(text).fill(n=n, more=more).message == expected


def test_numbers_are_formatted_and_braces_of_values_stay():
    found = Finding("{name}: {share:.1f} % of {{fold}}", "Remove {name}").fill([3, 5], name="{a}|b?", share=12.345)
    assert (found.message, found.advice, tuple(found.where)) == ("{a}|b?: 12.3 % of {fold}", "Remove {a}|b?", (3, 5))


def test_a_missing_field_is_an_error():
    with pytest.raises(KeyError, match="absent"):
        Finding("{absent}").fill(present=1)


def test_each_file_of_a_finding_has_rules_for_its_own_code():
    by_module = {module: code for code, module in coded_files().items()}
    assert {finding.code for rule in coded_rules() for finding in rule.findings} == set(by_module.values())
    for module, code in by_module.items():
        rules = [value for value in vars(import_module(module)).values() if isinstance(value, Rule)]
        assert {finding.code for rule in rules for finding in rule.findings} == {code}, module
        assert import_module(module).__doc__


@pytest.mark.parametrize("package", ["preprocessing.quality.findings", "xval.answers.audit", "xval.settings.contradictions"])
def test_rules_of_a_package_are_found_in_their_order(package):
    positions = [rule.position for rule in rules_of(package)]
    assert len(positions) > 15
    assert positions == sorted(positions)


@pytest.mark.parametrize("package", ["xval.answers.audit", "xval.answers.leakage_kinds", "xval.settings.contradictions"])
def test_the_slug_of_a_rule_is_its_own(package):
    slugs = [rule.findings[0].slug for rule in rules_of(package)]
    assert all(slugs)
    assert len(set(slugs)) == len(slugs)


def test_every_message_of_an_audit_rule_is_listed_by_a_rule_so_that_the_page_of_findings_has_it():
    listed = {finding.message for rule in rules_of("xval.answers.audit") for finding in rule.findings}
    modules = [import_module(f"xval.answers.audit.{found.name}") for found in iter_modules(audit.__path__)]
    declared = {value.message for module in modules for value in vars(module).values() if isinstance(value, Finding)}
    assert declared == listed
