"""The rules on items: one side per fold, the side of folds.json, one test per repeat, more than one clip, no shared column."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import combinations

from preprocessing.clips.columns import with_columns
from preprocessing.quality.cautions import shared_columns
from xval.answers.audit.evidence import Evidence, JobEvidence
from xval.answers.audit.verdict import WARNING, Findings, quoted
from xval.base.findings import Finding, Rule
from xval.base.user_code.definitions import is_dotted
from xval.folds.plan import Fold, FoldPlan
from xval.folds.predefined import SIDES
from xval.folds.random_split import describe_random_split
from xval.jobs.fold_part import part_of_fold, uses_part

ITEMS = Finding(
    "no item is on two sides of a fold, each record has the items of folds.json, each item is tested once (in each repeat)",
    slug="items",
)
ON_TWO_SIDES = Finding("{items} is on the {side} and on the {other_side} side")
TESTED_OTHERWISE = Finding("folds.json: {items} is tested {how}")
NO_SUCH_FOLD = Finding("folds.json has no such fold, so its results are ignored")
NO_SUCH_BALANCED_FOLD = replace(NO_SUCH_FOLD, level=WARNING)
OTHER_ITEMS = Finding("the {side} items of its record and {where} differ in {items}")


@Rule(3, ITEMS, ON_TWO_SIDES, TESTED_OTHERWISE, NO_SUCH_FOLD, NO_SUCH_BALANCED_FOLD, OTHER_ITEMS)
def _check_items(evidence: Evidence, findings: Findings) -> None:
    planned: dict[int, dict[str, frozenset[str]]] = {}
    with findings.looking_at(""):
        plan = evidence.folds.plan
        planned = {fold.number: {side: frozenset(getattr(fold, side)) for side in SIDES} for fold in plan.folds}
        for number, sides in planned.items():
            findings.add(*_overlaps(sides), what=f"folds.json, fold {number}")
        findings.add(*_tested_otherwise(plan))
    for job in evidence.jobs:
        with findings.looking_at(job.name):
            findings.add(*_overlaps(job.sides), what=job.name)
            if not planned:
                continue
            fold = planned.get(job.record["fold"])
            if fold is None:
                is_balanced = plan.settings.get("fold_strategy") == "balanced"
                findings.add(NO_SUCH_BALANCED_FOLD if is_balanced else NO_SUCH_FOLD, what=job.name)
                continue
            where = "of folds.json"
            if uses_part(job.settings):
                part = _part(evidence, job)
                fold, where = (
                    {side: frozenset(getattr(part, side)) for side in SIDES},
                    ("that its settings select from folds.json"),
                )
            for side in SIDES:
                moved = job.sides[side] ^ fold[side]
                if moved:
                    findings.add(OTHER_ITEMS.fill(side=side, where=where, items=quoted(moved)), what=job.name)


def _part(evidence: Evidence, job: JobEvidence) -> Fold:
    """Return the part of its fold that the settings of a job choose."""
    corpus = evidence.corpus
    planned_fold = next(fold for fold in evidence.folds.plan.folds if fold.number == job.record["fold"])
    return part_of_fold(planned_fold, job.settings, with_columns(corpus.index, corpus.folder), job.record["seed"])


def _overlaps(sides: Mapping[str, Collection[str]]) -> list[Finding]:
    """Return the items that two sides share, for each pair of sides."""
    shared = {(side, other_side): set(sides[side]) & set(sides[other_side]) for side, other_side in combinations(SIDES, 2)}
    return [
        ON_TWO_SIDES.fill(items=quoted(items), side=side, other_side=other_side)
        for (side, other_side), items in shared.items()
        if items
    ]


def _tested_otherwise(plan: FoldPlan) -> list[Finding]:
    """Return the items that a repeat does not test exactly once; a single split may leave items untested."""
    strategy = str(plan.settings.get("fold_strategy"))
    may_be_single = strategy in ("holdout", "predefined") or is_dotted(strategy)
    if may_be_single and len(plan.folds) == 1:
        return []
    everyone = {item for fold in plan.folds for side in SIDES for item in getattr(fold, side)}
    faults = []
    for number, folds in enumerate(plan.folds_by_repeat, start=1):
        repeat_words = f" of repeat {number} of the cross-validation" if plan.n_fold_repeats > 1 else ""
        times = Counter(item for fold in folds for item in fold.test)
        never, often = {item for item in everyone if not times[item]}, {item for item in everyone if times[item] > 1}
        wrong = {f"in no fold{repeat_words}": never, f"in several folds{repeat_words}": often}
        faults += [TESTED_OTHERWISE.fill(items=quoted(items), how=how) for how, items in wrong.items() if items]
    return faults


RANDOM_SPLIT = Finding("most items have several clips, which the folds keep on one side", slug="random split")
AT_RANDOM = Finding("{described}", level=WARNING)


@Rule(19, RANDOM_SPLIT, AT_RANDOM)
def _check_split(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        index = evidence.corpus.index
        originals = index[~index["augmented"].astype(bool)]
        if text := describe_random_split(originals["item"].value_counts().tolist()):
            findings.add(AT_RANDOM.fill(described=text))


SHARED_COLUMNS = Finding(
    "no value of an extra column of the dataset, such as the speaker of sessions, is on two sides of a fold",
    slug="shared columns",
)
LEAKING_COLUMN = Finding("{described}: one '{column}' is in training and test. {advice}")
SHARED_COLUMN = replace(LEAKING_COLUMN, level=WARNING)


@Rule(20, SHARED_COLUMNS, LEAKING_COLUMN, SHARED_COLUMN)
def _check_columns(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        folds = evidence.folds.plan.folds
        for column in shared_columns(evidence.corpus, folds):
            described = column.describe(evidence.corpus.item_name)
            found = LEAKING_COLUMN if column.is_leak else SHARED_COLUMN
            findings.add(found.fill(described=described, column=column.column, advice=column.advice))
