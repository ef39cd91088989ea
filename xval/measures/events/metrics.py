"""Compare found events with annotated ones, segment by segment and event by event; undefined numbers are NaN.

Defined as by Mesaros, Heittola and Virtanen (Metrics for Polyphonic Sound Event Detection, Applied Sciences 6:162, 2016), and
tested against the values of sed_eval 0.2.1. It differs from sed_eval in four points: the F1 score is 2 * correct / (annotated +
found), so it is 0, not undefined, for a class without found or without annotated events; an error rate without annotated events
is undefined, not a huge number; of all matchings with the most correct events the one with the most substitutions counts,
whatever the order of the events; times are compared in whole nanoseconds, so that an event exactly on a limit is inside.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.annotations import intervals
from preprocessing.annotations.intervals import NS_PER_S, Intervals
from xval.base.errors import JobError, suggestion
from xval.measures.events.matching import fitting_pairs, match_pairs

# A segment does not count for a label where at least this share of it is ignored.
_IGNORED_SHARE = 0.5


class RecordingEvents(NamedTuple):
    """The events of one recording.

    Attributes:
        reference: The annotated events: start_s, end_s, label.
        estimated: The found events: start_s, end_s, label.
        duration_s: Length of the recording, seconds.
        ignored: Segments with a disputed label: start_s, end_s, label. They are cut out of the annotated and found events of
            this label.
    """

    reference: pd.DataFrame
    estimated: pd.DataFrame
    duration_s: float
    ignored: pd.DataFrame | None = None


@dataclass
class Counts:
    """The counts of segments or events over all recordings.

    Attributes:
        n_reference: int64 (n_classes,), number of annotated segments or events.
        n_estimated: int64 (n_classes,), number of found ones.
        n_correct: int64 (n_classes,), number of ones that were annotated and found at the same place.
        n_substitutions: Number of ones that were annotated and found at the same place with different labels.
        n_deletions: Number of annotated ones where none was found.
        n_insertions: Number of found ones where none was annotated.
    """

    labels: tuple[str, ...]
    n_reference: NDArray[np.int64]
    n_estimated: NDArray[np.int64]
    n_correct: NDArray[np.int64]
    n_substitutions: int = 0
    n_deletions: int = 0
    n_insertions: int = 0

    def scores(self, unit: str) -> dict[str, float]:
        """Return the scores of all classes together and their means over classes.

        Args:
            unit: The prefix of the names: ``segment`` or ``event``.

        Returns:
            f1, precision, recall; error_rate, the number of substitutions, deletions and insertions per annotated one, and
            these three rates; macro_f1, macro_precision, macro_recall and macro_error_rate, the means over the classes for
            which `by_class` defines them. NaN: undefined.
        """
        n_reference, n_estimated, n_correct = (int(n.sum()) for n in (self.n_reference, self.n_estimated, self.n_correct))
        rates = [_ratio(n, n_reference) for n in (self.n_substitutions, self.n_deletions, self.n_insertions)]
        scores = {
            "f1": _ratio(2 * n_correct, n_reference + n_estimated),
            "precision": _ratio(n_correct, n_estimated),
            "recall": _ratio(n_correct, n_reference),
            "error_rate": _ratio(self.n_substitutions + self.n_deletions + self.n_insertions, n_reference),
            **dict(zip(("substitution_rate", "deletion_rate", "insertion_rate"), rates, strict=True)),
        }
        scores_by_class = self.by_class().values()
        for name in ("f1", "precision", "recall", "error_rate"):
            defined = [class_scores[name] for class_scores in scores_by_class if not math.isnan(class_scores[name])]
            scores[f"macro_{name}"] = _ratio(math.fsum(defined), len(defined))
        return {f"{unit}_{name}": value for name, value in scores.items()}

    def by_class(self) -> dict[str, dict[str, float]]:
        """Return f1, precision, recall, error_rate (deletions and insertions per annotated one), n_reference and n_estimated.

        Precision is NaN if none was found, recall and error rate if none was annotated, F1 if neither was.
        """
        counts = zip(self.labels, self.n_reference.tolist(), self.n_estimated.tolist(), self.n_correct.tolist(), strict=True)
        return {
            label: {
                "f1": _ratio(2 * n_correct, n_reference + n_estimated),
                "precision": _ratio(n_correct, n_estimated),
                "recall": _ratio(n_correct, n_reference),
                "error_rate": _ratio(n_reference + n_estimated - 2 * n_correct, n_reference),
                "n_reference": n_reference,
                "n_estimated": n_estimated,
            }
            for label, n_reference, n_estimated, n_correct in counts
        }


def count_segments(recordings: Iterable[RecordingEvents], labels: Sequence[str], *, segment_s: float = 1.0) -> Counts:
    """Count the time segments in which each label is annotated and found.

    A label is active in each segment that one of its events overlaps. The last segment may be shorter; time after the end of
    the recording does not count. A label does not count in a segment of which at least half is ignored for it. In each segment
    a missed and a wrong label together are a substitution.

    Args:
        recordings: `RecordingEvents`, or tuples like it.
        labels: All classes of events, without the background.
        segment_s: Length of a segment, seconds.
    """
    counts = _nothing(labels)
    segment_ns = round(segment_s * NS_PER_S)
    for recording in _checked(recordings, labels):
        duration_ns = round(recording.duration_s * NS_PER_S)
        edges = np.append(np.arange(0, duration_ns, segment_ns, dtype=np.int64), duration_ns)
        active = np.zeros((2, len(edges) - 1, len(labels)), dtype=bool)
        for number, label in enumerate(labels):
            ignored = _covered(recording.ignored, label)
            is_known = intervals.covered(ignored, edges) < _IGNORED_SHARE * np.diff(edges)
            for side, events in enumerate((recording.reference, recording.estimated)):
                kept = intervals.subtract(_covered(events, label), ignored)
                active[side, :, number] = (intervals.covered(kept, edges) > 0) & is_known
        reference, estimated = active
        n_missed, n_wrong = (reference & ~estimated).sum(axis=1), (estimated & ~reference).sum(axis=1)
        counts.n_reference += reference.sum(axis=0)
        counts.n_estimated += estimated.sum(axis=0)
        counts.n_correct += (reference & estimated).sum(axis=0)
        counts.n_substitutions += int(np.minimum(n_missed, n_wrong).sum())
        counts.n_deletions += int(np.maximum(n_missed - n_wrong, 0).sum())
        counts.n_insertions += int(np.maximum(n_wrong - n_missed, 0).sum())
    return counts


def count_events(
    recordings: Iterable[RecordingEvents], labels: Sequence[str], *, collar_s: float = 0.2, offset_share: float = 0.5
) -> Counts:
    """Count annotated, found and matched events.

    An annotated and a found event fit if their starts differ by at most the collar, and their ends by at most the collar or the
    share of the annotated event's length, whichever is larger. Each event is matched at most once: first as many as possible
    with one of the same label (correct), then as many as possible with one of another label (a substitution). What remains of
    an event after an ignored segment was cut off counts only if it is matched or longer than the collar.

    Args:
        recordings: `RecordingEvents`, or tuples like it.
        labels: All classes of events, without the background.
        collar_s: Largest distance between the starts, and between the ends, seconds.
        offset_share: Share of the annotated event's length by which the ends may also differ.
    """
    counts = _nothing(labels)
    collar_ns = round(collar_s * NS_PER_S)
    for recording in _checked(recordings, labels):
        sides = [_pieces(table, labels, recording.ignored) for table in (recording.reference, recording.estimated)]
        reference, estimated = sides
        pairs = fitting_pairs(reference.edges, estimated.edges, collar_ns, offset_share)
        matched = match_pairs(pairs, reference.classes[pairs[:, 0]] == estimated.classes[pairs[:, 1]])
        is_correct = reference.classes[matched[:, 0]] == estimated.classes[matched[:, 1]]
        n_counted = []
        for side, total in enumerate((counts.n_reference, counts.n_estimated)):
            pieces = sides[side]
            counted = ~(pieces.is_cut & (np.diff(pieces.edges, axis=1)[:, 0] <= collar_ns))
            counted[matched[:, side]] = True
            total += np.bincount(pieces.classes[counted], minlength=len(labels))
            n_counted.append(int(counted.sum()))
        counts.n_correct += np.bincount(reference.classes[matched[is_correct, 0]], minlength=len(labels))
        counts.n_substitutions += int((~is_correct).sum())
        counts.n_deletions += n_counted[0] - len(matched)
        counts.n_insertions += n_counted[1] - len(matched)
    return counts


class _Pieces(NamedTuple):
    """Events as arrays: edges int64 (n, 2), ns; classes intp (n,); is_cut bool (n,), whether an ignored segment was cut off."""

    edges: Intervals
    classes: NDArray[np.intp]
    is_cut: NDArray[np.bool_]


def _pieces(events: pd.DataFrame, labels: Sequence[str], ignored: pd.DataFrame | None) -> _Pieces:
    """Return the events without the ignored segments of their label."""
    edges = intervals.from_seconds(events["start_s"], events["end_s"])
    classes = np.array([labels.index(label) for label in events["label"]], dtype=np.intp)
    segments = [_covered(ignored, label) for label in labels]
    parts = [
        intervals.subtract(edge[np.newaxis], segments[number]) if len(segments[number]) else edge[np.newaxis]
        for edge, number in zip(edges, classes, strict=True)
    ]
    is_cut = [len(part) != 1 or not np.array_equal(part[0], edge) for part, edge in zip(parts, edges, strict=True)]
    lengths = [len(part) for part in parts]
    return _Pieces(
        np.concatenate([np.empty((0, 2), dtype=np.int64), *parts]),
        np.repeat(classes, lengths),
        np.repeat(np.array(is_cut, dtype=bool), lengths),
    )


def _nothing(labels: Sequence[str]) -> Counts:
    n_reference, n_estimated, n_correct = np.zeros((3, len(labels)), dtype=np.int64)
    return Counts(tuple(labels), n_reference, n_estimated, n_correct)


def _checked(recordings: Iterable[RecordingEvents], labels: Sequence[str]) -> Iterable[RecordingEvents]:
    for recording in (RecordingEvents(*fields) for fields in recordings):
        for events in (recording.reference, recording.estimated):
            unknown = sorted(set(events["label"]) - set(labels))
            if unknown:
                raise JobError(
                    f"metrics of events: an event has the unknown label '{unknown[0]}'. {suggestion(unknown[0], labels)}"
                )
        yield recording


def label_intervals(events: pd.DataFrame | None, label: str) -> Intervals:
    """Return the events of a label: int64 (n, 2), ns."""
    if events is None:
        return np.empty((0, 2), dtype=np.int64)
    events_of_label = events[events["label"] == label]
    return intervals.from_seconds(events_of_label["start_s"], events_of_label["end_s"])


def _covered(events: pd.DataFrame | None, label: str) -> Intervals:
    """Return the intervals that the events of a label cover: int64 (n, 2), ns."""
    return intervals.union(label_intervals(events, label))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
