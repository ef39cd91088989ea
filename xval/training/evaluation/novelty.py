"""The distances of validation clips from the training examples of a model, in its own embedding."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xval.data.fold import FoldData
from xval.jobs.job import Job
from xval.models.saved.novelty import Novelty, choose_kept, measure_novelty
from xval.settings.architectures import trains_network

Embed: TypeAlias = Callable[[str, NDArray[np.int64]], NDArray[np.float32]]
"""Function from a side and the numbers of some of its examples to their embeddings, float32 (n_examples, n_features)."""


def find_novelty(job: Job, data: FoldData, embed: Embed | None) -> Novelty | None:
    """Find the distance from which on an input is out of distribution for a model.

    Args:
        job: The job, whose training items count even if the model was also fitted to others.
        data: The data to which the model was fitted.
        embed: Function that embeds examples; None: the model has no embedding.

    Returns:
        The distances; None if there is no embedding, or see `measure_novelty`.
    """
    if embed is None:
        return None
    is_network, validation = trains_network(job.settings.architecture), data.sides.get("validation")
    rows = np.flatnonzero(data.sides["training"].table["item"].isin(job.fold.training))
    n_features = embed("training", rows[:1]).shape[1]
    training = embed("training", rows[choose_kept(len(rows), n_features)])
    if validation is None:
        limit_ratio = job.refit.facts.get("novelty_limit_ratio") if job.refit else None
        return measure_novelty(training, None, None, is_network=is_network, limit_ratio=limit_ratio)
    measured = choose_kept(len(validation), 1)
    clips = validation.table["clip"].to_numpy()[measured]
    return measure_novelty(training, embed("validation", measured), clips, is_network=is_network)
