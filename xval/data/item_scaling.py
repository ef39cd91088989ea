"""Scale each item's features by its own clips (normalization = per_item), without using labels.

An `ItemScaling` scales rows of an item in place. The store does not change: features are scaled when they are read, so that
networks and scikit-learn estimators get the same values.

This is speaker normalisation (Busso et al. 2011, "Iterative feature normalization for emotional speech detection"). It is
transductive: all clips of a test item are read before the first one is predicted.
"""

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from preprocessing.clips.listing import shorten
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import FeatureStore
from preprocessing.store.moments import ItemSums, Moments
from xval.base.errors import SettingsError
from xval.folds.plan import Fold

if TYPE_CHECKING:
    import pandas as pd

FEWEST_CLIPS = 2
_SMALLEST_DEVIATION = 1e-4  # the same as in the normalisation layers


class ItemScaling:
    """Mean and standard deviation of each item.

    Args:
        moments: The sums over the clips that scale each item.

    Attributes:
        key: A key that differs if the statistics differ.
    """

    def __init__(self, moments: Mapping[str, Moments]) -> None:
        self._statistics: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        digest = blake2b(digest_size=16)
        for item, sums in moments.items():
            deviation = np.sqrt(sums.variance() + _SMALLEST_DEVIATION**2)
            self._statistics[item] = sums.mean().astype(np.float32), deviation.astype(np.float32)
            digest.update(item.encode() + b"".join(values.tobytes() for values in self._statistics[item]))
        self.key = digest.hexdigest()

    @classmethod
    def from_values(cls, values: Mapping[str, Sequence[NDArray[np.float32]]]) -> "ItemScaling":
        """Return the scaling of items from their values, float32 (n_rows, ..., n_bins); rows of NaN do not count."""
        moments = {}
        for item, arrays in values.items():
            sums = ItemSums(arrays[0].shape[-1])
            for array in arrays:
                rows = array.reshape(-1, array.shape[-1])
                sums.add(rows[np.isfinite(rows[:, 0])])
            moments[item] = sums.moments()
        return cls(moments)

    def applied(self, item: str, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a scaled copy of rows of an item."""
        rows = rows.copy()
        self.apply(item, rows)
        return rows

    def apply(self, item: str, rows: NDArray[np.float32]) -> None:
        """Scale rows of an item, float32 (n_rows, ..., n_bins), in place; an item without clips is not scaled."""
        if item in self._statistics:
            mean, deviation = self._statistics[item]
            rows -= mean
            rows /= deviation


def enrolment_of(items: "pd.Series[str]", durations_s: "pd.Series[float]", enrolment_s: float) -> NDArray[np.bool_]:
    """Return the first clips of each item whose total length is at least the enrolment: bool (n_clips,).

    Raises:
        SettingsError: The length of a clip is not known.
    """
    if durations_s.isna().any():
        raise SettingsError(
            f"enrolment_s={enrolment_s:g}: the clips have no length in seconds, because a script made their features. Set "
            "enrolment_s=none."
        )
    before_s = durations_s.groupby(items).cumsum() - durations_s
    return np.asarray(before_s.round(6) < enrolment_s, dtype=bool)


def scale_items(
    store: FeatureStore,
    fold: Fold | None = None,
    clips: Mapping[str, Collection[str]] | None = None,
    enrolment: Mapping[str, Collection[str]] | None = None,
    *,
    settings: FeatureSettings | None = None,
) -> ItemScaling:
    """Return the scaling of the items of a store by their own clips; augmented copies are scaled, but do not count.

    Args:
        store: A store of features.
        fold: The items of each side; needed with ``clips``.
        clips: The clips to use, by side; all clips of a side that is missing.
        enrolment: The clips that scale the items of a side instead of ``clips``.
        settings: With ``padding = masked``, frames after the ends of clips do not count.

    Raises:
        SettingsError: An item has a single clip, which would be scaled by itself, or its enrolment has no features.
        CorpusError: The moments of the store are damaged.
    """
    examples = store.examples[~store.examples["augmented"]]
    enrolled = {item for side in enrolment or {} for item in getattr(fold, side)} & set(store.items)
    for side, side_clips in {**(clips or {}), **(enrolment or {})}.items():
        items = set(getattr(fold, side)) - (set() if side in (enrolment or {}) else enrolled)  # validation items may train, too
        examples = examples[~examples["item"].isin(items) | examples["clip"].isin(side_clips)]
    n_clips = examples.groupby("item")["clip"].nunique()
    if silent := sorted(enrolled - set(n_clips.index)):
        raise SettingsError(
            f"enrolment_s: the first clips of {shorten(silent, 5)} have no features in {store.folder} (see left_out.csv "
            "there). Exclude them by test_where and train_where, or raise enrolment_s."
        )
    if len(lonely := n_clips.index[(n_clips < FEWEST_CLIPS) & ~n_clips.index.isin(enrolled)]):
        raise SettingsError(
            f"normalization='per_item' scales each item by its own clips, but these items have only one in {store.folder}: "
            f"{shorten(list(map(str, lonely)), 5)}. At least two are needed. Exclude these items, or set normalization to "
            "per_bin or per_clip."
        )
    is_masked = settings is not None and settings.padding == "masked"
    if len(examples) == len(store.examples) and not is_masked:
        return ItemScaling(store.moments_by_item())
    by_item = {str(item): set(item_clips) for item, item_clips in examples.groupby("item")["clip"]}
    return ItemScaling({item: store.moments([item], clips, settings=settings) for item, clips in by_item.items()})
