"""Word a comparison: the rows of a table, what limits it, and a paragraph to publish with its sources.

Comes in: a `Comparison`. Goes out: text.
"""

import math

from xval.answers.comparison.outcome import LEVEL, SURE, WANTED_POWER, Comparison, Pair
from xval.answers.figure_text import ROUNDING, decimals
from xval.base.errors import counted
from xval.measures.statistics.comparison import MOST_ITEMS_OF_EXACT_TEST, N_DRAWS

HEADER = ("instance", "name", "mean", "difference [95 %]", "p", "p Holm", "p items", "better / equal / worse", "verdict")
SOURCES = {
    "Benavoli et al., 2017": "Benavoli, A., Corani, G., Demsar, J. & Zaffalon, M. (2017). Time for a change: a tutorial for "
    "comparing multiple classifiers through Bayesian analysis. Journal of Machine Learning Research 18(77).",
    "Bouckaert & Frank, 2004": "Bouckaert, R. R. & Frank, E. (2004). Evaluating the replicability of significance tests for "
    "comparing learning algorithms. Advances in Knowledge Discovery and Data Mining (PAKDD), 3-12.",
    "Holm, 1979": "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of "
    "Statistics 6, 65-70.",
    "Nadeau & Bengio, 2003": "Nadeau, C. & Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, "
    "239-281.",
    "Phipson & Smyth, 2010": "Phipson, B. & Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical "
    "Applications in Genetics and Molecular Biology 9(1), 39.",
}
_PLANNED_REPEATS = 5
_VERDICTS = {
    "better": "it is better",
    "worse": "it is worse",
    "practically equal": f"with a probability of at least {SURE} the two are practically equal",
    "undecided": "neither a difference nor equality is shown",
}


