"""What has to be said beside the results of some instances, each a sentence and what to do.

Comes in: instances. Goes out: `Finding`s, which the end of a run, the page, the workbook and ``refit`` show. Slow
libraries are loaded where instances are compared alone.
"""

import math
from collections.abc import Iterable, Sequence

from xval.answers.chance_findings import item_known, not_above_chance, too_sure
from xval.answers.chosen_comparison import compare_chosen
from xval.answers.few_items import few_items
from xval.answers.figure_text import rounded
from xval.answers.finding import Finding, capital, make_finding
from xval.answers.fitted_validation import fitted_to_own_items
from xval.answers.item_words import item_word, items_word
from xval.answers.leaking_column import leaking_column
from xval.answers.names import name_folds, name_instances
from xval.answers.nested_selection import NestedInstance, choose_nested, describe_nested
from xval.answers.pretrained import NEAR_DUPLICATES, Origin, judge_instance, name_parts
from xval.answers.ranking import Ranking, rank_instances
from xval.answers.repeats import copies, describe_copies, describe_seed_twins, parameters_of, seed_twins
from xval.answers.summary import metric_words
from xval.answers.training_findings import below_estimator, diverged, edge_of_search, failed_parts, last_epoch
from xval.base.errors import counted, first_of
from xval.folds.random_split import count_lone_clips
from xval.results.instance import InstanceResults
from xval.settings.finding_codes import Code, silenced

