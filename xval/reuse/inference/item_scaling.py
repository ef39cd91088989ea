"""Scale the inputs of a model by the clips of each item (normalization = per_item), as its experiment did.

Comes in: the inputs of all clips of an item. Goes out: the same, scaled by their own moments.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from preprocessing.store.moments import ItemSums
from xval.base.errors import SettingsError
from xval.data.item_scaling import ItemScaling
from xval.reuse.inference.inputs import Inputs


def group_by_item(names: Sequence[str], items: Sequence[str] | None, fewest: int) -> dict[str, list[int]]:
    """Return the numbers of the clips of each item, `fewest` or more; without `items` all are of one.

    Raises:
        SettingsError: There are not as many items as clips, or an item has fewer clips.
    """
    if items is not None and len(items) != len(names):
        raise SettingsError(
            f"items names the speaker of {len(items)} clips, and {len(names)} are given; expected one for each."
        )
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


def scaled(item: str, inputs: Iterable[tuple[int, Inputs]]) -> Iterator[tuple[int, Inputs]]:
    """Yield the inputs of an item, with numbers of their clips, scaled by all of them; they are held in memory until then."""
    held = list(inputs)
    if not held:
        return
    sums = ItemSums(held[0][1].predictors.shape[-1])
    for _, examples in held:
        frames = examples.predictors.reshape(-1, examples.predictors.shape[-1])
        sums.add(frames[np.isfinite(frames[:, 0])])  # without what is masked behind the ends of clips
    scaling = ItemScaling({item: sums.moments()})
    for number, examples in held:
        predictors = examples.predictors.copy()
        scaling.apply(item, predictors)
        yield number, replace(examples, predictors=predictors)
