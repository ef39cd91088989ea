"""What model.json may ask for, and whether it belongs to the model beside it.

Comes in: the values of model.json, and the loaded model. Goes out: nothing, or the reason why they are refused: a changed
model.json must not ask for more memory than any experiment needs, nor name the outputs of another model. Next:
model_description.py, and whoever loads a model to use it.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.features.settings import FeatureSettings
from xval.errors import UnsafeModelError

if TYPE_CHECKING:
    import keras

    from xval.saved_models.description import ModelDescription

LARGEST_EXAMPLE = 1 << 30
"""Values of one example, samples or features: 18 hours at 16 kHz, 4 GB of float32."""
LARGEST_N_FFT = 1 << 18  # 0.5 s at 500 kHz, the rate of bat detectors
LARGEST_N_MELS = 1 << 12
LARGEST_FILTERS = 1 << 28  # n_mels times bins of the spectrum: 1 GB of float32
LARGEST_RATE_HZ = 10_000_000
LARGEST_EXPANSION = 1 << 12
"""Values of the features, or samples of overlapping windows, per sample of audio: 2049 bins at each sample."""
LARGEST_NAMES = 100_000
LARGEST_NAME = 1000  # characters


def name_fault(names: Sequence[str]) -> str | None:
    """Return what is wrong with names of classes or targets: too many or too long, twice there, or control characters."""
    if len(names) > LARGEST_NAMES:
        return f"{len(names)} names; at most {LARGEST_NAMES} are allowed"
    for name in names:
        if len(name) > LARGEST_NAME:
            return f"the name {name[:40]!r}... has {len(name)} characters; at most {LARGEST_NAME} are allowed"
        if any(character < " " or "\x7f" <= character <= "\x9f" for character in name):
            return f"the name {name[:40]!r} has control characters"
    name, n_times = Counter(names).most_common(1)[0] if names else ("", 1)
    return f"the name {name!r} is there {n_times} times" if n_times > 1 else None


def memory_fault(
    settings: FeatureSettings, clip_samples: int | None, example_s: float | None, sequence_s: float | None
) -> str | None:
    """Return what asks for more memory than any experiment needs.

    Args:
        settings: How examples are made of audio.
        clip_samples: Length that clips are padded or cut to (samples).
        example_s: Length of the longest example (s).
        sequence_s: Length of a sequence of frames, where frames are labelled (s).
    """
    n_bins = settings.n_fft // 2 + 1
    seconds = (example_s, sequence_s, settings.clip_length_s, settings.crop_s, settings.example_length_s)
    samples = max((clip_samples or 0, *(each * settings.sample_rate_hz for each in seconds if each is not None)))
    asked = (
        ("sample_rate_hz", settings.sample_rate_hz, LARGEST_RATE_HZ),
        ("n_fft", settings.n_fft, LARGEST_N_FFT),
        ("n_mels", settings.n_mels, LARGEST_N_MELS),
        ("n_mels times the bins of n_fft", settings.n_mels * n_bins, LARGEST_FILTERS),
        ("the length of an example in samples", samples, LARGEST_EXAMPLE),
        ("stretch_frames times the bins of n_fft", (settings.stretch_frames or 0) * n_bins, LARGEST_EXAMPLE),
        ("the bins of n_fft per sample of hop_length", n_bins / settings.hop_length, LARGEST_EXPANSION),
        ("the windows at each sample by example_overlap", 1 / (1 - settings.example_overlap), LARGEST_EXPANSION),
    )
    return next((f"{what} is {found:g}; at most {most} is allowed" for what, found, most in asked if found > most), None)


def check_description(model: "keras.Model", description: "ModelDescription", path: Path) -> None:
    """Refuse a model.json that belongs to another model.

    Args:
        model: The loaded model.
        description: Its model.json.
        path: The .keras file, in messages.

    Raises:
        UnsafeModelError: The model has another number of outputs than model.json has names, or reads other features.
    """
    described = path.with_suffix(".json")
    read, given = model.input_shape, model.output_shape
    if not isinstance(read, tuple) or not isinstance(given, tuple):
        raise UnsafeModelError(f"{path}: has several inputs or outputs; one of each is wanted.")
    names = description.class_names or description.target_names
    if description.task_type != "representation" and names and given[-1] != len(names):
        raise UnsafeModelError(
            f"{described}: names {len(names)} outputs, and {path.name} has {given[-1]}. It is of another model; copy it from "
            "the fold folder that the model came from."
        )
    wanted = _input_shape(description)
    fits = wanted is None or (
        len(read) == len(wanted) + 1
        and all(size is None or held is None or size == held for size, held in zip(wanted, read[1:], strict=True))
    )
    if not fits:
        raise UnsafeModelError(
            f"{described}: its features have shape {wanted} (None: any), and {path.name} reads {tuple(read[1:])}. It is of "
            "another model; copy it from the fold folder that the model came from."
        )


def _input_shape(description: "ModelDescription") -> tuple[int | None, ...] | None:
    """Return the shape of the examples that model.json describes, None for any size; None where a script made them."""
    settings = description.feature_settings
    if description.is_custom:
        return None
    if description.frames is not None:
        frame_samples = max(1, round(description.frames.label_frame_s * settings.sample_rate_hz))
        return (description.frames.sequence_frames, frame_samples)
    match settings.features:
        case "waveform":
            return (None,)
        case "logmel":
            return (None, settings.n_mels)
        case "mfcc":
            return (None, settings.n_mfcc)
    return (None, settings.n_fft // 2 + 1)
