"""How often intervals cover where speakers are few, unlike, of unequal numbers of clips, or few of a class.

The table gives the shares of simulated corpora that are covered, with Monte Carlo errors, for the intervals of the project and
for both kinds of bootstrap; and the error of comparisons of pooled values.

Speakers are drawn from a population whose value is known; no model is trained, so that thousands of corpora take minutes. A
score is a function of how often each speaker counts, float (..., n_speakers), so that all resamples are computed at once.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from xval.measures.statistics.comparison import item_difference
from xval.measures.statistics.intervals import N_RESAMPLES, bootstrap_ends, score_interval

SIZES = (6, 12, 24, 60)
METHODS = ("interval", "percentile bootstrap", "BCa")
MOST_CLIPS = 200
LEVEL = 0.05
_Figure = Callable[[np.ndarray], np.ndarray]


class Drawn(NamedTuple):
    """A corpus: its score as a function of how often each speaker counts, and what is known of its speakers.

    Attributes:
        truth: The score in the population.
        weights: Clips of each speaker in each class, float (n_classes, n_speakers); None: the score is a mean over speakers.
    """

    figure: _Figure
    truth: float
    weights: np.ndarray | None


Draw = Callable[[np.random.Generator, int], Drawn]


def simulate_coverage(n_repetitions: int) -> dict[str, pd.DataFrame]:
    """Return the table of coverage, and that of comparisons."""
    studies = [(case, n_items) for case in CASES for n_items in SIZES]
    pairs = [(kind, n_items) for kind in COMPARED for n_items in SIZES]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        covered = list(pool.map(partial(_cover, n_repetitions), *zip(*studies, strict=True)))
        erred = list(pool.map(partial(_err, 4 * n_repetitions), *zip(*pairs, strict=True)))
    return {
        "95 % intervals over speakers: share that covers, with its Monte-Carlo error": _table(studies, covered),
        f"equal algorithms, pooled values compared: share of p <= {LEVEL}": _table(pairs, erred),
    }


def _table(studies: list[tuple[str, int]], found: list[dict[str, float]]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(studies, names=["case", "speakers"])
    return pd.DataFrame(found, index)


def _cover(n_repetitions: int, case: str, n_items: int) -> dict[str, float]:
    """Return how often each kind of interval covers, its error and its median width."""
    rng = np.random.default_rng(list(CASES).index(case))
    covers: dict[str, list[bool]] = {name: [] for name in METHODS}
    widths: dict[str, list[float]] = {name: [] for name in METHODS}
    for _ in range(n_repetitions):
        drawn = CASES[case](rng, n_items)
        for name, ends in _ends(drawn, n_items, rng).items():
            covers[name].append(bool(ends[0] <= drawn.truth <= ends[1]))
            widths[name].append(float(ends[1] - ends[0]))
    found = {}
    for name in METHODS:
        share = float(np.mean(covers[name])) if covers[name] else math.nan
        error = math.sqrt(share * (1 - share) / len(covers[name])) if covers[name] else math.nan
        found |= {name: share, f"{name}, error": error, f"{name}, width": float(np.median(widths[name] or [math.nan]))}
    return found | {"without interval": 1 - len(covers["interval"]) / n_repetitions}


def _ends(drawn: Drawn, n_items: int, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Return both ends of each kind of interval; nothing where there is none."""
    everyone = np.ones(n_items)

    def compute(items: np.ndarray) -> float:
        return float(drawn.figure(np.bincount(items, minlength=n_items).astype(float)))

    interval = score_interval(n_items, compute, weights=drawn.weights)
    if interval is None:
        return {}
    resampled = drawn.figure(rng.multinomial(n_items, everyone / n_items, size=N_RESAMPLES).astype(float))
    resampled = resampled[np.isfinite(resampled)]
    without, estimate = drawn.figure(everyone - np.eye(n_items)), float(drawn.figure(everyone))
    bootstraps = [bootstrap_ends(estimate, resampled, each) for each in (None, without)]
    return dict(zip(METHODS, ((interval.low, interval.high), *((ends[0], ends[1]) for ends in bootstraps)), strict=True))


