"""Compare the outputs of an export with those of its Keras model, on random inputs that are distributed like training data."""

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
"""The largest allowed difference of outputs by compute dtype; times the largest absolute output if that is above 1."""
BATCH_SIZES = (1, 2, 5)
_LENGTH_FACTOR = 1.5
_UNKNOWN_LENGTH = 100
_SAMPLES_STANDARD_DEVIATION = 0.1
_FAINT_FACTOR = np.float32(1e-3)


@dataclass(frozen=True)
class ExportAgreement:
    """The agreement of an export with its model.

    Attributes:
        difference: The largest absolute difference of an output; NaN if an output of the export is NaN.
        tolerance: The largest allowed difference.
        n_batches: The number of compared batches.
    """

    difference: float
    tolerance: float
    n_batches: int

    @property
    def is_close(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.difference <= self.tolerance


def compare(expected: Sequence[Any], exported: Sequence[NDArray[Any]], computed_in: Collection[str]) -> ExportAgreement:
    """Compare the outputs of an export with those of its model.

    Args:
        expected: The outputs of the model, a tensor for each batch.
        exported: The outputs of the export, an array of the same shape for each batch.
        computed_in: The compute dtypes of the model; the coarsest decides the tolerance.

    Raises:
        ExportError: The model itself has NaN or infinite outputs, or the outputs have different shapes.
    """
    import keras

    difference, largest = 0.0, 1.0
    for tensor, output in zip(expected, exported, strict=True):
        values = keras.ops.convert_to_numpy(tensor).astype(np.float64)
        if not np.isfinite(values).all():
            raise ExportError("the model itself outputs NaN or infinite values for random inputs.")
        if values.shape != output.shape:
            raise ExportError(
                f"the export is wrong and was removed: it outputs {output.shape}, but the model outputs {values.shape}."
            )
        difference = float(np.maximum(difference, np.abs(output - values).max()))  # np.maximum keeps NaN
        largest = max(largest, float(np.abs(values).max()))
    return ExportAgreement(difference, largest * max(TOLERANCES.get(name, 0.0) for name in computed_in), len(exported))


def precisions(layer: Any) -> set[str]:
    """Return the compute dtypes of a layer, or of all layers of a model at any depth."""
    inner = getattr(layer, "layers", None)
    return {layer.compute_dtype} if inner is None else {name for sublayer in inner for name in precisions(sublayer)}


def scales_each_clip(layer: Any) -> bool:
    """Return whether a model normalises each clip separately (normalization = per_clip).

    The features of a silent clip are all equal. Divided by their standard deviation, which is 0, they become amplified rounding
    errors, so that the predictions of two formats differ.
    """
    import keras

    if layer.name == "normalization":
        return not isinstance(layer, keras.layers.BatchNormalization | keras.layers.Activation)
    return any(map(scales_each_clip, getattr(layer, "layers", ())))


def random_batches(
    model: "keras.Model", input_shape: tuple[int | None, ...], described: ModelDescription, *, are_samples: bool
) -> list[NDArray[np.float32]]:
    """Return random inputs with mean and standard deviation of the training data; with ``padding = masked`` most end in NaN.

    Args:
        model: Its first layer, if it normalises, has the mean and standard deviation.
        input_shape: Shape of the export's input, with the batch axis; None: any size.
        described: The description of the model, which has the length of its examples.
        are_samples: Whether the inputs are audio samples.

    Returns:
        Batches, float32 (n_examples, ...): one for each of `BATCH_SIZES` (or as many of the only batch size), for each of two
        lengths if the model reads any length; then a batch of zeros, or of faint noise if `scales_each_clip`.
    """
    rng = np.random.default_rng(0)
    mean, standard_deviation = _input_statistics(model, are_samples=are_samples)
    length = _trained_length(described, are_samples=are_samples)
    lengths = [length, round(_LENGTH_FACTOR * length)] if None in input_shape[1:] else [length]
    shapes = [
        (input_shape[0] or batch_size, *(length if size is None else size for size in input_shape[1:]))
        for length in lengths
        for batch_size in BATCH_SIZES
    ]
    batches = [(mean + standard_deviation * rng.standard_normal(shape)).astype(np.float32) for shape in shapes]
    if described.feature_settings.padding == "masked":
        _pad_with_nan(batches)
    last = _FAINT_FACTOR * batches[0] if scales_each_clip(model) else np.zeros(shapes[0], np.float32)
    return [*batches, last]


def _pad_with_nan(batches: Sequence[NDArray[np.float32]]) -> None:
    """Fill the ends of examples with NaN in place, so that 4/4, 3/4, 2/4 and 1/4 of their length remain, in turn."""
    for number, example in enumerate(example for batch in batches for example in batch):
        example[len(example) - number % 4 * len(example) // 4 :] = np.nan


def _trained_length(described: ModelDescription, *, are_samples: bool) -> int:
    """Return the length of the training examples of a model, in samples or frames; 100 if it is unknown."""
    if described.example_s is None:
        return _UNKNOWN_LENGTH
    settings = described.feature_settings
    n_samples = round(described.example_s * settings.sample_rate_hz)
    return n_samples if are_samples else count_frames(n_samples, settings)


def _input_statistics(model: "keras.Model", *, are_samples: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of the inputs, float32, to broadcast; 0 and 1 if the model does not normalise."""
    import keras

    if are_samples:
        return np.zeros(1, np.float32), np.full(1, _SAMPLES_STANDARD_DEVIATION, np.float32)
    first = model.layers[1]
    if not isinstance(first, keras.layers.BatchNormalization):
        return np.zeros(1, np.float32), np.ones(1, np.float32)
    return tuple(
        keras.ops.convert_to_numpy(statistic) for statistic in (first.moving_mean, keras.ops.sqrt(first.moving_variance))
    )
