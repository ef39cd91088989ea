"""The settings of [features] in config.ini, which determine the key of a feature store."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from xval.base.errors import suggestion
from xval.base.setting_fields import (
    Later,
    NonNegativeFloat,
    NonNegativeInt,
    OptionalPositiveFloat,
    OptionalPositiveInt,
    OptionalText,
    PositiveFloat,
    PositiveInt,
    SettingsModel,
    refuse_bool,
)
from xval.base.setting_scope import FEATURES, Scope

KINDS = ("logmel", "stft", "mfcc", "chroma", "f0", "energy", "zcr", "spectral", "contrast")
"""The features of frames, several joined by ``+``; preprocessing/features/kinds.py describes them."""
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
"""The settings for computing frames and bins from samples."""
_MEL_KEYS = ("n_mels", "mel_scale", "fmin_hz", "fmax_hz")
EMBEDDING_KEYS = ("embedding_model", "embedding_layer", "embedding_pooling")
"""The settings of embeddings."""


class FeatureSettings(SettingsModel):
    """The settings of features and their storage.

    Raises:
        pydantic.ValidationError: A value of the wrong type or out of range, or values that contradict each other.
    """

    features: Annotated[str, BeforeValidator(_read_features), FEATURES] = Field(
        "logmel",
        description=(
            "logmel (log-mel spectrogram) | stft | mfcc | chroma | f0 | energy | zcr (zero crossings) | spectral "
            "(centroid, bandwidth, rolloff, flatness) | contrast, or several joined: mfcc+chroma+f0+energy (computed once "
            "and stored; docs/features.md) | waveform (the samples are stored, see frontend) | embedding (computed once "
            "by a pretrained model and stored, see embedding_model)"
        ),
    )
    frontend: Annotated[Literal["none", "stft", "logmel"], FEATURES] = Field(
        "none",
        description=(
            "waveform only: features that the first layers of the model compute from the samples during training: logmel "
            "| stft | none (the samples themselves). For frames of recordings hop_length must divide the samples of a "
            "frame."
        ),
    )
    crop_s: Annotated[OptionalPositiveFloat, FEATURES] = Field(
        None,
        description=(
            "waveform only: train on a crop of this length from a random place of each clip, a different one in every "
            "epoch (s), and test whole clips (or windows, with example_length_s); none: train on the same examples as "
            "tested. db_reference = max and top_db then refer to the crop."
        ),
    )
    padding: Annotated[Literal["auto", "masked"], FEATURES, Later()] = Field(
        "auto",
        description=(
            "Padding of a clip that is shorter than its example: auto (silence; for waveforms with crop_s the clip "
            "repeated) | masked (no padding: the network ignores what follows the end of the clip; supported by encoder, "
            "lstm_attention, crnn_attention and conformer). Not with a front end."
        ),
    )
    sample_rate_hz: Annotated[PositiveInt, FEATURES] = Field(16000, description="Audio is resampled to this rate (Hz).")
    channel: Annotated[Literal["mean"] | NonNegativeInt, FEATURES] = Field(
        "mean", description="Of several channels take the mean, or one of them (0 is the first)."
    )
    n_fft: Annotated[PositiveInt, FEATURES] = Field(1024, description="Length of the Fourier transform (samples).")
    win_length: Annotated[PositiveInt, FEATURES] = Field(
        400, description="Length of the analysis window, at most n_fft (samples)."
    )
    hop_length: Annotated[PositiveInt, FEATURES] = Field(160, description="Step between frames (samples).")
    window: Annotated[str, FEATURES] = Field(
        "hann", description="Analysis window by its scipy name: hann, hamming, blackman ..."
    )
    n_mels: Annotated[PositiveInt, FEATURES] = Field(64, description="Mel bins (logmel, mfcc).")
    mel_scale: Annotated[Literal["slaney", "htk"], FEATURES] = Field(
        "slaney", description="Mel scale: slaney (librosa's default) | htk"
    )
    fmin_hz: Annotated[NonNegativeFloat, FEATURES] = Field(0, description="Lowest frequency of the mel filters (Hz).")
    fmax_hz: Annotated[OptionalPositiveFloat, FEATURES] = Field(
        None, description="Highest frequency of the mel filters (Hz); none: half the sample rate."
    )
    n_mfcc: Annotated[PositiveInt, FEATURES] = Field(13, description="Number of MFCC coefficients (mfcc).")
    f0_min_hz: Annotated[PositiveFloat, FEATURES, Later(65.0)] = Field(65, description="Lowest pitch (f0; Hz).")
    f0_max_hz: Annotated[PositiveFloat, FEATURES, Later(600.0)] = Field(600, description="Highest pitch (f0; Hz).")
    feature_deltas: Annotated[NonNegativeInt, Field(le=2), FEATURES, Later()] = Field(
        0, description="1: append deltas, the slopes over five frames; 2: and the deltas of these; 0: none."
    )
    power: Annotated[PositiveFloat, FEATURES] = Field(2.0, description="Exponent of the magnitude: 2 power, 1 magnitude.")
    scale: Annotated[Literal["db", "linear"], FEATURES] = Field(
        "db", description="db (10 log10 of the power) | linear. mfcc is always made from dB."
    )
    db_reference: Annotated[Literal["max"] | PositiveFloat, FEATURES] = Field(
        1.0,
        description=(
            "The level of 0 dB: max (the largest value of the clip) or a number (1.0 keeps loudness differences between clips)."
        ),
    )
    top_db: Annotated[OptionalPositiveFloat, FEATURES] = Field(
        80, description="Values more than this below the largest of the clip are raised to it (dB); none: no floor."
    )
    pre_emphasis: Annotated[float, BeforeValidator(refuse_bool), Field(ge=0, lt=1), FEATURES] = Field(
        0.0, description="Pre-emphasis coefficient, y[n] = x[n] - c x[n-1]; 0: off. 0.97 is usual."
    )
    trim_db: Annotated[OptionalPositiveFloat, FEATURES] = Field(
        None, description="Remove silence more than this below the loudest frame from both ends of a clip (dB); none: keep it."
    )
    vad: Annotated[Literal["none", "silero"], FEATURES, Later()] = Field(
        "none",
        description=(
            "Voice activity detection: everything before the first and after the last speech is removed: none, or silero "
            "(Silero's detector, pip install -e '.[vad]'); a clip without speech is kept whole."
        ),
    )
    clip_length_s: Annotated[OptionalPositiveFloat, FEATURES] = Field(
        None, description="Length to which clips are zero-padded or cut (s); none: the longest clip of the dataset."
    )
    stretch_frames: Annotated[OptionalPositiveInt, FEATURES] = Field(
        None, description="Stretch or compress each clip's features in time to this many frames, instead of padding; none: off."
    )
    example_length_s: Annotated[OptionalPositiveFloat, FEATURES | Scope.LOSS] = Field(
        None,
        description=(
            "Length of the windows into which a clip is cut (s), each an example; none: the whole clip is one example."
        ),
    )
    example_overlap: Annotated[float, BeforeValidator(refuse_bool), Field(ge=0, lt=1), FEATURES | Scope.LOSS] = Field(
        0.5, description="Overlap of neighbouring windows (share of their length, 0 to below 1)."
    )
    embedding_model: Annotated[OptionalText, FEATURES, Later()] = Field(
        None,
        description=(
            "embedding only: a preset, such as wav2vec2-base (xval prepare encoders lists them) | "
            "transformers:NAME_OR_FOLDER (wav2vec2, HuBERT, WavLM, Whisper, AST, CLAP) | onnx:FILE | keras:FILE | "
            "opensmile:FEATURE_SET | praat | resemblyzer | duration_level; docs/embeddings.md describes their "
            "requirements. Audio is resampled to the rate of the model; a run downloads nothing."
        ),
    )
    encoder: Annotated[OptionalText, FEATURES, Later()] = Field(
        None,
        description=(
            "architecture = encoder only: the pretrained encoder to fine-tune, a preset or transformers:FOLDER "
            "(docs/finetuning.md)."
        ),
    )
    embedding_layer: Annotated[Literal["last", "weighted"] | NonNegativeInt, FEATURES, Later()] = Field(
        "last",
        description=(
            "last | a number (0: the input of the first layer) | weighted (all layers are stored, and the network learns "
            "the weight of each)"
        ),
    )
    embedding_pooling: Annotated[Literal["none", "mean", "mean_deviation"], FEATURES, Later()] = Field(
        "mean",
        description=(
            "mean (over the frames of a clip or window) | mean_deviation (means followed by standard deviations) | none "
            "(frames are kept)"
        ),
    )

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
        """The stored features of frames, in their order; empty for waveforms and embeddings."""
        return () if self.features in _ALONE else tuple(self.features.split("+"))

    @property
    def channel_number(self) -> int | None:
        """The channel to read, from 0; None: the mean of all."""
        return None if self.channel == "mean" else self.channel

    @property
    def pretrained(self) -> str | None:
        """The setting that names a pretrained model: embedding_model or encoder; None: there is none."""
        return "embedding_model" if self.features == "embedding" else "encoder" if self.encoder else None

    @property
    def is_pooled(self) -> bool:
        """Whether an example is one vector instead of frames."""
        return self.features == "embedding" and self.embedding_pooling != "none"

    @property
    def is_trimmed(self) -> bool:
        """Whether the ends of a clip may be trimmed first."""
        return self.trim_db is not None or self.vad != "none"

    def stored(self) -> dict[str, Any]:
        """Return the settings that determine the content of a feature store.

        The samples of a corpus do not depend on the features of a front end, so instances share them.
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
        """Return the settings that can change the input of a model with these features and this front end."""
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
        """Return the settings of the front end's features, as if they were stored.

        Raises:
            ValueError: There is no front end.
        """
        if self.frontend == "none":
            raise ValueError("there is no front end")
        values = {name: getattr(self, name) for name in FeatureSettings.model_fields}
        return FeatureSettings(**values | {"features": self.frontend, "frontend": "none", "crop_s": None})
