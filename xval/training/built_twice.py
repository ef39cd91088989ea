"""Build a network of the user's own with two seeds, to see which weights its build() has from elsewhere.

Comes in: a job and what builds its model. Goes out: the names of these weights, for its record. Each different model is
looked at once in a process, and those that come with xval are not.
"""

from collections.abc import Callable

import keras

from xval.jobs.job import Job, model_identity
from xval.models.outside_weights import find_outside_weights, network_weights
from xval.settings.architectures import may_load_weights

_known: dict[str, list[str] | None] = {}


def weights_from_elsewhere(
    job: Job, build: Callable[[], keras.Model], model: keras.Model | None = None
) -> dict[str, list[str] | None]:
    """Return what the record says of them, ``outside_weights``: names, or None where that cannot be told.

    Nothing of an architecture that comes with xval.

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
        _known[described] = find_outside_weights(first, network_weights(build()))
    return {"outside_weights": _known[described]}
