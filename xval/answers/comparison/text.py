"""Describe a comparison: the rows of a table, its limits, and a paragraph to publish with its sources."""

import math
from collections.abc import Callable, Sequence

from xval.answers.comparison.outcome import FEWEST_FOLDS_OF_EQUALITY, THESE_FOLDS, THESE_MODELS, THIS_TRAINING, Comparison, Pair
from xval.answers.comparison.sources import SOURCES
from xval.answers.names import call_compared
from xval.answers.next_step import settings_to_retrain
from xval.answers.score_text import ROUNDING, decimals, in_column, p_text
from xval.base.errors import capital, counted, join_words, plural_of
from xval.base.item_word import new_items
from xval.measures.statistics.planning import LEVEL, WANTED_POWER

HEADER = ("instance", "name", "mean", "difference [95 %]", "p Holm", "verdict")
_PLANNED_REPEATS = 5
_CLAIMS = {
    "better": "You can claim that {names} {are} better than {baseline}",
    "worse": "You can claim that {names} {are} worse than {baseline}",
    "practically equal": "You can claim that {names} and {baseline} are practically equal (within ±{rope:g})",
    "undecided": "You cannot claim that {names} {are} better or worse than {baseline}, nor that they are equal",
    "no test": "Nothing can be claimed about {names} and {baseline}: there is no test",
}
_BASES = {"items": "mean over {items}", "pooled": "pooled over all folds", "folds": "mean over folds"}
_VERDICTS = {
    "better": "the model is better",
    "worse": "the model is worse",
    "practically equal": "the two are practically equal",
    "undecided": "neither a difference nor equality is shown",
}


