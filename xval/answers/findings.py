"""What has to be said beside the figures of some instances, each in a sentence with what to do.

Comes in: instances. Goes out: `Finding`s, which the end of a run, the workbook and ``refit`` show. Nothing is read here, and
no slow library loaded.
"""

from collections.abc import Iterable, Sequence

from xval.answers.chance_findings import item_known, not_above_chance, too_sure
from xval.answers.finding import Finding
from xval.answers.fitted_validation import comparable, fitted_to_own_items
from xval.answers.names import name_instances
from xval.answers.nested_selection import describe_nested
from xval.answers.pretrained import Origin, clause, judge_instance
from xval.answers.ranking import Ranking, find_ties, rank_instances
from xval.answers.repeats import describe_seed_twins, parameters_of, seed_twins
from xval.answers.summary import SIDE_NAMES
from xval.answers.training_findings import below_estimator, edge_of_search, last_epoch
from xval.base.errors import first_of
from xval.folds.random_split import describe_random_split
from xval.measures.statistics.intervals import FEWEST_ITEMS_TO_RELY_ON, Interval
from xval.results.instance import InstanceResults

_FEWEST_OF_NEXT_FOLD = 3  # folds


def find_findings(instances: Sequence[InstanceResults]) -> list[Finding]:
    """Return what has to be said of some instances (at least one) of one experiment, the weightiest first."""
    done = [instance for instance in instances if instance.folds]
    if not done:
        return []
    ranking, at_chance = rank_instances(done), not_above_chance(done)
    findings = (
        *_pretrained(done),
        *_cautions(done),
        _random_split(done),
        _other_clips(done),
        _folds_missing(instances),
        _repeats_missing(done),
        _few_items(done),
        _few_validation_items(done),
        _fitted_validation(done),
        _folds_lacking_classes(done),
        _untuned_labels(done),
        _no_pooled_figures(done),
        *_seeds(done),
        at_chance,
        item_known(done, at_chance),
        too_sure(done, at_chance),
        last_epoch(done),
        edge_of_search(done),
        below_estimator(done),
        # Where nothing is above chance there is nothing to choose.
        *(
            []
            if at_chance and len(at_chance.instances) == len(done)
            else [_tie(done, ranking, at_chance), _nested(done, ranking)]
        ),
    )
    return [finding for finding in findings if finding is not None]


