"""`PredictionRequest`: the audio to predict with a saved model, and its options."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from xval.base.errors import SettingsError
from xval.models.saved.description import ModelDescription
from xval.reuse.inference.sources import Audio

Per = Literal["file", "example", "segment"]


class PredictionRequest(NamedTuple):
    """The audio to predict, and the options; see `SavedModel.predict`."""

    audio: Audio | Iterable[Audio]
    per: Per
    every_s: float | None
    sample_rate_hz: int | None
    skip_unreadable: bool
    items: Sequence[str] | None = None
    enrolment: Sequence[bool] | None = None

    def check(self, description: ModelDescription) -> None:
        """Raise an error for options that do not fit the model.

        Raises:
            SettingsError: As for `SavedModel.predict`.
        """
        per, every_s = self.per, self.every_s
        predicts_frames = description.frames is not None
        if per not in ("file", "example", "segment"):
            raise SettingsError(f"per='{per}'; allowed: file, example, segment.")
        if predicts_frames and per == "example":
            raise SettingsError(
                "this model labels frames and has no windows. Use per='file' for events, or per='segment' (--segments) for "
                "frames."
            )
        if description.is_custom and per == "segment" and not predicts_frames:
            raise SettingsError("this model reads features, one example each, but per='segment' needs audio.")
        if every_s is not None and (per != "segment" or predicts_frames):
            raise SettingsError(
                "a time between segments (every_s, --every) needs segments (per='segment', --segments), and is not supported "
                "for a model that labels frames."
            )
        if every_s is not None and not 0 < every_s < math.inf:
            raise SettingsError(f"every_s={every_s:g}: expected a number of seconds above 0.")
