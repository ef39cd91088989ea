"""False positives, coverage and power of xval.measures.statistics, on corpora that are drawn anew. Prints the ratio last.

python benchmarks/statistics_simulation.py [--quick] [--repetitions N] [--csv FILE] [--picture FILE]
    [--intervals | --coverage | --ways | --seeds | --chance]

With --intervals: instead, how often intervals cover for the models and, of several repeats or seeds, for the method, near 1,
and where an instance is selected. The ratio is that of the largest distance of a share from 95 % to 2 %. With --coverage: how
often intervals and bootstraps cover where speakers are few, unlike, of unequal numbers of clips or few of a class, and how
often equal algorithms are distinguished there; see `_simulated_coverage`. The ratio is that of 94 % to the lowest share.

Each repetition draws a corpus (speakers differ, and in each class too), splits it into the project's own folds, trains four
algorithms that are equal in the population with every seed, and compares the second with the first by the corrected t test and
others, and all three with the first by Holm's method. A study is named items/folds/seeds (of several repeats: the folds of
each). Wanted: false positives of the corrected t test and of Holm's family at most 5 % + 2 standard errors in every study (the
ratio is the highest of all to that), and intervals over items that cover in 93 to 97 % what the models reach on speakers that
are drawn anew. How often they cover the mean over all corpora stands next to it: training sets and seeds vary too, which an
interval over items does not know. The power is that of finding a second algorithm that is better, next to the power that
xval.measures.statistics.planning expects. With --ways: ways to compare two algorithms; see `_ways_to_compare`.
With --seeds: the error where several seeds share partitions of the speakers; see `_seeds_and_partitions`.
With --chance: how often random labels are said to be above chance; see `_above_chance`.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
from _above_chance import print_above_chance
from _seeds_and_partitions import print_seeds
from _simulated_corpora import N_CLASSES, Cell, Layout, answer_new, draw_answers, make_layout
from _simulated_coverage import simulate_coverage
from _simulated_intervals import simulate_intervals
from _ways_to_compare import print_ways
from matplotlib.figure import Figure
from scipy import special
from threadpoolctl import threadpool_limits

from xval.measures.statistics.comparison import corrected_t, holm, item_difference
from xval.measures.statistics.intervals import mean_interval, score_interval
from xval.measures.statistics.planning import power

LEVEL = 0.05
SEPARATION = 2.0
N_ALGORITHMS = 4
N_LAYOUTS = 20
N_REPETITIONS = 1000
CELLS = (
    Cell(4, 4, 1), Cell(6, 6, 1), Cell(6, 6, 5), Cell(6, 5, 3, is_uneven=True), Cell(6, 6, 1, n_windows=4), Cell(10, 5, 1),
    Cell(10, 4, 3, is_uneven=True), Cell(12, 12, 2), Cell(24, 6, 1), Cell(24, 5, 5, is_uneven=True),
)  # fmt: skip
DEAL_CELLS = (
    Cell(6, 3, 1, n_fold_repeats=4),
    Cell(12, 4, 1, n_fold_repeats=5),
    Cell(12, 4, 3, is_uneven=True, n_fold_repeats=3),
)
POWER_CELLS = (Cell(6, 6, 1), Cell(6, 6, 5), Cell(12, 12, 5), Cell(24, 6, 5))
SEPARATIONS = (2.0, 2.2, 2.4, 2.7, 3.1, 3.6)
WANTED = ("corrected t", "Holm, 3 tests")
TESTS = (*WANTED, "plain t", "items")
FIGURES = ("accuracy", "macro F1")
COVERAGE = (0.93, 0.97)


def compare(answers: np.ndarray, layout: Layout) -> dict[str, float]:
    """Return which tests find a difference between the algorithms, with the difference of the second to the first."""
    test_scores = accuracies_of(answers, layout).mean(axis=-2).reshape(layout.fold_of.size, -1)  # of each item in each repeat
    n_clips = np.resize(layout.is_clip.sum(axis=1), layout.fold_of.size)
    shares = np.eye(len(layout.is_training))[:, layout.fold_of.ravel()] * n_clips
    fold_scores = shares / shares.sum(axis=1, keepdims=True) @ test_scores
    item_scores = test_scores.reshape(-1, len(layout.labels), N_ALGORITHMS).mean(axis=0)
    tests = [corrected_t(other - fold_scores[:, 0], layout.ratio) for other in fold_scores.T[1:]]
    test, n_folds = tests[0], len(fold_scores)
    plain = test.value / test.standard_error * math.sqrt(1 + n_folds * layout.ratio)
    return {
        "corrected t": test.p <= LEVEL,
        "Holm, 3 tests": (holm(np.array([each.p for each in tests])) <= LEVEL).any(),
        "plain t": 2 * special.stdtr(n_folds - 1, -abs(plain)) <= LEVEL,
        "items": item_difference(item_scores[:, [1]] - item_scores[:, [0]]).p <= LEVEL,
        "difference": test.value,
        "variance": test.standard_error**2,
    }


def accuracies_of(answers: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the accuracy of each item, float64 (n_items, n_repeats, n_algorithms), or of each in each repeat."""
    is_right = (answers == layout.labels[:, np.newaxis, np.newaxis]) & layout.is_clip[:, np.newaxis, np.newaxis]
    return is_right.sum(axis=-1) / layout.is_clip.sum(axis=1)[:, np.newaxis, np.newaxis]


