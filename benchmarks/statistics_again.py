"""Compute the statistics of an experiment again with numpy, scipy and scikit-learn alone, by the formulas of the docs.

python benchmarks/statistics_again.py EXPERIMENT

Of a classification of clips with balanced folds: accuracy (a mean over items) and balanced accuracy (pooled), their intervals,
the nested values, and all comparisons with the first instance, with p and p by Holm. Only predictions.parquet,
scores.parquet, record.json and folds.json are read for it; `xval.load_scores` and `xval.compare_instances` give what is to be
checked. Prints the largest difference last. Formulas: docs/statistics.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from _experiments import read_scores
from scipy import special, stats
from sklearn.metrics import balanced_accuracy_score

import xval

TOLERANCE = 1e-9


def repetition_of(folder: Path) -> dict[int, int]:
    """Return the repeat of each fold: each tests every item once."""
    folds = json.loads((folder / "folds.json").read_text())["folds"]
    n_repetitions = sum(len(fold["test"]) for fold in folds) // len({item for fold in folds for item in fold["test"]})
    return {fold["number"]: (fold["number"] - 1) * n_repetitions // len(folds) + 1 for fold in folds}


def read_jobs(folder: Path) -> pd.DataFrame:
    """Return a row for each finished job: instance, fold, repetition, validation value and loss, and the tested clips."""
    repetition, rows = repetition_of(folder), []
    for path in sorted(folder.glob("instance_*/fold_*/record.json")):
        record = json.loads(path.read_text())
        if record["status"] == "done" and record["repeat"] == 1:
            table, validation = pd.read_parquet(path.parent / "predictions.parquet"), read_scores(path.parent, "validation")
            rows.append({
                "instance": record["instance"], "fold": record["fold"], "repetition": repetition[record["fold"]],
                "value": validation["balanced_accuracy"], "loss": validation["loss"], "clips": table[table["side"] == "test"],
            })  # fmt: skip
    return pd.DataFrame(rows)


def trainings_of(jobs: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the tested clips of each repetition."""
    return [pd.concat(of["clips"].tolist()) for _, of in jobs.groupby("repetition")]


def accuracy(clips: pd.DataFrame) -> float:
    """Mean over items."""
    return float((clips["target"] == clips["predicted"]).groupby(clips["item"]).mean().mean())


def balanced(clips: pd.DataFrame) -> float:
    """Pooled over all clips."""
    return float(balanced_accuracy_score(clips["target"], clips["predicted"]))


METRICS = {"accuracy": accuracy, "balanced_accuracy": balanced}


def item_freedom(clips: pd.DataFrame, metric: str) -> float:
    """Return the degrees of freedom of the variance over items."""
    if metric == "accuracy":
        return clips["item"].nunique() - 1
    table = pd.crosstab(clips["target"], clips["item"]).to_numpy(float)
    shares = table / table.sum(axis=1, keepdims=True)
    mean = shares.mean(axis=0)
    classes = np.array([(mean**2 * own / shares.sum(axis=0)).sum() for own in shares])
    effective = table.sum(axis=1) ** 2 / (table**2).sum(axis=1)
    spent = (classes**2 / np.maximum(effective - 1, 1)).sum()
    return float(max(1.0, min(1 / (mean**2).sum() - 1, classes.sum() ** 2 / spent)))


def without_each(trainings: list[pd.DataFrame], metric: str) -> np.ndarray:
    """Return float64 (n_items, n_trainings), the value without each item."""
    items = sorted(trainings[0]["item"].unique())
    return np.array([[METRICS[metric](clips[clips["item"] != item]) for clips in trainings] for item in items])


def interval(trainings: list[pd.DataFrame], metric: str) -> tuple[float, float, float]:
    """Return the value and the ends of its interval, on the logit scale."""
    values = np.array([METRICS[metric](clips) for clips in trainings])
    value, without = values.mean(), without_each(trainings, metric).mean(axis=1)
    over_items = (len(without) - 1) / len(without) * ((without - without.mean()) ** 2).sum()
    df = item_freedom(trainings[0], metric)
    halves = [np.sqrt(over_items) * stats.t.ppf(0.975, df)]
    if len(values) > 1 and np.ptp(values) > 0:
        over_trainings = values.var(ddof=1) / len(values)
        total = over_items + over_trainings
        together = total**2 / (over_items**2 / df + over_trainings**2 / (len(values) - 1))
        halves.append(np.sqrt(total) * stats.t.ppf(0.975, together))
    low, high = special.expit(special.logit(value) + np.array([-1, 1]) * max(halves) / (value * (1 - value)))
    return float(value), float(low), float(high)


