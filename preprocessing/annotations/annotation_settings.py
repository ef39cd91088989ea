"""The settings of [frame_classification] in config.ini, which are also in model.json of models for frames."""

from typing import Annotated

from pydantic import Field

from preprocessing.annotations.labels import LabelForm, count_frame_samples
from preprocessing.options.settings_section import read_settings_section
from xval.base.setting_fields import NonNegativeFloat, OptionalShare, PositiveFloat, PositiveInt, SettingsModel
from xval.base.setting_scope import Scope


class FrameSettings(SettingsModel):
    """Settings for cutting recordings into frames, and for finding events in the predictions for frames."""

    label_form: Annotated[LabelForm, Scope.FRAMES | Scope.MODEL | Scope.FRAME_LOSS] = Field(
        "multi_class",
        description=(
            "This section is for task_type = frame_classification.\n"
            "multi_class (each frame has one class, the first is background) | multi_label (each frame has any of the "
            "classes, or none)"
        ),
    )
    label_frame_s: Annotated[PositiveFloat, Scope.FRAMES | Scope.MODEL | Scope.FRAME_LOSS] = Field(
        0.05, description="Length of a frame that has a label (s)."
    )
    sequence_frames: Annotated[PositiveInt, Scope.FRAMES | Scope.MODEL] = Field(
        10, description="Frames of an example, a sequence for the network."
    )
    frame_overlap: Annotated[PositiveFloat, Field(le=1), Scope.FRAMES | Scope.FRAME_LOSS] = Field(
        0.5, description="Share of a frame that events of a class must cover for the frame to have it (above 0, at most 1)."
    )
    annotation_policy: Annotated[str, Scope.FRAMES | Scope.FRAME_LOSS] = Field(
        "union",
        description=(
            "If annotators disagree: union | intersection | ignore_disagreement (such frames have weight 0) | the name of "
            "one annotator."
        ),
    )
    random_excerpts: Annotated[bool, Scope.FRAMES] = Field(
        True,
        description=(
            "true: training sequences begin at a random frame of their recording, a different one in every epoch; false: "
            "one after the other."
        ),
    )
    event_threshold: Annotated[OptionalShare, Scope.FRAMES] = Field(
        None,
        description=(
            "Probability from which a frame has a class (above 0, below 1); none: the most probable class (multi_label: 0.5)."
        ),
    )
    event_median_frames: Annotated[PositiveInt, Scope.FRAMES] = Field(
        1, description="Median filter over the frames' decisions (number of frames, odd); 1: off."
    )
    event_min_duration_s: Annotated[NonNegativeFloat, Scope.FRAMES] = Field(0.0, description="Shorter events are dropped (s).")
    segment_s: Annotated[PositiveFloat, Scope.FRAMES] = Field(
        1.0, description="Length of the segments of the segment-based metrics (s)."
    )

    def frame_samples(self, sample_rate_hz: int) -> int:
        """Return the number of samples of a labelled frame."""
        return count_frame_samples(self.label_frame_s, sample_rate_hz)

    def frame_s(self, sample_rate_hz: int) -> float:
        """Return the length of a labelled frame, which is a whole number of samples (s)."""
        return self.frame_samples(sample_rate_hz) / sample_rate_hz


def read_frame_settings() -> FrameSettings:
    """Return the settings of config.ini."""
    return read_settings_section(FrameSettings, "frame_classification")
