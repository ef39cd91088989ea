"""The settings of the features: which there are, their types and what they allow.

Comes in: the [features] section of config.ini and overrides, as text or values. Goes out: a frozen `FeatureSettings`, which
decides the key of a feature store.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from xval.base.errors import suggestion


def none_from_text(value: object) -> object:
    """Turn the text ``none`` (any case) or an empty text into None."""
    return None if isinstance(value, str) and value.strip().lower() in {"", "none"} else value


def _refuse_bool(value: object) -> object:
    """Refuse True and False where a number is wanted; pydantic alone would take them for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


PositiveInt = Annotated[int, BeforeValidator(_refuse_bool), Field(gt=0)]
NonNegativeInt = Annotated[int, BeforeValidator(_refuse_bool), Field(ge=0)]
PositiveFloat = Annotated[float, BeforeValidator(_refuse_bool), Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, BeforeValidator(_refuse_bool), Field(ge=0, allow_inf_nan=False)]
OptionalPositiveFloat = Annotated[PositiveFloat | None, BeforeValidator(none_from_text)]
OptionalPositiveInt = Annotated[PositiveInt | None, BeforeValidator(none_from_text)]
OptionalText = Annotated[str | None, BeforeValidator(none_from_text)]


KINDS = ("logmel", "stft", "mfcc", "chroma", "f0", "energy", "zcr", "spectral", "contrast")
"""The features of frames, which may lie side by side, joined by ``+``; preprocessing/features/kinds.py says what each is."""
_ALONE = ("waveform", "embedding")


def _read_features(value: object) -> str:
    """Return the names of features as they are written, without spaces."""
    names = [name.strip() for name in str(value).split("+")]
    if names == ["waveform"] or names == ["embedding"]:
        return names[0]
    for name in names:
        if name in _ALONE:
            raise ValueError(f"'{name}' cannot be combined with others; these can: {', '.join(KINDS)}")
        if name not in KINDS:
            raise ValueError(suggestion(name, (*KINDS, *_ALONE)) + " Join several by +: mfcc+chroma+f0+energy.")
        if names.count(name) > 1:
            raise ValueError(f"'{name}' is named twice")
    return "+".join(names)


SPECTRAL_KEYS = (
    "n_fft", "win_length", "hop_length", "window", "n_mels", "mel_scale", "fmin_hz", "fmax_hz", "n_mfcc", "power", "scale",
    "db_reference", "top_db", "pre_emphasis",
)  # fmt: skip
"""The settings that make frames and bins of samples."""
_MEL_KEYS = ("n_mels", "mel_scale", "fmin_hz", "fmax_hz")
EMBEDDING_KEYS = ("embedding_model", "embedding_layer", "embedding_pooling")
"""The settings of embeddings."""


