"""The examples of a fold in batches for training and prediction."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from xval.data.fold import Examples
from xval.data.indexed import Indexed
from xval.data.mixup import draw_pairs, mixed_labels, mixup_batch
from xval.data.read_ahead import ReadAhead

Given: TypeAlias = tuple[NDArray[Any], ...]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of examples for `fit` and `predict`.

    Args:
        batch_size: Examples per batch; the last batch may be smaller.
        targets: Targets in the form that the loss requires; None for prediction.
        weights: float32 (n_examples,), the weight of each example in the loss, or (n_examples, n_frames) of each frame. Keras
            divides a loss by the number of all frames; weights of frames are scaled to the mean 1, so that the loss is a mean
            over the frames that count.
        shuffle_seed: Seed for shuffling in each epoch and for crops; None: keep the order, but batch examples of equal length
            together. With masked padding, batches have examples of similar length, see `group_by_length`, and are cut to the
            longest one.
        balanced: int64 (n_examples,), the class of each example; an epoch draws all classes equally often, see
            `balanced_order`; None: an epoch has each example once.
        mixup: Parameter of the beta distribution for mixing training examples, whose targets must be one-hot or numbers; None:
            no mixing.
        constant: Whether all batches of examples of one length get the same shape: an incomplete batch is filled with repeated
            examples of weight 0, and the weights of the others are increased so that the loss of the batch, a mean over
            `batch_size`, is the mean over its examples. In means over an epoch it counts as a whole batch.

    Attributes:
        seconds: Time spent so far on drawing epochs and assembling batches (s).
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        targets: NDArray[Any] | None = None,
        weights: NDArray[np.float32] | None = None,
        shuffle_seed: int | None = None,
        balanced: NDArray[np.int64] | None = None,
        mixup: float | None = None,
        constant: bool = False,
    ) -> None:
        super().__init__()
        if balanced is not None and examples.lengths is not None:
            raise ValueError("balanced: expected examples of one length, as all that train have")
        self._examples = examples
        self._balanced = balanced
        self._ahead = ReadAhead(examples.predictors, enabled=examples.is_streamed)
        self.batch_size = batch_size
        self._targets = targets
        self._weights = weights
        self._scale = _mean_of_frames(weights)
        self._shuffle_seed = shuffle_seed
        self._mixup = mixup
        self._constant = constant
        self._epoch = 0
        self.seconds = 0.0
        self._masked_lengths = examples.masked_lengths
        self._batches = self._in_batches(np.arange(len(examples)), None)

    @property
    def num_batches(self) -> int:
        """Number of batches of an epoch."""
        return len(self._batches)

    def positions(self, index: int) -> NDArray[np.int64]:
        """Return the positions of the examples of a batch without filling: int64 (n_positions,)."""
        return self._batches[index]

    def count(self, index: int) -> int:
        """Return the number of examples that Keras counts in a batch, which is `batch_size` if batches are filled."""
        return self.batch_size if self._constant else len(self._batches[index])

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to read next, from 0, because Keras may start reading the first one more than once."""
        self._epoch = epoch

    def on_epoch_begin(self) -> None:
        """Draw the order of the epoch; Keras calls this before it reads the first batch."""
        if self._shuffle_seed is not None:
            with self.timed():
                self._ahead.forget()
                rng = np.random.default_rng([self._shuffle_seed, self._epoch])
                everything = len(self._examples)
                order = rng.permutation(everything) if self._balanced is None else balanced_order(self._balanced, rng)
                self._batches = self._in_batches(order, rng)
                self._examples.begin_epoch(rng)
                self._scale = _mean_of_frames(self._weights)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time of a block to `seconds`."""
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started

    def __getitem__(self, index: int) -> tuple[NDArray[Any], ...]:
        """Return (predictors,), (predictors, targets) or (predictors, targets, weights) of a batch."""
        with self.timed():
            return self._batch(index)

    def _in_batches(self, order: NDArray[np.int64], rng: np.random.Generator | None) -> list[NDArray[np.int64]]:
        if self._masked_lengths is None:
            return in_batches(order, self._examples.lengths, self.batch_size)
        return group_by_length(order, self._masked_lengths, self.batch_size, rng)

    def _batch(self, index: int) -> tuple[NDArray[Any], ...]:
        positions = self._batches[index]
        predictors = self._ahead.predictors(self._batches, index)
        if self._masked_lengths is not None:
            predictors = predictors[:, : self._masked_lengths[positions].max()]
        targets, weights = self._labels(positions)
        if self._mixup is not None and targets is not None:
            predictors, targets, weights = mixup_batch(predictors, targets, weights, self._draws(index), self._mixup)
        if self._constant:
            (predictors,), targets, weights = _filled((predictors,), targets, weights, self.batch_size)
        return tuple(part for part in (predictors, targets, weights) if part is not None)

    def by_places(self, index: int, indexed: Indexed) -> tuple[Given, NDArray[Any] | None, NDArray[np.float32] | None]:
        """Return (given, targets, weights) of a batch for a device that holds the array of the examples.

        Returns:
            ``given`` has the places of the examples and, with mixing, the places of their partners and the partners' shares,
            float32 (n_examples,). Targets and weights are already mixed.
        """
        positions = self._batches[index]
        given: Given = (indexed.places(positions),)
        targets, weights = self._labels(positions)
        if self._mixup is not None and targets is not None:
            partners, shares = draw_pairs(len(positions), self._draws(index), self._mixup)
            given = *given, indexed.places(positions[partners]), shares
            targets, weights = mixed_labels(targets, weights, partners, shares)
        return _filled(given, targets, weights, self.batch_size) if self._constant else (given, targets, weights)

    def _draws(self, index: int) -> np.random.Generator:
        # From 1: NumPy takes no notice of zeros at the end of a seed, and the epoch's order has the seed without a batch.
        return np.random.default_rng([self._shuffle_seed or 0, 1 + self._epoch, 1 + index])

    def _labels(self, positions: NDArray[np.int64]) -> tuple[NDArray[Any] | None, NDArray[np.float32] | None]:
        """Return targets and weights of the examples at some positions."""
        targets = None if self._targets is None else self._targets[positions]
        weights = None if self._weights is None else self._weights[positions]
        if weights is not None and self._scale is not None:
            weights = np.asarray(weights / self._scale, np.float32)
        return targets, weights if weights is None or targets is None else _by_example(weights, targets)


class WholeEpoch(keras.utils.PyDataset):  # type: ignore[misc]
    """All batches of an epoch as one for a device that holds the examples: (given, targets) or (given, targets, weights)."""

    def __init__(self, batches: Batches, indexed: Indexed) -> None:
        super().__init__()
        self._batches = batches
        self._indexed = indexed

    @property
    def num_batches(self) -> int:
        """1: the epoch is one batch."""
        return 1

    def on_epoch_begin(self) -> None:
        """Draw the order of the epoch."""
        self._batches.on_epoch_begin()

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return the concatenated `Batches.by_places` of all batches."""
        with self._batches.timed():
            parts_of_batches = [self._batches.by_places(number, self._indexed) for number in range(self._batches.num_batches)]
            given, *labels = zip(*parts_of_batches, strict=True)
            joined = tuple(np.concatenate(parts) for parts in zip(*given, strict=True))
            return (joined, *(np.concatenate(parts) for parts in labels if parts[0] is not None))


