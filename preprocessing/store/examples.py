"""examples.parquet: which clip each example of a feature store was cut from.

Comes in: the path, and what store.json says. Goes out: a row per example, in the order of the arrays.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from preprocessing.clips.parquet_files import Kind, read_frame
from preprocessing.store.layout import StoreDescription

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS: dict[str, Kind] = {
    "item": "text", "row": "whole number", "clip": "text", "start_s": "number", "end_s": "number", "augmented": "yes or no",
}  # fmt: skip
_OF_WAVEFORMS: dict[str, Kind] = {"first": "whole number", "stop": "whole number"}


def read_examples(path: Path, description: StoreDescription) -> "pd.DataFrame":
    """Return the examples of a store, sorted by item and row; see `preprocessing.store.FeatureStore.examples`.

    Raises:
        OSError: The file is missing or cannot be read.
        ValueError: It is damaged, or not of this store.
    """
    samples, counts = description.item_samples, description.item_counts
    table = read_frame(path, _COLUMNS if samples is None else _COLUMNS | _OF_WAVEFORMS, columns=())
    n_examples = list(counts.values())
    if len(table) != sum(n_examples):
        raise ValueError(f"{len(table)} rows, store.json says {sum(n_examples)}")
    items = np.repeat(np.array(list(counts), object), n_examples)
    rows = np.concatenate([np.arange(count) for count in n_examples])
    if (table["item"].to_numpy(object) != items).any() or (table["row"].to_numpy() != rows).any():
        raise ValueError("its rows are not those of the items in store.json")
    if samples is not None:
        longest = np.repeat(list(samples.values()), n_examples)
        first, stop = table["first"].to_numpy(), table["stop"].to_numpy()
        if ((first < 0) | (stop < first) | (stop > longest)).any():
            raise ValueError("a clip is outside of the samples of its item")
    return table
