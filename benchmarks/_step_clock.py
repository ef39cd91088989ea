"""What `networks.py` names in its experiment: a clock of epochs, and one fold.

Comes in: an experiment whose items are called training, validation and test. Goes out: epochs.txt in the current folder, the
seconds of each epoch.
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
