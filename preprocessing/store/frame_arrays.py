"""Write arrays of labelled frames as a dataset for frame_classification, with one feature store.

The two dicts of `preprocessing.store.write` have sequences of frames as examples. data/<dataset>/ gets a row per sequence,
and its labels as events; features/custom/ is a store of the values of all frames in a row.
"""

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from preprocessing.annotations.labels import BACKGROUND
from preprocessing.clips.table import check_names
from preprocessing.corpus import CUSTOM
from preprocessing.corpus_folder import corpus_folder
from preprocessing.store.arrays import WITHOUT_AUDIO, as_array, by_item, number_classes, publish, refuse_missing
from preprocessing.store.layout import TARGETS_DTYPES
from preprocessing.store.writer import Example, StoreWriter
from xval.base.errors import CorpusError, counted

_TASK = "frame_classification"


def write_frame_arrays(
    predictors: Mapping[str, Sequence[ArrayLike]],
    targets: Mapping[str, Sequence[ArrayLike]],
    *,
    frame_s: float,
    class_names: Sequence[str] | None,
    dataset: str,
    data_folder: Path,
) -> Path:
    """Check sequences of frames, write them in the place of a corpus that is there, and return the folder of the store.

    Args:
        predictors: For each item its sequences, each numbers (n_frames, n_values); they may differ in n_frames.
        targets: For each item and sequence text or integers (n_frames,), or 0 and 1 (n_frames, n_classes).
        frame_s: Length of a frame (s).
        class_names: As of `preprocessing.store.write`; needed for targets of 0 and 1.
        dataset: Name of the corpus.
        data_folder: Folder of all corpora.
    """
    import pandas as pd

    predictors, targets = by_item(predictors, targets)  # type: ignore[assignment] # targets are given
    x = {item: _read(predictors, item, "predictors") for item in sorted(predictors)}
    for item in sorted(targets):
        for number, sequence in enumerate(targets[item]):
            refuse_missing(sequence, f"Item '{item}', sequence {number}, frame", "label")
    y = {item: _read(targets, item, "targets") for item in sorted(predictors)}
    n_values = next((sequence.shape[-1] for of in x.values() for sequence in of if sequence.ndim == 2), 0)
    for item in x:
        _check_sequences(item, x[item], y[item], n_values)
    rate_hz = round(n_values / frame_s) if 0 < frame_s < math.inf else 0
    if rate_hz < 1 or not math.isclose(rate_hz * frame_s, n_values, rel_tol=1e-9):
        raise CorpusError(
            f"frame_s={frame_s:g}: with {counted(n_values, 'value')} per frame this is not a whole number of values per "
            "second. Remove frame_s, and a frame counts as 1 s."
        )
    active, names = _find_active(y, class_names)
    rows, events = [], []
    folder = corpus_folder(dataset, data_folder)
    with StoreWriter(
        folder / "features" / CUSTOM,
        task_type=_TASK,
        class_names=names,
        clip_samples=n_values * max(len(sequence) for sequences in x.values() for sequence in sequences),
        is_waveform=True,
        own_frames=(rate_hz, n_values),
    ) as writer:
        for item, sequences in x.items():
            for row, sequence in enumerate(sequences):
                clip, duration_s = f"{item}#{row}", len(sequence) * frame_s
                with np.errstate(over="ignore"):
                    values = sequence.astype(np.float32).reshape(1, -1)
                writer.append(item, values, np.zeros(1, TARGETS_DTYPES[_TASK]), [Example(clip, 0.0, duration_s)])
                clip_events = _events(clip, active[item][row], names, frame_s)
                event_labels = sorted({label for *_, label in clip_events})
                hashed = blake2b(values.tobytes(), digest_size=16).hexdigest()
                rows.append((clip, item, "+".join(event_labels) or BACKGROUND, duration_s, hashed))
                events += clip_events or [(clip, math.nan, math.nan, "")]
        index = pd.DataFrame(rows, columns=["clip", "item", "label", "duration_s", "audio_hash"])
        index = index.assign(sample_rate_hz=rate_hz, **WITHOUT_AUDIO)
        table = pd.DataFrame(events, columns=["clip", "start_s", "end_s", "label"]).assign(annotator="")
        table = table.sort_values(["clip", "start_s", "end_s", "label"], kind="stable", ignore_index=True)
        writer.annotations = table
        publish(writer, index, folder, _TASK, names, table)
    return writer.folder


