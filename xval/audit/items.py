"""The rule that each item is on one side of a fold, the side of folds.json, and is tested once in each deal.

Comes in: evidence. Goes out: findings.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import combinations

from xval.audit.evidence import Evidence
from xval.audit.verdict import Findings, Rule, quoted
from xval.folds.predefined import SIDES
from xval.folds.split import FoldPlan


def _check(evidence: Evidence, findings: Findings) -> None:
    planned: dict[int, dict[str, frozenset[str]]] = {}
    with findings.looking_at(""):
        plan = evidence.folds.plan
        planned = {fold.number: {side: frozenset(getattr(fold, side)) for side in SIDES} for fold in plan.folds}
        for number, sides in planned.items():
            findings.faults += [f"folds.json, fold {number}: {fault}" for fault in _overlaps(sides)]
        findings.faults += _tested_otherwise(plan)
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            findings.faults += [f"{job.name}: {fault}" for fault in _overlaps(job.sides)]
            if not planned:
                continue
            fold = planned.get(job.record["fold"])
            if fold is None:
                listed = findings.warnings if plan.settings.get("fold_strategy") == "balanced" else findings.faults
                listed.append(f"{job.name}: folds.json has no such fold; its results count nowhere")
                continue
            for side in SIDES:
                moved = job.sides[side] ^ fold[side]
                if moved:
                    findings.faults.append(
                        f"{job.name}: the {side} items of its record and of folds.json differ in {quoted(moved)}"
                    )


def _overlaps(sides: Mapping[str, Collection[str]]) -> list[str]:
    """Return a line per pair of sides that share items."""
    shared = {(one, other): set(sides[one]) & set(sides[other]) for one, other in combinations(SIDES, 2)}
    return [f"{quoted(items)} is on the {one} and on the {other} side" for (one, other), items in shared.items() if items]


def _tested_otherwise(plan: FoldPlan) -> list[str]:
    """Return which items a deal does not test exactly once, if the strategy promises that (a column phase does not)."""
    strategy = plan.settings.get("fold_strategy")
    if strategy not in ("balanced", "leave_one_out") and not (strategy == "predefined" and len(plan.folds) > 1):
        return []
    everyone = {item for fold in plan.folds for side in SIDES for item in getattr(fold, side)}
    faults = []
    for number, folds in enumerate(plan.deals, start=1):
        of_deal = f" of deal {number}" if plan.n_deals > 1 else ""
        times = Counter(item for fold in folds for item in fold.test)
        never, often = {item for item in everyone if not times[item]}, {item for item in everyone if times[item] > 1}
        wrong = {f"in no fold{of_deal}": never, f"in several folds{of_deal}": often}
        faults += [f"folds.json: {quoted(items)} is tested {how}" for how, items in wrong.items() if items]
    return faults


ITEMS = Rule(
    "items",
    "no item is on two sides of a fold, every record has the items of folds.json, every item is tested once (in each deal)",
    _check,
)
