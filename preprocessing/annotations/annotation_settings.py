"""The settings of frames and events: how recordings are cut into frames, and how events are found in what a model says of them.

Comes in: the section frame_classification of an instance's settings, or of model.json. Goes out: a frozen `FrameSettings`.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from preprocessing.annotations.labels import LabelForm, count_frame_samples
from preprocessing.features.feature_settings import none_from_text
from xval.base.config_file import read_section

PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class FrameSettings(BaseModel):
    """How the frames of a recording are cut, and how events are found in what a model says of them; see config.ini."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label_form: LabelForm
    label_frame_s: PositiveFloat
    sequence_frames: int = Field(gt=0)
    frame_overlap: float = Field(gt=0, le=1)
    annotation_policy: str
    event_threshold: float | None
    event_median_frames: int = Field(gt=0)
    event_min_duration_s: float = Field(ge=0, allow_inf_nan=False)
    segment_s: PositiveFloat

    def frame_samples(self, sample_rate_hz: int) -> int:
        """Return how many samples a labelled frame has."""
        return count_frame_samples(self.label_frame_s, sample_rate_hz)

    def frame_s(self, sample_rate_hz: int) -> float:
        """Return how long a labelled frame is, in whole samples (s)."""
        return self.frame_samples(sample_rate_hz) / sample_rate_hz


def read_frame_settings() -> FrameSettings:
    """Return the settings of config.ini."""
    values = {name: none_from_text(text) for name, text in read_section("frame_classification").items()}
    return FrameSettings.model_validate(values)
