"""Augment training examples at every step to reduce overfitting: masks, shifts, noise and gain.

The fitted model shares the weights of the whole model of a fold, and augments its inputs only in training; the whole model does
not change and is saved. Before that, mixup.py mixes examples with each other; speaker_layers.py simulates other speakers, and
recorder_layer.py other recorders.

Every example has separate random numbers, drawn on the device by `keras.random`: the same seed gives the same changes on a
backend.
"""

import math
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from xval.base.errors import SettingsError, counted
from xval.settings.schema import Settings
from xval.training.random_layer import RandomLayer, whole_numbers
from xval.training.recorder_layer import RecorderAugmentation
from xval.training.speaker_layers import N_FACTORS, SpeakerAugmentation, warped_bins

NORMALIZATION = "normalization"  # the layer of the whole model after which examples have mean 0 and deviation 1

_AXES = {"frames": 1, "bins": 2}
_KEYS = {  # number of masks, their greatest width, furthest shift
    "frames": ("augment_time_masks", "augment_time_mask_frames", "augment_time_shift_s"),
    "bins": ("augment_frequency_masks", "augment_frequency_mask_bins", "augment_frequency_shift_bins"),
}
_OTHER_KEYS = (
    "augment_noise", "augment_mixstyle", "augment_vocal_tract", "augment_speed", "augment_response_db", "augment_noise_floor_db"
)  # fmt: skip


@keras.saving.register_keras_serializable(package="xval")
class TrainingAugmentation(RandomLayer):
    """Shift normalised features in time and frequency, add noise, and mask frames and bins; in this order.

    Masked values, and values that a shift moves in, are 0, the mean of the training items. Masks are those of SpecAugment (Park
    et al., Interspeech 2019) without its time warping: width uniform from 0 to the maximum, start uniform. Masks never cover a
    whole axis, even for short examples.

    Input and output: float32 (batch, n_frames, n_bins), mean 0 and standard deviation 1 in each bin; n_frames may be unknown.

    Args:
        n_time_masks: Number of masks over frames.
        time_mask_frames: Greatest width of each.
        n_frequency_masks: Number of masks over bins.
        frequency_mask_bins: Greatest width of each.
        time_shift_frames: Furthest shift to either side.
        frequency_shift_bins: Furthest shift to either side.
        noise_share: Largest standard deviation of the noise, as a share of that of the example.
    """

    def __init__(
        self,
        *,
        n_time_masks: int = 0,
        time_mask_frames: int = 0,
        n_frequency_masks: int = 0,
        frequency_mask_bins: int = 0,
        time_shift_frames: int = 0,
        frequency_shift_bins: int = 0,
        noise_share: float = 0.0,
        seed: int,
        **keywords: Any,
    ) -> None:
        super().__init__(seed=seed, **keywords)
        self.masks = {"frames": (n_time_masks, time_mask_frames), "bins": (n_frequency_masks, frequency_mask_bins)}
        self.shifts = {"frames": time_shift_frames, "bins": frequency_shift_bins}
        self.noise_share = noise_share

    def change(self, examples: Any) -> Any:
        """Return changed examples, float32 (batch, n_frames, n_bins)."""
        for unit, furthest in self.shifts.items():
            examples = self.shifted(examples, _AXES[unit], furthest) if furthest else examples
        if self.noise_share:
            examples = self.noisy(examples, self.noise_share, ops.std(examples, axis=(1, 2), keepdims=True))
        for unit, (n_masks, widest) in self.masks.items():
            examples = self._masked(examples, _AXES[unit], n_masks, widest) if n_masks and widest else examples
        return examples

    def _masked(self, examples: Any, axis: int, n_masks: int, widest: int) -> Any:
        length = ops.shape(examples)[axis]
        size = ops.cast(length, "float32")
        widths = whole_numbers(self.shares(examples, n_masks, 1), ops.minimum(float(widest), ops.floor((size - 1) / n_masks)))
        starts = whole_numbers(self.shares(examples, n_masks, 1), size - widths)
        positions = ops.arange(length, dtype="float32")
        masked = ops.any(ops.logical_and(positions >= starts, positions < starts + widths), axis=1)
        return ops.where(ops.expand_dims(masked, 3 - axis), 0.0, examples)


