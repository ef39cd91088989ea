"""Draw an explanation: the spectrogram, and the contributions of its parts to the prediction."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from preprocessing.quality.pictures import new_figure, png, write_title
from xval.extras.explanations.clips import Explanation

_MOST_COLUMNS = 400
_SAMPLE_COLUMNS = 200
_LARGEST_ERROR = 0.2  # relative to the difference of the predictions


def draw_explanation(explanation: Explanation) -> bytes:
    """Return the picture of an explanation as a PNG file: the spectrogram, and below it the contribution of each part.

    For a network that reads samples it shows the waveform, and below it the contributions of segments over time. A dashed line
    marks the end of the clip, where the padding of the example begins.
    """
    attribution, figure = explanation.attribution, new_figure(8, 4.4)
    upper, lower = figure.subplots(2, 1, sharex=True)
    has_times = bool(np.isfinite([explanation.start_s, explanation.frame_s]).all())
    start, step = (explanation.start_s, explanation.frame_s) if has_times else (0.0, 1.0)
    figure.suptitle(Path(explanation.name).name, fontsize="medium", parse_math=False)
    if explanation.features.ndim == 1:
        times = start + step * np.arange(len(explanation.features))
        every = max(1, len(times) // 4000)
        upper.plot(times[::every], explanation.features[::every], linewidth=0.5)
        sums = np.add.reduceat(attribution.values, np.linspace(0, len(times), _SAMPLE_COLUMNS, endpoint=False).astype(int))
        width = step * len(times) / len(sums)
        lower.bar(start + width * np.arange(len(sums)), sums, width=width, align="edge")
        end = start + step * len(times)
    else:
        values = _flat(attribution.values)
        start -= step / 2  # frames are centred on their time
        end = start + step * (len(attribution.values) // len(values)) * len(values)
        limit = float(np.quantile(np.abs(values), 0.995)) or 1e-12
        place = {"origin": "lower", "aspect": "auto", "extent": (start, end, 0, values.shape[1])}
        upper.imshow(_flat(explanation.features).T, cmap="magma", **place)
        shown = lower.imshow(values.T, cmap="RdBu_r", vmin=-limit, vmax=limit, **place)
        bar = figure.colorbar(shown, ax=[upper, lower], fraction=0.03, pad=0.01)
        bar.set_label("Contribution to the output", fontsize="small")
        for axes in (upper, lower):
            axes.set_ylabel("Bin", fontsize="small")
    is_filled = has_times and end > explanation.end_s + step
    if is_filled:
        for axes in (upper, lower):
            axes.axvline(explanation.end_s, color="tab:gray", linestyle="--", linewidth=1)
    behind = "; after the dashed line the example is padded" if is_filled else ""
    lower.set_xlabel(f"Time in the file (s){behind}" if has_times else "Frame", fontsize="small")
    write_title(upper, "Features")
    write_title(lower, describe(explanation))
    return png(figure)


def describe(explanation: Explanation) -> str:
    """Return the caption of an explanation: both predictions, and the sum of the contributions next to its exact value."""
    attribution = explanation.attribution
    prediction, baseline = attribution.prediction, attribution.baseline_prediction
    text = f"{explanation.explained}: {prediction:.3f}, for silence {baseline:.3f}; red increases it"
    if explanation.method == "occlusion":
        return f"Occlusion. {text}"
    difference = prediction - baseline
    is_complete = attribution.incompleteness <= _LARGEST_ERROR * abs(difference)
    advice = "" if is_complete else "; the difference is too large: use occlusion"
    return f"Integrated gradients. {text}. All parts: {attribution.total:.3f} (exact: {difference:.3f}{advice})"


def _flat(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values as float32 (n_frames, n_bins); of long clips the means of at most 400 groups of neighbouring frames."""
    values = values.reshape(len(values), -1)
    step = -(-len(values) // _MOST_COLUMNS)
    n_averaged = len(values) // step * step
    means: NDArray[np.float32] = values[:n_averaged].reshape(-1, step, values.shape[1]).mean(axis=1)
    return means