_FEWEST_OF_NEXT_FOLD = 3  # folds
_MOST_NAMED = 3
_FEWEST_TO_VALIDATE = 3  # items of a class: each fold tests, validates and trains with one


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
    at_chance = not_above_chance(done, nested, ranking.selected)
    yield from _pretrained(done)
    yield from _cautions(done)
    yield from _shared_columns(done)
    yield from (
        _random_split(done),
        _other_clips(done),
        _folds_missing(instances),
        _repeats_missing(done),
        few_items(done),
        _few_validation_items(done),
        _fitted_validation(done),
        _folds_lacking_classes(done),
        _validation_lacks_classes(done),
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
    """Say of which instances the models may have been trained on what they are tested on."""
    concerned: dict[Origin, list[int]] = {}
    for instance in done:
        concerned.setdefault(judge_instance(instance), []).append(instance.number)
    for origin, numbers in concerned.items():
        if origin.state == "clean":
            continue
        case = {"leaked": "leaked", "unknown": "stated" if origin.vouched else "unknown"}[origin.state]
        if origin.state == "leaked" and origin.parts == (NEAR_DUPLICATES,):
            case = "near-duplicates"
        fields = {"Who": name_instances(numbers, done, is_first=True), "parts": name_parts(origin), "vouched": origin.vouched}
        yield make_finding(Code.HEARD_BEFORE, case, numbers, **fields, item=item_word(done), items=items_word(done))


def _cautions(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    """Say once what is to be known about the corpus with the features of some instances."""
    concerned: dict[str, list[int]] = {}
    for instance in done:
        for text in instance.written.cautions:
            concerned.setdefault(text, []).append(instance.number)
    for text, numbers in concerned.items():
        whose = f" (variant {numbers[0]})" if len(numbers) == 1 else f" ({len(numbers)} of {len(done)} variants)"
        whose = whose if len(numbers) < len(done) else ""
        what, _, advice = text.partition(". ")
        advice = capital(advice or "read the scores with this in mind").rstrip(".")
        yield make_finding(
            Code.CORPUS, "", numbers if whose else (), What=capital(what.rstrip(".")), whose=whose, Advice=advice
        )


def _shared_columns(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    """Say which columns have a value on two sides of a fold, though each item has one: first those that fix the label."""
    for column in dict.fromkeys(column for instance in done for column in instance.shared_columns):
        fields = {"described": column.describe(item_word(done)), "column": column.column, "advice": column.advice}
        yield make_finding(Code.SHARED_COLUMN, "", (), **fields)


def _random_split(done: Sequence[InstanceResults]) -> Finding | None:
    counts = count_lone_clips(done[0].n_clips.values(), item_word(done))
    return make_finding(Code.RANDOM_SPLIT, Counts=capital(counts)) if counts else None


def _other_clips(done: Sequence[InstanceResults]) -> Finding | None:
    """Say when instances are tested, or ranked by validation, on other clips."""
    wrong = {"test_where": "test", "train_where": "validation", "enrolment_s": "test and validation"}
    differing = {name: what for name, what in wrong.items() if len({instance.parameters.get(name) for instance in done}) > 1}
    if not differing:
        return None
    return make_finding(Code.OTHER_CLIPS, names=" and ".join(differing), sides=" and ".join(dict.fromkeys(differing.values())))


def _folds_missing(instances: Sequence[InstanceResults]) -> Finding | None:
    lacking = [instance for instance in instances if len(instance.folds) < instance.n_folds]
    if not lacking:
        return None
    listed = first_of((f"{instance.number} ({len(instance.folds)}/{instance.n_folds})" for instance in lacking), _MOST_NAMED)
    has_failed = any(record["status"] == "failed" for instance in lacking for record in instance.jobs.values())
    return make_finding(
        Code.FOLDS_MISSING,
        "failed" if has_failed else "",
        [instance.number for instance in lacking],
        Listed=_lack(len(lacking), listed),
        items=items_word(instances),
    )


def _repeats_missing(done: Sequence[InstanceResults]) -> Finding | None:
    whole = [instance for instance in done if len(instance.folds) == instance.n_folds]
    lacking = [instance for instance in whole if len(instance.done) != instance.n_jobs]
    if not lacking:
        return None
    listed = first_of((f"{instance.number} ({len(instance.done)}/{instance.n_jobs} jobs)" for instance in lacking), _MOST_NAMED)
    return make_finding(Code.REPEATS_MISSING, "", [instance.number for instance in lacking], Listed=_lack(len(lacking), listed))


def _lack(number: int, listed: str) -> str:
    return f"Variants {listed} lack" if number > 1 else f"Variant {listed} lacks"


def _few_validation_items(done: Sequence[InstanceResults]) -> Finding | None:
    """Say when several instances are ranked by validation of less than half of the items."""
    records = max(done, key=lambda instance: len(instance.folds)).folds.values()
    validated = {item for record in records for item in record["items"]["validation"]}
    n_items = len(validated.union(*(record["items"]["training"] + record["items"]["test"] for record in records)))
    if len(done) < 2 or not validated or 2 * len(validated) >= n_items:
        return None
    n_folds = done[0].n_folds // done[0].n_deals
    can_follow = n_folds >= _FEWEST_OF_NEXT_FOLD and done[0].parameters.get("validation") != "next_fold"
    fields = {"n_validated": len(validated), "n_items": n_items, "item": item_word(done), "items": items_word(done)}
    return make_finding(Code.FEW_VALIDATION_ITEMS, "next fold" if can_follow else "", (), **fields)


def _fitted_validation(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which ensembles are not selected, because they are validated by items that they were fitted to."""
    numbers = fitted_to_own_items(done)
    if not numbers:
        return None
    fields = {"who": name_instances(numbers, done), "item": item_word(done), "items": items_word(done)}
    return make_finding(Code.FITTED_VALIDATION, "", numbers, **fields)


def _folds_lacking_classes(done: Sequence[InstanceResults]) -> Finding | None:
    folds = sorted({fold for instance in done if instance.over_items for fold in instance.over_items["folds_lacking_classes"]})
    if not folds:
        return None
    its, do = ("its", "does") if len(folds) == 1 else ("their", "do")
    what = done[0].task.uneven_folds.format(folds=name_folds(folds), Folds=capital(name_folds(folds)), its=its, do=do)
    return make_finding(Code.FOLDS_LACKING_CLASSES, what=what)


def _validation_lacks_classes(done: Sequence[InstanceResults]) -> Finding | None:
    """Say in which folds no validation item has some class, so that the metric that is to rank is undefined there."""
    main = done[0].task.main_metrics[0]
    for metric in dict.fromkeys(main if rank_by == "auto" else rank_by for rank_by in (one.settings.rank_by for one in done)):
        lacking = {
            key.fold: instance.unvalidated_classes(key)
            for instance in done
            for key in instance.done
            if not instance.says_enough(key, "validation", metric)
        }
        if lacking:
            break
    else:
        return None
    n_folds = max(len(instance.folds) for instance in done)
    classes = sorted({name for names in lacking.values() for name in names})
    n_items = {name: recall["n_items"] for name, recall in done[0].class_recalls.items()}
    rare = [name for name in classes if n_items.get(name, _FEWEST_TO_VALIDATE) < _FEWEST_TO_VALIDATE]
    kind = "label" if done[0].task.has_thresholds else "class"
    parameters, how = done[0].parameters, "a larger validation_fraction"
    if parameters.get("fold_strategy") == "predefined" and n_folds == 1:
        how = "in the column phase"
    elif parameters.get("validation") == "next_fold":
        how = "validation = fraction, with a larger validation_fraction"
    return make_finding(
        Code.FOLDS_LACKING_CLASSES,
        f"{'validation' if len(lacking) < n_folds else 'no validation'}{' of few' * bool(rare)}",
        item=item_word(done),
        items=items_word(done),
        folds=name_folds(lacking),
        classes=f"the {kind} {first_of((repr(name) for name in classes), _MOST_NAMED, ' or ')}",
        rare=f"{kind} {first_of((repr(name) for name in rare), _MOST_NAMED)}",
        metric=metric_words(metric),
        left=f"the other {counted(n_folds - len(lacking), 'fold')}" if n_folds > len(lacking) + 1 else "the other fold",
        how=how,
    )


def _untuned_labels(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which labels no validation clip of some fold has, so that nothing chose their threshold."""
    folds: dict[str, set[int]] = {}
    for record in (record for instance in done for record in instance.folds.values()):
        for label in record.get("untuned_labels", ()):
            folds.setdefault(label, set()).add(record["fold"])
    if not folds:
        return None
    listed = first_of((f"'{label}' ({name_folds(of_label)})" for label, of_label in sorted(folds.items())), most=2)
    return make_finding(Code.UNTUNED_LABELS, listed=listed, items=items_word(done))


def _no_pooled_values(done: Sequence[InstanceResults]) -> Finding | None:
    missing = {instance.number: instance.over_items["missing"] for instance in done if instance.over_items}
    missing = {number: reason for number, reason in missing.items() if reason}
    if not missing:
        return None
    fields = {"who": name_instances(missing, done), "reason": next(iter(missing.values())), "items": items_word(done)}
    return make_finding(Code.NO_POOLED_VALUES, "", missing, **fields)


def _seeds(done: Sequence[InstanceResults]) -> Iterable[Finding]:
    parameters = parameters_of(done)
    for group in seed_twins(parameters):
        yield describe_seed_twins(group, parameters)
    for group in copies(parameters):
        yield describe_copies(group)


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
    metric = metric_words(comparison.metric)
    shown = f"{metric} {difference}{', no test' if math.isnan(pair.interval[0]) else f' [{low}, {high}]'}"
    if pair.is_none:
        shown = f"the same {metric} for every {item_word(done)}"
    who = f"the choice among {nested.n_competing} variants" if nested else name_instances([selected.number], done)
    return make_finding(
        Code.TIE,
        "",
        (ranking.selected, *ties),
        who=who,
        others=name_instances(sorted(ties), done),
        shown=shown,
        to=pair.instance,
        step=comparison.next_step,
    )


def _nested(done: Sequence[InstanceResults], ranking: Ranking) -> Finding | None:
    said = describe_nested(done, ranking)
    if said is None:
        return None
    is_leaked = any(judge_instance(instance).state == "leaked" for instance in done) or leaking_column(done) is not None
    return make_finding(Code.NESTED, "leaked" if is_leaked else "", nested=said[0], chosen=said[1])
