"""Draw a clip as a model reads it: waveform, features and windows."""

from collections.abc import Sequence
from dataclasses import replace

import librosa
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.kinds import bin_names
from preprocessing.features.windows import ClipExamples, make_examples
from preprocessing.quality.pictures import BLUE, GREY, new_figure, plain_axes, write_title
from xval.base.errors import counted

LARGEST_N_WINDOWS = 24
"""Largest number of windows that are drawn; of more windows, evenly spaced ones are."""

_WINDOWS_PER_ROW = 6
_ROUND_HZ = (100, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)
_COLOURS, _COLOURS_AROUND_ZERO = "magma", "RdBu_r"
_LARGEST_N_POINTS = 20_000


def draw_clip(
    samples: NDArray[np.float32], settings: FeatureSettings, *, title: str, n_samples: int | None = None
) -> tuple[Figure, ClipExamples]:
    """Draw a clip as a model reads it: its waveform, its features and, if there are windows, each window.

    Args:
        samples: float32 (n_samples,), mono, at ``settings.sample_rate_hz``, full scale is -1 to 1.
        settings: Settings of the features. For ``features = waveform`` the features of the front end are drawn. Without a
            front end, and for embeddings, log-mel features are drawn for orientation.
        title: Title of the figure.
        n_samples: Length to which the trimmed clip is padded or cut, as for `make_examples` (samples); None: its own length.

    Returns:
        The figure, and the examples that are drawn in it, as `make_examples` returns them for the drawn settings.
    """
    drawn, note = _drawn_settings(settings)
    whole_settings = drawn.model_copy(update={"example_length_s": None})
    has_windows = drawn.example_length_s is not None
    examples = make_examples(samples, drawn, n_samples)
    whole = make_examples(samples, whole_settings, None if has_windows else n_samples)
    shown = _evenly(len(examples.predictors), LARGEST_N_WINDOWS) if has_windows else []
    n_rows = -(-len(shown) // _WINDOWS_PER_ROW)
    drawn_examples = examples
    if _has_many_units(drawn):
        drawn_examples, whole = (_in_deviations(drawn_part, whole.predictors) for drawn_part in (examples, whole))
    limits = _limits(whole.predictors, drawn)
    figure = new_figure(11, 5.6 + 1.9 * n_rows)
    upper: Figure | SubFigure = figure
    if n_rows:
        upper, lower = figure.subfigures(2, 1, height_ratios=[5.6, 1.9 * n_rows], squeeze=False).flat
        _draw_windows(lower, drawn_examples, shown, drawn, limits)
    figure.suptitle(title, fontsize="medium", parse_math=False)
    top, bottom = upper.subplots(2, 1, sharex=True, height_ratios=[1, 1.7])
    _draw_waveform(top, samples, drawn.sample_rate_hz, whole)
    image, last_s = _draw_features(bottom, whole, 0, drawn, limits)
    bottom.set_xlim(0, max(samples.size / drawn.sample_rate_hz, last_s))
    n_frames, n_bins = whole.predictors.shape[1:]
    write_title(bottom, f"{note}{_describe(drawn)}: {n_frames} frames x {n_bins} bins{_length_text(whole, drawn, last_s)}")
    bottom.set_xlabel("Time in the clip (s)", fontsize="small")
    bar = figure.colorbar(
        image, ax=[top, bottom], fraction=0.03, pad=0.01, extend="min" if drawn.features == "mfcc" else "neither"
    )
    bar.set_label(_value_label(drawn), fontsize="small")
    bar.ax.tick_params(labelsize="small")
    return figure, examples


def _drawn_settings(settings: FeatureSettings) -> tuple[FeatureSettings, str]:
    """Return the settings of features that can be drawn, and a note about them for the title."""
    if settings.features not in ("waveform", "embedding"):
        return settings, ""
    if settings.frontend != "none":
        return settings.spectral(), "Front end: "
    what = "an embedding" if settings.features == "embedding" else "the waveform"
    return settings.model_copy(update={"features": "logmel", "crop_s": None}), f"The model gets {what}. For orientation: "


def _has_many_units(settings: FeatureSettings) -> bool:
    """Return whether the bins of a frame have different units, or a unit without a common scale."""
    return settings.features not in ("logmel", "stft", "mfcc") or settings.feature_deltas > 0


def _in_deviations(examples: ClipExamples, whole: NDArray[np.float32]) -> ClipExamples:
    """Return examples with mean 0 and standard deviation 1 of each bin over the clip, so that one colour scale fits all."""
    deviation = np.maximum(whole.std(axis=(0, 1)), 1e-6)
    return replace(examples, predictors=np.clip((examples.predictors - whole.mean(axis=(0, 1))) / deviation, -3, 3))


def _draw_waveform(axes: Axes, samples: NDArray[np.float32], rate_hz: int, whole: ClipExamples) -> None:
    """Draw the samples over time (s), with trimmed parts in grey."""
    step = max(1, samples.size // _LARGEST_N_POINTS)
    if step == 1:
        axes.plot(np.arange(samples.size) / rate_hz, samples, color=BLUE, linewidth=0.6)
    else:
        # A long recording has too many samples to draw: only the lowest and highest of each step.
        columns = samples[: samples.size // step * step].reshape(-1, step)
        axes.fill_between(np.arange(len(columns)) * step / rate_hz, columns.min(1), columns.max(1), color=BLUE, linewidth=0.3)
    length_s = samples.size / rate_hz
    for first_s, last_s in ((0.0, whole.start_s[0]), (whole.end_s[-1], length_s)):
        if last_s - first_s > 1 / rate_hz:
            axes.axvspan(first_s, last_s, color=GREY, alpha=0.3, linewidth=0)
    peak = float(np.abs(samples).max())
    axes.set_ylim(-1.05 * max(peak, 1e-4), 1.05 * max(peak, 1e-4))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylabel("Amplitude\n(full scale 1)", fontsize="small")
    used_s = whole.end_s[-1] - whole.start_s[0]
    trimmed = f", {used_s:.2f} s of it used (grey: cut off)" if used_s < length_s - 1 / rate_hz else ""
    write_title(axes, f"Waveform: {length_s:.2f} s at {rate_hz} Hz, peak {20 * np.log10(max(peak, 1e-10)):.1f} dBFS{trimmed}")
    plain_axes(axes)


def _draw_features(
    axes: Axes, examples: ClipExamples, number: int, settings: FeatureSettings, limits: tuple[float, float]
) -> tuple[AxesImage, float]:
    """Draw an example over time and bins; return the image, and the time in the clip of its last frame's centre (s)."""
    matrix = examples.predictors[number]
    n_frames, n_bins = matrix.shape
    start_s, end_s = float(examples.start_s[number]), float(examples.end_s[number])
    step_s = settings.hop_length / settings.sample_rate_hz
    if settings.stretch_frames is not None:
        step_s = (end_s - start_s) / max(1, n_frames - 1)
    last_s = start_s + (n_frames - 1) * step_s
    image = axes.imshow(
        matrix.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=_COLOURS_AROUND_ZERO if settings.features == "mfcc" or _has_many_units(settings) else _COLOURS,
        extent=(start_s - step_s / 2, last_s + step_s / 2, -0.5, n_bins - 0.5),
        vmin=limits[0],
        vmax=limits[1],
    )
    axes.set_xlim(start_s, max(last_s, start_s + step_s / 2))
    ticks, labels, title = _bin_ticks(settings, n_bins)
    axes.set_yticks(ticks, labels)
    axes.set_ylabel(title, fontsize="small")
    axes.tick_params(labelsize="small")
    return image, last_s


def _draw_windows(
    part: SubFigure, examples: ClipExamples, shown: Sequence[int], settings: FeatureSettings, limits: tuple[float, float]
) -> None:
    """Draw the windows in rows, each with its own time axis."""
    n_rows = -(-len(shown) // _WINDOWS_PER_ROW)
    grid = part.subplots(n_rows, _WINDOWS_PER_ROW, squeeze=False)
    n_windows, n_frames, n_bins = examples.predictors.shape
    chosen = f", {len(shown)} of them shown" if len(shown) < n_windows else ""
    part.suptitle(
        f"{counted(n_windows, 'window')} of {settings.example_length_s:g} s ({n_frames} frames x {n_bins} bins), "
        f"overlap {settings.example_overlap:.0%}{chosen}: each an example; its time in the clip (s)",
        fontsize="small",
        x=0.01,
        horizontalalignment="left",
    )
    for position, axes in enumerate(grid.flat):
        if position >= len(shown):
            axes.set_axis_off()
            continue
        window = shown[position]
        _draw_features(axes, examples, window, settings, limits)
        write_title(axes, f"{window + 1}: {examples.start_s[window]:.2f} to {examples.end_s[window]:.2f} s")
        axes.set_ylabel(axes.get_ylabel() if position % _WINDOWS_PER_ROW == 0 else "", fontsize="x-small")
        axes.tick_params(labelsize="x-small", labelleft=position % _WINDOWS_PER_ROW == 0)


def _length_text(whole: ClipExamples, settings: FeatureSettings, last_s: float) -> str:
    if settings.stretch_frames is not None:
        return ", time-stretched"
    step_s = settings.hop_length / settings.sample_rate_hz
    return f", zero-padded to {last_s - whole.start_s[0]:.2f} s" if last_s > whole.end_s[0] + step_s else ""


def _limits(predictors: NDArray[np.float32], settings: FeatureSettings) -> tuple[float, float]:
    """Return the values for the first and the last colour of the scale."""
    if _has_many_units(settings):
        return -3.0, 3.0
    if settings.features == "mfcc" and predictors.shape[2] > 1:
        # Coefficient 0, the loudness, is so much larger than the others that it would hide them.
        largest = float(np.abs(predictors[..., 1:]).max())
        return -largest, largest
    lowest, highest = float(predictors.min()), float(predictors.max())
    return lowest, highest if highest > lowest else lowest + 1


def _bin_ticks(settings: FeatureSettings, n_bins: int) -> tuple[list[float], list[str], str]:
    """Return the positions and texts of the labels on the bin axis, and its title."""
    if _has_many_units(settings):
        names = bin_names(settings)
        step = max(1, n_bins // 12)
        return [float(number) for number in range(0, n_bins, step)], names[::step], ""
    if settings.features == "mfcc":
        step = max(1, n_bins // 6)
        return [float(number) for number in range(0, n_bins, step)], [str(n) for n in range(0, n_bins, step)], "Coefficient"
    if settings.features == "stft":
        centres_hz = np.arange(n_bins) * settings.sample_rate_hz / settings.n_fft
        round_hz = [float(hz) for hz in np.arange(0, centres_hz[-1] + 1, 1000 if centres_hz[-1] <= 8000 else 4000)]
        title = "Frequency (kHz)"
    else:
        highest_hz = settings.sample_rate_hz / 2 if settings.fmax_hz is None else settings.fmax_hz
        is_htk = settings.mel_scale == "htk"
        corners_hz = librosa.mel_frequencies(n_mels=n_bins + 2, fmin=settings.fmin_hz, fmax=highest_hz, htk=is_htk)
        centres_hz = corners_hz[1:-1]
        round_hz = list(map(float, _ROUND_HZ))
        title = "Mel bin, by its\ncentre (kHz)"
    inside = [hz for hz in round_hz if centres_hz[0] <= hz <= centres_hz[-1]]
    ticks = [float(tick) for tick in np.interp(inside, centres_hz, np.arange(n_bins))]
    kept = [position for position, tick in enumerate(ticks) if not position or tick - ticks[position - 1] >= n_bins / 20]
    return [ticks[position] for position in kept], [f"{inside[position] / 1000:g}" for position in kept], title


def _describe(settings: FeatureSettings) -> str:
    if _has_many_units(settings):
        return settings.features
    names = {"logmel": "Log-mel spectrogram", "stft": "Spectrogram", "mfcc": "MFCC"}
    if settings.features == "logmel" and settings.scale == "linear":
        return "Mel spectrogram"
    return names[settings.features]


def _value_label(settings: FeatureSettings) -> str:
    if _has_many_units(settings):
        return "Difference from the mean of the bin in this clip"
    if settings.features == "mfcc":
        return "Coefficient (dB); number 0 may be below the scale"
    if settings.scale == "linear":
        return (
            "Power" if settings.power == 2 else "Magnitude" if settings.power == 1 else f"Magnitude to the {settings.power:g}"
        )
    return f"Level (dB, re {'the maximum' if settings.db_reference == 'max' else f'{settings.db_reference:g}'})"


def _evenly(number: int, wanted: int) -> list[int]:
    """Return up to ``wanted`` evenly spaced positions below ``number``, including the first and the last."""
    return sorted({round(position) for position in np.linspace(0, number - 1, min(number, wanted))})
