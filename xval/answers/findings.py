"""What has to be said beside the results of some instances, each a sentence and what to do.

Comes in: instances. Goes out: `Finding`s, which the end of a run, the page, the workbook and ``refit`` show. Slow
libraries are loaded where instances are compared alone.
"""

import math
from collections.abc import Iterable, Sequence

from xval.answers.chance_findings import item_known, not_above_chance, too_sure
from xval.answers.chosen_comparison import compare_chosen
from xval.answers.figure_text import rounded
from xval.answers.finding import Finding, capital
from xval.answers.fitted_validation import fitted_to_own_items
from xval.answers.item_words import item_word, items_word
from xval.answers.leaking_column import leaking_column
from xval.answers.names import name_instances, name_numbers
from xval.answers.nested_selection import NestedInstance, choose_nested, describe_nested
from xval.answers.pretrained import Origin, clause, judge_instance
from xval.answers.ranking import Ranking, rank_instances
from xval.answers.repeats import describe_seed_twins, parameters_of, seed_twins
from xval.answers.summary import metric_words
from xval.answers.training_findings import below_estimator, diverged, edge_of_search, failed_parts, last_epoch
from xval.base.errors import first_of
from xval.folds.random_split import count_lone_clips
from xval.measures.statistics.intervals import FEWEST_ITEMS, FEWEST_ITEMS_TO_RELY_ON
from xval.results.instance import InstanceResults
from xval.settings.finding_codes import Code, silenced

_FEWEST_OF_NEXT_FOLD = 3  # folds
_MOST_NAMED = 3


def find_findings(instances: Sequence[InstanceResults]) -> list[Finding]:
    """Return what has to be said of some instances (at least one) of one experiment, the weightiest first.

    What all of them silence is left out.
    """
    done = [instance for instance in instances if instance.folds]
    if not done:
        return []
    unsaid = silenced(instance.parameters.get("silence") for instance in done)
    return [finding for finding in _all_findings(instances, done) if finding is not None and finding.code not in unsaid]


def _all_findings(instances: Sequence[InstanceResults], done: Sequence[InstanceResults]) -> Iterable[Finding | None]:
    ranking = rank_instances(done)
    nested = choose_nested(done, ranking)
    at_chance = not_above_chance(done, nested)
    yield from _pretrained(done)
    yield from _cautions(done)
    yield from _shared_columns(done)
    yield from (
        _random_split(done),
        _other_clips(done),
        _folds_missing(instances),
        _repeats_missing(done),
        _few_items(done),
        _few_validation_items(done),
        _fitted_validation(done),
        _folds_lacking_classes(done),
        _untuned_labels(done),
        _no_pooled_values(done),
    )
    yield from _seeds(done)
    yield from (
        at_chance,
        item_known(done, at_chance, nested),
        *too_sure(done, at_chance),
        diverged(done),
        last_epoch(done),
        failed_parts(done),
        edge_of_search(done),
        below_estimator(done),
    )
    if not at_chance or len(at_chance.instances) < len(done):  # else there is nothing to choose
        yield _tie(done, ranking, nested, at_chance)
        yield _nested(done, ranking)


