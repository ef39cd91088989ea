"""Detect and describe folds over items that are a random split over clips, because nearly all items have a single clip.

Preparing and the audit show the whole sentence; the findings of a run use its beginning.
"""

from collections.abc import Collection

from xval.base.errors import counted


def is_random_split(n_clips: Collection[int]) -> bool:
    """Return whether more than half of the clips are the only clip of their item, so that folds split single clips.

    `n_clips` has the number of clips of each item. A few items with two clips do not change the result.
    """
    return 2 * _count_alone(n_clips) > sum(n_clips)


def describe_random_split(n_clips: Collection[int], how: str = "--item-pattern, or a column item") -> str:
    """Return sentences on folds over items if most items have one clip; empty: most clips share their item with others.

    It is not known whether these clips share speakers: with 60 speakers with one clip each, the folds are a split over
    speakers. Therefore the sentences state the counts, and the consequence if there are fewer speakers than items. `how` names
    the option that defines which clips belong together.
    """
    counts = count_lone_clips(n_clips)
    if not counts:
        return ""
    return (
        f"{counts}, which is a random split: if one speaker, session or recording has several clips, it is on both sides of "
        f"the folds, and the scores are not those of unseen ones. Define which clips belong together ({how})"
    )


def count_lone_clips(n_clips: Collection[int], item: str = "item") -> str:
    """Return the number of items with one clip in words, if these are most clips; else empty.

    `item` is the word for an item.
    """
    if not is_random_split(n_clips):
        return ""
    n_alone = _count_alone(n_clips)
    if n_alone < len(n_clips):
        return f"{n_alone} of {counted(len(n_clips), item)} have one clip"
    return f"each of the {counted(n_alone, item)} has one clip"


def _count_alone(n_clips: Collection[int]) -> int:
    """Return the number of items with a single clip, which is also the number of these clips."""
    return sum(number == 1 for number in n_clips)
