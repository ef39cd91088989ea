"""`make test-slow-part`: a part of the slow tests for each commit, of the files that have any."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.fixture
def conftest(request):
    """Return the module of the options."""
    return request.config.pluginmanager.get_plugin(str(TESTS / "conftest.py"))


def test_the_parts_have_each_test_once_and_are_of_one_size(conftest):
    tests = [f"test_{number}" for number in range(10 * conftest.SLOW_PARTS + 3)]
    parts = [conftest.slow_part(tests, f"{number:x}") for number in range(conftest.SLOW_PARTS)]

    assert sorted(test for part in parts for test in part) == sorted(tests)
    assert {len(part) for part in parts} == {10, 11}
    assert conftest.slow_part(tests, "9c53a269d1cb1e5ca1d0eb13b1c8a2e3f0a1b2c3") in parts


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
