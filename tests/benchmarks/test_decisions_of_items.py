"""Tests of two models with one decision for each item, counted exactly."""

from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_t_test_of_decisions_keeps_its_level_about_and_finds_more_than_mcnemar(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    decisions = import_module("_decisions_of_items")
    monkeypatch.setattr(decisions, "ITEMS", (12,))
    monkeypatch.setattr(decisions, "DISCORDANT", (0.1, 0.5))

    table = decisions.decisions_table()

    assert (table[[f"error, {test}" for test in ("t", "mid-p", "McNemar")]] <= 0.05).all(axis=None)
    assert table.loc[(12, 0.5), ["power, t", "power, mid-p", "power, McNemar"]].is_monotonic_decreasing
    assert decisions.mcnemar(0, 0) == decisions.t_over_items(0, 0, 12) == 1
    assert decisions.mcnemar(5, 0) == 2 / 2**5
