"""A small corpus of noises of many lengths, and the settings of embedders."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.corpus import Corpus, make_corpus
from preprocessing.features.feature_settings import FeatureSettings

RATE_HZ = 16000


@pytest.fixture
def settings() -> Callable[..., FeatureSettings]:
    """Return a function that gives the settings of an embedder."""
    return lambda model, **changes: FeatureSettings(**{"features": "embedding", "embedding_model": model, **changes})


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    rng, rows = np.random.default_rng(0), []
    for number in range(8):
        samples = 0.1 * rng.normal(size=2000 + 500 * (number % 3))
        soundfile.write(tmp_path / f"{number}.wav", samples, RATE_HZ)
        rows.append((f"{number}.wav", f"s{number // 2}", "ab"[number % 2]))
    clips = pd.DataFrame(rows, columns=["path", "item", "label"])
    made = {"dataset": "noise", "data_folder": tmp_path / "data", "corpus": "table"}
    return make_corpus(clips, tmp_path, task_type="classification", **made)[0]
