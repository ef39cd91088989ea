"""Scale the inputs of a model by the clips of each item (normalization = per_item), as its experiment did.

Comes in: the inputs of all clips of an item. Goes out: the same, scaled by their own moments.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from preprocessing.store.moments import ItemSums
from xval.base.errors import SettingsError
from xval.data.item_scaling import FEWEST_CLIPS, ItemScaling
from xval.reuse.inference.inputs import Inputs
from xval.reuse.inference.request import Request


def group_by_item(names: Sequence[str], request: Request) -> dict[str, list[int]]:
    """Return the numbers of the clips of each item, two or more but for segments; without ``request.items`` all are of one.

    Raises:
        SettingsError: ``items`` or ``enrolment`` is not as long as there are clips, or an item has fewer clips.
    """
    items, fewest = request.items, 1 if request.per == "segment" else FEWEST_CLIPS
    for name, values in (("items names the speaker", items), ("enrolment says it", request.enrolment)):
        if values is not None and len(values) != len(names):
            raise SettingsError(f"{name} of {len(values)} clips, and {len(names)} are given; expected one for each.")
    groups: dict[str, list[int]] = {}
    for number, item in enumerate(items or [""] * len(names)):
        groups.setdefault(item, []).append(number)
    for item, numbers in groups.items():
        if len(numbers) < fewest:
            whose = f"of '{item}'" if item else "in all"
            raise SettingsError(
                f"{names[numbers[0]]}: the only clip {whose}. This model was trained with normalization=per_item: it hears a "
                "speaker's clips scaled by all of them. Give two or more clips of each speaker, the more the better, or "
                "--segments for a long recording of one; or train with normalization=per_bin."
            )
    return groups


def scaled(
    item: str, inputs: Iterable[tuple[int, Inputs]], enrolment: Sequence[bool] | None = None
) -> Iterator[tuple[int, Inputs]]:
    """Yield the inputs of an item, with numbers of their clips, scaled by all of them; they are held in memory until then.

    With `enrolment` the clips whose numbers it names scale.
    """
    held = list(inputs)
    scaling_inputs = [examples for number, examples in held if enrolment is None or enrolment[number]]
    if held and not scaling_inputs:
        raise SettingsError(f"enrolment names no clip of '{item}' that can be read; expected one or more of each item.")
    if not held:
        return
    sums = ItemSums(scaling_inputs[0].predictors.shape[-1])
    for examples in scaling_inputs:
        frames = examples.predictors.reshape(-1, examples.predictors.shape[-1])
        sums.add(frames[np.isfinite(frames[:, 0])])  # without what is masked behind the ends of clips
    scaling = ItemScaling({item: sums.moments()})
    for number, examples in held:
        predictors = examples.predictors.copy()
        scaling.apply(item, predictors)
        yield number, replace(examples, predictors=predictors)
