"""Find clips of different items that share audio and therefore must not be on two sides of a fold.

Groups are identical audio, overlapping segments of one file, or copies of one clip.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from xval.folds.plan import Fold
from xval.folds.predefined import SIDES

if TYPE_CHECKING:
    import pandas as pd


def find_shared_audio(index: "pd.DataFrame") -> Iterator[tuple[str, "pd.DataFrame"]]:
    """Yield groups of clips of two or more items that share audio: the kind of sharing, and the rows of the index.

    The index has a row per clip: clip, item, source_clip, audio_hash, and path, start_s, end_s where there are files.
    """
    kinds: dict[str, list[str]] = {
        "identical audio": index["audio_hash"].fillna("").tolist(),
        "overlapping segments of one file": _overlaps(index),
        "copies of one source clip": _first_sources(index),
    }
    for kind, names in kinds.items():
        named = index.assign(shared=names)
        named = named[named["shared"] != ""]
        several = named[named.groupby("shared")["item"].transform("nunique") > 1]
        for _, group in several.groupby("shared", sort=True):
            yield kind, group


def find_shared_files(index: "pd.DataFrame") -> Iterator["pd.DataFrame"]:
    """Yield the clips of each file with segments of several items; the index has clip, item, path and augmented."""
    if "path" not in index:
        return
    own = index[~index["augmented"].astype(bool) & (index["path"].fillna("") != "")]
    several = own[own.groupby("path")["item"].transform("nunique") > 1]
    for _, group in several.groupby("path", sort=True):
        yield group


def describe_shared_file(group: "pd.DataFrame") -> str:
    """Return ``segments of the file 'a.wav' are under the items 'anna' and 'ben'``, with the first two of many items."""
    items = sorted(map(str, group["item"].unique()))
    more = f" and {len(items) - 2} more" if len(items) > 2 else ""
    return f"segments of the file '{group['path'].iloc[0]}' belong to the items '{items[0]}' and '{items[1]}'{more}"


def find_tested(pairs: "pd.DataFrame", fold: Fold, clips: Mapping[str, Collection[str]]) -> list[str]:
    """Return the test clips of a fold that are near-duplicates of a training or validation clip, sorted.

    Args:
        pairs: Table with the columns clip, item, other_clip, other_item.
        fold: The fold.
        clips: The clips that count, by side; all clips of a side that is missing.
    """
    items = {side: set(getattr(fold, side)) for side in SIDES}

    def is_in(side: str, clip: str, item: str) -> bool:
        return item in items[side] and (side not in clips or clip in clips[side])

    rows = [*pairs[["clip", "item", "other_clip", "other_item"]].itertuples(index=False)]
    return sorted(
        {
            clip
            for left, left_item, right, right_item in rows
            for clip, item, other, other_item in ((left, left_item, right, right_item), (right, right_item, left, left_item))
            if is_in("test", clip, item) and (is_in("training", other, other_item) or is_in("validation", other, other_item))
        }
    )


def _first_sources(index: "pd.DataFrame") -> list[str]:
    """Return the original of each clip, also for a copy of a copy; a clip that is not a copy is its own original."""
    pairs = zip(index["clip"], index["source_clip"], strict=True)
    sources = {clip: source for clip, source in pairs if isinstance(source, str)}
    originals = []
    for clip in index["clip"]:
        first, seen = clip, {clip}
        while (source := sources.get(first)) is not None and source not in seen:
            seen.add(source)
            first = source
        originals.append(first)
    return originals


def _overlaps(index: "pd.DataFrame") -> list[str]:
    """Return a name for each group of clips that overlap in one file; empty without a file."""
    if "path" not in index:
        return [""] * len(index)
    begins, ends = index["start_s"].fillna(0.0), index["end_s"].fillna(math.inf)
    names = [""] * len(index)
    last_path, until, first = "", 0.0, 0
    for path, begin, end, row in sorted(zip(index["path"], begins, ends, range(len(index)), strict=True)):
        if path != last_path or begin >= until:
            last_path, until, first = path, end, row
        until = max(until, end)
        names[row] = f"{path}#{first}" if path else ""
    return names
