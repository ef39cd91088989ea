"""What the numbers of clips of items say about a split."""

import pytest

from xval.folds.random_split import describe_random_split


@pytest.mark.parametrize(
    ("n_clips", "counts"),
    [
        ([1] * 60, "each of the 60 items has one clip,"),
        ([1] * 118 + [2], "118 of 119 items have one clip,"),
        ([1] * 3 + [2], "3 of 4 items have one clip,"),
        ([1] * 3 + [3], ""),
        ([10] * 6, ""),
    ],
)
def test_a_split_is_random_where_most_clips_are_alone_and_shared_speakers_are_no_fact(n_clips: list[int], counts: str) -> None:
    text = describe_random_split(n_clips)
    assert text.startswith(counts)
    assert ("if one speaker" in text) == bool(counts)
