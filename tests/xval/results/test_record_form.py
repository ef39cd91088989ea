"""A record that lacks something, or holds something odd, is named before any reader relies on it."""

import pytest

from xval.results.record_form import find_faults

DELETED = object()


@pytest.fixture
def whole(make_record):
    """The record of a finished fold, with everything that a run writes."""
    hashes = dict.fromkeys(("settings_hash", "code_hash", "folds_hash", "store"), "0123456789abcdef")
    return {**make_record(1, {"accuracy": 0.5, "loss": 1}), "instance": 1, "repeat": 1, **hashes}


def alter(record, path, value):
    name, *rest = path.split(".", 1)
    if rest:
        return record | {name: alter(record[name], rest[0], value)}
    return {each: of for each, of in record.items() if each != name} | ({} if value is DELETED else {name: value})


def test_a_whole_record_and_that_of_a_failure_have_no_faults(whole, make_failure):
    assert find_faults(whole) == ""
    assert find_faults({**whole, **make_failure(1)}) == ""
    assert find_faults(whole | {"of_later": [1]}) == ""


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("class_names", DELETED, "a confusion_matrix, but no class_names"),
        ("class_names", ["no"], "a confusion_matrix that is not 1 x 1 as its class_names require"),
        ("class_names", "no", "class_names='no'"),
        ("confusion_matrix.test", [[4, 1], [2]], "a confusion_matrix that is not 2 x 2 as its class_names require"),
        ("confusion_matrix", None, "confusion_matrix=None"),
        ("confusion_matrix.test", [[4, -1], [2, 3]], "confusion_matrix.test.0.1=-1"),
        ("n_examples.test", None, "n_examples.test=None"),
        ("items.training", [["x"]], "items.training.0=['x']"),
        ("items", {"training": ["x"]}, "no items.validation, no items.test"),
        ("further_metrics", {"uar": "up"}, "further_metrics.uar='up'"),
        ("seconds", True, "seconds=True"),
        ("seed", 10**400, f"seed={'1' + '0' * 39}"),
        ("status", "running", "status='running'"),
        ("status", DELETED, "no status"),
        ("thresholds", {"maybe": 0.5}, "thresholds for labels other than its class_names"),
        ("settings_hash", 5, "settings_hash=5"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(whole, path, value, fault):
    assert find_faults(alter(whole, path, value)) == fault
