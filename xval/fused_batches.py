"""The batches of members that are trained together, stacked: rows of one array in the device's memory, or predictors.

Comes in: the batches of each member. Goes out: plans, the batches of a stretch of steps for all members. Where all examples are
rows of one array that is held in memory, it is put on the device once, and a plan has a whole epoch; otherwise predictors are
gathered and sent step by step. Next: fused_program.py.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.fold_data import Batches, Examples

Plan = dict[str, NDArray[Any]]


def held_array(sides: Sequence[Examples]) -> NDArray[np.float32] | None:
    """Return the array of which all examples are rows, float32 (n_examples, ...); None where there is no such one."""
    found = [getattr(examples, "indexed", None) for examples in sides]
    arrays = [None if each is None else each[0] for each in found]
    return arrays[0] if all(array is not None and array is arrays[0] for array in arrays) else None


def training_plans(batches: Sequence[Batches], n_steps: int, *, held: bool) -> Iterator[Plan]:
    """Yield the batches of an epoch.

    Args:
        batches: Of each member, shuffled for the epoch.
        n_steps: Steps of the epoch, as many as the member with the most batches has.
        held: Name examples by their rows in the held array.

    Yields:
        Plans: rows int32 or predictors float32; targets, weights float32, active bool; (n_steps, n_members, batch_size, ...),
        active (n_steps, n_members).
    """
    steps = (_training_step(batches, step, held=held) for step in range(n_steps))
    if held:
        yield _stacked(list(steps))
    else:
        yield from (_stacked([step]) for step in steps)


def prediction_plans(batches: Sequence[Batches], *, held: bool) -> Iterator[Plan]:
    """Yield the batches of a pass over examples, as `training_plans` does, without targets and weights."""
    steps = (_prediction_step(batches, step, held=held) for step in range(max(each.num_batches for each in batches)))
    if held:
        yield _stacked(list(steps))
    else:
        yield from (_stacked([step]) for step in steps)


def in_order(batches: Batches, found: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the predictions of one member's batches in the order of its examples, float32 (n_examples, *output_shape)."""
    positions = [batches.positions(index) for index in range(batches.num_batches)]
    predictions = np.empty((sum(map(len, positions)), *found[0].shape[1:]), np.float32)
    for of_batch, values in zip(positions, found, strict=False):
        predictions[of_batch] = values[: len(of_batch)]
    return predictions


def _training_step(batches: Sequence[Batches], step: int, *, held: bool) -> Plan:
    """Return one step; a member without a batch left gets its last one, which counts for nothing."""
    members = []
    for each in batches:
        index = min(step, each.num_batches - 1)
        if held:
            rows, targets, weights = each.rows(index)
            member = {"rows": rows, "targets": targets, "weights": weights}
        else:
            predictors, targets, weights = each[index]
            member = {"predictors": predictors, "targets": targets, "weights": weights}
        members.append(member | {"active": np.array(step < each.num_batches)})
    return _stacked(members)


def _prediction_step(batches: Sequence[Batches], step: int, *, held: bool) -> Plan:
    indices = [min(step, each.num_batches - 1) for each in batches]
    if held:
        return {"rows": np.stack([each.rows(index)[0] for each, index in zip(batches, indices, strict=True)])}
    return {"predictors": np.stack([each[index][0] for each, index in zip(batches, indices, strict=True)])}


def _stacked(plans: Sequence[Plan]) -> Plan:
    return {name: np.stack([plan[name] for plan in plans]) for name in plans[0]}
