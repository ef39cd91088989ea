"""`make test-slow-part`: a part of the slow tests for each commit, of the files that have any."""

from pathlib import Path
from types import SimpleNamespace

import pytest

TESTS = Path(__file__).parent


@pytest.fixture
def conftest(request):
    """Return the module of the options."""
    return request.config.pluginmanager.get_plugin(str(TESTS / "conftest.py"))


def make_test(name, group=None):
    return SimpleNamespace(nodeid=name, get_closest_marker=lambda _: group)


def test_the_parts_have_each_test_once_and_are_of_one_size(conftest):
    tests = [make_test(f"test_{number}") for number in range(10 * conftest.SLOW_PARTS + 3)]
    parts = [conftest.slow_part(tests, f"{number:x}") for number in range(conftest.SLOW_PARTS)]

    assert sorted(test.nodeid for part in parts for test in part) == sorted(test.nodeid for test in tests)
    assert {len(part) for part in parts} == {10, 11}
    assert conftest.slow_part(tests, "9c53a269d1cb1e5ca1d0eb13b1c8a2e3f0a1b2c3") in parts


def test_tests_of_a_group_are_in_one_part(conftest):
    group = [make_test(f"of_group_{number}", pytest.mark.xdist_group("group").mark) for number in range(5)]
    tests = [make_test("first"), *group, make_test("last")]

    assert [conftest.slow_part(tests, f"{number:x}") for number in range(3)] == [tests[:1], group, tests[-1:]]


@pytest.mark.timeout(900)
def test_a_test_with_a_timeout_of_its_own_is_in_no_part(conftest, request):
    assert conftest.is_longest(request.node)


def test_other_tests_are_in_a_part(conftest, request):
    assert not conftest.is_longest(request.node)


@pytest.mark.parametrize(
    ("name", "is_ignored"),
    [
        ("test_resilience.py", None),
        ("architectures/test_waveform_networks.py", None),  # whose conftest.py marks them
        ("test_rooms.py", True),
        ("xval/base/test_terminal.py", True),
        ("outside", None),
    ],
)
def test_only_files_with_slow_tests_are_read_for_a_part(conftest, request, monkeypatch, name, is_ignored):
    assert conftest.pytest_ignore_collect(TESTS / name, request.config) is None
    monkeypatch.setattr(request.config.option, "slow_part", "9c53a269")
    assert conftest.pytest_ignore_collect(TESTS / name, request.config) is is_ignored
