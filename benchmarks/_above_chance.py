"""How often random labels seem to be above chance: for one instance, for the best by validation, and in nested selection.

The two tables give shares of simulated corpora whose labels have nothing to do with their features. In the first, instances are
chosen by validation. In the second, one instance is tested by its interval and by permuted labels, where each speaker has clips
of both classes and where each has clips of one.
"""

import math
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from _simulated_corpora import N_CLASSES, Cell, draw_answers, make_layout
from threadpoolctl import threadpool_limits

from xval.measures.statistics.intervals import mean_interval

STUDIES = tuple((n_speakers, n_competing) for n_speakers in (12, 24) for n_competing in (5, 30))
N_LAYOUTS, N_FOLDS = 20, 6
N_PERMUTATIONS, N_FEATURES, RIDGE, N_CLIPS = 79, 8, 1.0, 20
WITHIN, ONE_CLASS = "classes within speakers", "one class a speaker"


def select(n_repetitions: int, n_speakers: int, n_competing: int) -> dict[str, float]:
    """Return how often the 95 % interval lies above chance: of the first instance, the selected one, the nested choice."""
    cell = Cell(n_speakers, N_FOLDS, 1)
    layouts = [make_layout(cell, seed) for seed in range(min(N_LAYOUTS, n_repetitions))]
    rng, folds = np.random.default_rng(0), np.arange(N_FOLDS)
    above = {"one instance": 0, "selected": 0, "nested": 0}
    for number in range(n_repetitions):
        layout = layouts[number % len(layouts)]
        everywhere = replace(layout, fold_of=np.tile(folds[:, np.newaxis], (1, n_speakers)))  # all speakers, by all folds
        answers, _ = draw_answers(rng, everywhere, 1, np.zeros(n_competing))
        accuracies = (answers[:, :, 0] == layout.labels[:, np.newaxis]).mean(axis=-1)  # (n_folds, n_speakers, n_competing)
        is_validation = (layout.is_training == 0) & (layout.fold_of != folds[:, np.newaxis])
        validation = np.array(
            [fold_accuracies[own].mean(axis=0) for fold_accuracies, own in zip(accuracies, is_validation, strict=True)]
        )
        choices = {"one instance": np.zeros(N_FOLDS, int), "selected": np.full(N_FOLDS, validation.mean(axis=0).argmax())}
        for name, chosen in {**choices, "nested": validation.argmax(axis=1)}.items():
            values = accuracies[layout.fold_of, np.arange(n_speakers), chosen[layout.fold_of]]
            interval = mean_interval(values)
            above[name] += interval is not None and interval.low > 1 / N_CLASSES
    return {name: count / n_repetitions for name, count in above.items()}


def permute(n_repetitions: int, n_speakers: int, labels: str) -> dict[str, float]:
    """Return how often one instance is said to be above chance, at 2.5 %, by its interval and by permuted labels."""
    rng = np.random.default_rng(0)
    found = {"interval": 0, "permuted labels": 0}
    for _ in range(n_repetitions):
        clips = rng.normal(size=(n_speakers, N_CLIPS, N_FEATURES)) + rng.normal(0, 0.7, (n_speakers, 1, N_FEATURES))
        speaker_labels = np.tile([-1.0, 1.0], n_speakers // 2)
        fold_of = np.empty(n_speakers, int)
        for label in (-1, 1):  # balanced by labels, as the project's folds are
            own = np.flatnonzero(speaker_labels == label)
            fold_of[rng.permutation(own)] = np.arange(len(own)) % N_FOLDS
        truth = np.repeat(speaker_labels[:, np.newaxis], N_CLIPS, axis=1)
        if labels == WITHIN:
            truth = rng.permuted(np.tile([-1.0, 1.0], (n_speakers, N_CLIPS // 2)), axis=1)
        values = _values(clips, truth, fold_of)
        others = []
        for _ in range(N_PERMUTATIONS):
            if labels == WITHIN:
                others.append(_values(clips, rng.permuted(truth, axis=1), fold_of).mean())
            else:
                others.append(_values(clips[rng.permutation(n_speakers)], truth, fold_of).mean())
        interval = mean_interval(values)
        found["interval"] += interval is not None and interval.low > 0.5
        found["permuted labels"] += (1 + sum(np.array(others) >= values.mean())) / (1 + N_PERMUTATIONS) <= 0.025
    return {name: count / n_repetitions for name, count in found.items()}


def _values(clips: np.ndarray, truth: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Return the share of clips of each speaker that ridge regressions on the other folds get right."""
    squares, products = clips.swapaxes(1, 2) @ clips, (clips * truth[..., np.newaxis]).sum(axis=1)
    is_training = fold_of != np.arange(N_FOLDS)[:, np.newaxis]
    penalised = np.tensordot(is_training, squares, axes=1) + RIDGE * np.eye(N_FEATURES)
    weights = np.linalg.solve(penalised, (is_training @ products)[..., np.newaxis])[..., 0]
    answers = (clips * weights[fold_of][:, np.newaxis]).sum(axis=-1)
    return np.asarray(((answers > 0) == (truth > 0)).mean(axis=1))


def print_above_chance(n_repetitions: int) -> float:
    """Print both tables, and return the highest share of the nested choice and of the permutation test."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=threadpool_limits, initargs=(1,)) as pool:
        selected = list(pool.map(partial(select, n_repetitions), *zip(*STUDIES, strict=True)))
        single = [(n_speakers, labels) for labels in (WITHIN, ONE_CLASS) for n_speakers in (12, 24)]
        permuted = list(pool.map(partial(permute, n_repetitions), *zip(*single, strict=True)))
    error = math.sqrt(0.025 * 0.975 / n_repetitions)
    chosen = pd.DataFrame(selected, pd.MultiIndex.from_tuples(STUDIES, names=["speakers", "instances"]))
    alone = pd.DataFrame(permuted, pd.MultiIndex.from_tuples(single, names=["speakers", "labels"]))
    print(f"random labels, {n_repetitions} corpora each: share that is said to be above chance; meant are 0.025, with a Monte "
          f"Carlo error of {error:.4f}")  # fmt: skip
    print(chosen.to_string(float_format="%.3f"))
    print(f"\none instance, p at most 0.025 ({N_PERMUTATIONS} permutations)\n{alone.to_string(float_format='%.3f')}")
    return max(float(chosen["nested"].max()), float(alone["permuted labels"].max()))
