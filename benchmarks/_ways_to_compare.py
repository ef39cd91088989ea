"""Error and power of ways to compare two algorithms, for claims about these trained models or about this way of training.

The studies have 6 to 60 speakers with one or several repeats and seeds. The table has a row per study and claim, and a column
per way, with Monte Carlo errors.

For *these models* an error is an interval that misses the difference of these very models on newly drawn speakers; for *this
way of training* it is a significant difference between algorithms that are equal in the population. Power is the probability of
detecting that an algorithm is better by some 0.075. For equivalence, an error is to claim it of algorithms whose difference is
as large as the limit of practical equivalence.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from _decisions_of_items import DIFFERENCE, decisions_table
from _simulated_corpora import N_CLASSES, Cell, Layout, answer_new, draw_answers, make_layout

from xval.measures.statistics.comparison import Difference, corrected_t, item_difference
from xval.measures.statistics.crossed import Component

LEVEL = 0.05
SEPARATION, BETTER = 2.0, 2.5
N_LAYOUTS = 20
STUDIES = tuple(
    Cell(n_items, 6, n_seeds, n_fold_repeats=n_fold_repeats)
    for n_items in (6, 12, 24, 60)
    for n_fold_repeats, n_seeds in ((1, 1), (1, 3), (3, 1), (3, 3))
    if n_items > 6 or n_fold_repeats == 1  # six items in six folds have one repeat
)
MIXED_STUDIES = tuple(study for study in STUDIES if study.n_fold_repeats + study.n_repeats == 4)
N_MIXED = 200  # a fit takes long


def over_items(values: np.ndarray, _layout: Layout) -> Difference:
    """A t test over items, with what the product adds for training runs left out."""
    return item_difference(values.reshape(len(values), -1).mean(axis=1, keepdims=True))


def over_items_and_runs(values: np.ndarray, _layout: Layout) -> Difference:
    """What the product does: the variances over items and over trainings are added, each a repeat or, of one, a seed."""
    return item_difference(_by_training(values))


def crossed(values: np.ndarray, _layout: Layout) -> Difference:
    """Likewise without what items and runs have in common, which otherwise counts twice (Searle et al., 1992)."""
    table = _by_training(values)
    n_items, n_runs = table.shape
    found = item_difference(table)
    if n_runs == 1:
        return found
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    freedom = (n_items - 1) * (n_runs - 1)
    common = Component(float((rest**2).sum()) / freedom / rest.size, freedom)
    parts = [*found.components, common]
    total = sum(part.variance for part in parts[:2]) - common.variance
    if total <= parts[0].variance:
        return Difference(found.value, found.components[:1])
    return Difference(found.value, (Component(total, total**2 / sum(part.variance**2 / part.freedom for part in parts)),))


def _by_training(values: np.ndarray) -> np.ndarray:
    """Return the differences by item and training from those by item, repeat and seed."""
    return values.mean(axis=2) if values.shape[1] > 1 else values[:, 0]


def over_folds(values: np.ndarray, layout: Layout) -> Difference:
    """The corrected resampled t test over the folds of all repeats, seeds averaged."""
    n_items, n_fold_repeats, _ = values.shape
    partition_scores = values.mean(axis=2)
    fold_of = layout.fold_of.reshape(n_fold_repeats, n_items)
    folds = [
        partition_scores[item_folds == fold, repeat].mean()
        for repeat, item_folds in enumerate(fold_of)
        for fold in np.unique(item_folds)
    ]
    return corrected_t(np.array(folds), layout.ratio)


def mixed_model(values: np.ndarray, _layout: Layout) -> float:
    """Return p of a mixed model with crossed random effects of items and runs (statsmodels, REML, Wald)."""
    import warnings

    from statsmodels.regression.mixed_linear_model import MixedLM

    table = _by_training(values)
    items, runs = (place.ravel() for place in np.indices(table.shape))
    frame = pd.DataFrame({"difference": table.ravel(), "item": items, "run": runs, "all": 1})
    effects = {"item": "0 + C(item)", "run": "0 + C(run)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MixedLM.from_formula("difference ~ 1", frame, groups="all", vc_formula=effects, re_formula="0").fit()
    return float(fitted.pvalues["Intercept"])


WAYS: dict[str, Callable[[np.ndarray, Layout], Difference]] = {
    "folds, corrected t": over_folds, "items": over_items, "crossed": crossed, "items + runs": over_items_and_runs,
}  # fmt: skip


def draw(cell: Cell, n_repetitions: int, *separations: float) -> Iterator[tuple[np.ndarray, np.ndarray, Layout]]:
    """Yield the differences of algorithms to the first, and of a study with one run those on new speakers.

    They are float64 (n_algorithms - 1, n_items, n_fold_repeats, n_seeds) and (n_algorithms - 1,).
    """
    layouts = [make_layout(cell, seed) for seed in range(min(N_LAYOUTS, n_repetitions))]
    rng = np.random.default_rng(1)
    for number in range(n_repetitions):
        layout = layouts[number % len(layouts)]
        answers, weights = draw_answers(rng, layout, cell.n_repeats, np.array(separations))
        is_right = (answers == layout.labels[:, np.newaxis, np.newaxis]) & layout.is_clip[:, np.newaxis, np.newaxis]
        accuracies = is_right.sum(axis=-1) / layout.is_clip.sum(axis=1)[:, np.newaxis, np.newaxis]
        accuracies = accuracies.reshape(cell.n_fold_repeats, cell.n_items, cell.n_repeats, -1).transpose(3, 1, 0, 2)
        new = np.zeros(len(separations))
        if cell.n_fold_repeats * cell.n_repeats == 1:
            shares = np.bincount(layout.fold_of.ravel()) / layout.fold_of.size
            recalls = [
                np.trace(answer_new(rng, weights[:, :, place], separation, 1), axis1=2, axis2=3).mean(axis=1) / N_CLASSES
                for place, separation in enumerate(separations)
            ]
            new = np.array(recalls) @ shares
        yield accuracies[1:] - accuracies[0], new[1:] - new[0], layout


def measure(cell: Cell, n_repetitions: int) -> dict[str, float]:
    """Return error and power of each way in a study, and what the product claims of equality."""
    errors, power = dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0)
    equal = 0
    for differences, truths, layout in draw(cell, n_repetitions, SEPARATION, SEPARATION):
        for name, way in WAYS.items():
            found = way(differences[0], layout)
            errors[name] += found._replace(value=found.value - truths[0]).p <= LEVEL
    drawn = [(*corpus, layout) for *corpus, layout in draw(cell, n_repetitions, SEPARATION, BETTER)]
    apart = np.mean([differences[0].mean() for differences, _, _ in drawn])
    for differences, truths, layout in drawn:
        for name, way in WAYS.items():
            power[name] += way(differences[0], layout).p <= LEVEL
        rope = abs(float(truths[0])) or float(apart)
        equal += over_items_and_runs(differences[0], layout).p_equal(rope) <= LEVEL
    found = {f"error, {name}": count / n_repetitions for name, count in errors.items()}
    found |= {f"power, {name}": count / n_repetitions for name, count in power.items()}
    return found | {"error, equality": equal / n_repetitions}


def measure_mixed(cell: Cell, separation: float, n_repetitions: int) -> float:
    """Return how often a mixed model finds a difference."""
    return float(
        np.mean(
            [mixed_model(each[0], layout) <= LEVEL for each, _, layout in draw(cell, n_repetitions, SEPARATION, separation)]
        )
    )


def print_ways(n_repetitions: int) -> float:
    """Print the table, and return the highest error of what the product does."""
    limit = LEVEL + 2 * math.sqrt(LEVEL * (1 - LEVEL) / n_repetitions)
    rows = {}
    for cell in STUDIES:
        claim = "these models" if cell.n_fold_repeats * cell.n_repeats == 1 else "this training"
        rows[cell.n_items, cell.n_fold_repeats, cell.n_repeats, claim] = measure(cell, n_repetitions)
    table = pd.DataFrame(rows).T.rename_axis(["speakers", "repeats", "seeds", "claim"])
    print(f"{n_repetitions} corpora per study, 6 folds; errors of at most {limit:.3f} wanted, Monte Carlo error of 5 %: "
          f"{math.sqrt(LEVEL * (1 - LEVEL) / n_repetitions):.3f}")  # fmt: skip
    for kind in ("error", "power"):
        kind_table = table.filter(like=f"{kind}, ").rename(columns=lambda name: name.partition(", ")[2])
        print(f"\n{kind}\n{kind_table.to_string(float_format='%.3f')}")
    n_mixed = min(N_MIXED, n_repetitions)
    for cell in MIXED_STUDIES:
        error, power = (measure_mixed(cell, separation, n_mixed) for separation in (SEPARATION, BETTER))
        print(f"mixed model, {cell}: error {error:.3f}, power {power:.3f} ({n_mixed} corpora)")
    decisions = decisions_table().to_string(float_format="%.3f")
    print(f"\none decision for each item, one training; power of a difference of {DIFFERENCE:g}; exact\n{decisions}")
    return float(table[["error, items + runs", "error, equality"]].max(axis=None))
