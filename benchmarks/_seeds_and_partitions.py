"""How often `compare` finds equal algorithms different where partitions of the speakers into folds favour one of them by luck.

The difference of two algorithms is drawn for each speaker, training by training: an effect of the speaker, one of the partition
into folds, which all seeds on these folds share, one of the seed, and what is left. The deviations are those that
``xval sample-size`` prints of RAVDESS (speaker 0.045, clip 0.385 of 60 clips); the deviation between trainings, 0.012 there
and 0.011 on the digits, is of one seed on other folds, so partitions of 0.01 are as noisy as theirs, and 0.02 twice as noisy.

The table gives the shares of studies with p at most 0.05, with their Monte Carlo errors.
"""

import math

import numpy as np
import pandas as pd

from xval.measures.statistics.comparison import item_difference
from xval.measures.statistics.crossed import add_components

LEVEL = 0.05
SPEAKER = math.sqrt(0.045**2 + 0.385**2 / 60)
PARTITIONS = (0.0, 0.01, 0.02)
SEED, REST = 0.01, 0.03
SPEAKERS = (6, 12, 24, 60)
STUDIES = ((2, 1), (3, 1), (3, 5), (5, 3), (1, 5))
"""Repetitions of the cross-validation, and seeds of each."""


def by_training(values: np.ndarray) -> np.ndarray:
    """Return the differences by item and training: the seeds of a repetition averaged; of one repetition each seed."""
    return values.mean(axis=2) if values.shape[1] > 1 else values[:, 0]


def satterthwaite(table: np.ndarray) -> float:
    """Return p of differences by item and training with the degrees of freedom of Satterthwaite, as it was before."""
    found = item_difference(table)
    added = found._replace(components=(add_components(*found.components),))
    return max(added.p, found._replace(components=found.components[:1]).p)


def draw(
    rng: np.random.Generator, n_speakers: int, n_fold_repeats: int, n_seeds: int, partition: float
) -> tuple[np.ndarray, float]:
    """Return differences, float64 (n_speakers, n_fold_repeats, n_seeds), of equal algorithms; and the mean effect of folds."""
    partition_effects = rng.normal(0, partition, (n_fold_repeats, 1))
    values = rng.normal(0, SPEAKER, (n_speakers, 1, 1)) + partition_effects + rng.normal(0, SEED, (n_fold_repeats, n_seeds))
    return values + rng.normal(0, REST, (n_speakers, n_fold_repeats, n_seeds)), float(partition_effects.mean())


def measure(n_speakers: int, n_fold_repeats: int, n_seeds: int, partition: float, n_repetitions: int) -> dict[str, float]:
    """Return errors: with each seed as a training, with seeds averaged, of `compare`, and of that about these very folds."""
    rng = np.random.default_rng(0)
    found = {"before": 0, "seeds averaged": 0, "compare": 0, "compare, these folds": 0}
    for _ in range(n_repetitions):
        values, partition_mean = draw(rng, n_speakers, n_fold_repeats, n_seeds, partition)
        table = by_training(values)
        test = item_difference(table)
        found["before"] += satterthwaite(values.reshape(len(values), -1)) <= LEVEL
        found["seeds averaged"] += satterthwaite(table) <= LEVEL
        found["compare"] += test.p <= LEVEL
        found["compare, these folds"] += test._replace(value=test.value - partition_mean).p <= LEVEL
    return {name: count / n_repetitions for name, count in found.items()}


def print_seeds(n_repetitions: int) -> float:
    """Print the table, and return the highest error of what `compare` does with several repetitions."""
    rows = {
        (n_speakers, partition, n_fold_repeats, n_seeds): measure(n_speakers, n_fold_repeats, n_seeds, partition, n_repetitions)
        for n_speakers in SPEAKERS
        for partition in PARTITIONS
        for n_fold_repeats, n_seeds in STUDIES
    }
    table = pd.DataFrame(rows).T.rename_axis(["speakers", "partition", "repetitions", "seeds"])
    error = math.sqrt(LEVEL * (1 - LEVEL) / n_repetitions)
    print(f"{n_repetitions} studies each of equal algorithms: share with p <= {LEVEL}; Monte Carlo error of 5 %: {error:.4f}, "
          f"so at most {LEVEL + 2 * error:.4f} wanted")  # fmt: skip
    print(table.to_string(float_format="%.3f"))
    return float(table.query("repetitions > 1")["compare"].max())