def _read(arrays: Mapping[str, Sequence[ArrayLike]], item: str, what: str) -> list[NDArray[Any]]:
    return [as_array(sequence, f"{what} of item '{item}', sequence {number}") for number, sequence in enumerate(arrays[item])]


def _check_sequences(item: str, x: list[NDArray[Any]], y: list[NDArray[Any]], n_values: int) -> None:
    """Refuse what are no frames of numbers, or no label for each of them."""
    if not x or len(x) != len(y):
        raise CorpusError(
            f"Item '{item}': received {len(x)} sequences and {len(y)} label sequences; expected as many of both, at least one."
        )
    for number, (values, labels) in enumerate(zip(x, y, strict=True)):
        where = f"Item '{item}', sequence {number}"
        if values.dtype.kind not in "fiu" or values.ndim != 2 or not values.size or values.shape[-1] != n_values:
            raise CorpusError(
                f"{where}: received {values.dtype} {values.shape}; expected numbers (n_frames, {n_values or 'n_values'}), at "
                "least one frame."
            )
        if labels.ndim not in (1, 2) or len(labels) != len(values):
            raise CorpusError(
                f"{where}: received {counted(len(values), 'frame')} and labels of shape {labels.shape}; expected "
                f"{counted(len(values), 'label')}, or ({len(values)}, n_classes) of 0 and 1."
            )


def _find_active(
    y: Mapping[str, list[NDArray[Any]]], class_names: Sequence[str] | None
) -> tuple[dict[str, list[NDArray[np.bool_]]], tuple[str, ...]]:
    """Return which classes are active in each frame, bool (n_frames, n_classes), and these without the background."""
    flat = {f"{item}#{number}": labels for item, sequences in y.items() for number, labels in enumerate(sequences)}
    if all(labels.ndim == 1 for labels in flat.values()):
        codes, names = number_classes(flat, class_names)
        by_clip = {clip: of[:, np.newaxis] == np.arange(len(names)) for clip, of in codes.items()}
    else:
        names = tuple(class_names or ())
        check_names(names, "classes")
        for clip, labels in flat.items():
            if labels.ndim != 2 or labels.shape[1] != len(names) or not np.isin(labels, (0, 1)).all():
                raise CorpusError(
                    f"Sequence '{clip}': received labels {labels.dtype} {labels.shape} and {len(names)} class_names; "
                    "expected 0 and 1 (n_frames, n_classes) for all sequences, and class_names, a name for each column."
                )
        by_clip = {clip: labels.astype(bool) for clip, labels in flat.items()}
    kept = [number for number, name in enumerate(names) if name != BACKGROUND]
    if not kept:
        raise CorpusError("Every frame is background; expected at least one other class.")
    active = {item: [by_clip[f"{item}#{number}"][:, kept] for number in range(len(sequences))] for item, sequences in y.items()}
    return active, tuple(names[number] for number in kept)


def _events(clip: str, active: NDArray[np.bool_], names: Sequence[str], frame_s: float) -> list[tuple[str, float, float, str]]:
    """Return the segments of frames in which a class is active: clip, start_s, end_s, label."""
    events = []
    for number, name in enumerate(names):
        edges = np.flatnonzero(np.diff(active[:, number].astype(np.int8), prepend=0, append=0))
        events += [(clip, first * frame_s, stop * frame_s, name) for first, stop in edges.reshape(-1, 2).tolist()]
    return events
