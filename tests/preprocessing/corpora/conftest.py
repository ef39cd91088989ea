"""Folders laid out as the archives of corpora are."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def lay_out() -> Callable[..., Path]:
    """Return a function that makes empty files in a folder and returns the folder."""

    def make(folder: Path, *paths: str) -> Path:
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).touch()
        return folder

    return make
