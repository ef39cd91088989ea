"""What the experiment of `networks.py` names: a clock that writes the seconds of each epoch to epochs.txt, and one fold.

The items of that experiment are called training, validation and test.
"""

import time
from pathlib import Path

import keras
import pandas as pd


class Clock(keras.callbacks.Callback):
    """Writes the seconds of each epoch, validation included."""

    def on_epoch_begin(self, *_: object, **__: object) -> None:
        """Start."""
        self.began = time.perf_counter()

    def on_epoch_end(self, *_: object, **__: object) -> None:
        """Stop."""
        with Path("epochs.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.perf_counter() - self.began}\n")


def one_fold(_: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Test the item test, validate the item validation, train the rest."""
    return [{"test": ["test"], "validation": ["validation"]}]
