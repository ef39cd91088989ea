"""Assign whole items to groups whose label distributions are as similar as whole items allow."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Order = Literal["size", "blocks", "any"]
"""Orders of assigning items: the largest first; the same, shuffled within blocks of the number of groups; shuffled."""
_NEAR = 0.5  # of the clips of an average item: whole items cannot be expected to fit better


@dataclass(frozen=True)
class Item:
    """An item for the splitters: its name and its number of clips of each label (or stratum)."""

    name: str
    labels: Counter[str]

    @property
    def n_clips(self) -> int:
        """Number of clips of the item."""
        return self.labels.total()


def assign_items(items: Sequence[Item], n_groups: int, rng: np.random.Generator, order: Order = "size") -> list[set[str]]:
    """Assign items to groups of equal size (plus or minus one), with label counts as equal as a greedy choice allows.

    With the order by size, the generator only affects items of equal size; the other orders are for further repeats.
    """
    positions = list(rng.permutation(len(items)))
    if order != "any":
        positions.sort(key=lambda position: -items[position].n_clips)
    if order == "blocks":
        blocks = [positions[start : start + n_groups] for start in range(0, len(positions), n_groups)]
        positions = [position for block in blocks for position in rng.permutation(block)]
    labels = sorted({label for item in items for label in item.labels})
    target = {label: sum(item.labels[label] for item in items) / n_groups for label in labels}
    groups: list[list[Item]] = [[] for _ in range(n_groups)]
    filled = [Counter[str]() for _ in range(n_groups)]
    n_larger = len(items) % n_groups
    size = len(items) // n_groups

    def has_room(group: int) -> bool:
        if len(groups[group]) < size:
            return True
        return len(groups[group]) == size and sum(len(members) > size for members in groups) < n_larger

    def excess(group: int, item: Item) -> tuple[float, int]:
        """Increase of the squared distance from equal shares, each label relative to its share; then the smaller group."""
        rise = sum(
            ((filled[group][label] + count) / target[label] - 1) ** 2 - (filled[group][label] / target[label] - 1) ** 2
            for label, count in item.labels.items()
        )
        return round(rise, 9), len(groups[group])

    for position in positions:
        item = items[position]
        best = min((group for group in range(n_groups) if has_room(group)), key=lambda group: excess(group, item))
        groups[best].append(item)
        filled[best].update(item.labels)
    return [{item.name for item in group} for group in groups]


def draw(
    items: Sequence[Item],
    n_drawn: int,
    rng: np.random.Generator,
    *,
    keep_labels: bool = False,
    before: Mapping[str, int] | None = None,
) -> set[str]:
    """Draw items whose label distribution is close to that of all items; return their names.

    Among items whose fit is within half an item's clips of the best, those that were drawn the fewest times `before` come
    first, because otherwise the most average items would be drawn each time. With `keep_labels` the last item with a label is
    never drawn, so there may be fewer items than requested; and items with the most labels that no drawn item has come first,
    because most metrics are undefined without an example of a class. `rng` breaks ties.
    """
    labels = sorted({label for item in items for label in item.labels})
    order = [items[position] for position in rng.permutation(len(items))]
    counts = np.array([[item.labels[label] for label in labels] for item in order])
    times = np.array([(before or {}).get(item.name, 0) for item in order])
    total, owners = counts.sum(axis=0), (counts > 0).sum(axis=0)
    left, drawn_counts = np.ones(len(order), dtype=bool), np.zeros(len(labels))
    drawn: set[str] = set()
    while len(drawn) < n_drawn:
        allowed = left & ~((counts > 0) & (owners == 1)).any(axis=1) if keep_labels else left.copy()
        if not allowed.any():
            break
        if keep_labels:
            n_new = ((counts > 0) & (drawn_counts == 0)).sum(axis=1)
            allowed &= n_new == n_new[allowed].max()
        share = (len(drawn) + 1) / len(order)
        distance = (np.abs(drawn_counts + counts - share * total).sum(axis=1) / total.sum()).round(9)
        near = allowed & (distance - distance[allowed].min() <= _NEAR / len(order))
        fewest = near & (times == times[near].min())
        best = int(np.argmin(np.where(fewest, distance, np.inf)))
        left[best] = False
        drawn_counts, owners = drawn_counts + counts[best], owners - (counts[best] > 0)
        drawn.add(order[best].name)
    return drawn
