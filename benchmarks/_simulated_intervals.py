"""How often intervals cover: for the models, for the method, and where the best of several equal instances is selected.

The tables give shares of simulated corpora, with their Monte Carlo errors.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from _simulated_corpora import N_CLASSES, Cell, Layout, answer_new, draw_answers, make_layout
from threadpoolctl import threadpool_limits

from xval.measures.statistics.intervals import Interval, mean_interval, score_interval

SEPARATIONS = {"0.69": 2.0, "0.97": 5.7}  # by the accuracy that they give
N_LAYOUTS = 20
N_COMPETING = 30
SELECTION_CELLS = (Cell(12, 6, 1), Cell(24, 6, 1))
METHOD_CELLS = tuple(
    Cell(n_items, 3 if n_items == 6 and n_fold_repeats > 1 else 6, n_seeds, n_fold_repeats=n_fold_repeats)
    for n_items in (6, 12, 24, 60)
    for n_fold_repeats, n_seeds in ((1, 1), (3, 1), (5, 1), (1, 3), (1, 5))
)
BETA_MEAN, BETA_CONCENTRATIONS, BETA_CLIPS = 0.97, (10, 30), (20, 60)


def simulate_intervals(n_repetitions: int) -> dict[str, pd.DataFrame]:
    """Return a table of coverage for each title."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=threadpool_limits, initargs=(1,)) as pool:
        studies = [(accuracy, cell) for accuracy in SEPARATIONS for cell in METHOD_CELLS]
        method = list(pool.map(partial(_cover_method, n_repetitions), *zip(*studies, strict=True)))
        selection = list(pool.map(partial(_cover_selection, n_repetitions), SELECTION_CELLS))
    names = [f"{accuracy}: {cell}" for accuracy, cell in studies]
    return {
        "intervals of one repeat and seed cover the models; those of several cover the method": pd.DataFrame(method, names),
        f"accuracies of speakers that are drawn from a beta distribution of mean {BETA_MEAN}": _cover_beta(n_repetitions),
        f"the best of {N_COMPETING} equal instances by validation, and nested selection": pd.DataFrame(
            selection, [str(cell) for cell in SELECTION_CELLS]
        ),
    }


def _cover_method(n_repetitions: int, accuracy: str, cell: Cell) -> dict[str, float]:
    """Return the coverage of accuracy and pooled macro F1: of new speakers with these models, or of the mean over corpora."""
    layouts = _layouts(cell, n_repetitions)
    rng, separation = np.random.default_rng(0), SEPARATIONS[accuracy]
    intervals: dict[str, list[Interval | None]] = {"accuracy": [], "macro F1": []}
    estimates: dict[str, list[float]] = {name: [] for name in intervals}
    model_truths: dict[str, list[float]] = {name: [] for name in intervals}
    for number in range(n_repetitions):
        layout = layouts[number % len(layouts)]
        answers, weights = draw_answers(rng, layout, cell.n_repeats, np.array([separation]))
        counts = _confusions(answers, layout, cell)
        item_scores = np.trace(counts, axis1=2, axis2=3) / counts.sum(axis=(2, 3))
        runs = item_scores.mean(axis=0)
        intervals["accuracy"].append(mean_interval(item_scores.mean(axis=1), runs=runs))
        run_scores = _macro_f1(counts.sum(axis=0))
        intervals["macro F1"].append(score_interval(cell.n_items, _score_of(counts), runs=run_scores))
        estimates["accuracy"].append(float(runs.mean()))
        estimates["macro F1"].append(float(run_scores.mean()))
        if runs.size == 1:
            new = answer_new(rng, weights[:, :, 0], separation, cell.n_windows)[layout.fold_of, 0]
            model_truths["accuracy"].append(float(np.trace(new, axis1=1, axis2=2).mean()) / N_CLASSES)
            model_truths["macro F1"].append(float(_macro_f1((counts[:, 0].sum(axis=2, keepdims=True) * new).sum(axis=0))))
    found: dict[str, float] = {"mean accuracy": float(np.mean(estimates["accuracy"]))}
    for name, made in intervals.items():
        corpora_truths = [float(np.mean(estimates[name]))] * n_repetitions
        found |= _shares(name, made, model_truths[name] or corpora_truths)
        found[f"{name}, all corpora"] = _shares(name, made, corpora_truths)[name]
    return found


def _confusions(answers: np.ndarray, layout: Layout, cell: Cell) -> np.ndarray:
    """Return float64 (n_items, n_runs, n_classes, n_classes), counts by item and training run, a row per true class."""
    given = answers[..., 0, :] if cell.n_fold_repeats > 1 else answers[np.newaxis, :, :, 0, :]
    given = np.moveaxis(given, (0, 2), (1, 2)).reshape(cell.n_items, -1, answers.shape[-1])  # (n_items, n_runs, n_clips)
    is_true = np.eye(N_CLASSES)[layout.labels] * layout.is_clip[..., np.newaxis]
    return np.asarray(np.einsum("ict,irca->irta", is_true, np.eye(N_CLASSES)[given]))