def estimate(answers: np.ndarray, layout: Layout, new: np.ndarray) -> dict[str, float]:
    """Return accuracy (mean over items) and pooled macro F1 of the first algorithm, their intervals, and both on new speakers.

    The macro F1 is that of the first seed.
    """
    accuracies = accuracies_of(answers, layout)[:, :, 0].mean(axis=1)
    clip_items, _ = np.nonzero(layout.is_clip)
    confusions = np.zeros((len(answers), N_CLASSES, N_CLASSES))
    np.add.at(confusions, (clip_items, layout.labels[layout.is_clip], answers[:, 0, 0][layout.is_clip]), 1)
    expected = confusions.sum(axis=2, keepdims=True) * new[layout.fold_of, 0]
    recalls = np.trace(new, axis1=2, axis2=3).mean(axis=1)[layout.fold_of] / N_CLASSES
    found = {
        "accuracy": accuracies.mean(), "accuracy, new": recalls.mean(),
        "macro F1": macro_f1(confusions), "macro F1, new": macro_f1(expected),
    }  # fmt: skip
    intervals = {
        "accuracy": mean_interval(accuracies),
        "macro F1": score_interval(len(answers), lambda items: macro_f1(confusions[items])),
    }
    for name, interval in intervals.items():
        found |= {f"{name} {end}": getattr(interval, end, math.nan) for end in ("low", "high")}
    return found


def macro_f1(confusions: np.ndarray) -> float:
    """Return the macro F1 of the sum of confusion matrices."""
    confusion = confusions.sum(axis=0)
    return float((2 * np.diag(confusion) / (confusion.sum(axis=0) + confusion.sum(axis=1))).mean())


def simulate(cell: Cell, n_repetitions: int, *, separation: float = SEPARATION, has_figures: bool = True) -> pd.Series:
    """Return what the repetitions of a study found on average.

    Args:
        cell: The size of the study.
        n_repetitions: Number of corpora.
        separation: Of the classes by the second algorithm.
        has_figures: Intervals of the first algorithm's scores are made too.
    """
    layouts = [make_layout(cell, seed) for seed in range(min(N_LAYOUTS, n_repetitions))]
    rng = np.random.default_rng(0)
    separations = np.array([SEPARATION, separation, *[SEPARATION] * (N_ALGORITHMS - 2)])
    rows = []
    for number in range(n_repetitions):
        layout = layouts[number % len(layouts)]
        answers, weights = draw_answers(rng, layout, cell.n_repeats, separations)
        rows.append(compare(answers, layout))
        if has_figures:
            rows[-1] |= estimate(answers, layout, answer_new(rng, weights[:, :, 0], SEPARATION, cell.n_windows))
    table = pd.DataFrame(rows).astype(float)
    found = table.mean()
    n_folds = cell.n_fold_repeats * cell.n_folds
    found["planned power"] = power(found["difference"], math.sqrt(found["variance"]), n_folds - 1)
    for name in FIGURES if has_figures else ():
        low, high = table[f"{name} low"], table[f"{name} high"]
        for what, figure in (("models", table[f"{name}, new"]), ("corpora", found[name])):
            found[f"{name}, {what}"] = ((low <= figure) & (figure <= high))[low.notna()].mean()
    return found


