"""Predict inputs in batches that may span several sources."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from preprocessing.features.windows import few_lengths
from xval.base.errors import UndefinedAnswerError
from xval.reuse.inference.inputs import Inputs

Answered: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Outputs float32 (n, n_outputs), or (n, n_frames, n_classes); and the novelty of each example, float32 (n,), where known."""
Answer: TypeAlias = Callable[[NDArray[np.float32], NDArray[np.float32] | None, NDArray[np.float64]], Answered]
"""From predictors float32 (n, ...), basic features and lengths (s)."""

_BATCH_SIZE = 32
_N_AXES_OF_FRAMES = 4  # members, examples, frames, classes


@dataclass(frozen=True)
class Answers:
    """The predictions of all members for some examples of one source.

    Attributes:
        inputs: The examples, without their predictors.
        values: float32 (n_members, n_examples, n_outputs); for sequences, frames instead of examples.
        novelty: float32 (n_members, n_examples), see `Novelty.of`; NaN where it is not known.
    """

    inputs: Inputs
    values: NDArray[np.float32]
    novelty: NDArray[np.float32]


def answer_in_batches(inputs: Iterable[tuple[int, Inputs]], answers: list[Answer]) -> Iterator[tuple[int, Answers]]:
    """Predict inputs in their order, with examples of one shape in the same batch.

    Batches are padded to a power of two, so that backends that compile for each shape compile rarely.

    Args:
        inputs: The number of a source, and some of its examples.
        answers: The prediction functions of the members.

    Yields:
        The number of the source, and the predictions for those examples.
    """
    waiting: list[tuple[int, Inputs]] = []
    n_waiting = 0
    for number, piece in inputs:
        if waiting and (n_waiting >= _BATCH_SIZE or piece.predictors.shape[1:] != waiting[0][1].predictors.shape[1:]):
            yield from _answer(waiting, answers)
            waiting, n_waiting = [], 0
        waiting.append((number, piece))
        n_waiting += len(piece.predictors)
    if waiting:
        yield from _answer(waiting, answers)


def _answer(waiting: list[tuple[int, Inputs]], answers: list[Answer]) -> Iterator[tuple[int, Answers]]:
    predictors = np.concatenate([piece.predictors for _, piece in waiting])
    basics = [piece.basic for _, piece in waiting if piece.basic is not None]
    basic = np.concatenate(basics) if basics else None
    durations_s = np.concatenate([piece.end_s - piece.start_s for _, piece in waiting])
    batch_values, batch_novelty = [], []
    for first in range(0, len(predictors), _BATCH_SIZE):
        rows = slice(first, first + _BATCH_SIZE)
        batch = _cut_padding(predictors[rows])
        batch_basic = None if basic is None else _filled(basic[rows])
        filled, lengths_s = _filled(batch), _filled(durations_s[rows])
        outputs, novelties = zip(*(answer(filled, batch_basic, lengths_s) for answer in answers), strict=True)
        batch_values.append(np.stack(outputs)[:, : len(batch)])
        unknown = np.full(len(filled), np.nan, np.float32)
        batch_novelty.append(np.stack([unknown if known is None else known for known in novelties])[:, : len(batch)])
    values, novelty = np.concatenate(batch_values, axis=1), np.concatenate(batch_novelty, axis=1)
    first = 0
    for number, piece in waiting:
        stop = first + len(piece.predictors)
        source_values = values[:, first:stop]
        if piece.n_frames:
            source_values = source_values[:, 0, : piece.n_frames] if source_values.ndim == _N_AXES_OF_FRAMES else source_values
        inputs = replace(piece, predictors=np.empty(0, np.float32), basic=None)
        yield number, Answers(inputs, source_values, novelty[:, first:stop])
        first = stop


def find_undefined(answers: Answers, name: str, members: Sequence[Path]) -> UndefinedAnswerError | None:
    """Return an error that names the member whose predictions for a source are NaN or infinite; None: all are finite."""
    for member, values in zip(members, answers.values, strict=True):
        if not np.isfinite(values).all():
            return undefined_answer(name, member)
    return None


def undefined_answer(name: str, member: Path) -> UndefinedAnswerError:
    """Return an error that names a source and the model whose prediction for it is NaN or infinite."""
    return UndefinedAnswerError(
        f"{name}: {member} outputs NaN or infinite values, so there is no prediction. Use another fold, or train it again "
        "with a lower learning_rate or clip_norm."
    )


def _cut_padding(batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a batch cut to its longest clip, where NaN is behind the ends of clips (padding = masked)."""
    is_frame = ~np.isnan(batch).all(axis=(0, *range(2, batch.ndim)))
    n_frames = int(np.flatnonzero(is_frame).max(initial=0)) + 1
    return batch[:, : few_lengths(n_frames, batch.shape[1])] if n_frames < batch.shape[1] else batch


def _filled(batch: NDArray[Any]) -> NDArray[Any]:
    """Return a batch, padded with its last example to a power of two."""
    missing = (1 << (len(batch) - 1).bit_length()) - len(batch)
    return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch


def join_answers(pieces: list[Answers]) -> Answers:
    """Join the predictions for the pieces of one source."""
    start_s, end_s = (np.concatenate([getattr(piece.inputs, name) for piece in pieces]) for name in ("start_s", "end_s"))
    is_silent = all(piece.inputs.is_silent for piece in pieces)
    inputs = replace(pieces[0].inputs, start_s=start_s, end_s=end_s, is_silent=is_silent)
    values, novelty = (np.concatenate([getattr(piece, name) for piece in pieces], axis=1) for name in ("values", "novelty"))
    return Answers(inputs, values, novelty)
