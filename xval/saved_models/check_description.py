"""What model.json may ask for, and whether it belongs to the model beside it.

Comes in: the values of model.json, and the loaded model. Goes out: nothing, or the reason why they are refused: a changed
model.json must not ask for more memory than any experiment needs, nor name the outputs of another model.
"""

from collections import Counter
from collections.abc import Sequence

from preprocessing.features.settings import FeatureSettings

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