def _mean(values: np.ndarray, truth: float) -> Drawn:
    return Drawn(lambda counts: counts @ values / counts.sum(axis=-1), truth, None)


def _recalls(right: np.ndarray, clips: np.ndarray, truth: float) -> Drawn:
    """Return the mean over classes of the share of right clips, float (n_classes, n_speakers) both; of one class, accuracy."""

    def figure(counts: np.ndarray) -> np.ndarray:
        n_clips = counts @ clips.T
        return np.asarray(np.divide(counts @ right.T, n_clips, out=np.full_like(n_clips, np.nan), where=n_clips > 0).mean(-1))

    return Drawn(figure, truth, clips)


def _beta(mean: float, deviation: float, rng: np.random.Generator, n_items: int) -> np.ndarray:
    concentration = mean * (1 - mean) / deviation**2 - 1
    return rng.beta(concentration * mean, concentration * (1 - mean), n_items)


def _n_clips(rng: np.random.Generator, n_items: int) -> np.ndarray:
    return rng.integers(1, MOST_CLIPS + 1, n_items)


def _few(n_items: int) -> np.ndarray:
    """Return which speakers are ill: 20 %, but 3 at least."""
    return np.arange(n_items) < max(3, round(0.2 * n_items))


def _half(n_items: int) -> np.ndarray:
    return np.arange(n_items) < n_items // 2


def _equal_clips(mean: float, deviation: float, rng: np.random.Generator, n_items: int) -> Drawn:
    return _mean(rng.binomial(20, _beta(mean, deviation, rng, n_items)) / 20, mean)


def _bimodal(rng: np.random.Generator, n_items: int) -> Drawn:
    """Most speakers are easy, one of ten is nearly hopeless."""
    rates = np.where(rng.random(n_items) < 0.1, 0.2, 0.97)
    return _mean(rng.binomial(20, rates) / 20, 0.1 * 0.2 + 0.9 * 0.97)


def _unequal_clips(rng: np.random.Generator, n_items: int) -> Drawn:
    clips = _n_clips(rng, n_items)
    right = rng.binomial(clips, _beta(0.7, 0.15, rng, n_items))
    return _recalls(right[np.newaxis].astype(float), clips[np.newaxis].astype(float), 0.7)


def _both_classes(rng: np.random.Generator, n_items: int) -> Drawn:
    """Balanced accuracy where each speaker has clips of both classes, of unequal number."""
    clips = np.stack([_n_clips(rng, n_items), _n_clips(rng, n_items)])
    shift = rng.normal(0, 0.12, n_items)
    right = rng.binomial(clips, np.clip(np.stack([0.7 + shift, 0.7 - 0.5 * shift]), 0, 1))
    return _recalls(right.astype(float), clips.astype(float), 0.7)


def _one_class_each(is_ill: Callable[[int], np.ndarray], rng: np.random.Generator, n_items: int) -> Drawn:
    ill = is_ill(n_items)
    clips = _n_clips(rng, n_items) * np.stack([ill, ~ill])
    right = rng.binomial(clips, _beta(0.7, 0.15, rng, n_items))
    return _recalls(right.astype(float), clips.astype(float), 0.7)


def _auc(most_clips: int, is_drawn: bool, rng: np.random.Generator, n_items: int) -> Drawn:
    """AUC where 20 % are ill, or each with 20 %: scores are normal, speakers differ by 0.7 of the deviation of their clips."""
    ill = rng.random(n_items) < 0.2 if is_drawn else _few(n_items)
    clips = _n_clips(rng, n_items) if most_clips == MOST_CLIPS else np.full(n_items, most_clips)
    deviation, truth = math.hypot(1, 0.7), 0.75
    separation = float(special.ndtri(truth)) * math.sqrt(2) * deviation
    scores = [rng.normal(rng.normal(0, 0.7) + separation * is_ill, 1, n) for n, is_ill in zip(clips, ill, strict=True)]
    other_scores = [np.sort(own) for own, is_ill in zip(scores, ill, strict=True) if not is_ill]
    own_scores = [own for own, is_ill in zip(scores, ill, strict=True) if is_ill]
    won = np.array([[np.searchsorted(other, own).sum() for other in other_scores] for own in own_scores], float)
    won = won.reshape(len(own_scores), len(other_scores))

    def figure(counts: np.ndarray) -> np.ndarray:
        first, second = counts[..., ill], counts[..., ~ill]
        pairs = np.asarray((first @ clips[ill]) * (second @ clips[~ill]), float)
        wins = np.asarray(((first @ won) * second).sum(axis=-1))
        return np.divide(wins, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0)

    return Drawn(figure, truth, clips * np.stack([ill, ~ill]).astype(float))