class FeatureSettings(BaseModel):
    """Every setting that decides what a feature store holds; config.ini has the meaning and unit of each.

    Raises:
        pydantic.ValidationError: A value of the wrong type or out of range, or values that contradict each other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: Annotated[str, BeforeValidator(_read_features)]
    frontend: Literal["none", "stft", "logmel"]
    crop_s: OptionalPositiveFloat
    sample_rate_hz: PositiveInt
    channel: Literal["mean"] | NonNegativeInt
    n_fft: PositiveInt
    win_length: PositiveInt
    hop_length: PositiveInt
    window: str
    n_mels: PositiveInt
    mel_scale: Literal["slaney", "htk"]
    fmin_hz: NonNegativeFloat
    fmax_hz: OptionalPositiveFloat
    n_mfcc: PositiveInt
    power: PositiveFloat
    scale: Literal["db", "linear"]
    db_reference: Literal["max"] | PositiveFloat
    top_db: OptionalPositiveFloat
    pre_emphasis: Annotated[float, BeforeValidator(_refuse_bool), Field(ge=0, lt=1)]
    trim_db: OptionalPositiveFloat
    clip_length_s: OptionalPositiveFloat
    stretch_frames: OptionalPositiveInt
    example_length_s: OptionalPositiveFloat
    example_overlap: Annotated[float, BeforeValidator(_refuse_bool), Field(ge=0, lt=1)]
    # What was written before there were embeddings has none of these.
    embedding_model: OptionalText = None
    embedding_layer: Literal["last", "weighted"] | NonNegativeInt = "last"
    embedding_pooling: Literal["none", "mean", "mean_deviation"] = "mean"
    # Nor of these.
    feature_deltas: Annotated[NonNegativeInt, Field(le=2)] = 0
    f0_min_hz: PositiveFloat = 65.0
    f0_max_hz: PositiveFloat = 600.0
    vad: Literal["none", "silero"] = "none"
    encoder: OptionalText = None
    padding: Literal["auto", "masked"] = "auto"

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length={self.win_length} is longer than n_fft={self.n_fft}. Raise n_fft")
        half_rate_hz = self.sample_rate_hz / 2
        highest_hz = half_rate_hz if self.fmax_hz is None else self.fmax_hz
        if highest_hz > half_rate_hz:
            raise ValueError(f"fmax_hz={self.fmax_hz} is above half the sample rate, {half_rate_hz:g} Hz")
        if self.fmin_hz >= highest_hz:
            raise ValueError(f"fmin_hz={self.fmin_hz:g} must be below fmax_hz={highest_hz:g}")
        if "mfcc" in self.kinds and self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc={self.n_mfcc} is more than n_mels={self.n_mels}")
        for key, off in (("frontend", "none"), ("crop_s", None)):
            if self.features != "waveform" and getattr(self, key) != off:
                raise ValueError(f"{key}={getattr(self, key)} works only on samples. Set features=waveform, or {key}=none")
        if self.crop_s is not None and self.clip_length_s is not None and self.crop_s > self.clip_length_s:
            raise ValueError(
                f"crop_s={self.crop_s:g} is longer than clip_length_s={self.clip_length_s:g}, the part of a clip that is used"
            )
        if self.features == "waveform" and self.stretch_frames is not None:
            raise ValueError(
                "stretch_frames needs stored features (logmel, stft, mfcc). Set stretch_frames=none for features=waveform"
            )
        if self.feature_deltas and not self.kinds:
            raise ValueError(
                f"feature_deltas={self.feature_deltas} needs stored features of frames; received features={self.features}. "
                "Set feature_deltas=0"
            )
        if "f0" in self.kinds and not self.f0_min_hz < self.f0_max_hz <= half_rate_hz / 2:
            raise ValueError(
                f"f0_min_hz={self.f0_min_hz:g} and f0_max_hz={self.f0_max_hz:g}: the first must be below the second, and the "
                f"second at most a quarter of the sample rate, {half_rate_hz / 2:g} Hz"
            )
        if self.padding == "masked" and not self.kinds and (self.features, self.frontend) != ("waveform", "none"):
            raise ValueError(
                "padding=masked needs stored frames or samples. Set features=logmel (or other frames), features=waveform "
                "with frontend=none, or padding=auto"
            )
        self._check_embedding()
        if self.stretch_frames is not None and (self.clip_length_s is not None or self.example_length_s is not None):
            raise ValueError("stretch_frames gives every clip the same length. Set clip_length_s and example_length_s to none")
        return self

    def _check_embedding(self) -> None:
        if self.features != "embedding":
            changed = [name for name in EMBEDDING_KEYS if getattr(self, name) != type(self).model_fields[name].default]
            if changed:
                raise ValueError(
                    f"{changed[0]}={getattr(self, changed[0])} has no effect without features=embedding. Set that, or remove it"
                )
        elif self.embedding_model is None:
            raise ValueError(
                "features=embedding needs embedding_model, such as wav2vec2-base; xval prepare encoders lists them"
            )
        elif self.stretch_frames is not None and self.embedding_pooling != "none":
            raise ValueError(f"embedding_pooling={self.embedding_pooling} leaves no frames to stretch. Set stretch_frames=none")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The features of frames that are stored, as they lie side by side; none of waveforms and embeddings."""
        return () if self.features in _ALONE else tuple(self.features.split("+"))

    @property
    def channel_number(self) -> int | None:
        """The channel that is read, from 0; None: the mean of all."""
        return None if self.channel == "mean" else self.channel

    @property
    def pretrained(self) -> str | None:
        """The setting that names a model which has heard audio elsewhere: embedding_model or encoder; None: there is none."""
        return "embedding_model" if self.features == "embedding" else "encoder" if self.encoder else None

    @property
    def is_pooled(self) -> bool:
        """Whether an example is one vector instead of frames."""
        return self.features == "embedding" and self.embedding_pooling != "none"

    @property
    def is_trimmed(self) -> bool:
        """Whether the ends of a clip may be cut off first."""
        return self.trim_db is not None or self.vad != "none"

    def stored(self) -> dict[str, Any]:
        """Return the settings that decide what a feature store holds.

        The samples of a corpus do not depend on what a front end makes of them, so that instances share them.
        """
        decisive = set(type(self).model_fields) - {"frontend", "crop_s", "vad", "padding", "encoder", *EMBEDDING_KEYS}
        # Later than stores that are to keep their keys.
        decisive -= set() if "f0" in self.kinds else {"f0_min_hz", "f0_max_hz"}
        decisive -= set() if self.feature_deltas else {"feature_deltas"}
        if self.features in ("waveform", "embedding"):
            decisive = {"features", "sample_rate_hz", "channel", "trim_db"}
            if self.trim_db is not None:
                decisive |= {"n_fft", "hop_length"}
        if self.features == "embedding":
            decisive |= {"clip_length_s", "stretch_frames", "example_length_s", "example_overlap", *EMBEDDING_KEYS}
        if self.vad != "none":  # so that stores of before keep their names
            decisive |= {"vad"}
        return self.model_dump(mode="json", include=decisive)

    def in_use(self) -> set[str]:
        """Return the settings that can change what a model gets, with these features and this front end."""
        kinds = {self.frontend} - {"none"} if self.features == "waveform" else {*self.kinds}
        unused = {name for name in EMBEDDING_KEYS if self.features != "embedding"}
        if not kinds:
            unused |= {*SPECTRAL_KEYS} - {*(("n_fft", "hop_length") if self.trim_db is not None else ())}
        if not kinds & {"logmel", "mfcc"}:
            unused |= {*_MEL_KEYS}
        if "mfcc" not in kinds:
            unused.add("n_mfcc")
        if "f0" not in kinds:
            unused |= {"f0_min_hz", "f0_max_hz"}
        are_levels = bool(kinds & {"logmel", "stft", "energy"})
        if not are_levels:
            unused.add("scale")
        if not are_levels and "mfcc" not in kinds:
            unused.add("power")
        if "mfcc" not in kinds and not (are_levels and self.scale == "db"):
            unused |= {"db_reference", "top_db"}
        return set(type(self).model_fields) - unused

    def spectral(self) -> "FeatureSettings":
        """Return the settings of the features that the front end makes, as if they were stored.

        Raises:
            ValueError: There is no front end.
        """
        if self.frontend == "none":
            raise ValueError("there is no front end")
        values = {name: getattr(self, name) for name in FeatureSettings.model_fields}
        return FeatureSettings(**values | {"features": self.frontend, "frontend": "none", "crop_s": None})
