"""Build a user's network with two seeds, to find the pretrained weights that its build() loads.

Each different model is checked once per process; networks of xval are not checked.
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
    """Return the entry ``outside_weights`` of the record: names of weights, or None if this is not known.

    Empty for architectures of xval. ``seed_of_build`` is added if build() sets the seed of random numbers, so that its random
    weights are the same in all folds.

    Seeds and layer names differ afterwards: prepare the backend again before building a model to train.

    Args:
        job: The job whose seed is set.
        build: Function that makes its model.
        model: A model from `build`; None: it is made here, and again with another seed.
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
    """Ignore attempts to set the seeds of Keras; yield the values that were to be set."""
    were_set: list[Any] = []
    with patch.object(random, "seed", were_set.append), patch.object(np.random, "seed", were_set.append):
        yield were_set
