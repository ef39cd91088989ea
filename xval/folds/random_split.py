"""Detect that folds over items are a random split over clips, because nearly all items have a single clip, and say so.

Preparing and the audit show the sentence; the findings of a run use its beginning.
"""

from collections.abc import Collection

from xval.base.errors import counted


def is_random_split(n_clips: Collection[int]) -> bool:
    """Return whether more than half of the clips are the only clip of their item, so that folds part single clips.

    `n_clips` are those of each item. One item with two clips among a hundred with one changes nothing.
    """
    return 2 * _count_alone(n_clips) > sum(n_clips)


def describe_random_split(n_clips: Collection[int], how: str = "--item-pattern, or a column item") -> str:
    """Return what is known of folds over items most of which have one clip; empty: most clips share their item with others.

    That these clips share a speaker is not known: 60 speakers with one clip each are a split over speakers. So it is the counts
    that are said, and what follows if there are fewer speakers than items. `how` names what tells which clips belong together.
    """
    counts = count_lone_clips(n_clips)
    if not counts:
        return ""
    return (
        f"{counts}, which is a random split: if one speaker, session or recording has several clips, it is on both sides of "
        f"the folds, and the scores are not those of unseen ones. Define which clips belong together ({how})"
    )


def count_lone_clips(n_clips: Collection[int], item: str = "item") -> str:
    """Return how many items have one clip, where that are most clips; else nothing. `item` is the word for one."""
    if not is_random_split(n_clips):
        return ""
    n_alone = _count_alone(n_clips)
    if n_alone < len(n_clips):
        return f"{n_alone} of {counted(len(n_clips), item)} have one clip"
    return f"each of the {counted(n_alone, item)} has one clip"


def _count_alone(n_clips: Collection[int]) -> int:
    """Return how many items have a single clip, which are as many clips."""
    return sum(number == 1 for number in n_clips)
