"""How clips come to one length for a saved model, as model.json says it to those who use the model without xval.

A network that was told where clips end (``padding = masked``) reads that from NaN. Nothing else can say it in the same array:
0 is a value of linear features, of samples, and of features that were scaled.
"""

from typing import Any

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import window_samples
from preprocessing.store.waveforms import LENGTHS_PER_DOUBLING, lengths_of_waveforms
from xval.models.saved.description import ModelDescription

_NO_ZEROS = "Zeros count as part of the clip and change its prediction."


def describe_padding(
    settings: FeatureSettings, clip_samples: int | None, *, is_custom: bool, n_sequence_samples: int | None = None
) -> dict[str, Any]:
    """Return the entry ``padding`` of model.json.

    Args:
        settings: Of the features.
        clip_samples: Length that clips were padded or cut to; of waveforms that of the longest.
        is_custom: Whether a script made the features.
        n_sequence_samples: Samples that a model reads at once that labels frames; None: it does not.

    Returns:
        axis: of what: samples, ahead of the features, or frames, or none.
        value: what is there: 0, "NaN", or "the clip again".
        side: where: after the clip; None: nowhere.
        n_samples: up to which length of the samples; longer clips are cut; None: any length.
        how: the same in words.
    """
    if is_custom:
        if settings.padding == "masked":
            return _entry("frames", "NaN", None, f"NaN in all values of the frames after the end of a clip. {_NO_ZEROS}")
        return _entry("none", None, None, "Examples come in the shape that the model reads.")
    if n_sequence_samples is not None:
        return _entry("samples", 0, n_sequence_samples, "The last sequence of a recording is followed by zeros.")
    if settings.features == "waveform":
        return _waveform_padding(settings, clip_samples)
    if settings.is_pooled or settings.stretch_frames is not None:
        return _entry("none", None, None, "Each clip becomes an example of the same shape, whatever its length.")
    window = window_samples(settings)
    if settings.features == "embedding" and window is None:
        return _entry("frames", 0, clip_samples, "Frames of zeros after those of the clip, as many as n_samples would have.")
    silence = "Zeros after the samples of a clip up to n_samples, before its features are made"
    silence += ", and longer clips are cut." if window is None else ". Longer clips are cut into windows of n_samples."
    n_samples = clip_samples if window is None else window
    if settings.padding != "masked":
        return _entry("samples", 0, n_samples, f"{silence} Zeros among the features are no silence and change the prediction.")
    count = "n // hop_length" if settings.n_fft % 2 == 0 else "(n - 1) // hop_length"
    nan = f"Then NaN in all values after the clip's own frames: a clip of n samples has 1 + {count}. {_NO_ZEROS}"
    return _entry("frames", "NaN", n_samples, f"{silence} {nan}")


def padding_of(described: ModelDescription) -> dict[str, Any]:
    """Return the entry ``padding`` by the rest of a model.json, which may be older than the entry."""
    settings, frames = described.feature_settings, described.frames
    length = frames.sequence_frames * frames.frame_samples(settings.sample_rate_hz) if frames else None
    return describe_padding(settings, described.clip_samples, is_custom=described.is_custom, n_sequence_samples=length)


def samples_padding(settings: FeatureSettings) -> dict[str, Any]:
    """Return the entry ``padding`` of a model that makes its features of samples itself, and pads and cuts them."""
    if settings.padding == "masked":
        return _entry("samples", "NaN", None, f"NaN after the samples of a clip that is shorter than its batch. {_NO_ZEROS}")
    return _entry("samples", 0, None, "Zeros after the samples of a clip that is shorter than its batch.")


def _waveform_padding(settings: FeatureSettings, clip_samples: int | None) -> dict[str, Any]:
    lengths = lengths_of_waveforms(settings, clip_samples or 0)
    n_samples, longer = lengths.tested or None, "longer clips are cut"
    if window_samples(settings) is not None:
        longer = "longer clips are cut into windows of n_samples"
    if lengths.is_masked:
        return _entry("samples", "NaN", n_samples, f"NaN after the samples of a clip; {longer}. {_NO_ZEROS}")
    if lengths.n_shortest == 1:
        return _entry("samples", 0, n_samples, f"Zeros after the samples of a clip up to n_samples; {longer}.")
    if n_samples is not None:
        return _entry("samples", "the clip again", n_samples, f"A clip is repeated up to n_samples; {longer}.")
    steps = f"ceil({lengths.n_shortest} * 2 ** (k / {LENGTHS_PER_DOUBLING})), k = 0, 1, 2 ..."
    return _entry("samples", "the clip again", None, f"A clip is repeated up to the next length of {steps}. {_NO_ZEROS}")


def _entry(axis: str, value: int | str | None, n_samples: int | None, how: str) -> dict[str, Any]:
    return {"axis": axis, "value": value, "side": None if value is None else "after", "n_samples": n_samples, "how": how}