@keras.saving.register_keras_serializable(package="xval")
class WaveformAugmentation(RandomLayer):
    """Shift waveforms in time, filled with zeros, and add white noise.

    Input and output: float32 (batch, n_samples).

    Args:
        time_shift_samples: Furthest shift to either side.
        noise_share: Largest root mean square of the noise, as a share of that of the example.
    """

    def __init__(self, *, time_shift_samples: int = 0, noise_share: float = 0.0, seed: int, **keywords: Any) -> None:
        super().__init__(seed=seed, **keywords)
        self.time_shift_samples = time_shift_samples
        self.noise_share = noise_share

    def change(self, examples: Any) -> Any:
        """Return changed waveforms, float32 (batch, n_samples)."""
        if self.time_shift_samples:
            examples = self.shifted(examples, 1, self.time_shift_samples)
        if self.noise_share:
            examples = self.noisy(examples, self.noise_share, ops.sqrt(ops.mean(ops.square(examples), axis=1, keepdims=True)))
        return examples


@keras.saving.register_keras_serializable(package="xval")
class RandomGain(RandomLayer):
    """Make each example louder or softer, as if its audio had been, before normalisation.

    Input and output: float32 (batch, n_samples) or (batch, n_frames, n_bins), depending on the mode.

    Args:
        gain_db: Furthest gain to either side, drawn uniformly in dB.
        mode: The kind of input. ``waveform``; ``db``, to which the gain is added; ``linear``, magnitudes to a power; ``mfcc``,
            of which only coefficient 0 changes, by gain * sqrt(n_mels): the orthonormal cosine transform of a constant.
        n_mels: Number of mel bins behind the coefficients of ``mfcc``.
        power: Exponent of the magnitudes of ``linear``.
    """

    def __init__(
        self,
        *,
        gain_db: float,
        mode: Literal["db", "mfcc", "linear", "waveform"],
        n_mels: int = 0,
        power: float = 1.0,
        seed: int,
        **keywords: Any,
    ) -> None:
        super().__init__(seed=seed, **keywords)
        self.gain_db, self.mode, self.n_mels, self.power = gain_db, mode, n_mels, power

    def change(self, examples: Any) -> Any:
        """Return louder or softer examples, float32, in their shape."""
        gain_db = self.gain_db * (2 * self.shares(examples) - 1)
        if self.mode == "db":
            return examples + gain_db
        if self.mode == "mfcc":
            is_first = ops.arange(examples.shape[-1]) == 0
            return examples + ops.where(is_first, gain_db * math.sqrt(self.n_mels), 0.0)
        power = self.power if self.mode == "linear" else 1.0
        return examples * ops.exp(gain_db * (math.log(10) * power / 20))


def augmented(model: keras.Model, settings: Settings, *, seed: int) -> keras.Model:
    """Return the model to fit: the layers and weights of a whole model, with augmentation between them.

    Gain comes first, for waveforms with shift and noise; other recorders come just before the normalisation, and augmentation
    of normalised features after it.

    Args:
        model: A chain of layers from `build_model`.
        settings: The parameters of the instance.
        seed: Seed of all random numbers.

    Returns:
        A model with the same input and output, or ``model`` itself without augmentation.
    """
    seeds = [int(number) >> 1 for number in np.random.SeedSequence(seed).generate_state(5)]
    first = _input_layers(settings, model.input_shape[1], seeds[:2])
    options = _feature_options(settings)
    as_other_speakers = settings.augment_mixstyle or settings.augment_vocal_tract or settings.augment_speed
    as_other_recorders = settings.augment_response_db or settings.augment_noise_floor_db is not None
    if not first and not as_other_speakers and not as_other_recorders and not any(options.values()):
        return model
    hidden = model.input
    for layer in first:
        hidden = layer(hidden)
    for layer in model.layers[1:]:
        if layer.name == NORMALIZATION and as_other_recorders:
            _check_axes(hidden.shape[1:])
            hidden = _recorder_layer(settings, seeds[4])(hidden)
        hidden = layer(hidden)
        if layer.name == NORMALIZATION and as_other_speakers:
            _check_axes(hidden.shape[1:])
            hidden = _speaker_layer(settings, hidden.shape[2], seeds[3])(hidden)
        if layer.name == NORMALIZATION and any(options.values()):
            augmentation = TrainingAugmentation(**options, seed=seeds[2], name="training_augmentation")
            _check_size(augmentation, hidden.shape[1:])
            hidden = augmentation(hidden)
    augmented_model = keras.Model(model.input, hidden, name=model.name)
    for layer in augmented_model.layers:
        if isinstance(layer, RandomLayer):
            layer.is_masked = settings.padding == "masked"
    return augmented_model