def _one_decision(is_of_classes: bool, rng: np.random.Generator, n_items: int) -> Drawn:
    """Accuracy, or balanced accuracy of two classes of equal size, with one decision for each speaker."""
    clips = np.stack([_half(n_items), ~_half(n_items)]).astype(float) if is_of_classes else np.ones((1, n_items))
    drawn = _recalls((rng.random(n_items) < 0.75) * clips, clips, 0.75)
    return drawn if is_of_classes else drawn._replace(weights=None)


CASES: dict[str, Draw] = {
    "accuracy, 20 clips each": partial(_equal_clips, 0.7, 0.15),
    "accuracy near 1 (0.97), 20 clips each": partial(_equal_clips, 0.97, 0.051),
    "accuracy, bimodal speakers": _bimodal,
    "accuracy, 1 to 200 clips": _unequal_clips,
    "balanced accuracy, 1 to 200 clips of each class": _both_classes,
    "balanced accuracy, 1 to 200 clips, one class each, half": partial(_one_class_each, _half),
    "balanced accuracy, 1 to 200 clips, one class each, 20 % ill": partial(_one_class_each, _few),
    "AUC, 1 to 200 clips, one class each, 20 % ill": partial(_auc, MOST_CLIPS, False),
    "AUC, 20 clips, one class each, 20 % ill": partial(_auc, 20, False),
    "accuracy, one decision each": partial(_one_decision, False),
    "balanced accuracy, one decision each": partial(_one_decision, True),
    "AUC, 20 clips, one class each, ill with a probability of 20 %": partial(_auc, 20, True),
}


def _err(n_repetitions: int, kind: str, n_items: int) -> dict[str, float]:
    """Return how often two equal algorithms are distinguished by their pooled balanced accuracies."""
    rng = np.random.default_rng(n_items)
    found: dict[str, list[bool]] = {"error": [], "error, all items alike": []}
    for _ in range(n_repetitions):
        clips = COMPARED[kind](rng, n_items)
        common = rng.normal(0, 0.1, n_items)
        figures = []
        for _algorithm in range(2):
            rates = np.clip(0.7 + common + rng.normal(0, 0.08, n_items), 0, 1)
            figures.append(_recalls(rng.binomial(clips, rates).astype(float), clips.astype(float), 0.7).figure)
        everyone = np.ones(n_items)
        (own, own_without), (other, other_without) = ([of(everyone), of(everyone - np.eye(n_items))] for of in figures)
        pseudo = n_items * (own - other) - (n_items - 1) * (own_without - other_without)
        for name, weights in zip(found, (clips, None), strict=True):
            found[name].append(item_difference(pseudo[:, np.newaxis], float(own - other), weights).p <= LEVEL)
    shares = {name: float(np.mean(values)) for name, values in found.items()}
    return shares | {"Monte-Carlo error": math.sqrt(shares["error"] * (1 - shares["error"]) / n_repetitions)}


COMPARED: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "1 to 200 clips of each class": lambda rng, n_items: np.stack([_n_clips(rng, n_items), _n_clips(rng, n_items)]),
    "1 to 200 clips, one class each, half": lambda rng, n: _n_clips(rng, n) * np.stack([_half(n), ~_half(n)]),
    "1 to 200 clips, one class each, 20 % ill": lambda rng, n: _n_clips(rng, n) * np.stack([_few(n), ~_few(n)]),
}
