"""Sequences of frames of long recordings with annotated events, each frame with its label and its weight.

An example has a fixed number of frames; the frames of every recording are also available in their order.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.annotations.labels import BACKGROUND, frame_labels, resolve_recordings
from preprocessing.store import FeatureStore
from xval.base.errors import SettingsError
from xval.data.indexed import Indexed, index_segments, segment_places
from xval.data.store_memory import HeldStore, StoreFiles

if TYPE_CHECKING:
    import pandas as pd


def frame_class_names(store: FeatureStore, label_form: str) -> tuple[str, ...]:
    """Return the classes of frames, which are those of the events; with one class per frame, the background comes first."""
    events = tuple(name for name in store.class_names if name != BACKGROUND)
    return events if label_form == "multi_label" else (BACKGROUND, *events)


@dataclass(frozen=True)
class Recording:
    """The frames of one recording.

    Attributes:
        item: The item to which it belongs.
        clip: Its name.
        first: Index of its first sample in the store.
        targets: int64 (n_frames,) class numbers, or float32 (n_frames, n_classes).
        weights: float32 (n_frames,), 0 for frames on which annotators disagree, if the policy ignores them.
        events: The events that the policy derives from the annotations: start_s, end_s, label.
        disputed: The segments of weight 0: start_s, end_s.
    """

    item: str
    clip: str
    first: int
    targets: NDArray[Any]
    weights: NDArray[np.float32]
    events: "pd.DataFrame"
    disputed: "pd.DataFrame"

    @property
    def n_frames(self) -> int:
        """Number of its frames; an incomplete frame at the end is skipped."""
        return len(self.weights)


class FrameExamples:
    """The consecutive sequences of one side's recordings, or the same number of sequences from random places.

    Args:
        store: A store for frame classification.
        settings: The settings for cutting recordings into frames.
        held: The store in memory, whose segments are the sequences; None: read them from its files.
        random: Whether `begin_epoch` draws the positions of the sequences.
        clips: The recordings to include; None: all of the items.

    Attributes:
        table: DataFrame, a row per sequence: item, row, clip, start_s, end_s, augmented.
        targets: int64 (n_examples, n_frames), or float32 (n_examples, n_frames, n_classes); padding has the class 0.
        weights: float32 (n_examples, n_frames), 0 for padding and for disputed frames.
        recordings: The recordings behind them, in their order.
    """

    def __init__(
        self,
        store: FeatureStore,
        items: tuple[str, ...],
        settings: FrameSettings,
        sample_rate_hz: int,
        *,
        held: HeldStore | None = None,
        random: bool = False,
        clips: Collection[str] | None = None,
    ) -> None:
        import pandas as pd

        self._random = random
        self._frame_samples = settings.frame_samples(sample_rate_hz)
        self._length = settings.sequence_frames
        self.recordings = _read_recordings(store, items, settings, sample_rate_hz, clips)
        counts = [-(-recording.n_frames // self._length) for recording in self.recordings]
        self._recording_of = np.repeat(np.arange(len(counts)), counts)
        self._grid = np.concatenate([np.arange(count) * self._length for count in counts] or [np.empty(0, int)])
        self._starts = self._grid.copy()
        frame_s = self._frame_samples / sample_rate_hz
        recording_of_sequence = [self.recordings[number] for number in self._recording_of]
        ends = np.minimum(self._grid + self._length, [recording.n_frames for recording in recording_of_sequence])
        self.table = pd.DataFrame(
            {
                "item": [recording.item for recording in recording_of_sequence],
                "clip": [recording.clip for recording in recording_of_sequence],
                "start_s": self._grid * frame_s,
                "end_s": ends * frame_s,
                "augmented": False,
            }
        )
        self.table.insert(1, "row", self.table.groupby("item").cumcount())
        self._source = StoreFiles(store) if held is None else held
        shape = self.recordings[0].targets.shape[1:] if self.recordings else ()
        dtype = self.recordings[0].targets.dtype if self.recordings else np.int64
        self.targets: NDArray[Any] = np.zeros((len(recording_of_sequence), self._length, *shape), dtype)
        self.weights = np.zeros((len(recording_of_sequence), self._length), np.float32)
        self._label()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def is_streamed(self) -> bool:
        """Whether samples are read from files."""
        return isinstance(self._source, StoreFiles)

    @property
    def lengths(self) -> None:
        """None: all examples have one shape."""
        return

    masked_lengths = lengths

    def begin_epoch(self, rng: np.random.Generator) -> None:
        """Draw the positions of the sequences of an epoch; `targets` and `weights` are updated in place."""
        if self._random:
            spare = np.array([max(self.recordings[number].n_frames - self._length, 0) for number in self._recording_of])
            self._starts = (rng.random(len(self)) * (spare + 1)).astype(np.int64)
            self._label()

    def predictors(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the samples of the sequences at some positions, float32 (n_positions, n_frames, samples of a frame)."""
        size = self._frame_samples
        gathered = np.zeros((len(positions), self._length * size), np.float32)
        for row, position in enumerate(positions):
            recording, start = self._sequence(position)
            first = recording.first + start * size
            n_samples = min(self._length, recording.n_frames - start) * size
            gathered[row, :n_samples] = self._source.piece(first, first + n_samples)
        return gathered.reshape(len(positions), self._length, size)

    @property
    def indexed(self) -> Indexed | None:
        """The places of the sequences in the store in memory; None: they are streamed."""
        size, held = self._frame_samples, self._source
        if isinstance(held, StoreFiles):
            return None
        recording_of_sequence = [self.recordings[number] for number in self._recording_of]
        first = np.array([recording.first for recording in recording_of_sequence], np.int64)
        n_frames = np.array([recording.n_frames for recording in recording_of_sequence], np.int64)

        def places(positions: NDArray[np.int64]) -> NDArray[np.int32]:
            starts = self._starts[positions]
            n_samples = np.minimum(self._length, n_frames[positions] - starts) * size
            return segment_places(first[positions] + starts * size, n_samples, self._length * size)

        return index_segments(held, places, (self._length, size))

    def join(self, predictions: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the predictions of each recording's frames in their order, without padding.

        Args:
            predictions: float32 (n_examples, n_frames, n_classes), of consecutive sequences.

        Returns:
            For each of `recordings` float32 (frames of the recording, n_classes).
        """
        joined = []
        for number, recording in enumerate(self.recordings):
            frames_of_recording = predictions[self._recording_of == number]
            joined.append(frames_of_recording.reshape(-1, *predictions.shape[2:])[: recording.n_frames])
        return joined

    def split(self, predictions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the predictions of sequences, 0 in padding: float32 (n_examples, n_frames, n_classes).

        Args:
            predictions: float32 (frames of all recordings, n_classes), in the order of `recordings`; the inverse of `join`.
        """
        frames_of_sequences = np.zeros((len(self), self._length, predictions.shape[-1]), np.float32)
        first = 0
        for number, recording in enumerate(self.recordings):
            places = np.flatnonzero(self._recording_of == number)
            frames_of_recording = np.zeros((len(places) * self._length, predictions.shape[-1]), np.float32)
            frames_of_recording[: recording.n_frames] = predictions[first : first + recording.n_frames]
            frames_of_sequences[places] = frames_of_recording.reshape(len(places), self._length, -1)
            first += recording.n_frames
        return frames_of_sequences

    def _sequence(self, position: int) -> tuple[Recording, int]:
        return self.recordings[self._recording_of[position]], int(self._starts[position])

    def _label(self) -> None:
        """Set targets and weights of the sequences according to their positions."""
        self.targets[:], self.weights[:] = 0, 0
        for position in range(len(self)):
            recording, start = self._sequence(position)
            stop = min(start + self._length, recording.n_frames)
            self.targets[position, : stop - start] = recording.targets[start:stop]
            self.weights[position, : stop - start] = recording.weights[start:stop]


def describe_too_short(clip: str, duration_s: float, settings: FrameSettings) -> str:
    """Return the error of a recording that is shorter than a frame."""
    return (
        f"recording '{clip}' has {duration_s:g} s, less than a frame of label_frame_s={settings.label_frame_s:g}. Remove the "
        "recording, or lower label_frame_s."
    )


def _read_recordings(
    store: FeatureStore,
    items: tuple[str, ...],
    settings: FrameSettings,
    sample_rate_hz: int,
    chosen: Collection[str] | None,
) -> list[Recording]:
    """Return the recordings of some items with the labels of their frames."""
    size = settings.frame_samples(sample_rate_hz)
    clips = store.examples[store.examples["item"].isin(items)].sort_values(["item", "row"], kind="stable")
    resolved = resolve_recordings(store.annotations.rename(columns={"clip": "path"}), settings.annotation_policy)
    recordings = []
    # A recording that the annotator of the policy has not annotated has no labels, not even background.
    clips = clips[clips["clip"].isin(resolved if chosen is None else set(resolved) & set(chosen))]
    for item, clip, first, stop in clips[["item", "clip", "first_row", "stop_row"]].itertuples(index=False):
        n_frames = int(stop - first) // size
        if not n_frames:
            raise SettingsError(describe_too_short(clip, (stop - first) / sample_rate_hz, settings))
        events, disputed = (table[table["label"] != BACKGROUND] for table in resolved[clip])
        targets, weights = frame_labels(
            events,
            disputed,
            frame_class_names(store, settings.label_form),
            n_frames=n_frames,
            frame_samples=size,
            sample_rate_hz=sample_rate_hz,
            overlap=settings.frame_overlap,
            form=settings.label_form,
        )
        recordings.append(Recording(str(item), str(clip), int(first), targets, weights, events, disputed))
    return recordings