def _input_layers(settings: Settings, length: int | None, seeds: list[int]) -> list[RandomLayer]:
    """Return the first layers: gain, and for waveforms of this length shift and noise."""
    is_waveform = settings.features == "waveform"
    layers: list[RandomLayer] = []
    if settings.augment_gain_db:
        mode: Any = settings.features if settings.features in ("waveform", "mfcc") else settings.scale
        n_mels, power, gain_db = settings.n_mels, settings.power, settings.augment_gain_db
        layers.append(RandomGain(gain_db=gain_db, mode=mode, n_mels=n_mels, power=power, seed=seeds[0], name="random_gain"))
    shift_samples = round(settings.augment_time_shift_s * settings.sample_rate_hz)
    if is_waveform and (shift_samples or settings.augment_noise):
        if length is not None and shift_samples >= length:
            raise SettingsError(
                f"augment_time_shift_s moves examples by up to {counted(shift_samples, 'sample')}, but they have "
                f"{length}. Lower it."
            )
        shift_and_noise = WaveformAugmentation(
            time_shift_samples=shift_samples, noise_share=settings.augment_noise, seed=seeds[1], name="waveform_augmentation"
        )
        layers.append(shift_and_noise)
    return layers


def _feature_options(settings: Settings) -> dict[str, Any]:
    is_waveform = settings.features == "waveform"
    shift_frames = round(settings.augment_time_shift_s * settings.sample_rate_hz / settings.hop_length)
    return {
        "n_time_masks": settings.augment_time_masks,
        "time_mask_frames": settings.augment_time_mask_frames,
        "n_frequency_masks": settings.augment_frequency_masks,
        "frequency_mask_bins": settings.augment_frequency_mask_bins,
        "time_shift_frames": 0 if is_waveform else shift_frames,
        "frequency_shift_bins": settings.augment_frequency_shift_bins,
        "noise_share": 0.0 if is_waveform else settings.augment_noise,
    }


def _speaker_layer(settings: Settings, n_bins: int, seed: int) -> SpeakerAugmentation:
    furthest = settings.augment_vocal_tract
    factors = np.linspace(1 - furthest, 1 + furthest, N_FACTORS)
    return SpeakerAugmentation(
        mixstyle=settings.augment_mixstyle,
        mixstyle_alpha=settings.augment_mixstyle_alpha,
        bins=warped_bins(settings, n_bins, factors) if furthest else None,
        speed=settings.augment_speed,
        seed=seed,
        name="speaker_augmentation",
    )


def _recorder_layer(settings: Settings, seed: int) -> RecorderAugmentation:
    return RecorderAugmentation(
        response_db=settings.augment_response_db,
        noise_floor_db=settings.augment_noise_floor_db,
        top_db=settings.top_db,
        seed=seed,
        name="recorder_augmentation",
    )


def _check_axes(example_shape: tuple[int | None, ...]) -> None:
    """Raise an error if examples have axes other than frames and bins."""
    if len(example_shape) != len(_AXES):
        keys = ", ".join([*(key for keys in _KEYS.values() for key in keys), *_OTHER_KEYS])
        raise SettingsError(
            f"examples have the axes {example_shape}, but only (frames, bins) can be augmented. Set to 0: {keys}."
        )


def check_sizes(model: keras.Model, example_shape: tuple[int | None, ...]) -> None:
    """Raise an error for masks and shifts of `augmented` that could remove all of an example of this shape."""
    for layer in model.layers:
        if isinstance(layer, TrainingAugmentation):
            _check_size(layer, example_shape)


def _check_size(augmentation: TrainingAugmentation, example_shape: tuple[int | None, ...]) -> None:
    _check_axes(example_shape)
    for (unit, (number_key, width_key, shift_key)), size in zip(_KEYS.items(), example_shape, strict=True):
        (n_masks, widest), furthest = augmentation.masks[unit], augmentation.shifts[unit]
        if size is not None and n_masks * widest >= size:
            raise SettingsError(
                f"{number_key}={n_masks} times {width_key}={widest} can hide all {size} {unit} of an example. "
                "Lower one of them."
            )
        if size is not None and furthest >= size:
            raise SettingsError(f"{shift_key} moves examples by up to {furthest} {unit}, but they have {size}. Lower it.")