def draw_picture(equal: pd.DataFrame, unequal: pd.DataFrame, limit: float, path: Path) -> None:
    """Draw the rates, the coverage and the power."""
    figure = Figure(figsize=(14, 5), layout="constrained")
    rates, coverage, powers = figure.subplots(1, 3)
    studies = [str(cell) for cell in equal.index]
    for name in TESTS:
        rates.plot(equal[name], studies, "o" if name in WANTED else "x", label=name)
    rates.axvline(LEVEL, color="0.5", linewidth=0.8)
    rates.axvline(limit, color="0.5", linewidth=0.8, linestyle=":", label="5 % + 2 standard errors")
    rates.set(title="Equal algorithms: false positives", xlabel="share of corpora", xlim=(-0.002, None))
    for name in FIGURES:
        (drawn,) = coverage.plot(equal[f"{name}, models"], studies, "o", label=f"{name} of these models")
        coverage.plot(equal[f"{name}, corpora"], studies, "x", color=drawn.get_color(), label=f"{name}, all corpora")
    coverage.axvspan(*COVERAGE, color="0.92")
    coverage.set(title="95 % intervals over items: coverage", xlabel="share of corpora", yticklabels=[])
    for cell, found in unequal.groupby(level=0, sort=False):
        (drawn,) = powers.plot(found["difference"], found["corrected t"], "o-", label=str(cell))
        powers.plot(found["difference"], found["planned power"], ":", color=drawn.get_color())
    powers.set(title="Power of the corrected t test", xlabel="difference of the accuracies; dotted: as planned", ylim=(0, 1))
    powers.locator_params(axis="x", nbins=5)
    rates.invert_yaxis()
    coverage.invert_yaxis()
    for axes in (rates, coverage, powers):
        axes.legend(fontsize=8, ncols=2, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def main(n_repetitions: int, csv: Path | None, picture: Path | None) -> None:
    """Simulate all studies and print the results."""
    with threadpool_limits(1):
        equal = pd.DataFrame({cell: simulate(cell, n_repetitions) for cell in CELLS}).T
        dealt = pd.DataFrame({cell: simulate(cell, n_repetitions, has_figures=False) for cell in DEAL_CELLS}).T
        pairs = [(cell, separation) for cell in POWER_CELLS for separation in SEPARATIONS]
        found = [simulate(cell, n_repetitions, separation=separation, has_figures=False) for cell, separation in pairs]
    unequal = pd.DataFrame(found, index=pd.MultiIndex.from_tuples([(str(cell), separation) for cell, separation in pairs]))
    limit = LEVEL + 2 * math.sqrt(LEVEL * (1 - LEVEL) / n_repetitions)
    covered = [f"{name}, {what}" for name in FIGURES for what in ("models", "corpora")]
    print(f"{n_repetitions} corpora per study; rates of false positives, at most {limit:.3f} wanted of the first two")
    print(pd.concat([equal, dealt])[list(TESTS)].to_string(float_format="%.3f"))
    print(f"\nshare of intervals that cover the figure of these models, and the mean over corpora; {COVERAGE} wanted of models")
    print(equal[covered].to_string(float_format="%.3f"))
    print("\npower of the corrected t test, and as planned, by the separation of the second algorithm")
    print(unequal[["difference", "corrected t", "planned power"]].to_string(float_format="%.3f"))
    highest = pd.concat([equal, dealt])[list(WANTED)].max(axis=None)
    if csv:
        pd.concat([equal, dealt]).assign(limit=limit).rename_axis("study").to_csv(csv)
    if picture:
        draw_picture(equal, unequal, limit, picture)
    print(f"ratio of the highest rate to {limit:.3f}  {highest / limit:.3f}")


def print_intervals(n_repetitions: int, csv: Path | None) -> None:
    """Simulate the coverage of intervals and print it."""
    tables = simulate_intervals(n_repetitions)
    for title, table in tables.items():
        print(f"{title}; {n_repetitions} corpora each\n{table.to_string(float_format='%.3f')}\n")
    if csv:
        pd.concat(tables, names=["title", "study"]).to_csv(csv)
    shares = pd.concat([table.filter(["accuracy", "macro F1", "nested"]) for table in tables.values()])
    print(f"ratio of the largest distance from 0.95 to 0.02  {(shares - 0.95).abs().max(axis=None) / 0.02:.3f}")


def print_coverage(n_repetitions: int, csv: Path | None) -> None:
    """Simulate the coverage of intervals and bootstraps, and the error of comparisons, and print both."""
    tables = simulate_coverage(n_repetitions)
    for title, table in tables.items():
        print(f"{title}\n{table.to_string(float_format='%.3f')}\n")
    if csv:
        pd.concat(tables, names=["title"]).to_csv(csv)
    lowest = next(iter(tables.values()))["interval"].min()
    print(f"ratio of 0.94 to the lowest coverage of intervals  {0.94 / lowest:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="False positives, coverage and power of the project's statistics.")
    parser.add_argument("--quick", action="store_true", help="6 corpora per study, which measure nothing")
    parser.add_argument("--repetitions", type=int, default=N_REPETITIONS, help=f"corpora per study (default: {N_REPETITIONS})")
    parser.add_argument("--csv", type=Path, help="write the first two tables")
    parser.add_argument("--picture", type=Path, help="write a picture of all figures")
    parser.add_argument("--ways", action="store_true", help="error and power of ways to compare instead")
    parser.add_argument("--seeds", action="store_true", help="the error where seeds share partitions instead")
    parser.add_argument("--chance", action="store_true", help="how often random labels are said to be above chance instead")
    parser.add_argument("--intervals", action="store_true", help="the coverage of intervals instead")
    parser.add_argument("--coverage", action="store_true", help="intervals and bootstraps of unlike speakers instead")
    given = parser.parse_args()
    n_corpora = 6 if given.quick else given.repetitions
    if given.intervals:
        print_intervals(n_corpora, given.csv)
    elif given.coverage:
        print_coverage(n_corpora, given.csv)
    elif given.chance:
        print(f"ratio of the highest share to 0.025  {print_above_chance(n_corpora) / 0.025:.3f}")
    elif given.seeds:
        highest = print_seeds(n_corpora)
        print(f"ratio of the highest error with several repetitions to 0.05  {highest / LEVEL:.3f}")
    elif given.ways:
        with threadpool_limits(1):
            print_ways(n_corpora)
    else:
        main(n_corpora, given.csv, given.picture)
