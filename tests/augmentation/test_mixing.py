"""The plan of mixtures, as properties over random annotations: nothing leaks, nothing overlaps, nothing is lost."""

from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmentation.mixing import BackgroundSegment, Event, Mixture, assign_backgrounds, longest_event_s, plan_mixtures
from augmentation.mixture import annotation_rows
from augmentation.offline_settings import MixingSettings, read_mixing_settings
from xval.base.errors import CorpusError

RATE_HZ = 8000


@st.composite
def events_and_settings(draw: st.DrawFn) -> tuple[list[Event], MixingSettings]:
    gap_s = draw(st.sampled_from([0.0, 0.25, 1.0]))
    overrides = [f"mixture_min_gap_s={gap_s}", f"mixture_max_events={draw(st.integers(1, 5))}", "mixture_duration_s=6"]
    wanted = read_mixing_settings([*overrides, f"mixture_uses={draw(st.integers(1, 3))}"])
    items = st.sampled_from(["x", "Y", "../z"])
    lengths_s = st.floats(0.001, longest_event_s(wanted))
    events = [
        Event(f"r{number}.wav", 0.5, 0.5 + draw(lengths_s), draw(st.sampled_from("ab")), draw(items))
        for number in range(draw(st.integers(1, 12)))
    ]  # fmt: skip
    return events, wanted


def plan(events: list[Event], wanted: MixingSettings, seed: int = 1) -> list[Mixture]:
    backgrounds = assign_backgrounds({"b0.wav": 100.0, "b1.wav": 40.0}, sorted({event.item for event in events}), 6, seed)
    return list(plan_mixtures(events, backgrounds, wanted, sample_rate_hz=RATE_HZ, seed=seed))


@settings(max_examples=60, deadline=None)
@given(events_and_settings(), st.integers(0, 1000))
def test_every_event_is_used_as_often_as_asked_apart_from_others_and_with_its_item(
    given_events: tuple[list[Event], MixingSettings], seed: int
) -> None:
    events, wanted = given_events
    mixtures = plan(events, wanted, seed)
    used = Counter(placed.event for mixture in mixtures for placed in mixture.events)
    assert used == Counter({event: count * wanted.mixture_uses for event, count in Counter(events).items()})
    gap = round(wanted.mixture_min_gap_s * RATE_HZ) - 1
    for mixture in mixtures:
        assert {placed.event.item for placed in mixture.events} == {mixture.item}
        assert len(mixture.events) <= wanted.mixture_max_events
        reached = 0
        for placed in mixture.events:
            assert placed.first_sample >= reached + gap
            assert placed.n_samples == max(1, round((placed.event.end_s - placed.event.start_s) * RATE_HZ))
            assert wanted.mixture_min_snr_db <= placed.snr_db <= wanted.mixture_max_snr_db
            reached = placed.first_sample + placed.n_samples
        assert mixture.n_samples >= reached + gap
    assert len({mixture.path.casefold() for mixture in mixtures}) == len(mixtures)
    assert mixtures == plan(list(reversed(events)), wanted, seed)


@settings(max_examples=60, deadline=None)
@given(events_and_settings())
def test_the_rows_tile_every_mixture(given_events: tuple[list[Event], MixingSettings]) -> None:
    for mixture in plan(*given_events):
        rows = annotation_rows(mixture)
        edges = [(row[1], row[2]) for row in rows]
        assert all(start_s < end_s for start_s, end_s in edges)
        assert all(first[1] <= second[0] + 1e-9 for first, second in pairwise(edges))
        assert sum(row[3] != "background" for row in rows) == len(mixture.events)
        uncovered_s = mixture.n_samples / RATE_HZ - sum(end_s - start_s for start_s, end_s in edges)
        assert uncovered_s <= 0.1 * (len(mixture.events) + 1)


@settings(max_examples=100, deadline=None)
@given(
    durations_s=st.lists(st.floats(1, 200), min_size=1, max_size=8),
    n_items=st.integers(1, 8),
    needed_s=st.floats(1, 30),
    seed=st.integers(0, 1000),
)
def test_no_two_items_share_a_stretch_of_background(durations_s: list[float], n_items: int, needed_s: float, seed: int) -> None:
    recordings = {f"b{number}.wav": duration_s for number, duration_s in enumerate(durations_s)}
    items = [f"i{number}" for number in range(n_items)]
    n_usable = sum(duration_s >= needed_s for duration_s in durations_s)
    try:
        assigned = assign_backgrounds(recordings, items, needed_s, seed)
    except CorpusError:
        assert n_usable < n_items
        return
    assert set(assigned) == set(items)
    for segments in assigned.values():
        assert segments
        assert all(each.start_s >= 0 and each.end_s <= recordings[each.path] for each in segments)
        assert all(each.end_s - each.start_s >= needed_s - 1e-9 for each in segments)
    for one, other in combinations(items, 2):
        for mine in assigned[one]:
            for theirs in assigned[other]:
                assert mine.path != theirs.path or mine.end_s <= theirs.start_s or theirs.end_s <= mine.start_s
    if n_usable >= n_items:
        assert all(
            segment == BackgroundSegment(segment.path, 0.0, recordings[segment.path])
            for each in assigned.values()
            for segment in each
        )


def test_too_little_background_is_said_in_seconds() -> None:
    with pytest.raises(
        CorpusError, match=r"3 items: each needs 10 s of separate background, but only 1 recording .*25\.0 s in all"
    ):
        assign_backgrounds({"long.wav": 25.0, "short.wav": 9.0}, ["a", "b", "c"], 10, 1)