def _pretrained(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    """Say of which instances the test values may be of what their models had heard before."""
    concerned: dict[Origin, list[int]] = {}
    for instance in done:
        concerned.setdefault(judge_instance(instance), []).append(instance.number)
    for origin, numbers in concerned.items():
        if origin.state == "clean":
            continue
        advice = f"Make sure that no tested {item_word(done)} is in what it was trained on."
        if origin.state == "leaked":
            advice = "The test values are too good: leave out what was heard; xval audit has the names."
        elif not origin.vouched:
            advice = (
                "It may have heard what is tested: say what it was trained on (pretrained_on), or compare with an instance "
                "without it."
            )
        yield Finding(Code.HEARD_BEFORE, f"In {name_instances(numbers, done)}: {clause(origin)}.", advice, tuple(numbers))


def _cautions(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    """Say once what is to be known about the corpus with the features of some instances."""
    concerned: dict[str, list[int]] = {}
    for instance in done:
        for text in instance.written.cautions:
            concerned.setdefault(text, []).append(instance.number)
    for text, numbers in concerned.items():
        whose = f" (instance {numbers[0]})" if len(numbers) == 1 else f" ({len(numbers)} of {len(done)} instances)"
        whose = whose if len(numbers) < len(done) else ""
        what, _, advice = text.partition(". ")
        advice = f"{advice or 'Read the results with this in mind'}."
        yield Finding(Code.CORPUS, f"{capital(what)}{whose}.", advice, tuple(numbers) if whose else ())


def _shared_columns(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    """Say which columns have a value on two sides of a fold, though each item has one: first those that fix the label."""
    for column in dict.fromkeys(column for instance in done for column in instance.shared_columns):
        yield Finding(
            Code.SHARED_COLUMN,
            f"{column.describe(item_word(done))}: one '{column.column}' trains and is tested.",
            f"{column.advice}.",
        )


def _random_split(done: Sequence[InstanceResults]) -> Finding | None:
    counts = count_lone_clips(done[0].n_clips.values(), item_word(done))
    if not counts:
        return None
    return Finding(
        Code.RANDOM_SPLIT,
        f"{capital(counts)}, as in a random split.",
        "If several are of one speaker, session or recording, make that the item (--item-pattern, or a column item).",
    )


def _other_clips(done: Sequence[InstanceResults]) -> Finding | None:
    """Say when instances are tested, or ranked by validation, on other clips."""
    wrong = {"test_where": "test", "train_where": "validation", "enrolment_s": "test and validation"}
    differing = {name: what for name, what in wrong.items() if len({instance.parameters.get(name) for instance in done}) > 1}
    if not differing:
        return None
    return Finding(
        Code.OTHER_CLIPS,
        f"Instances differ in {' and '.join(differing)}: their {' and '.join(differing.values())} values are of "
        "different clips and cannot be compared.",
        "Compare instances that agree in train_where, test_where and enrolment_s.",
    )


def _folds_missing(instances: Sequence[InstanceResults]) -> Finding | None:
    lacking = [instance for instance in instances if len(instance.folds) < instance.n_folds]
    if not lacking:
        return None
    listed = first_of((f"{instance.number} ({len(instance.folds)}/{instance.n_folds})" for instance in lacking), _MOST_NAMED)
    has_failed = any(record["status"] == "failed" for instance in lacking for record in instance.jobs.values())
    return Finding(
        Code.FOLDS_MISSING,
        f"{_lack(len(lacking), listed)} folds: means leave out {items_word(instances)}, perhaps the hard ones, and cannot be "
        "compared.",
        "Fix what failed and run the command again; the sheet folds has the errors."
        if has_failed
        else "Run these folds too, before you report anything.",
        tuple(instance.number for instance in lacking),
    )


def _repeats_missing(done: Sequence[InstanceResults]) -> Finding | None:
    whole = [instance for instance in done if len(instance.folds) == instance.n_folds]
    lacking = [instance for instance in whole if len(instance.done) != instance.n_jobs]
    if not lacking:
        return None
    listed = first_of((f"{instance.number} ({len(instance.done)}/{instance.n_jobs} jobs)" for instance in lacking), _MOST_NAMED)
    return Finding(
        Code.REPEATS_MISSING,
        f"{_lack(len(lacking), listed)} repeats: means are over those that are finished.",
        "Run the command again; until then, pooled values are over the repeats that have every fold.",
        tuple(instance.number for instance in lacking),
    )


def _lack(number: int, listed: str) -> str:
    return f"Instances {listed} lack" if number > 1 else f"Instance {listed} lacks"


def _few_items(done: Sequence[InstanceResults]) -> Finding | None:
    n_items, of = max(len(instance.n_clips) for instance in done), ""
    of_classes = [
        (recall["n_items"], name) for instance in done for name, recall in instance.class_recalls.items() if recall["n_items"]
    ]
    fewest, name = min(of_classes, default=(n_items, ""))
    if fewest < min(n_items, FEWEST_ITEMS_TO_RELY_ON):
        n_items, of = fewest, f" of {'label' if done[0].task.has_thresholds else 'class'} '{name}'"
    if n_items >= FEWEST_ITEMS_TO_RELY_ON:
        return None
    items = items_word(done, n_items)
    what = "may change a value and its interval a lot"
    if of and n_items < FEWEST_ITEMS:
        what = (
            f"may change a value of classes, such as {metric_words(done[0].task.main_metrics[0])}, a lot, so it has no interval"
        )
    return Finding(
        Code.FEW_ITEMS,
        f"{n_items} {items}{of} tell{'s' * (n_items == 1)} you little about others: one more {what}.",
        f"Record more {items_word(done)}{of} before you rely on a value.",
    )


def _few_validation_items(done: Sequence[InstanceResults]) -> Finding | None:
    """Say when several instances are ranked by validation of less than half of the items."""
    records = max(done, key=lambda instance: len(instance.folds)).folds.values()
    pairs = {(item, record["fold"]) for record in records for item in record["items"]["validation"]}
    validated = {item for item, _ in pairs}
    again = ", some in several folds" if len(pairs) > len(validated) else ""
    n_items = len(validated.union(*(record["items"]["training"] + record["items"]["test"] for record in records)))
    if len(done) < 2 or not validated or 2 * len(validated) >= n_items:
        return None
    n_folds = done[0].n_folds // done[0].n_deals
    can_follow = n_folds >= _FEWEST_OF_NEXT_FOLD and done[0].parameters.get("validation") != "next_fold"
    return Finding(
        Code.FEW_VALIDATION_ITEMS,
        f"Only {len(validated)} of the {n_items} {items_word(done)} rank instances and choose epochs (validation): "
        + (f"those that were drawn{again}." if n_folds > 1 else "those of the one split."),
        f"Set validation = next_fold: each {item_word(done)} validates once."
        if can_follow
        else "Do not choose by small differences, which may be luck.",
    )


def _fitted_validation(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which ensembles are not selected, because they are validated by items that they were fitted to."""
    numbers = fitted_to_own_items(done)
    if not numbers:
        return None
    return Finding(
        Code.FITTED_VALIDATION,
        f"Validation does not rank {name_instances(numbers, done)}: the one {item_word(done)} that validates also chose or "
        "weighted its members.",
        f"Compare by test values, or let two or more {items_word(done)} validate in each fold.",
        numbers,
    )


def _folds_lacking_classes(done: Sequence[InstanceResults]) -> Finding | None:
    folds = sorted({fold for instance in done if instance.over_items for fold in instance.over_items["folds_lacking_classes"]})
    if not folds:
        return None
    what = done[0].task.uneven_folds.format(folds=name_numbers(folds))
    return Finding(Code.FOLDS_LACKING_CLASSES, f"{what}.", "Read the pooled values, of all folds together.")


def _untuned_labels(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which labels no validation clip of some fold has, so that nothing chose their threshold."""
    folds: dict[str, set[int]] = {}
    for record in (record for instance in done for record in instance.folds.values()):
        for label in record.get("untuned_labels", ()):
            folds.setdefault(label, set()).add(record["fold"])
    if not folds:
        return None
    listed = first_of((f"'{label}' (fold {name_numbers(of_label)})" for label, of_label in sorted(folds.items())), most=2)
    return Finding(
        Code.UNTUNED_LABELS,
        f"No validation clip has the label {listed}: the threshold there is 0.5, which nothing has chosen.",
        "Read its average precision, which needs no threshold, or validate with more clips.",
    )


def _no_pooled_values(done: Sequence[InstanceResults]) -> Finding | None:
    missing = {instance.number: instance.over_items["missing"] for instance in done if instance.over_items}
    missing = {number: reason for number, reason in missing.items() if reason}
    if not missing:
        return None
    return Finding(
        Code.NO_POOLED_VALUES,
        f"There are no pooled values of {name_instances(missing, done)}: {next(iter(missing.values()))}.",
        f"Intervals are for means over {items_word(done)}; run these folds again if you want pooled values.",
        tuple(missing),
    )


def _seeds(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    for group in seed_twins(parameters_of(done)):
        yield Finding(Code.SEEDS, *describe_seed_twins(group), group)


def _tie(
    done: Sequence[InstanceResults], ranking: Ranking, nested: NestedInstance | None, at_chance: Finding | None
) -> Finding | None:
    """Say to which instances no difference of the chosen one is shown, without those that are not above chance."""
    hopeless = at_chance.instances if at_chance else ()
    if ranking.selected is None or ranking.selected in hopeless:
        return None
    selected = next(instance for instance in done if instance.number == ranking.selected)
    if len(selected.folds) < selected.n_folds:  # nothing is claimed yet
        return None
    comparison = compare_chosen(done, ranking, selected, nested)
    ties = {int(pair.instance): pair for pair in comparison.undecided} if comparison else {}
    ties = {number: pair for number, pair in ties.items() if number not in hopeless}
    if comparison is None or not ties or not comparison.next_step:  # where labels differ or models leak nothing would help
        return None
    pair = next((ties[number] for number in ranking.instances if number in ties), next(iter(ties.values())))
    difference, low, high = rounded(0 - pair.difference, *(sorted(0 - end for end in pair.interval)))
    shown = f"{comparison.metric} {difference}{', no test' if math.isnan(pair.interval[0]) else f' [{low}, {high}]'}"
    if pair.is_none:
        shown = f"the same {comparison.metric} for every {item_word(done)}"
    who = f"the choice among {nested.n_competing} instances" if nested else name_instances([selected.number], done)
    return Finding(
        Code.TIE,
        f"No clear winner: {who} is not shown better than {name_instances(sorted(ties), done)} (test: "
        f"{shown}, against instance {pair.instance}).",
        comparison.next_step,
        (ranking.selected, *ties),
    )


def _nested(done: Sequence[InstanceResults], ranking: Ranking) -> Finding | None:
    said = describe_nested(done, ranking)
    if said is None:
        return None
    is_leaked = any(judge_instance(instance).state == "leaked" for instance in done) or leaking_column(done) is not None
    advice = "Do not report this value, which has the same leak" if is_leaked else "Report this nested value first"
    return Finding(Code.NESTED, said[0], f"{advice}; {said[1]}.")
