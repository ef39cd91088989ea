"""Turn the probabilities of a recording's frames into events with begin, end and label."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.annotations.labels import COLUMNS, LabelForm
from xval.base.errors import SettingsError

_DEFAULT_THRESHOLD = 0.5


def find_events(
    probabilities: NDArray[np.floating],
    class_names: Sequence[str],
    *,
    frame_s: float,
    threshold: float | None = None,
    median_frames: int = 1,
    min_duration_s: float = 0.0,
    form: LabelForm = "multi_class",
) -> pd.DataFrame:
    """Find the events of a recording: runs of active frames, smoothed, without short ones.

    Args:
        probabilities: float (n_frames, n_classes), of consecutive frames from the beginning of the recording.
        class_names: Names of the columns; multi_class: the first is the background.
        frame_s: Length of a frame, seconds.
        threshold: Smallest probability of an active class, 0 to 1. multi_class: the most probable class except the background
            is active if it reaches the threshold; None: the most probable class is active unless it is the background.
            multi_label: every class that reaches the threshold is active; None: 0.5.
        median_frames: Odd length of the median filter over the active frames of each class; the first and last frame are
            repeated at the ends. 1: no filter.
        min_duration_s: Smallest duration of an event, 0 or more; shorter events are removed after the filter.
        form: multi_class: at most one class is active in a frame; multi_label: any number.

    Returns:
        start_s, end_s, label, sorted by start; events of one label do not touch.
    """
    from scipy.ndimage import median_filter

    _check(probabilities, class_names, threshold, median_frames, min_duration_s)
    active = _active(probabilities, threshold, form)
    if median_frames > 1 and len(active):
        active = median_filter(active.astype(np.uint8), size=(median_frames, 1), mode="nearest").astype(bool)
    # A duration of a whole number of frames may be a little longer by rounding.
    min_frames = min_duration_s / frame_s - 1e-6
    rows = []
    for number, name in enumerate(class_names):
        steps = np.diff(active[:, number].astype(np.int8), prepend=0, append=0)
        for first, stop in zip(np.flatnonzero(steps > 0).tolist(), np.flatnonzero(steps < 0).tolist(), strict=True):
            if stop - first >= min_frames:
                rows.append((round(first * frame_s, 9), round(stop * frame_s, 9), name))
    table = pd.DataFrame(sorted(rows), columns=list(COLUMNS))
    return table.astype({"start_s": "float64", "end_s": "float64", "label": "object"})


def _active(probabilities: NDArray[np.floating], threshold: float | None, form: LabelForm) -> NDArray[np.bool_]:
    """Return the active classes of each frame, never the background: bool (n_frames, n_classes)."""
    if form == "multi_label":
        return np.asarray(probabilities >= (_DEFAULT_THRESHOLD if threshold is None else threshold), dtype=bool)
    rivals = probabilities.copy()
    if threshold is not None:
        rivals[:, 0] = -np.inf
    best = np.argmax(rivals, axis=1)
    active: NDArray[np.bool_] = best[:, np.newaxis] == np.arange(probabilities.shape[1])
    if threshold is not None:
        active &= probabilities >= threshold
    active[:, 0] = False
    return active


def _check(
    probabilities: NDArray[np.floating],
    class_names: Sequence[str],
    threshold: float | None,
    median_frames: int,
    min_duration_s: float,
) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != len(class_names) or not len(class_names):
        raise SettingsError(f"events: received probabilities {probabilities.shape}; expected (n_frames, {len(class_names)}).")
    if threshold is not None and not 0 <= threshold <= 1:
        raise SettingsError(f"event threshold {threshold:g}; expected 0 to 1.")
    if median_frames < 1 or median_frames % 2 == 0:
        raise SettingsError(f"a median filter of {median_frames} frames; expected 1 (none), 3, 5, ...")
    if not 0 <= min_duration_s < np.inf:
        raise SettingsError(f"a least duration of {min_duration_s:g} s; expected 0 or more.")
