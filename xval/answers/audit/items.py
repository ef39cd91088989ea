"""The rules that each item is on one side of a fold, the side of folds.json, tested once in each repeat, and no single clip."""

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import combinations

from preprocessing.clips.columns import with_columns
from preprocessing.quality.cautions import shared_columns
from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import Findings, quoted
from xval.base.errors import XvalError
from xval.base.findings import Finding, Rule
from xval.base.user_code.definitions import is_dotted
from xval.folds.plan import Fold, FoldPlan
from xval.folds.predefined import SIDES
from xval.folds.random_split import describe_random_split
from xval.jobs.fold_part import part_of_fold, uses_part


@Rule(
    3,
    Finding(
        "no item is on two sides of a fold, each record has the items of folds.json, each item is tested once (in each repeat)",
        slug="items",
    ),
)
def _check_items(evidence: Evidence, findings: Findings) -> None:
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
                listed.append(f"{job.name}: folds.json has no such fold, so its results are ignored")
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
                    findings.faults.append(f"{job.name}: the {side} items of its record and {where} differ in {quoted(moved)}")


def _part(evidence: Evidence, job: JobEvidence) -> Fold:
    """Return the part of its fold that the settings of a job choose."""
    corpus = evidence.corpus
    planned_fold = next(fold for fold in evidence.folds.plan.folds if fold.number == job.record["fold"])
    try:
        return part_of_fold(planned_fold, job.settings, with_columns(corpus.index, corpus.folder), job.record["seed"])
    except XvalError as error:
        raise NotCheckableError(str(error)) from error


def _overlaps(sides: Mapping[str, Collection[str]]) -> list[str]:
    """Return a line per pair of sides that share items."""
    shared = {(side, other_side): set(sides[side]) & set(sides[other_side]) for side, other_side in combinations(SIDES, 2)}
    return [
        f"{quoted(items)} is on the {side} and on the {other_side} side"
        for (side, other_side), items in shared.items()
        if items
    ]


def _tested_otherwise(plan: FoldPlan) -> list[str]:
    """Return which items a repeat does not test exactly once; a single split need not."""
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
        faults += [f"folds.json: {quoted(items)} is tested {how}" for how, items in wrong.items() if items]
    return faults


@Rule(19, Finding("most items have several clips, which the folds keep on one side", slug="random split"))
def _check_split(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        index = evidence.corpus.index
        originals = index[~index["augmented"].astype(bool)]
        if text := describe_random_split(originals["item"].value_counts().tolist()):
            findings.warnings.append(text)


@Rule(
    20,
    Finding(
        "no value of an extra column of the dataset, such as the speaker of sessions, is on two sides of a fold",
        slug="shared columns",
    ),
)
def _check_columns(evidence: Evidence, findings: Findings) -> None:
    with findings.looking_at(""):
        folds = evidence.folds.plan.folds
        for column in shared_columns(evidence.corpus, folds):
            said = (
                f"{column.describe(evidence.corpus.item_name)}: one '{column.column}' is in training and test. {column.advice}"
            )
            (findings.faults if column.is_leak else findings.warnings).append(said)