def table_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return a row of `HEADER` for each pair; (!): the sign flip test cannot be significant."""
    return [
        (
            pair.instance,
            pair.comment,
            decimals(pair.mean),
            f"{_signed(pair.test.difference)} {_interval(pair)}",
            _p(pair.test.p),
            _p(pair.p_holm),
            "-" if pair.flips is None else f"{_p(pair.flips.p)}{' (!)' if pair.flips.least_p > LEVEL else ''}",
            " / ".join(map(_probability, pair.posterior)),
            pair.verdict,
        )
        for pair in comparison.pairs
    ]


def describe_baseline(comparison: Comparison) -> str:
    """Return a sentence on what is compared with what."""
    means = sorted({decimals(pair.baseline_mean) for pair in comparison.pairs})
    direction = "higher" if comparison.higher_is_better else "lower"
    return (
        f"{_capital(comparison.figure)} ({direction} is better), instance less baseline. "
        f"Baseline: instance {comparison.baseline} ({comparison.baseline_reason}), mean over folds {' or '.join(means)}."
    )


def describe_columns(comparison: Comparison) -> str:
    """Return what the columns of the table say that need a word."""
    if not comparison.n_comparisons:
        return "No t test and no probability: no deviation between folds can be estimated. p items needs none."
    return (
        f"Report p Holm, which is adjusted for {_comparisons(comparison)}. Better, equal, worse: how probable each is; equal: "
        f"a difference within ±{comparison.rope:g} (--rope)."
    )


def describe_limits(comparison: Comparison) -> list[str]:
    """Return what limits the comparison, in sentences; pairs that share a limit share a sentence."""
    of_note: dict[str, list[str]] = {}
    for pair in comparison.pairs:
        for note in pair.notes:
            of_note.setdefault(note, []).append(pair.instance)
    return [
        *comparison.notes,
        *(f"Instance{'s' * (len(names) > 1)} {', '.join(names)}: {note}" for note, names in of_note.items()),
    ]


def describe_plans(comparison: Comparison) -> list[str]:
    """Return which differences these folds, and larger studies, find with a probability of 80 %, in sentences."""
    pairs = [pair for pair in comparison.pairs if not math.isnan(pair.least_detectable)]
    if not pairs:
        return []
    largest = comparison.largest_difference
    n_items, n_repeats = max(pair.n_items for pair in pairs), max(round(pair.components.n_repeats) for pair in pairs)
    now = _possible([pair.least_detectable for pair in pairs], largest)
    plans = [f"{n_items} items and {_seeds(n_repeats)}, as now: {now}"]
    sizes = [(2 * n_items, n_repeats), (n_items, _PLANNED_REPEATS), (2 * n_items, _PLANNED_REPEATS)]
    for items, repeats in dict.fromkeys(sizes):
        values = [value for pair in pairs if not math.isnan(value := pair.planned(items, repeats))]
        if values and (items, repeats) != (n_items, n_repeats):
            plans.append(f"{items} items and {_seeds(repeats)}: {_possible(values, largest)}")
    level = (
        f"{LEVEL}" if len(pairs) == 1 else f"{LEVEL} over {_comparisons(comparison)}, from the steadiest to the least steady"
    )
    lines = [
        f"True difference that would be found with a probability of {WANTED_POWER:.0%} (level {level}): {'; '.join(plans)}."
    ]
    if any(math.isnan(pair.components.seed) for pair in pairs):
        lines.append(
            "One seed per fold: how much of a difference is due to the seed is unknown, and what more seeds would find cannot "
            "be planned. Train with repeats = 3 or more."
        )
    return lines


def describe_methods(comparison: Comparison) -> str:
    """Return the methods as a paper has them."""
    pairs = comparison.pairs
    names = f"instance{'s' * (len(pairs) > 1)} {', '.join(pair.instance for pair in pairs)}"
    n_repeats = sorted({number for pair in pairs for number in pair.n_repeats})
    folds = _range_of_counts([len(pair.of_folds) for pair in pairs], "fold")
    items = _range_of_counts([pair.n_items for pair in pairs], "item")
    seeds = "one seed per fold" if n_repeats == [1] else f"averaged over {' or '.join(map(str, n_repeats))} seeds within a fold"
    n_deals = max(round(pair.n_deals) for pair in pairs)
    dealt, sources = "", "Nadeau & Bengio, 2003"
    if n_deals > 1:
        dealt = f", which were dealt into folds {n_deals} times"
        sources += "; for several deals: Bouckaert & Frank, 2004"
    text = (
        f"{_capital(comparison.figure)} was compared between {names} and the baseline, instance {comparison.baseline} "
        f"({comparison.baseline_reason}), on the same {folds} of {items}{dealt}, {seeds}."
    )
    if comparison.n_comparisons:
        adjusted = f", and p was adjusted for {_comparisons(comparison)} with the baseline (Holm, 1979)"
        text += (
            f" Differences per fold were tested, two-sided, by the corrected resampled t test ({sources}; ratio of test to "
            f"training items {_range([pair.ratio for pair in pairs])}){adjusted if comparison.n_comparisons > 1 else ''}. The "
            "posterior probabilities that an instance is better than the baseline, practically equal (differences within "
            f"±{comparison.rope:g}) or worse are those of the Bayesian correlated t test (Benavoli et al., 2017)."
        )
    if counts := {pair.flips.n_items for pair in pairs if pair.flips}:
        signs = "all sign vectors" if max(counts) <= MOST_ITEMS_OF_EXACT_TEST else f"{N_DRAWS:,} drawn sign vectors"
        text += (
            f" Differences per item were tested by a sign flip test ({signs}; Phipson & Smyth, 2010), which is secondary: it "
            "is liberal where items share a model, and its p is not adjusted."
        )
    return text


def describe_result(comparison: Comparison, pair: Pair) -> str:
    """Return what was found for one instance, in a sentence."""
    named = f"{pair.comment} (instance {pair.instance})" if pair.comment else f"Instance {pair.instance}"
    reached = f"{named} reached {decimals(pair.mean)}, the baseline {decimals(pair.baseline_mean)}"
    test, flips = pair.test, pair.flips
    if math.isnan(test.p):
        return f"{reached}; the difference of {_signed(test.difference)} was not tested."
    facts = [f"difference {_signed(test.difference)}, 95 % interval {_interval(pair)}"]
    t = f"t({test.n_folds - 1}) = {test.difference / test.standard_error:z.2f}, " if test.standard_error > 0 else ""
    holm = f", after Holm {_equals(pair.p_holm)}" if comparison.n_comparisons > 1 else ""
    facts.append(f"{t}{_equals(test.p)}{holm}")
    if flips:
        facts.append(f"sign flip over {flips.n_items} items {_equals(flips.p)}")
    posterior = zip(pair.posterior._fields, pair.posterior, strict=True)
    facts.append(f"probability of {', '.join(f'{name} {_probability(value)}' for name, value in posterior)}")
    return f"{reached} ({'; '.join(facts)}): {_VERDICTS[pair.verdict]}."


def describe_to_publish(comparison: Comparison) -> str:
    """Return methods and results, each as a paragraph, and the sources that they cite."""
    methods = describe_methods(comparison)
    results = [*(describe_result(comparison, pair) for pair in comparison.pairs), *describe_limits(comparison)]
    sources = [f"- {source}" for cited, source in SOURCES.items() if cited in methods]
    return "\n".join([f"Methods. {methods}", "", f"Results. {' '.join(results)}", "", "Sources.", *sources])


def _comparisons(comparison: Comparison) -> str:
    return counted(comparison.n_comparisons, "comparison")


def _seeds(number: int) -> str:
    return counted(number, "seed")


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _interval(pair: Pair) -> str:
    return "" if math.isnan(pair.test.low) else f"[{_signed(pair.test.low)}, {_signed(pair.test.high)}]"


def _range_of_counts(numbers: list[int], noun: str) -> str:
    low, high = min(numbers), max(numbers)
    return counted(low, noun) if low == high else f"{low} to {counted(high, noun)}"


def _range(numbers: list[float]) -> str:
    low, high = decimals(min(numbers)), decimals(max(numbers))
    return low if low == high else f"{low} to {high}"


def _possible(differences: list[float], largest: float) -> str:
    """Return the range of differences as text; those beyond the largest that the metric allows cannot be found."""
    least = min(differences)
    if least > largest:
        return f"none (two figures differ by at most {largest:g})"
    return f"{decimals(least)}, in others none" if max(differences) > largest else _range(differences)


def _signed(number: float) -> str:
    return f"{'+' if number >= ROUNDING else ''}{decimals(number)}"


def _p(p: float) -> str:
    return "-" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def _equals(p: float) -> str:
    return f"p {'<' if p < 0.001 else '='} {max(p, 0.001):.3f}"


def _probability(probability: float) -> str:
    return "-" if math.isnan(probability) else f"{probability:.2f}"
