"""Assign annotated events to mixtures, and backgrounds to items, before any audio is mixed.

The result is a `Mixture` for every output file, with the position and the level of each event.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from augmentation.offline_settings import MixingSettings
from augmentation.seeding import make_generator
from preprocessing.clips.table import natural_key
from preprocessing.store.naming import file_name
from xval.base.errors import CorpusError, counted, verb_of


@dataclass(frozen=True)
class Event:
    """An annotated segment of a recording.

    Attributes:
        path: The recording, relative to the folder of events, posix.
        start_s: Start of the event (seconds).
        end_s: End of the event (seconds).
        label: Class of the event.
        item: Its item, which must not be on two sides of a split.
        parts: The overlapping events that are cut out as one; empty for a single event.
    """

    path: str
    start_s: float
    end_s: float
    label: str
    item: str
    parts: tuple["Event", ...] = ()

    def annotated(self) -> tuple["Event", ...]:
        """Return the events in the segment."""
        return self.parts or (self,)


@dataclass(frozen=True)
class Placed:
    """An event in a mixture.

    Attributes:
        event: The event.
        first_sample: Its start in the mixture (samples).
        n_samples: Its length (samples).
        snr_db: Power of the event relative to that of the background at its place (dB).
    """

    event: Event
    first_sample: int
    n_samples: int
    snr_db: float


@dataclass(frozen=True)
class BackgroundSegment:
    """A part of a background recording, which belongs to one item.

    Attributes:
        path: The recording, relative to the folder of backgrounds, posix.
        start_s: Start of the part (seconds).
        end_s: End of the part (seconds).
    """

    path: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Mixture:
    """A file to write.

    Attributes:
        path: Its name in the output folder.
        item: The item of all its events and of its background.
        background: The background excerpt.
        events: Its events in order of time, which do not overlap.
        n_samples: Length (samples).
        sample_rate_hz: Sample rate (Hz).
    """

    path: str
    item: str
    background: BackgroundSegment
    events: tuple[Placed, ...]
    n_samples: int
    sample_rate_hz: int


def join_overlapping(events: Sequence[Event]) -> list[Event]:
    """Join the events of a recording that overlap, because an excerpt of one of them also contains the others.

    Args:
        events: Events; overlapping ones must belong to one item.

    Returns:
        The events, sorted by recording and start; a joined event extends from its first to its last part and has all labels.
    """
    groups: list[list[Event]] = []
    reached_s = 0.0
    for event in sorted(events, key=lambda event: (event.path, event.start_s, event.end_s)):
        if groups and groups[-1][0].path == event.path and event.start_s < reached_s:
            groups[-1].append(event)
            reached_s = max(reached_s, event.end_s)
        else:
            groups.append([event])
            reached_s = event.end_s
    return [_join(group) for group in groups]


def assign_backgrounds(
    durations_s: Mapping[str, float], items: Sequence[str], needed_s: float, seed: int
) -> dict[str, tuple[BackgroundSegment, ...]]:
    """Assign separate backgrounds to each item: whole recordings if there are enough, else parts that do not overlap.

    Args:
        durations_s: Length of every background recording (s), by path.
        items: All items that have events.
        needed_s: Length of a mixture (s).
        seed: Seed of the run.

    Returns:
        The segments of each item, each of at least the needed length.

    Raises:
        CorpusError: There is not enough background for all items.
    """
    usable = sorted((path for path, duration_s in durations_s.items() if duration_s >= needed_s), key=natural_key)
    rng = make_generator(seed, "backgrounds")
    usable = [usable[number] for number in rng.permutation(len(usable))]
    items = sorted(items, key=natural_key)
    assigned: dict[str, list[BackgroundSegment]] = {item: [] for item in items}
    if len(usable) >= len(items):
        for number, path in enumerate(usable):
            assigned[items[number % len(items)]].append(BackgroundSegment(path, 0.0, durations_s[path]))
        return {item: tuple(segments) for item, segments in assigned.items()}
    sharing: dict[str, list[str]] = {path: [] for path in usable}
    for item in items:
        roomiest = max(usable, key=lambda path: durations_s[path] / (len(sharing[path]) + 1), default=None)
        if roomiest is None or durations_s[roomiest] / (len(sharing[roomiest]) + 1) < needed_s:
            raise CorpusError(
                f"Not enough background for {counted(len(items), 'item')}: each needs {needed_s:g} s of separate background, "
                f"but only {counted(len(usable), 'recording')} {verb_of(len(usable))} that long (the longest has "
                f"{max(durations_s.values(), default=0):.1f} s), {sum(durations_s[path] for path in usable):.1f} s in all. Add "
                "backgrounds, or lower mixture_duration_s."
            )
        sharing[roomiest].append(item)
    for path, sharers in sharing.items():
        for number, item in enumerate(sharers):
            begin_s, end_s = (durations_s[path] * (part / len(sharers)) for part in (number, number + 1))
            assigned[item].append(BackgroundSegment(path, begin_s, end_s))
    return {item: tuple(segments) for item, segments in assigned.items()}


def plan_mixtures(
    events: Sequence[Event],
    backgrounds: Mapping[str, Sequence[BackgroundSegment]],
    settings: MixingSettings,
    *,
    sample_rate_hz: int,
    seed: int,
) -> Iterator[Mixture]:
    """Yield the mixtures of all events, item by item.

    Every event is used mixture_uses times. A mixture has mixture_min_events to mixture_max_events of them, or fewer if no more
    fit into its length, and in the last mixture of an item.

    Args:
        events: The events, each at most as long as a mixture minus two gaps.
        backgrounds: The segments of each item, from `assign_backgrounds`.
        settings: Lengths, numbers and ratios.
        sample_rate_hz: Sample rate of the mixtures (Hz).
        seed: Seed of the run.
    """
    for item in sorted({event.item for event in events}, key=natural_key):
        own = sorted(
            (event for event in events if event.item == item), key=lambda event: (event.path, event.start_s, event.end_s)
        )
        rng = make_generator(seed, "events", item)
        queue = [own[number] for _ in range(settings.mixture_uses) for number in rng.permutation(len(own))]
        for number, group in enumerate(_groups(queue, settings, rng), start=1):
            yield _lay_out(f"{file_name(item)}-{number:04}.wav", item, group, backgrounds[item], settings, sample_rate_hz, seed)


def longest_event_s(settings: MixingSettings) -> float:
    """Return the length of the longest event that fits into a mixture between its two outer gaps (s)."""
    return settings.mixture_duration_s - 2 * settings.mixture_min_gap_s


def _join(group: Sequence[Event]) -> Event:
    """Return one event for several overlapping ones."""
    if len(group) == 1:
        return group[0]
    labels = "+".join(dict.fromkeys(event.label for event in group))
    return replace(group[0], end_s=max(event.end_s for event in group), label=labels, parts=tuple(group))


def _groups(queue: Sequence[Event], settings: MixingSettings, rng: np.random.Generator) -> Iterator[list[Event]]:
    group: list[Event] = []
    wanted, used_s = 0, 0.0
    for event in queue:
        needed_s = event.end_s - event.start_s + settings.mixture_min_gap_s
        # 1 ms per gap leaves room for the rounding to samples.
        if group and (len(group) == wanted or used_s + needed_s + 0.001 * (len(group) + 1) > settings.mixture_duration_s):
            yield group
            group = []
        if not group:
            wanted = int(rng.integers(settings.mixture_min_events, settings.mixture_max_events, endpoint=True))
            used_s = settings.mixture_min_gap_s
        group.append(event)
        used_s += needed_s
    if group:
        yield group


def _lay_out(
    path: str,
    item: str,
    group: Sequence[Event],
    segments: Sequence[BackgroundSegment],
    settings: MixingSettings,
    sample_rate_hz: int,
    seed: int,
) -> Mixture:
    """Draw the positions and levels of the events of one mixture, and its background."""
    rng = make_generator(seed, "mixture", path)
    n_total = round(settings.mixture_duration_s * sample_rate_hz)
    lengths = [max(1, round((event.end_s - event.start_s) * sample_rate_hz)) for event in group]
    gap = min(round(settings.mixture_min_gap_s * sample_rate_hz), (n_total - sum(lengths)) // (len(group) + 1))
    spare = n_total - sum(lengths) - gap * (len(group) + 1)
    places = np.sort(rng.integers(0, spare, len(group), endpoint=True))
    placed = []
    before = gap
    for event, place, length in zip(group, places, lengths, strict=True):
        snr_db = float(rng.uniform(settings.mixture_min_snr_db, settings.mixture_max_snr_db))
        placed.append(Placed(event, int(place) + before, length, snr_db))
        before += length + gap
    segment = segments[int(rng.integers(len(segments)))]
    start_s = float(rng.uniform(segment.start_s, max(segment.start_s, segment.end_s - settings.mixture_duration_s)))
    excerpt = BackgroundSegment(segment.path, start_s, min(start_s + settings.mixture_duration_s, segment.end_s))
    return Mixture(path, item, excerpt, tuple(placed), n_total, sample_rate_hz)
