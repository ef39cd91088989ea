"""The batches of members that are trained together, stacked: rows of one array in the device's memory, or predictors.

Comes in: the batches of each member. Goes out: plans, the batches of a stretch of steps for all members. Where all examples are
rows of one array that is held in memory, it is put on the device once, and a plan has a whole epoch; otherwise predictors are
gathered and sent step by step.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.data.batches import Batches
from xval.data.examples import StoredExamples
from xval.data.fold import Examples

StepArrays = dict[str, NDArray[Any]]
"""What the members see in a stretch of steps."""
Rows = Sequence[NDArray[np.int64]] | None
"""For each member, which rows of the held array its examples are, int64 (n_examples,); None: nothing is held."""


def held_array(sides: Sequence[Examples]) -> NDArray[np.float32] | None:
    """Return the array of which all examples are rows, float32 (n_examples, ...); None where they are not."""
    found = [_indexed(examples) for examples in sides]
    arrays = [None if each is None else each[0] for each in found]
    return arrays[0] if all(array is not None and array is arrays[0] for array in arrays) else None


def held_rows(examples: Examples) -> NDArray[np.int64]:
    """Return which rows of the held array some examples are, int64 (n_examples,).

    Raises:
        ValueError: They are in no array.
    """
    found = _indexed(examples)
    if found is None:
        raise ValueError("these examples are read from files; no array holds them")
    return found[1]


def training_plans(batches: Sequence[Batches], rows: Rows, n_steps: int) -> Iterator[StepArrays]:
    """Yield the batches of an epoch.

    Args:
        batches: Of each member, shuffled for the epoch.
        rows: Of the training examples of each member.
        n_steps: Steps of the epoch, as many as the member with the most batches has.

    Yields:
        Plans: rows int32 or predictors float32; targets, weights float32, active bool; (n_steps, n_members, batch_size, ...),
        active (n_steps, n_members). Of held examples one plan for all steps, else one for each step.
    """
    steps = (_training_step(batches, rows, step) for step in range(n_steps))
    return _plans(steps, at_once=rows is not None)


def prediction_plans(batches: Sequence[Batches], rows: Rows) -> Iterator[StepArrays]:
    """Yield the batches of a pass over examples, as `training_plans` does, without targets, weights and active."""
    steps = (_prediction_step(batches, rows, step) for step in range(max(each.num_batches for each in batches)))
    return _plans(steps, at_once=rows is not None)


def in_order(batches: Batches, found: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the predictions of one member's batches in the order of its examples, float32 (n_examples, *output_shape)."""
    positions = [batches.positions(index) for index in range(batches.num_batches)]
    predictions = np.empty((sum(map(len, positions)), *found[0].shape[1:]), np.float32)
    for of_batch, values in zip(positions, found, strict=False):
        predictions[of_batch] = values[: len(of_batch)]
    return predictions


def _indexed(examples: Examples) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Return the array that holds examples and their rows in it; waveforms and frames are cut as they are read."""
    return examples.indexed if isinstance(examples, StoredExamples) else None


def _plans(steps: Iterator[StepArrays], *, at_once: bool) -> Iterator[StepArrays]:
    if at_once:
        yield stacked(list(steps))
    else:
        yield from (stacked([step]) for step in steps)


def _training_step(batches: Sequence[Batches], rows: Rows, step: int) -> StepArrays:
    """Return one step; a member without a batch left gets its last one, which counts for nothing."""
    members = []
    for number, each in enumerate(batches):
        index = min(step, each.num_batches - 1)
        if rows is None:
            member: StepArrays = dict(zip(("predictors", "targets", "weights"), each[index], strict=True))
        else:
            positions, targets, weights = each.by_positions(index)
            if targets is None or weights is None:
                raise ValueError("batches of training examples have targets, and those of one shape have weights")
            member = {"rows": rows[number][positions].astype(np.int32), "targets": targets, "weights": weights}
        members.append(member | {"active": np.array(step < each.num_batches)})
    return stacked(members)


def _prediction_step(batches: Sequence[Batches], rows: Rows, step: int) -> StepArrays:
    indices = [min(step, each.num_batches - 1) for each in batches]
    if rows is None:
        return {"predictors": np.stack([each[index][0] for each, index in zip(batches, indices, strict=True)])}
    found = zip(batches, rows, indices, strict=True)
    return {"rows": np.stack([of[each.by_positions(index)[0]].astype(np.int32) for each, of, index in found])}


def stacked(found: Sequence[StepArrays]) -> StepArrays:
    """Return arrays of the same names on top of each other."""
    return {name: np.stack([each[name] for each in found]) for name in found[0]}
