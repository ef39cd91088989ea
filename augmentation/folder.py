"""Augment a folder: N copies of every audio file next to the unchanged ones, in the same tree of folders.

The output also has augmented.csv (what was done), left_out.csv and a note of the settings. ``xval prepare`` reads it in the
same way as the original folder, and adds the copies.
"""

import shutil
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from augmentation.copies import CopyOutcome, CopyTask, make_copies, output_paths
from augmentation.offline_settings import AugmentationSettings
from augmentation.recordings import check_recordings, fingerprint
from augmentation.sources import Sources, list_sources, refuse_shared
from preprocessing.clips.augmented_copies import COPIES_COLUMNS, COPIES_NAME, NOTE_NAME
from preprocessing.clips.output_folder import LEFT_OUT_COLUMNS, LEFT_OUT_NAME, SourceFile, open_output, stamp_of, write_table
from preprocessing.console import progress_bar
from preprocessing.file_replacement import replace_file
from preprocessing.parallel import map_in_processes
from xval.base.errors import CorpusError, counted, verb_of

FORMAT_VERSION = 2

# The copies of a source take tens of milliseconds, so other processes are worth their start for few sources.
_SMALLEST_PARALLEL = 20


@dataclass(frozen=True)
class Augmentation:
    """The options of ``xval augment``.

    Attributes:
        input_folder: The folder of the audio files.
        output_folder: The folder for the copies.
        n_copies: Number of copies of every file.
        settings: The augmentation settings.
        seed: Seed of all random numbers.
        n_processes: Number of processes, which does not affect the files.
        overwrite: Whether to replace existing files.
        within: Use only the files of these folders in the input folder; empty: all.
    """

    input_folder: Path
    output_folder: Path
    n_copies: int
    settings: AugmentationSettings
    seed: int = 1
    n_processes: int = 1
    overwrite: bool = False
    within: tuple[Path, ...] = ()


def augment_folder(wanted: Augmentation, console: Console) -> None:
    """Make the copies of a folder, continue an interrupted run, and print what was done.

    Copies of deleted files are removed, and copies of replaced files are made again.
    """
    started = time.perf_counter()
    folder, mixed_in = wanted.output_folder, wanted.settings.folders()
    for place in wanted.within or [wanted.input_folder]:
        refuse_shared({"INPUT": place}, mixed_in, folder)
    sources = list_sources(wanted.input_folder, wanted.within)
    settings = {
        "format_version": FORMAT_VERSION,
        "seed": wanted.seed,
        "copies": wanted.n_copies,
        "audiomentations": version("audiomentations"),
        "recordings": {key: fingerprint(place) for key, place in mixed_in.items()},
        "settings": dict(wanted.settings.values),
    }
    files = {path: output_paths(copy, wanted.n_copies) for path, copy in sources.audio.items()}
    files |= {path: (path,) for path in sources.metadata}
    with open_output(folder, NOTE_NAME, settings, overwrite=wanted.overwrite) as output:
        with progress_bar(console, "Checking recordings", "files") as progress:
            facts = check_recordings(mixed_in, n_processes=wanted.n_processes, progress=progress)
        output.begin(
            {path: SourceFile(stamp_of(wanted.input_folder / path), made) for path, made in files.items()}, lists=(COPIES_NAME,)
        )
        _copy_metadata(wanted, sources)
        recordings = {known.audio_hash: path for path, known in facts.items()}
        tasks = [
            CopyTask(path, files[path], wanted.input_folder, folder, wanted.seed, wanted.settings, recordings)
            for path in sources.audio
        ]
        with progress_bar(console, "Augmenting", "files") as progress:
            outcomes = list(
                map_in_processes(
                    make_copies,
                    tasks,
                    n_processes=wanted.n_processes,
                    progress=progress,
                    smallest_parallel=_SMALLEST_PARALLEL,
                )
            )
        left_out = [(outcome.source, outcome.reason) for outcome in outcomes if outcome.reason]
        write_table(folder / LEFT_OUT_NAME, LEFT_OUT_COLUMNS, left_out)
        if len(left_out) == len(outcomes):
            raise CorpusError(
                f"None of the {len(outcomes)} audio files in {wanted.input_folder} can be used; {folder / LEFT_OUT_NAME} has "
                f"the reasons. The first: {left_out[0][1]}"
            )
        write_table(folder / COPIES_NAME, COPIES_COLUMNS, (row for outcome in outcomes for row in outcome.rows))
    _report(wanted, sources, outcomes, time.perf_counter() - started, console)


def _copy_metadata(wanted: Augmentation, sources: Sources) -> None:
    """Copy the files that a corpus reader may need, as they are."""
    for name in sources.metadata:
        target = wanted.output_folder / name
        if not target.is_file():
            replace_file(target, partial(shutil.copyfile, wanted.input_folder / name), among_many=True)


def _report(wanted: Augmentation, sources: Sources, outcomes: list[CopyOutcome], seconds: float, console: Console) -> None:
    n_used = sum(outcome.reason is None for outcome in outcomes)
    n_files, n_made = n_used * (1 + wanted.n_copies), sum(outcome.n_made for outcome in outcomes)
    kept = f" ({n_files - n_made} already existed)" if n_made < n_files else ""
    console.print(
        f"Copies     {n_files - n_used} of {counted(n_used, 'file')}, and the unchanged files, in {wanted.output_folder}{kept}"
    )
    if n_used < len(outcomes):
        where = wanted.output_folder / LEFT_OUT_NAME
        console.print(f"Skipped    {len(outcomes) - n_used} of {counted(len(outcomes), 'file')}; reasons: {where}")
    if sources.n_copies:
        console.print(f"Ignored    {counted(sources.n_copies, 'file')} that {verb_of(sources.n_copies)} made by xval augment")
    if sources.n_others:
        console.print(
            f"Ignored    {counted(sources.n_others, 'file')} that {verb_of(sources.n_others)} neither audio nor tables"
        )
    renamed = sum(not path.lower().endswith(".wav") for path in sources.audio)
    if renamed and sources.metadata:
        console.print(
            f"Note       {counted(renamed, 'file')} now {verb_of(renamed, 'end')} in .wav; tables with their former names "
            "still match, by name without ending"
        )
    console.print(f"List       {wanted.output_folder / COPIES_NAME}")
    console.print(f"Time       {seconds:.1f} s, {n_made / seconds:.1f} files per second")
