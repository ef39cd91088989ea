"""Build a network of the user's own with two seeds, to record which weights its build() has from elsewhere.

Each different model is looked at once in a process, and those that come with xval are not.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import keras
import numpy as np

from xval.jobs.job import Job, model_identity
from xval.models.outside_weights import find_outside_weights, network_weights
from xval.settings.architectures import may_load_weights

_known: dict[str, dict[str, Any]] = {}


def weights_from_elsewhere(job: Job, build: Callable[[], keras.Model], model: keras.Model | None = None) -> dict[str, Any]:
    """Return what the record says of them, ``outside_weights``: names, or None where that cannot be told.

    Nothing of an architecture that comes with xval. ``seed_of_build`` is there where build() sets the seed of random numbers,
    so that its weights are the same in all folds, and are drawn all the same.

    Seeds and names of layers are others afterwards: prepare the backend anew before a model is built that is to be trained.

    Args:
        job: Whose seed is set.
        build: Makes its model.
        model: Made by it already; None: it is made here, and again with another seed.
    """
    if not may_load_weights(job.settings.architecture):
        return {}
    described = model_identity(job)
    if described not in _known:
        first = build() if model is None else model
        keras.utils.set_random_seed(job.seed ^ 1)
        with _seeds_unset() as were_set:
            second = build()
        facts = {"outside_weights": find_outside_weights(first, network_weights(second))}
        _known[described] = facts | ({"seed_of_build": True} if were_set else {})
    return dict(_known[described])


@contextmanager
def _seeds_unset() -> Iterator[list[Any]]:
    """Let nothing set the seeds that Keras draws its own from; yield what was to be set."""
    were_set: list[Any] = []
    with patch.object(random, "seed", were_set.append), patch.object(np.random, "seed", were_set.append):
        yield were_set
