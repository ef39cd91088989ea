"""The settings of [training_augmentation] in config.ini."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from xval.base.setting_fields import (
    Factor,
    Later,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    SettingsModel,
    none_from_text,
)
from xval.base.setting_scope import NETWORK_MODEL

OptionalNoiseFloor = Annotated[Annotated[float, Field(gt=-60, lt=0)] | None, BeforeValidator(none_from_text)]


class TrainingAugmentationSettings(SettingsModel):
    """Augmentation of training examples during training."""

    augment_time_masks: Annotated[NonNegativeInt, NETWORK_MODEL] = Field(
        0,
        description=(
            "This section changes only training examples, differently in every epoch; validation and test examples are "
            "not changed.\n"
            "Masks over time in each example (SpecAugment); their number, 0: off."
        ),
    )
    augment_time_mask_frames: Annotated[NonNegativeInt, NETWORK_MODEL] = Field(
        0,
        description=(
            "Greatest width of each mask over time (frames); number times width must be below the frames of an example."
        ),
    )
    augment_frequency_masks: Annotated[NonNegativeInt, NETWORK_MODEL] = Field(
        0, description="Masks over frequency in each example; their number, 0: off."
    )
    augment_frequency_mask_bins: Annotated[NonNegativeInt, NETWORK_MODEL] = Field(
        0, description="Greatest width of each mask over frequency (bins)."
    )
    augment_time_shift_s: Annotated[NonNegativeFloat, NETWORK_MODEL] = Field(
        0.0,
        description=(
            "Largest shift in time in either direction (s), rounded to frames (samples of a waveform); 0: off. With "
            "stretch_frames a frame counts as hop_length."
        ),
    )
    augment_frequency_shift_bins: Annotated[NonNegativeInt, NETWORK_MODEL] = Field(
        0, description="Largest shift in frequency in either direction (bins); 0: off."
    )
    augment_noise: Annotated[NonNegativeFloat, NETWORK_MODEL] = Field(
        0.0,
        description=(
            "Largest standard deviation of added white noise, as a share of that of the example's normalised features (or "
            "of its waveform); 0: off."
        ),
    )
    augment_gain_db: Annotated[NonNegativeFloat, NETWORK_MODEL] = Field(
        0.0, description="Largest gain in either direction (dB); 0: off."
    )
    augment_mixup: Annotated[NonNegativeFloat, NETWORK_MODEL] = Field(
        0.0,
        description=(
            "Mixup: each example is mixed with another, the share drawn from Beta(alpha, alpha). This is alpha, 0.1 to "
            "0.4 is usual; 0: off."
        ),
    )
    augment_mixstyle: Annotated[NonNegativeFloat, Field(le=1), NETWORK_MODEL, Later()] = Field(
        0.0,
        description=(
            "Freq-MixStyle: probability that an example gets part of the mean and standard deviation that the bins of "
            "another example have, as if recorded by another device (0 to 1); 0: off. The part is drawn from Beta(alpha, "
            "alpha)."
        ),
    )
    augment_mixstyle_alpha: Annotated[PositiveFloat, NETWORK_MODEL, Later()] = Field(
        0.3, description="Freq-MixStyle: alpha of the Beta distribution, above 0."
    )
    augment_vocal_tract: Annotated[Factor, NETWORK_MODEL, Later()] = Field(
        0.0,
        description=(
            "Vocal-tract-length perturbation: frequencies are multiplied by a factor drawn from 1 - this to 1 + this, 0.1 "
            "to 0.2 is usual; 0: off. Not for mfcc."
        ),
    )
    augment_speed: Annotated[Factor, NETWORK_MODEL, Later()] = Field(
        0.0,
        description=(
            "Speed: time goes faster or slower by a factor drawn from 1 - this to 1 + this, 0.1 to 0.2 is usual; 0: off."
        ),
    )
    augment_response_db: Annotated[NonNegativeFloat, NETWORK_MODEL, Later()] = Field(
        0.0,
        description=(
            "Frequency response of another recorder: largest gain in either direction (dB), a line through five gains "
            "over the bins (FilterAugment), 6 to 12 is usual; 0: off. For features in dB (scale = db), not for mfcc."
        ),
    )
    augment_noise_floor_db: Annotated[OptionalNoiseFloor, NETWORK_MODEL, Later()] = Field(
        None,
        description=(
            "Noise floor of another recorder: its highest level (dB relative to the loudest value of the example, between "
            "-60 and 0), drawn from -60 to this, -20 is usual; none: off. For features in dB, not for mfcc."
        ),
    )