def table_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return a row for each pair, with the columns of `HEADER`."""
    mean = in_column(pair.mean for pair in comparison.pairs)
    difference = in_column(number for pair in comparison.pairs for number in (pair.difference, *pair.interval))
    return [
        (
            pair.instance,
            pair.comment,
            mean(pair.mean),
            f"{_signed(pair.difference, difference)} {_interval(pair, difference)}".rstrip(),
            p_text(pair.p_holm),
            pair.verdict,
        )
        for pair in comparison.pairs
    ]


def describe_baseline(comparison: Comparison) -> str:
    """Return a sentence that names the score, the instances and the baseline."""
    means = sorted({decimals(pair.baseline_mean) for pair in comparison.pairs})
    direction = "higher" if comparison.higher_is_better else "lower"
    return (
        f"{capital(comparison.score)} ({direction} is better), instance minus baseline. "
        f"Baseline: {call_compared([comparison.baseline])} ({comparison.baseline_reason}), {' or '.join(means)} "
        f"({_bases(comparison)})."
    )


def describe_claims(comparison: Comparison) -> list[str]:
    """Return the conclusions about the instances: a sentence for each verdict, and a sentence on its scope."""
    if comparison.corrections:  # another truth is no merit of an instance
        return ["You cannot claim that one is better: they were tested by different labels.", *comparison.corrections]
    if comparison.leaks:
        return [
            (
                f"Claim nothing: models of {call_compared(comparison.leaks)} were trained on clips or speakers that they were "
                "tested on."
            )
        ]
    lines = []
    for claim in dict.fromkeys(pair.claim for pair in comparison.pairs):
        pairs = [pair for pair in comparison.pairs if pair.claim == claim]
        for verdict, words in _CLAIMS.items():
            if names := [pair.instance for pair in pairs if pair.verdict == verdict]:
                are, baseline = "are" if len(names) > 1 else "is", call_compared([comparison.baseline])
                lines.append(f"{words.format(names=call_compared(names), are=are, baseline=baseline, rope=comparison.rope)}.")
        if any(pair.verdict != "no test" for pair in pairs):
            lines.append(_describe_claim(claim, pairs, new_items(comparison.item)))
    return lines


def _describe_claim(claim: str, pairs: Sequence[Pair], items: str) -> str:
    """Return the scope of verdicts, and how to widen it."""
    of = "these trained models" if claim == THESE_MODELS else claim
    said = f"This is a claim about {of}, on {items}."
    if claim == THIS_TRAINING:
        return said
    ways = dict.fromkeys(way for pair in pairs for way in pair.ways_to_retrain)
    if claim == THESE_FOLDS:
        return (
            f"{said} To claim it for other folds too, repeat the cross-validation ({settings_to_retrain(['fold_repeats'])})."
            if "fold_repeats" in ways
            else said
        )
    listed = settings_to_retrain(ways)
    more = (
        f"To claim it for this way of training, train several times ({listed})."
        if listed
        else "Training again would change nothing."
    )
    return f"{said} {more}"


def describe_columns(comparison: Comparison) -> str:
    """Return explanations of the columns that need one."""
    if not comparison.n_comparisons:
        return "There is no test, because the standard error cannot be estimated."
    adjusted = (
        f"p is adjusted for {_comparisons(comparison)} (Holm) and decides; each interval is for a single comparison. "
        if comparison.n_comparisons > 1
        else ""
    )
    equal = f"Practically equal: shown to be within ±{comparison.rope:g} (--rope)."
    if not comparison.tests_equality:
        equal = f"Equality is not tested, because that needs at least {FEWEST_FOLDS_OF_EQUALITY} folds."
    return " ".join(filter(None, [f"{adjusted}{equal}", comparison.evidence]))


def describe_limits(comparison: Comparison) -> list[str]:
    """Return the limits of the comparison in sentences; pairs that share a limit share a sentence."""
    instances_by_note: dict[str, list[str]] = {}
    for pair in comparison.pairs:
        for note in pair.notes:
            instances_by_note.setdefault(note, []).append(pair.instance)
    return [
        *comparison.notes,
        *(f"{capital(call_compared(names))}: {note}" for note, names in instances_by_note.items()),
    ]


def describe_plans(comparison: Comparison) -> list[str]:
    """Return the differences that these items, and larger studies, show with a probability of 80 %, and the next step."""
    return [*_describe_power(comparison), *filter(None, [comparison.next_step])]


def _describe_power(comparison: Comparison) -> list[str]:
    pairs = [pair for pair in comparison.pairs if not math.isnan(pair.least_detectable)]
    if not pairs:
        return []
    largest = comparison.largest_difference
    n_items, n_repeats = max(pair.n_items for pair in pairs), max(max(pair.n_repeats) for pair in pairs)
    sizes = [(2 * n_items, n_repeats), (n_items, _PLANNED_REPEATS), (2 * n_items, _PLANNED_REPEATS)]
    planned = {(n_items, n_repeats): [pair.least_detectable for pair in pairs]}
    planned |= {size: [pair.planned(*size) for pair in pairs] for size in sizes if size not in planned}
    plans = []
    for (items, repeats), values in planned.items():
        now = " (as now)" if (items, repeats) == (n_items, n_repeats) else ""
        if known := [value for value in values if not math.isnan(value)]:
            size = f"{counted(items, comparison.item)} and {counted(repeats, 'seed')}{now}"
            size += f", {len(known)} of {len(pairs)} instances" * (len(known) < len(pairs))
            plans.append(f"{size}: {_possible(known, largest)}")
    level = f"{LEVEL}" if len(pairs) == 1 else f"{LEVEL} over {_comparisons(comparison)}, from the steadiest to the noisiest"
    what = f"True difference that would be shown with a probability of {WANTED_POWER:.0%} (level {level})"
    return [f"{what}: {'; '.join(plans)}."]


def describe_methods(comparison: Comparison) -> str:
    """Return the paragraph on methods for a paper."""
    pairs = comparison.pairs
    names = call_compared([pair.instance for pair in pairs], "model")
    n_repeats = sorted({number for pair in pairs for number in pair.n_repeats})
    items = _range_of_counts([pair.n_items for pair in pairs], comparison.item)
    n_fold_repeats = max(round(pair.n_fold_repeats) for pair in pairs)
    fold_words = _range_of_counts([pair.n_folds for pair in pairs], "test fold")
    repeat_words = f" from {n_fold_repeats} repeats of the cross-validation" if n_fold_repeats > 1 else ""
    tested_on = f"the {items} that both have tested, in different folds{repeat_words}"
    if all(pair.has_same_folds for pair in pairs):
        tested_on = f"the same {fold_words} of {items}{repeat_words}"
    seeds = f"averaged over {join_words([*map(str, n_repeats)], 'or')} seeds within a fold"
    if n_repeats == [1]:
        draws = any("repeats" in pair.ways_to_retrain for pair in pairs)
        seeds = "one seed per fold" if draws else "fitted once per fold, because no seed changes these models"
    text = (
        f"{capital(comparison.score)}, {_bases(comparison)}, was compared between {names} and the baseline, "
        f"{call_compared([comparison.baseline], 'model')} ({comparison.baseline_reason}), on {tested_on}, {seeds}."
    )
    if comparison.nested:
        text += (
            " The score of choosing among the models was estimated by nested selection (Varma & Simon, 2006): mean ± "
            "standard deviation over folds, with the 95 % interval in brackets."
        )
    if not comparison.n_comparisons:
        return text
    tested = [pair for pair in pairs if pair.test.components]
    if any(pair.basis != "folds" for pair in tested):
        text += f" Paired differences were tested, two-sided, by a t test over {_items(comparison)}"
        text += " (pooled values: jackknife; Efron & Stein, 1981)" if any(pair.basis == "pooled" for pair in tested) else ""
        if any(len(pair.test.components) > 1 for pair in tested):
            text += ", with the variance between training runs added "
            text += "(degrees of freedom: weighted by variances, after Cochran, 1964)."
        elif any(pair.claim == THESE_MODELS for pair in tested):
            text += ", without the variance between training runs: the results hold for these trained models only."
        else:
            text += ". Each training run has the same difference, so the variance between training runs is 0."
    if any(pair.basis == "folds" for pair in tested):
        text += " Differences per fold were tested, two-sided, by the corrected resampled t test (Nadeau & Bengio, 2003)."
    if comparison.n_comparisons > 1:
        text += (
            f" p values were adjusted for {_comparisons(comparison)} with the baseline (Holm, 1979); the 95 % intervals "
            "are not adjusted."
        )
    if comparison.tests_equality:
        text += (
            " Models were called practically equal where two one-sided tests (Schuirmann, 1987) showed a difference within "
            f"±{comparison.rope:g}."
        )
    return text


def describe_result(comparison: Comparison, pair: Pair) -> str:
    """Return the result for one instance in a sentence."""
    named = f"{capital(call_compared([pair.instance], 'model'))}{pair.comment and f' ({pair.comment})'}"
    reached = f"{named} reached {decimals(pair.mean)}, the baseline {decimals(pair.baseline_mean)}"
    if not pair.test.components:
        return f"{reached}; the difference of {_signed(pair.difference)} was not tested."
    holm = f", after Holm {_equals(pair.p_holm)}" if comparison.n_comparisons > 1 else ""
    t = pair.difference / pair.test.standard_error
    facts = [
        f"difference {_signed(pair.difference)}, 95 % interval {_interval(pair)}",
        f"t({pair.test.error.freedom:.3g}) = {t:z.2f}, {_equals(pair.test.p)}{holm}",
    ]
    return f"{reached} ({'; '.join(facts)}): {_VERDICTS[pair.verdict]}."


def describe_to_publish(comparison: Comparison) -> str:
    """Return a paragraph on methods, one on results, and the sources that they cite."""
    methods = describe_methods(comparison)
    results = [
        *comparison.nested,
        *comparison.corrections,
        *(describe_result(comparison, pair) for pair in comparison.pairs),
        *describe_limits(comparison),
    ]
    sources = [f"- {source}" for cited, source in SOURCES.items() if cited in methods]
    return "\n".join([f"Methods. {methods}", "", f"Results. {' '.join(results)}", "", "Sources.", *sources])


def _items(comparison: Comparison) -> str:
    return plural_of(comparison.item)


def _bases(comparison: Comparison) -> str:
    """Return how the compared scores are computed: ``mean over speakers``."""
    bases = dict.fromkeys(_BASES[pair.basis] for pair in comparison.pairs)
    return " or ".join(bases).format(items=_items(comparison))


def _comparisons(comparison: Comparison) -> str:
    return counted(comparison.n_comparisons, "comparison")


def _interval(pair: Pair, write: Callable[[float], str] = decimals) -> str:
    low, high = pair.interval
    return "" if math.isnan(low) else f"[{_signed(low, write)}, {_signed(high, write)}]"


def _range_of_counts(numbers: list[int], noun: str) -> str:
    low, high = min(numbers), max(numbers)
    return counted(low, noun) if low == high else f"{low} to {counted(high, noun)}"


def _range(numbers: list[float]) -> str:
    low, high = decimals(min(numbers)), decimals(max(numbers))
    return low if low == high else f"{low} to {high}"


def _possible(differences: list[float], largest: float) -> str:
    """Return the range of differences as text; a difference above the largest that the metric allows cannot be found."""
    least = min(differences)
    if least > largest:
        return f"none (two values differ by at most {largest:g})"
    return f"{decimals(least)}, in others none" if max(differences) > largest else _range(differences)


def _signed(number: float, write: Callable[[float], str] = decimals) -> str:
    return f"{'+' if number >= ROUNDING else ''}{write(number)}"


def _equals(p: float) -> str:
    return f"p {'<' if p < 0.001 else '='} {max(p, 0.001):.3f}"
