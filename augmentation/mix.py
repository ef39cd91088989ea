"""``xval augment mix``: place annotated events into background recordings.

The output has wav files, annotation.csv, left_out.csv and a note of the settings. ``xval prepare events OUTPUT/annotation.csv
--item item`` reads it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from augmentation.mixing import (
    BackgroundSegment,
    Event,
    Mixture,
    assign_backgrounds,
    join_overlapping,
    longest_event_s,
    plan_mixtures,
)
from augmentation.mixture import ANNOTATION_COLUMNS, BACKGROUND_LABEL, annotation_rows, make_mixture
from augmentation.offline_settings import MixingSettings
from augmentation.recordings import check_recordings, describe_segment, fingerprint, refuse_equal
from augmentation.sources import refuse_shared
from preprocessing.audio.read import AudioFacts, read_header
from preprocessing.clips.output_folder import LEFT_OUT_NAME, SourceFile, open_output, write_table
from preprocessing.console import progress_bar
from preprocessing.corpora import events as events_corpus
from preprocessing.corpora._reading import AS_IT_STANDS, RowOptions
from preprocessing.corpora._tables import read_table
from preprocessing.parallel import Progress, map_in_processes
from xval.base.errors import AudioError, CorpusError, counted
from xval.base.operating_system import quote

if TYPE_CHECKING:
    from rich.console import Console

FORMAT_VERSION = 2
NOTE_NAME = "mixing.json"
ANNOTATION_NAME = "annotation.csv"
_Fault = tuple[str, float | str, float | str, str]


@dataclass(frozen=True)
class Mixing:
    """The options of ``xval augment mix``.

    Attributes:
        events_folder: The recordings with events.
        backgrounds_folder: The recordings without events.
        output_folder: The folder for the mixtures.
        annotation: The table of the events.
        item: Its column of the item; None: ``item``, or the recording if there is no such column.
        label: Its column of the class.
        rows: Options for reading its rows.
        settings: Lengths, numbers and ratios.
        seed: Seed of all random numbers.
        n_processes: Number of processes, which does not affect the files.
        overwrite: Whether to replace existing files.
    """

    events_folder: Path
    backgrounds_folder: Path
    output_folder: Path
    annotation: Path
    item: str | None
    label: str
    settings: MixingSettings
    rows: RowOptions = AS_IT_STANDS
    seed: int = 1
    n_processes: int = 1
    overwrite: bool = False


def mix_events(wanted: Mixing, console: "Console") -> None:
    """Make all mixtures, continue an interrupted run, and print what was done."""
    started = time.perf_counter()
    output = wanted.output_folder
    refuse_shared({"EVENTS": wanted.events_folder}, {"BACKGROUNDS": wanted.backgrounds_folder}, output)
    events = _list_events(wanted, console)
    settings = {
        "format_version": FORMAT_VERSION,
        "seed": wanted.seed,
        "annotation": blake2b(repr(events).encode(), digest_size=8).hexdigest(),
        "events": fingerprint(wanted.events_folder),
        "backgrounds": fingerprint(wanted.backgrounds_folder),
        "settings": wanted.settings.model_dump(mode="json"),
    }
    with open_output(output, NOTE_NAME, settings, overwrite=wanted.overwrite) as folder:
        with progress_bar(console, "Checking backgrounds", "files") as progress:
            backgrounds = check_recordings(
                {"BACKGROUNDS": wanted.backgrounds_folder}, n_processes=wanted.n_processes, progress=progress
            )
        with progress_bar(console, "Checking events", "events") as progress:
            events, faults = _check_events(events, backgrounds, wanted, progress)
        mixtures = _plan(events, backgrounds, wanted, console)
        # Without stamps, because the settings determine the content of a mixture.
        folder.begin({mixture.path: SourceFile((), (mixture.path,)) for mixture in mixtures}, lists=(ANNOTATION_NAME,))
        make = partial(
            make_mixture,
            events_folder=wanted.events_folder,
            backgrounds_folder=wanted.backgrounds_folder,
            output_folder=output,
        )
        with progress_bar(console, "Mixing", "mixtures") as progress:
            outcomes = list(map_in_processes(make, mixtures, n_processes=wanted.n_processes, progress=progress))
        faults += [(mixture.path, "", "", reason) for mixture, (_, reason) in zip(mixtures, outcomes, strict=True) if reason]
        write_table(output / LEFT_OUT_NAME, ("path", "start_s", "end_s", "reason"), faults)
        made = [mixture for mixture, (_, reason) in zip(mixtures, outcomes, strict=True) if reason is None]
        if not made:
            raise CorpusError(
                f"None of the {counted(len(mixtures), 'mixture')} can be made. The first: {faults[-len(mixtures)][3]}"
            )
        rows = [row for mixture in made for row in annotation_rows(mixture)]
        write_table(output / ANNOTATION_NAME, ANNOTATION_COLUMNS, rows)
    seconds, n_new = time.perf_counter() - started, sum(is_new for is_new, _ in outcomes)
    n_events = sum(len(placed.event.annotated()) for mixture in made for placed in mixture.events)
    kept = f" ({len(made) - n_new} already existed)" if n_new < len(made) else ""
    console.print(
        f"Mixtures   {len(made)} with {counted(n_events, 'event')} and {counted(len(rows) - n_events, 'segment')} of "
        f"background, in {output}{kept}"
    )
    if faults:
        console.print(
            f"Skipped    {counted(len(faults), 'event or mixture', 'events or mixtures')}; reasons: {output / LEFT_OUT_NAME}"
        )
    console.print(f"Annotation {output / ANNOTATION_NAME}")
    console.print(f"Time       {seconds:.1f} s, {n_new / seconds:.1f} files per second")
    console.print(f"Next       xval prepare events {quote(str(output / ANNOTATION_NAME))} --item item")


def _list_events(wanted: Mixing, console: "Console") -> list[Event]:
    """Read the annotation in the same way as the corpus of events, and print its notes."""
    for folder in (wanted.events_folder, wanted.backgrounds_folder):
        if not folder.is_dir():
            raise CorpusError(f"There is no folder {folder}. Give a folder of recordings.")
    if not wanted.annotation.is_file():
        there = ", ".join(sorted(path.name for path in wanted.events_folder.glob("*.csv"))) or "no csv file"
        raise CorpusError(
            f"There is no annotation {wanted.annotation}. Give it with --annotation CSV ({wanted.events_folder} has {there})."
        )
    item = wanted.item
    if item is None:
        header, _ = read_table(
            wanted.annotation, "path, start_s, end_s, label, item", others=False, quoting=wanted.rows.quoting
        )
        item = "item" if "item" in [column.lower() for column in header] else "recording"
    clips = events_corpus.list_clips(
        wanted.events_folder,
        annotation=wanted.annotation,
        item=item,
        label=wanted.label,
        rows=wanted.rows,
    )
    if clips.attrs["note"]:
        console.print(f"Note       {clips.attrs['note']}")
    columns = [clips[name].tolist() for name in ("path", "start_s", "end_s", "label", "item")]
    events = [
        Event(str(path), float(start_s), float(end_s), str(label), str(item))
        for path, start_s, end_s, label, item in zip(*columns, strict=True)
        if str(label) != BACKGROUND_LABEL
    ]
    if not events:
        raise CorpusError(f"{wanted.annotation} has no events, because every line has the label {BACKGROUND_LABEL}.")
    return events


def _check_events(
    events: Sequence[Event], backgrounds: Mapping[Path, AudioFacts], wanted: Mixing, progress: Progress
) -> tuple[list[Event], list[_Fault]]:
    """Return the usable events, with overlapping ones joined, and the others with the reason."""
    tasks = [(wanted.events_folder / event.path, event.start_s, event.end_s) for event in events]
    described = list(map_in_processes(describe_segment, tasks, n_processes=wanted.n_processes, progress=progress))
    by_hash = {facts.audio_hash: path for path, facts in backgrounds.items()}
    faults: list[_Fault] = []
    readable: list[Event] = []
    for event, facts in zip(events, described, strict=True):
        if isinstance(facts, str):
            faults.append((event.path, event.start_s, event.end_s, facts))
            continue
        refuse_equal(by_hash, wanted.events_folder / event.path, facts.audio_hash)
        readable.append(event)
    longest_s = longest_event_s(wanted.settings)
    usable: list[Event] = []
    for event in join_overlapping(readable):
        length_s = event.end_s - event.start_s
        if length_s <= longest_s:
            usable.append(event)
            continue
        overlapping = f" with the {len(event.parts)} events that overlap" if event.parts else ""
        room = f"a mixture of {wanted.settings.mixture_duration_s:g} s has room only for {longest_s:g} s"
        faults += [
            (part.path, part.start_s, part.end_s, f"{length_s:g} s long{overlapping}; {room}") for part in event.annotated()
        ]
    if not usable:
        raise CorpusError(f"None of the {counted(len(events), 'event')} can be used. The first: {faults[0][3]}")
    return usable, faults


def _plan(events: Sequence[Event], recordings: Mapping[Path, AudioFacts], wanted: Mixing, console: "Console") -> list[Mixture]:
    settings = wanted.settings
    try:
        rates_hz = {read_header(wanted.events_folder / path).sample_rate_hz for path in {event.path for event in events}}
    except AudioError as error:
        raise CorpusError(f"A recording cannot be used. Move it away: {error}") from error
    rates_hz |= {facts.sample_rate_hz for facts in recordings.values()}
    # The lowest of all rates: otherwise events and backgrounds could be distinguished by their bandwidth.
    rate_hz = settings.mixture_sample_rate_hz or min(rates_hz)
    # The same audio under two names would be assigned to two items: the first name counts.
    different = {facts.audio_hash: (path, facts.duration_s) for path, facts in reversed(list(recordings.items()))}
    durations_s = {
        path.relative_to(wanted.backgrounds_folder).as_posix(): duration_s for path, duration_s in different.values()
    }
    items = sorted({event.item for event in events})
    backgrounds = assign_backgrounds(durations_s, items, settings.mixture_duration_s, wanted.seed)
    console.print(f"Backgrounds {_describe_assignment(backgrounds, durations_s)}; mixtures at {rate_hz} Hz")
    if len(different) < len(recordings):
        console.print(f"Ignored    {counted(len(recordings) - len(different), 'background')} with the same audio as others")
    return list(plan_mixtures(events, backgrounds, settings, sample_rate_hz=rate_hz, seed=wanted.seed))


def _describe_assignment(backgrounds: dict[str, tuple[BackgroundSegment, ...]], durations_s: dict[str, float]) -> str:
    used = [segment.path for segments in backgrounds.values() for segment in segments]
    short = len(durations_s) - len(set(used))
    passed = f" ({short} shorter than a mixture, or not needed)" if short else ""
    if len(set(used)) == len(used):
        return f"{counted(len(used), 'recording')} for {counted(len(backgrounds), 'item')}, each recording for one item{passed}"
    return (
        f"{counted(len(set(used)), 'recording')} for {counted(len(backgrounds), 'item')}: too few for each to have its own, so "
        f"items share recordings, each with its own segment{passed}"
    )