def _macro_f1(counts: np.ndarray) -> np.ndarray:
    """Return the macro F1 of confusion matrices, float64 (..., n_classes, n_classes)."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return np.asarray((2 * right / (counts.sum(axis=-1) + counts.sum(axis=-2))).mean(axis=-1))


def _score_of(counts: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda items: float(_macro_f1(counts[items].sum(axis=0)).mean())


def _cover_beta(n_repetitions: int) -> pd.DataFrame:
    """Return the coverage where a few speakers are much harder than others."""
    rng, rows = np.random.default_rng(0), {}
    for concentration in BETA_CONCENTRATIONS:
        for n_clips in BETA_CLIPS:
            for n_items in (6, 12, 24, 60):
                shape = (concentration * BETA_MEAN, concentration * (1 - BETA_MEAN), (n_repetitions, n_items))
                made = [mean_interval(values) for values in rng.binomial(n_clips, rng.beta(*shape)) / n_clips]
                name = f"{n_items} speakers of {n_clips} clips, concentration {concentration}"
                rows[name] = _shares("accuracy", made, [BETA_MEAN] * n_repetitions)
    return pd.DataFrame(rows).T


def _cover_selection(n_repetitions: int, cell: Cell) -> dict[str, float]:
    """Return how often intervals of the selected instance and of nested selection cover what their models reach.

    The features of instances are drawn independently, so that they differ more than instances of one corpus do.
    """
    layouts = _layouts(cell, n_repetitions)
    rng, separation = np.random.default_rng(0), SEPARATIONS["0.69"]
    folds = np.arange(cell.n_folds)
    made: dict[str, list[Interval | None]] = {"selected": [], "nested": []}
    truth: dict[str, list[float]] = {name: [] for name in made}
    figures: dict[str, list[float]] = {name: [] for name in made}
    for number in range(n_repetitions):
        layout = layouts[number % len(layouts)]
        everywhere = replace(layout, fold_of=np.tile(folds[:, np.newaxis], (1, cell.n_items)))  # all items, by all folds
        answers, weights = draw_answers(rng, everywhere, 1, np.full(N_COMPETING, separation))
        is_right = (answers[:, :, 0] == layout.labels[:, np.newaxis]) & layout.is_clip[:, np.newaxis]
        accuracies = is_right.sum(axis=-1) / layout.is_clip.sum(axis=1)[:, np.newaxis]  # (n_folds, n_items, n_competing)
        is_test = layout.fold_of == folds[:, np.newaxis]
        is_validation = (layout.is_training == 0) & ~is_test
        validation = np.array(
            [fold_accuracies[own].mean(axis=0) for fold_accuracies, own in zip(accuracies, is_validation, strict=True)]
        )
        choices = {"selected": np.full(cell.n_folds, validation.mean(axis=0).argmax()), "nested": validation.argmax(axis=1)}
        for name, chosen in choices.items():
            item_scores = accuracies[layout.fold_of, np.arange(cell.n_items), chosen[layout.fold_of]]
            new = answer_new(rng, weights[folds, :, chosen], separation, cell.n_windows)[layout.fold_of, 0]
            made[name].append(mean_interval(item_scores))
            figures[name].append(float(item_scores.mean()))
            truth[name].append(float(np.trace(new, axis1=1, axis2=2).mean()) / N_CLASSES)
    found: dict[str, float] = {}
    for name in made:
        found |= {f"{name} minus truth": float(np.mean(figures[name]) - np.mean(truth[name]))}
        found |= _shares(name, made[name], truth[name])
    return found


def _shares(name: str, made: Sequence[Interval | None], truth: Sequence[float]) -> dict[str, float]:
    """Return the share of intervals that cover, its Monte-Carlo error, and the shares that lie below and above the truth."""
    pairs = [(interval, value) for interval, value in zip(made, truth, strict=True) if interval is not None]
    below = np.array([interval.high < value for interval, value in pairs])
    above = np.array([interval.low > value for interval, value in pairs])
    covered = 1 - float((below | above).mean())
    error = float(np.sqrt(covered * (1 - covered) / len(pairs)))
    width = float(np.median([interval.high - interval.low for interval, _ in pairs]))
    sides = {f"{name}, too low": float(below.mean()), f"{name}, too high": float(above.mean())}
    return {name: covered, f"{name}, error": error, **sides, f"{name}, width": width}


def _layouts(cell: Cell, n_repetitions: int) -> list[Layout]:
    return [make_layout(cell, seed) for seed in range(min(N_LAYOUTS, n_repetitions))]