def _pretrained(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    """Say of which instances the figures may be of what their models had heard before."""
    concerned: dict[Origin, list[int]] = {}
    for instance in done:
        concerned.setdefault(judge_instance(instance), []).append(instance.number)
    for origin, numbers in concerned.items():
        if origin.state == "clean":
            continue
        advice = ""
        if origin.state == "leaked":
            advice = " The test figures are too good: leave out what was heard. python -m xval check has the names."
        elif not origin.vouched:
            advice = (
                " If it has heard what is tested, the figures are too good. Say what it was trained on with pretrained_on, "
                "or compare with an instance that has no such part."
            )
        said = f"{name_instances(numbers, done)}: {clause(origin)}."
        yield Finding("pretrained", f"{said[:1].upper()}{said[1:]}{advice}", tuple(numbers))


def _cautions(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    """Say once what is to be known about the corpus with the features of some instances."""
    concerned: dict[str, list[int]] = {}
    for instance in done:
        for text in instance.written.cautions:
            concerned.setdefault(text, []).append(instance.number)
    for text, numbers in concerned.items():
        whose = "" if len(numbers) == len(done) else f" ({name_instances(numbers, done)})"
        yield Finding("corpus", f"The corpus{whose}: {text}.", tuple(numbers) if whose else ())


def _random_split(done: Sequence[InstanceResults]) -> Finding | None:
    text = describe_random_split(done[0].n_clips.values())
    return Finding("random split", f"{text[:1].upper()}{text[1:]}.") if text else None


def _other_clips(done: Sequence[InstanceResults]) -> Finding | None:
    """Say when instances are tested, or ranked by validation figures, on other clips."""
    wrong = {"test_where": "test figures", "train_where": "validation figures, which rank them,"}
    differing = {name: what for name, what in wrong.items() if len({instance.parameters.get(name) for instance in done}) > 1}
    if not differing:
        return None
    return Finding(
        "other clips",
        f"Instances differ in {' and '.join(differing)}: their {' and their '.join(differing.values())} are of other clips and "
        "do not compare, so that none of them is better by these. Compare instances that agree in both.",
    )


def _folds_missing(instances: Sequence[InstanceResults]) -> Finding | None:
    lacking = [instance for instance in instances if len(instance.folds) < instance.n_folds]
    if not lacking:
        return None
    listed = first_of(f"instance {instance.number} ({len(instance.folds)} of {instance.n_folds} done)" for instance in lacking)
    has_failed = any(record["status"] == "failed" for instance in lacking for record in instance.jobs.values())
    advice = (
        "Run the command again when what failed is mended; the sheet folds has the errors."
        if has_failed
        else "Run these folds too, before you report a figure."
    )
    return Finding(
        "folds missing",
        f"Folds are missing of {listed}: the means leave items out, perhaps the hard ones, and do not compare. {advice}",
        tuple(instance.number for instance in lacking),
    )


def _repeats_missing(done: Sequence[InstanceResults]) -> Finding | None:
    whole = [instance for instance in done if len(instance.folds) == instance.n_folds]
    lacking = [instance for instance in whole if len(instance.done) != instance.n_jobs]
    if not lacking:
        return None
    listed = first_of(
        f"instance {instance.number} ({len(instance.done)} of {instance.n_jobs} jobs done)" for instance in lacking
    )
    return Finding(
        "repeats missing",
        f"Repeats are missing of {listed}: means over folds and items are of those that are there, pooled figures of repeats "
        "that have every fold. Run the command again.",
        tuple(instance.number for instance in lacking),
    )


def _few_items(done: Sequence[InstanceResults]) -> Finding | None:
    n_items = max(len(instance.n_clips) for instance in done)
    if n_items >= FEWEST_ITEMS_TO_RELY_ON:
        return None
    what = Interval(0, 1, n_items, "").caution
    return Finding("few items", f"{what[:1].upper()}{what[1:]}. Record more items before you rely on a figure.")


def _few_validation_items(done: Sequence[InstanceResults]) -> Finding | None:
    """Say when several instances are ranked by validation figures of less than half of the items."""
    records = max(done, key=lambda instance: len(instance.folds)).folds.values()
    validated = {item for record in records for item in record["items"]["validation"]}
    n_items = len(validated.union(*(record["items"]["training"] + record["items"]["test"] for record in records)))
    if len(done) < 2 or not validated or 2 * len(validated) >= n_items:
        return None
    n_folds = done[0].n_folds // done[0].n_deals
    can_follow = n_folds >= _FEWEST_OF_NEXT_FOLD and done[0].parameters.get("validation") != "next_fold"
    return Finding(
        "few validation items",
        f"The validation figures, which rank instances and choose epochs, are of {len(validated)} of the {n_items} items: "
        + ("those that were drawn, some in several folds." if n_folds > 1 else "those of the one split.")
        + (" With validation = next_fold each item validates once." if can_follow else " Small differences may be luck."),
    )


def _fitted_validation(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which ensembles are not selected, because their validation figures are of items that they were fitted to."""
    numbers = fitted_to_own_items(done)
    if not numbers:
        return None
    return Finding(
        "fitted validation",
        f"Validation figures do not rank {name_instances(numbers, done)}: with one validation item in a fold, they are of the "
        "item that the members were chosen or weighed by, so that they look too good. Compare by test figures.",
        numbers,
    )


def _folds_lacking_classes(done: Sequence[InstanceResults]) -> Finding | None:
    folds = sorted({fold for instance in done if instance.over_items for fold in instance.over_items["folds_lacking_classes"]})
    if not folds:
        return None
    what = done[0].task.uneven_folds.format(folds=first_of(folds))
    text = f"{what}. Read the pooled ones, of all folds together."
    return Finding("folds lacking classes", text)


def _untuned_labels(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which labels no validation clip of some fold has, so that nothing chose their threshold."""
    folds: dict[str, set[int]] = {}
    for record in (record for instance in done for record in instance.folds.values()):
        for label in record.get("untuned_labels", ()):
            folds.setdefault(label, set()).add(record["fold"])
    if not folds:
        return None
    listed = first_of((f"'{label}' (fold {first_of(sorted(of_label))})" for label, of_label in sorted(folds.items())))
    return Finding("thresholds", f"No validation clip has the label {listed}: its threshold there is 0.5, chosen by nothing.")


def _no_pooled_figures(done: Sequence[InstanceResults]) -> Finding | None:
    missing = {instance.number: instance.over_items["missing"] for instance in done if instance.over_items}
    missing = {number: reason for number, reason in missing.items() if reason}
    if not missing:
        return None
    number, reason = next(iter(missing.items()))
    return Finding(
        "no pooled figures",
        f"There are no pooled figures of {name_instances(missing, done)}: {reason} (instance {number}). The intervals are "
        "those of means over items. Run these folds again if you want pooled ones.",
        tuple(missing),
    )


def _seeds(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    for group in seed_twins(parameters_of(done)):
        yield Finding("seeds", describe_seed_twins(group), group)


def _tie(done: Sequence[InstanceResults], ranking: Ranking, at_chance: Finding | None) -> Finding | None:
    """Say which instances may be as good as the selected one, without those that are not above chance."""
    hopeless = at_chance.instances if at_chance else ()
    by_number = {instance.number: instance for instance in done}
    if ranking.selected is None or ranking.selected in hopeless:
        return None
    best = by_number[ranking.selected]
    own = next((group for group in seed_twins(parameters_of(done)) if ranking.selected in group), ())
    others = [by_number[number] for number in ranking.instances[1:] if number not in (*own, *hopeless)]
    ties = find_ties(best, others, ranking.side, ranking.metric)
    if not ties:
        return None
    return Finding(
        "tie",
        f"{name_instances([ranking.selected], done)} is not surely better than {name_instances(ties, done)}: the difference in "
        f"{SIDE_NAMES[ranking.side]} {ranking.metric} lies within its 95 % interval (corrected t over folds). Take the "
        "simplest of them, or tell them apart with more items or repeats.",
        (ranking.selected, *ties),
    )


def _nested(done: Sequence[InstanceResults], ranking: Ranking) -> Finding | None:
    text = describe_nested(comparable(done), ranking)
    return Finding("nested", text) if text else None