def _mean_of_frames(weights: NDArray[np.float32] | None) -> np.float32 | None:
    """Return the mean of the weights of frames; None: there are no weights, or all are 0."""
    return None if weights is None or weights.ndim == 1 else weights.mean() or None


def _by_example(weights: NDArray[np.float32], targets: NDArray[Any]) -> NDArray[np.float32]:
    """Return weights in the shape of the losses of examples: all axes of the targets except the last one."""
    return weights.reshape(len(weights), *(1,) * (targets.ndim - 2)) if weights.ndim == 1 else weights


def _filled(
    given: Given, targets: NDArray[Any] | None, weights: NDArray[np.float32] | None, batch_size: int
) -> tuple[Given, NDArray[Any] | None, NDArray[np.float32] | None]:
    """Repeat the examples of a batch up to `batch_size`, with weights that keep its loss unchanged."""
    n_examples = len(given[0])
    rows = np.resize(np.arange(n_examples), batch_size)
    given = tuple(values[rows] for values in given)
    if targets is None:
        return given, None, None
    weights = _by_example(np.ones(n_examples, np.float32), targets) if weights is None else weights
    scale = (np.arange(batch_size) < n_examples) * np.float32(batch_size / n_examples)
    return given, targets[rows], weights[rows] * scale.reshape(-1, *(1,) * (weights.ndim - 1)).astype(np.float32)


