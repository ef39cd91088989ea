"""How far from its training examples a fitted network's validation clips lie, in its own embedding.

Comes in: a fitted model and the fold's data. Goes out: a `Novelty`.
"""

import keras
import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError
from xval.data.batches import in_batches
from xval.data.fold import Examples, FoldData
from xval.models.cut import read_by_last_layer
from xval.models.saved.novelty import Novelty, choose_kept, measure_novelty
from xval.settings.schema import Settings


def novelty_of_network(
    model: keras.Model, data: FoldData, settings: Settings, *, limit_ratio: float | None = None
) -> Novelty | None:
    """Measure from which distance on an input is unlike what a network was trained on.

    Args:
        model: With its best weights.
        data: The fold.
        settings: Of the instance.
        limit_ratio: See `measure_novelty`.

    Returns:
        None where it cannot be known: see `measure_novelty`; or the network is no plain functional model; or it answers frames
        or rebuilds its input, whose error says how unlike it is.
    """
    if settings.frames or settings.task.target == "input":
        return None
    try:
        embed = read_by_last_layer(model, where=settings.architecture)
    except SettingsError:
        return None

    def embedded(examples: Examples, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        lengths = None if examples.lengths is None else examples.lengths[positions]
        batches = in_batches(np.arange(len(positions)), lengths, settings.batch_size)
        values = [embed(examples.predictors(positions[batch])) for batch in batches]
        return np.concatenate(values)[np.argsort(np.concatenate(batches))]

    training, validation = data.sides["training"], data.sides.get("validation")
    n_features = embedded(training, np.arange(1)).shape[1]
    of_training = embedded(training, choose_kept(len(training), n_features))
    if validation is None:
        return measure_novelty(of_training, None, None, is_network=True, limit_ratio=limit_ratio)
    measured = choose_kept(len(validation), 1)
    clips = validation.table["clip"].to_numpy()[measured]
    return measure_novelty(of_training, embedded(validation, measured), clips, is_network=True)
