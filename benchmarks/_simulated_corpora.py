"""Simulate a new corpus for each repetition, and train linear models on it with the project's own folds.

A `Cell` is the size of a study. The result holds the predictions of several algorithms for every tested clip, and for new
speakers.

Each algorithm is a ridge regression on its own features, which have the same distribution for all algorithms of the same
separation: these are equal in the population, though not on any one corpus. A feature vector is the sum of the mean of its
class, an offset of the speaker, an effect of this speaker on this class, and noise of clip and window. A seed is a random
projection of the features that the model sees, just as a network sees them through its random initial weights.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xval.folds.plan import FoldSettings
from xval.folds.split import make_folds

N_CLASSES = 3
N_FEATURES = 8
N_PROJECTED = 5
CORNERS = np.eye(N_CLASSES, N_FEATURES) - np.eye(N_CLASSES, N_FEATURES).mean(axis=0)
CLIPS_OF_A_CLASS = 8
SPEAKER, CLASS_BY_SPEAKER, CLIP, WINDOW = 0.5, 0.5, 1.0, 1.0  # deviations, where the means of classes are 2.8 apart
RIDGE = 1.0
N_NEW = 3000  # new clips of each class, each of a new speaker


@dataclass(frozen=True)
class Cell:
    """The size of a study.

    Attributes:
        n_items: Number of speakers.
        n_folds: Number of folds of each repeat.
        n_repeats: Number of seeds.
        is_uneven: Speakers have unlike numbers of clips, and unlike classes.
        n_windows: Number of windows of each clip.
        n_fold_repeats: How many times the speakers are assigned to folds.
    """

    n_items: int
    n_folds: int
    n_repeats: int
    is_uneven: bool = False
    n_windows: int = 1
    n_fold_repeats: int = 1

    def __str__(self) -> str:
        uneven = ", uneven" if self.is_uneven else ""
        windows = f", {self.n_windows} windows" if self.n_windows > 1 else ""
        repeats = f", {self.n_fold_repeats} repeats" if self.n_fold_repeats > 1 else ""
        return f"{self.n_items}/{self.n_folds}/{self.n_repeats}{uneven}{windows}{repeats}"


@dataclass(frozen=True)
class Layout:
    """The clips of a corpus and its folds.

    Attributes:
        labels: int64 (n_items, n_clips), any number where there is no clip.
        is_clip: bool (n_items, n_clips).
        is_training: float64 (n_folds, n_items), 1 for items that train; the folds of all repeats.
        fold_of: int64 (n_items,), the fold that tests the item; of several repeats (n_fold_repeats, n_items).
        ratio: Number of test items over that of training items, mean of the folds.
        n_windows: Number of windows of each clip.
    """

    labels: np.ndarray
    is_clip: np.ndarray
    is_training: np.ndarray
    fold_of: np.ndarray
    ratio: float
    n_windows: int


def make_layout(cell: Cell, seed: int) -> Layout:
    """Draw the numbers of clips, and split the items into folds as an experiment does."""
    rng = np.random.default_rng(seed)
    counts = np.full((cell.n_items, N_CLASSES), CLIPS_OF_A_CLASS)
    if cell.is_uneven:
        counts = rng.integers(2, 2 * CLIPS_OF_A_CLASS, size=counts.shape)
    n_clips = counts.sum(axis=1)
    labels = np.zeros((cell.n_items, n_clips.max()), dtype=np.int64)
    for item, class_counts in enumerate(counts):
        labels[item, : n_clips[item]] = np.repeat(np.arange(N_CLASSES), class_counts)
    is_clip = np.arange(n_clips.max()) < n_clips[:, np.newaxis]
    items, _ = np.nonzero(is_clip)
    names = [str(number) for number in range(len(items))]
    index = pd.DataFrame({"item": [f"{item:02}" for item in items], "label": labels[is_clip].astype(str)})
    index = index.assign(clip=names, audio_hash=names, augmented=False, source_clip=None)
    index = index.assign(path=names, start_s=np.nan, end_s=np.nan)
    settings = FoldSettings(num_folds=cell.n_folds, fold_seed=seed, fold_repeats=cell.n_fold_repeats)
    folds = make_folds(index, "", task_type="classification", has_classes=True, settings=settings).folds
    is_training, fold_of = np.zeros((len(folds), cell.n_items)), np.zeros((cell.n_fold_repeats, cell.n_items), dtype=np.int64)
    for number, fold in enumerate(folds):
        is_training[number, [int(item) for item in fold.training]] = 1
        fold_of[number // cell.n_folds, [int(item) for item in fold.test]] = number
    fold_of = fold_of if cell.n_fold_repeats > 1 else fold_of[0]
    ratio = float(np.mean([len(fold.test) / len(fold.training) for fold in folds]))
    return Layout(labels, is_clip, is_training, fold_of, ratio, cell.n_windows)


def draw_answers(
    rng: np.random.Generator, layout: Layout, n_repeats: int, separations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a corpus, train every algorithm on every fold with every seed, and test.

    Args:
        rng: Of corpus and seeds.
        layout: Clips and folds.
        n_repeats: Number of seeds.
        separations: float (n_algorithms,), how far apart the classes are in the features of each.

    Returns:
        int64 (n_items, n_repeats, n_algorithms, n_clips): the class that each clip is taken for when its item is tested; of
        several repeats (n_fold_repeats, n_items, ...).
        float64 (n_folds, n_repeats, n_algorithms, n_features, n_classes): the weights of the models.
    """
    n_items, n_algorithms, n_folds = len(layout.labels), len(separations), len(layout.is_training)
    effects = separations[:, np.newaxis, np.newaxis] * CORNERS
    effects = effects + rng.normal(0, SPEAKER, (n_items, n_algorithms, 1, N_FEATURES))
    effects = effects + rng.normal(0, CLASS_BY_SPEAKER, (n_items, n_algorithms, N_CLASSES, N_FEATURES))
    clips = np.take_along_axis(effects, layout.labels[:, np.newaxis, :, np.newaxis], axis=2)
    clips = clips + rng.normal(0, CLIP, clips.shape)
    windows = np.repeat(clips, layout.n_windows, axis=2)
    if layout.n_windows > 1:
        windows = windows + rng.normal(0, WINDOW, windows.shape)
        clips = windows.reshape(*clips.shape[:3], layout.n_windows, N_FEATURES).mean(axis=3)  # scores are linear
    labels, is_there = (np.repeat(each, layout.n_windows, axis=1) for each in (layout.labels, layout.is_clip))
    targets = (np.eye(N_CLASSES)[labels] - 1 / N_CLASSES) * is_there[..., np.newaxis]
    transposed = windows.swapaxes(2, 3)
    squares = np.tensordot(layout.is_training, (transposed * is_there[:, np.newaxis, np.newaxis]) @ windows, axes=1)
    products = np.tensordot(layout.is_training, transposed @ targets[:, np.newaxis], axes=1)
    seeds = rng.normal(0, N_FEATURES**-0.5, (n_folds, n_repeats, n_algorithms, N_FEATURES, N_PROJECTED))
    projected = seeds.swapaxes(3, 4)
    penalised = projected @ squares[:, np.newaxis] @ seeds + RIDGE * np.eye(N_PROJECTED)
    weights = seeds @ np.linalg.solve(penalised, projected @ products[:, np.newaxis])
    return (clips[:, np.newaxis] @ weights[layout.fold_of]).argmax(axis=-1), weights


def answer_new(rng: np.random.Generator, weights: np.ndarray, separation: float, n_windows: int) -> np.ndarray:
    """Test models of one algorithm on clips of new speakers.

    Args:
        rng: Of the speakers.
        weights: float64 (n_folds, n_repeats, n_features, n_classes).
        separation: Of the algorithm.
        n_windows: Of each clip.

    Returns:
        float64 (n_folds, n_repeats, n_classes, n_classes): the share of clips taken for each class, a row per true class.
    """
    window_variance = WINDOW**2 / n_windows if n_windows > 1 else 0
    deviation = np.sqrt(SPEAKER**2 + CLASS_BY_SPEAKER**2 + CLIP**2 + window_variance)
    clips = separation * CORNERS[:, np.newaxis] + rng.normal(0, deviation, (N_NEW, N_FEATURES))
    taken_for = (clips @ weights[:, :, np.newaxis]).argmax(axis=-1)
    return (taken_for[..., np.newaxis] == np.arange(N_CLASSES)).mean(axis=-2)
