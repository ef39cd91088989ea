"""Compare the outputs of an export with those of its Keras model, on random inputs like those of training.

Comes in: a model and its description; the outputs of model and export. Goes out: batches of inputs; an `ExportAgreement`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.features.spectrogram import count_frames
from xval.base.errors import ExportError
from xval.models.saved.description import ModelDescription

if TYPE_CHECKING:
    import keras

TOLERANCES = {"float32": 1e-4, "float16": 2e-3, "bfloat16": 2e-2}
"""The largest difference of outputs by the type that a model computes in; times the largest output if that is above 1."""
BATCH_SIZES = (1, 2, 5)
_LENGTHENED = 1.5
_UNKNOWN_LENGTH = 100
_SAMPLES_DEVIATION = 0.1
_FAINT = np.float32(1e-3)


@dataclass(frozen=True)
class ExportAgreement:
    """The agreement of an export with its model.

    Attributes:
        difference: The largest difference of an output; NaN if an output of the export is NaN.
        tolerance: The largest allowed difference.
    """

    difference: float
    tolerance: float
    n_batches: int

    @property
    def is_close(self) -> bool:
        """Whether the difference is allowed."""
        return self.difference <= self.tolerance


def compare(wanted: Sequence[Any], exported: Sequence[NDArray[Any]], computed_in: Collection[str]) -> ExportAgreement:
    """Compare the outputs of an export with those of its model.

    Args:
        wanted: Of the model, a tensor for each batch.
        exported: Of the export, an array for each batch.
        computed_in: The types that the model computes in; the coarsest decides the tolerance.

    Raises:
        ExportError: The model itself has NaN or infinite outputs, or the outputs have different shapes.
    """
    import keras

    difference, largest = 0.0, 1.0
    for tensor, answer in zip(wanted, exported, strict=True):
        values = keras.ops.convert_to_numpy(tensor).astype(np.float64)
        if not np.isfinite(values).all():
            raise ExportError("the model itself outputs NaN or infinite values for random inputs.")
        if values.shape != answer.shape:
            raise ExportError(
                f"the export is wrong and was removed: it outputs {answer.shape}, but the model outputs {values.shape}."
            )
        difference = float(np.maximum(difference, np.abs(answer - values).max()))  # a NaN stays one
        largest = max(largest, float(np.abs(values).max()))
    return ExportAgreement(difference, largest * max(TOLERANCES.get(name, 0.0) for name in computed_in), len(exported))


def precisions(layer: Any) -> set[str]:
    """Return the types that the layers of a model compute in."""
    inner = getattr(layer, "layers", None)
    return {layer.compute_dtype} if inner is None else {name for sublayer in inner for name in precisions(sublayer)}


def scales_each_clip(layer: Any) -> bool:
    """Return whether a model scales each clip by itself (normalization = per_clip).

    The features of a silent clip are all alike; divided by their deviation, which is 0, they are rounding errors made large, so
    that no two formats agree on the answer.
    """
    import keras

    if layer.name == "normalization":
        return not isinstance(layer, keras.layers.BatchNormalization | keras.layers.Activation)
    return any(map(scales_each_clip, getattr(layer, "layers", ())))


def random_batches(
    model: "keras.Model", input_shape: tuple[int | None, ...], described: ModelDescription, *, are_samples: bool
) -> list[NDArray[np.float32]]:
    """Return random inputs like those of training; where ``padding = masked``, NaN follows most.

    Args:
        model: A first layer that normalises has their mean and deviation.
        input_shape: Of the export; None: any size.
        described: The description of the model, for the length of its examples.
        are_samples: The inputs are samples of audio.

    Returns:
        float32. A batch for each of `BATCH_SIZES` (or as many batches of the only batch size), for each of two lengths if any
        length fits; then a batch of zeros, or of faint noise where `scales_each_clip`.
    """
    rng = np.random.default_rng(0)
    mean, deviation = _statistics(model, are_samples=are_samples)
    length = _trained_length(described, are_samples=are_samples)
    lengths = [length, round(_LENGTHENED * length)] if None in input_shape[1:] else [length]
    shapes = [
        (input_shape[0] or batch_size, *(length if size is None else size for size in input_shape[1:]))
        for length in lengths
        for batch_size in BATCH_SIZES
    ]
    batches = [(mean + deviation * rng.standard_normal(shape)).astype(np.float32) for shape in shapes]
    if described.feature_settings.padding == "masked":
        _end_early(batches)
    last = _FAINT * batches[0] if scales_each_clip(model) else np.zeros(shapes[0], np.float32)
    return [*batches, last]


def _end_early(batches: Sequence[NDArray[np.float32]]) -> None:
    """Put NaN behind the ends of examples that are whole, three, two and one quarter as long, in turn."""
    for number, example in enumerate(example for batch in batches for example in batch):
        example[len(example) - number % 4 * len(example) // 4 :] = np.nan


def _trained_length(described: ModelDescription, *, are_samples: bool) -> int:
    """Return the length of the examples that trained a model, in samples or frames."""
    if described.example_s is None:
        return _UNKNOWN_LENGTH
    settings = described.feature_settings
    n_samples = round(described.example_s * settings.sample_rate_hz)
    return n_samples if are_samples else count_frames(n_samples, settings)


def _statistics(model: "keras.Model", *, are_samples: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of the inputs, to broadcast; those of the training data if the model has them."""
    import keras

    if are_samples:
        return np.zeros(1, np.float32), np.full(1, _SAMPLES_DEVIATION, np.float32)
    first = model.layers[1]
    if not isinstance(first, keras.layers.BatchNormalization):
        return np.zeros(1, np.float32), np.ones(1, np.float32)
    return tuple(
        keras.ops.convert_to_numpy(statistic) for statistic in (first.moving_mean, keras.ops.sqrt(first.moving_variance))
    )
