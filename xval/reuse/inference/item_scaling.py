"""Scale the inputs of a model by the clips of each item (normalization = per_item), as in its experiment."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from xval.base.errors import SettingsError, counted
from xval.data.item_scaling import FEWEST_CLIPS, ItemScaling
from xval.reuse.inference.inputs import Inputs
from xval.reuse.inference.request import PredictionRequest

_VECTOR_AXES = 2  # of several examples that are one vector each


def group_by_item(names: Sequence[str], request: PredictionRequest) -> dict[str, list[int]]:
    """Return the numbers of the clips of each item, at least two except for segments.

    Without ``request.items`` there is one item.

    Raises:
        SettingsError: ``items`` or ``enrolment`` is not as long as there are clips, or an item has fewer clips.
    """
    items, fewest = request.items, 1 if request.per == "segment" else FEWEST_CLIPS
    for name, values in (("items names the speaker", items), ("enrolment says it", request.enrolment)):
        if values is not None and len(values) != len(names):
            raise SettingsError(f"{name} of {counted(len(values), 'clip')}; received {len(names)}, expected one for each.")
    groups: dict[str, list[int]] = {}
    for number, item in enumerate(items or [""] * len(names)):
        groups.setdefault(item, []).append(number)
    for item, numbers in groups.items():
        if len(numbers) < fewest:
            whose = f"of '{item}'" if item else "in all"
            raise SettingsError(
                f"{names[numbers[0]]}: the only clip {whose}. This model was trained with normalization=per_item, which "
                "scales a speaker's clips by all of them. Give at least two clips of each speaker (more is better), or "
                "--segments for a long recording of one; or train with normalization=per_bin."
            )
    return groups


def scaled(
    item: str,
    inputs: Iterable[tuple[int, Inputs]],
    enrolment: Sequence[bool] | None = None,
    pooled: Callable[[Inputs], Inputs] | None = None,
) -> Iterator[tuple[int, Inputs]]:
    """Yield the scaled inputs of an item with the numbers of their clips; all are in memory until the last one is read.

    `enrolment`: for each clip, whether it determines the scale; None: all do. The output of `pooled` is scaled as well.

    Raises:
        SettingsError: `enrolment` names no clip, or the scale would be based on a single vector.
    """
    held = list(inputs)
    if not held:
        return
    scaling_inputs = [examples.predictors for number, examples in held if enrolment is None or enrolment[number]]
    if not scaling_inputs:
        raise SettingsError(f"enrolment names no clip of '{item}' that can be read; expected one or more of each item.")
    if scaling_inputs[0].ndim == _VECTOR_AXES and sum(map(len, scaling_inputs)) < FEWEST_CLIPS:
        whose = f" of '{item}'" if item else ""
        raise SettingsError(
            f"one clip or segment{whose} would scale the others, but this model reads one vector of each, so there is no "
            "standard deviation. Give at least two (more is better), or train with normalization=per_bin."
        )
    scaling = ItemScaling.from_values({item: scaling_inputs})
    frame_inputs = (
        (number, replace(examples, predictors=scaling.applied(item, examples.predictors))) for number, examples in held
    )
    if pooled is None:
        yield from frame_inputs
    else:
        yield from scaled(item, ((number, pooled(examples)) for number, examples in frame_inputs), enrolment)