def difference(own: list[pd.DataFrame], other: list[pd.DataFrame], metric: str) -> tuple[float, float, float, float]:
    """Return the difference, the ends of its interval and p."""
    values = np.array([METRICS[metric](a) - METRICS[metric](b) for a, b in zip(own, other, strict=True)])
    without = without_each(own, metric) - without_each(other, metric)
    item_differences = without.mean(axis=1)
    value = values.mean()
    over_items = (len(item_differences) - 1) / len(item_differences) * ((item_differences - item_differences.mean()) ** 2).sum()
    df = item_freedom(own[0], metric)
    errors = [(over_items, df)]
    if len(values) > 1 and np.ptp(values) > 0:
        over_trainings = values.var(ddof=1) / len(values)
        total = over_items + over_trainings
        errors.append((total, 1 / ((over_items / df + over_trainings / (len(values) - 1)) / total)))
    half = max(np.sqrt(error) * stats.t.ppf(0.975, freedom) for error, freedom in errors)
    p = max(2 * stats.t.sf(abs(value) / np.sqrt(error), freedom) for error, freedom in errors)
    return float(value), float(value - half), float(value + half), float(p)


def holm(p_values: list[float]) -> list[float]:
    """Return p values adjusted by Holm's method."""
    order = np.argsort(p_values)
    adjusted, largest = np.empty(len(order)), 0.0
    for place, number in enumerate(order):
        largest = max(largest, min(1.0, p_values[number] * (len(order) - place)))
        adjusted[number] = largest
    return adjusted.tolist()


def choose(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return the job that each fold chooses: the highest validation value, and of equal ones the least loss."""
    ordered = jobs.sort_values(["fold", "value", "loss"], ascending=[True, False, True])
    return ordered.groupby("fold").head(1)


def check(folder: Path) -> float:
    """Print a row for each number, and return the largest difference."""
    figures = xval.load_scores(folder)
    figures = figures[figures["side"].isin(["test", "clip_test"])]
    numbers = sorted(figures["instance"].unique().tolist())
    jobs = read_jobs(folder)
    trainings = {number: trainings_of(jobs[jobs["instance"] == number]) for number in numbers}
    largest = 0.0

    def row(name: str, printed: list[float], again: list[float]) -> None:
        nonlocal largest
        apart = float(np.max(np.abs(np.array(printed, float) - np.array(again, float))))
        largest = max(largest, apart)
        print(f"{name:<58} {' '.join(f'{value:9.6f}' for value in again)}   apart {apart:.1e}")

    for metric in METRICS:
        shown = figures[figures["metric"] == metric].set_index("instance")
        for number in numbers:
            of = shown.loc[number]
            row(f"instance {number} {metric}: value, low, high", [of[of["of"]], of["low"], of["high"]],
                list(interval(trainings[number], metric)))  # fmt: skip
        if len(numbers) > 1:
            table = xval.compare_instances(folder, numbers[1:], baseline=numbers[0], metric=metric).table
            again = [difference(trainings[int(number)], trainings[numbers[0]], metric) for number in table["instance"]]
            adjusted = holm([p for *_, p in again])
            for place, of in table.iterrows():
                row(f"instance {of['instance']} less {numbers[0]} {metric}: difference, low, high, p, p Holm",
                    [of["difference"], of["low"], of["high"], of["p"], of["p_holm"]],
                    [*again[place], adjusted[place]])  # fmt: skip
    if len(numbers) > 1:
        chosen = trainings_of(choose(jobs))
        kept = json.loads((folder / "nested_estimates.json").read_text())["over_items"]["figures"]["figures"]["test"]
        for metric in METRICS:
            of = kept[metric]
            row(f"nested {metric}: value, low, high", [of[of["of"]], of["low"], of["high"]],
                list(interval(chosen, metric)))  # fmt: skip
    return largest


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("experiment", type=Path, help="such as results/demo/experiment_1")
    found = check(parser.parse_args().experiment)
    print(f"largest difference  {found:.1e}")
    raise SystemExit(found > TOLERANCE)
