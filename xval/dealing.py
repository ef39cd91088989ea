"""Deal whole items into groups whose labels are as alike as whole items allow.

Comes in: items with their numbers of clips per label. Goes out: sets of item names. Next: folds.py.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Item:
    """One item as the splitters see it: its name and how many clips of each label (or stratum) it has."""

    name: str
    labels: Counter[str]

    @property
    def n_clips(self) -> int:
        """Number of its clips."""
        return self.labels.total()


def deal(items: Sequence[Item], n_groups: int, rng: np.random.Generator) -> list[set[str]]:
    """Deal items to groups of equal size (plus or minus one) with label counts as equal as greedy choice makes them."""
    order = sorted(rng.permutation(len(items)), key=lambda position: -items[position].n_clips)
    labels = sorted({label for item in items for label in item.labels})
    target = {label: sum(item.labels[label] for item in items) / n_groups for label in labels}
    groups: list[list[Item]] = [[] for _ in range(n_groups)]
    filled = [Counter[str]() for _ in range(n_groups)]
    n_larger = len(items) % n_groups
    size = len(items) // n_groups

    def has_room(group: int) -> bool:
        if len(groups[group]) < size:
            return True
        return len(groups[group]) == size and sum(len(other) > size for other in groups) < n_larger

    def excess(group: int, item: Item) -> tuple[float, int]:
        """Rise of the squared distance from equal shares, each label relative to its share; then the emptier group."""
        rise = sum(
            ((filled[group][label] + count) / target[label] - 1) ** 2 - (filled[group][label] / target[label] - 1) ** 2
            for label, count in item.labels.items()
        )
        return round(rise, 9), len(groups[group])

    for position in order:
        item = items[position]
        best = min((group for group in range(n_groups) if has_room(group)), key=lambda group: excess(group, item))
        groups[best].append(item)
        filled[best].update(item.labels)
    return [{item.name for item in group} for group in groups]


def draw(
    items: Sequence[Item],
    n_drawn: int,
    rng: np.random.Generator,
    keep: Callable[[Collection[Item]], bool] = lambda _rest: True,
) -> set[str]:
    """Draw items whose labels together are close to those of all, so that what is left satisfies `keep`."""
    total: Counter[str] = Counter()
    for item in items:
        total.update(item.labels)
    n_all = total.total()
    drawn: list[Item] = []
    left = [items[position] for position in rng.permutation(len(items))]
    while len(drawn) < n_drawn:
        share = (len(drawn) + 1) / len(items)
        have: Counter[str] = Counter()
        for item in drawn:
            have.update(item.labels)

        def distance(item: Item, share: float = share, have: Counter[str] = have) -> float:
            return round(sum(abs(have[label] + item.labels[label] - share * total[label]) for label in total) / n_all, 9)

        allowed = [item for item in left if keep([other for other in left if other is not item])]
        if not allowed:
            break
        best = min(allowed, key=distance)
        drawn.append(best)
        left.remove(best)
    return {item.name for item in drawn}
