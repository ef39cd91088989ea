"""examples.parquet: which clip each example of a feature store was cut from, and where its rows are."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from preprocessing.clips.parquet_files import Kind, read_frame
from preprocessing.store.layout import StoreDescription

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS: dict[str, Kind] = {
    "item": "text", "row": "whole number", "clip": "text", "start_s": "number", "end_s": "number", "augmented": "yes or no",
    "first_row": "whole number", "stop_row": "whole number",
}  # fmt: skip


def read_examples(path: Path, description: StoreDescription) -> "pd.DataFrame":
    """Return the examples of a store, sorted by item and row; see `preprocessing.store.FeatureStore.examples`.

    Raises:
        OSError: The file is missing or cannot be read.
        ValueError: It is damaged, or not of this store.
    """
    table = read_frame(path, _COLUMNS, columns=())
    counts = list(description.item_counts.values())
    if len(table) != sum(counts):
        raise ValueError(f"{len(table)} rows, store.json says {sum(counts)}")
    items = np.repeat(np.array(list(description.item_counts), object), counts)
    rows = np.concatenate([np.arange(count) for count in counts])
    if (table["item"].to_numpy(object) != items).any() or (table["row"].to_numpy() != rows).any():
        raise ValueError("its rows are not those of the items in store.json")
    first, stop = table["first_row"].to_numpy(), table["stop_row"].to_numpy()
    ends = np.cumsum(list(description.item_rows.values()))
    if first.tolist() != [0, *stop[:-1].tolist()] or stop[np.cumsum(counts) - 1].tolist() != ends.tolist():
        raise ValueError("its examples are not those of predictors.npy")
    return table
