"""Whether folds over items are a random split over clips, as far as the clips of each item tell.

Comes in: how many clips each item has. Goes out: a sentence, which preprocessing, a run and the audit show.
"""

from collections.abc import Collection


def is_random_split(n_clips: Collection[int]) -> bool:
    """Return whether more than half of the clips are the only clip of their item, so that folds part single clips.

    `n_clips` are those of each item. One item with two clips among a hundred with one changes nothing.
    """
    return 2 * _count_alone(n_clips) > sum(n_clips)


def describe_random_split(n_clips: Collection[int]) -> str:
    """Return what is known of folds over items most of which have one clip; empty: most clips share their item with others.

    That these clips share a speaker is not known: 60 speakers with one clip each are a split over speakers. So it is the counts
    that are said, and what follows if there are fewer speakers than items.
    """
    if not is_random_split(n_clips):
        return ""
    n_alone = _count_alone(n_clips)
    counts = f"each of the {n_alone} items has one clip"
    if n_alone < len(n_clips):
        counts = f"{n_alone} of {len(n_clips)} items have one clip"
    return (
        f"{counts}, as in a random split: if several items are of one speaker, session or recording, it is on both sides of "
        "the folds, and the figures say nothing about unseen ones; make what must stay unseen the item (--item-pattern, or a "
        "column item)"
    )


def _count_alone(n_clips: Collection[int]) -> int:
    """Return how many items have a single clip, which are as many clips."""
    return sum(number == 1 for number in n_clips)