def balanced_order(classes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return positions in random order in which every class occurs equally often: int64 (n_examples,).

    The remainder of the division goes to randomly drawn classes. In a class with fewer examples, all are repeated before one is
    repeated again; in a class with more, different examples are skipped each time.
    """
    members = [np.flatnonzero(classes == number) for number in np.unique(classes)]
    share, n_left = divmod(len(classes), len(members))
    quotas = np.full(len(members), share)
    quotas[rng.permutation(len(members))[:n_left]] += 1
    drawn = [
        np.concatenate([rng.permutation(class_members) for _ in range(-(-quota // len(class_members)))] or [class_members])[
            :quota
        ]
        for class_members, quota in zip(members, quotas.tolist(), strict=True)
    ]
    return rng.permutation(np.concatenate(drawn))


def in_batches(order: NDArray[np.int64], lengths: NDArray[np.int64] | None, batch_size: int) -> list[NDArray[np.int64]]:
    """Cut an order of examples into batches; examples of different lengths do not share one.

    Args:
        order: Positions of examples, int64 (n_positions,).
        lengths: Length of each example of the side, int64 (n_examples,); None: all have one.
        batch_size: Examples per batch, at most.

    Lengths alternate, because Keras decides by the first two batches whether shapes differ.
    """
    groups = [order] if lengths is None else [order[lengths[order] == length] for length in np.unique(lengths)]
    cut = [[group[first : first + batch_size] for first in range(0, len(group), batch_size)] for group in groups]
    return [batch for turn in zip_longest(*cut) for batch in turn if batch is not None]


def group_by_length(
    order: NDArray[np.int64], lengths: NDArray[np.int64], batch_size: int, rng: np.random.Generator | None
) -> list[NDArray[np.int64]]:
    """Cut an order of examples into batches of similar length, with the same number of batches as without regard to length.

    Args:
        order: Positions of examples, int64 (n_positions,); those of one length keep it.
        lengths: Length of each example of the side, int64 (n_examples,).
        batch_size: Examples per batch; one batch may have fewer.
        rng: Generator for the batch that has fewer, and for the order of the batches; None: the last batch has fewer, and the
            shortest examples come first.

    If batches have several lengths, the first two differ, because Keras decides by them whether shapes differ.
    """
    sizes = [min(batch_size, len(order) - first) for first in range(0, len(order), batch_size)]
    if rng is not None:
        sizes = rng.permutation(sizes).tolist()
    from_short_to_long = order[np.argsort(lengths[order], kind="stable")]
    batches = np.split(from_short_to_long, np.cumsum(sizes, dtype=np.int64))[: len(sizes)]
    if rng is not None:
        batches = [batches[number] for number in rng.permutation(len(batches))]
    longest = [int(lengths[batch].max()) for batch in batches]
    other = next((number for number, length in enumerate(longest) if length != longest[0]), None)
    if other is not None:
        batches.insert(1, batches.pop(other))
    return batches
