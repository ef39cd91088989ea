"""``xval prepare convert IN OUT``: from a folder of any audio files to mono wav copies, subfolders kept.

With a table of words or phonemes, silence before, behind and between them is skipped. left_out.csv has what cannot be decoded.
"""

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np

from preprocessing.audio.read import read_audio
from preprocessing.clips.listing import files_below
from preprocessing.clips.output_folder import (
    LEFT_OUT_COLUMNS,
    LEFT_OUT_NAME,
    SourceFile,
    name_copies,
    open_output,
    refuse_nested,
    stamp_of,
    write_table,
    write_wav,
)
from preprocessing.console import make_console, progress_bar
from preprocessing.corpora._speech import read_words, without_pauses
from preprocessing.options.argument_parser import Parser, add_workers_argument, number_reader, whole_number
from preprocessing.parallel import Progress, map_in_processes, reading_processes
from xval.base.errors import AudioError, SettingsError, counted
from xval.base.operating_system import open_regular
from xval.base.size_limits import LARGEST_TABLE_BYTES

SUBTYPES = ("PCM_16", "PCM_24", "FLOAT")
NOTE_NAME = "converted.json"
"""In the folder of the copies: their `CopyFormat`, and of which files they are, so that a later run does not mix in others."""


@dataclass(frozen=True)
class CopyFormat:
    """What the copies are.

    Attributes:
        sample_rate_hz: Their rate; None: each file's own.
        channel: The channel that is kept, from 0; None: the mean of all.
        subtype: One of `SUBTYPES`.
        longest_pause_s: Copies begin with the first word of a table and end with the last one, and so much is left of a longer
            pause between words; None: the whole files are copied.
        speech_hash: Of the content of that table.
    """

    sample_rate_hz: int | None = None
    channel: int | None = None
    subtype: str = "PCM_16"
    longest_pause_s: float | None = None
    speech_hash: str | None = None

    def settings(self) -> dict[str, object]:
        """Return what the folder of the copies notes; copies of whole files have the note that they always had."""
        speech_settings = ("longest_pause_s", "speech_hash")
        return {name: value for name, value in asdict(self).items() if name not in speech_settings or value is not None}


@dataclass(frozen=True)
class Conversion:
    """What was done.

    Attributes:
        n_written: Copies written now.
        n_kept: Copies that were there already.
        left_out: Path and reason of each file without a copy.
        clipped: Paths of the files that reach beyond full scale, which 16 and 24 bit cannot hold.
        n_passed_over: Files that are no audio by their names, hidden, or augmented copies.
        n_without_words: Files that were written whole now, because the table has no word of them.
    """

    n_written: int
    n_kept: int
    left_out: list[tuple[str, str]]
    clipped: list[str]
    n_passed_over: int
    n_without_words: int = 0


@dataclass(frozen=True)
class _Outcome:
    """What became of one file: a reason where it has no copy."""

    reason: str | None = None
    is_clipped: bool = False


def main(arguments: Sequence[str]) -> None:
    """Convert a folder and print what was done."""
    values = make_parser().parse_all(arguments)
    console = make_console()
    with progress_bar(console, "Converting", "files") as progress:
        done = convert_folder(
            values.source,
            values.target,
            _copy_format(values),
            speech_table=values.speech_table,
            overwrite=values.overwrite,
            n_processes=reading_processes(values.workers),
            progress=progress,
        )
    console.print(f"Written    {counted(done.n_written, 'wav file')} in {values.target}, {done.n_kept} already existed")
    if done.left_out:
        console.print(
            f"Skipped    {counted(len(done.left_out), 'file')} that cannot be decoded; reasons: {values.target / LEFT_OUT_NAME}"
        )
    if done.clipped:
        console.print(
            f"Clipped    {counted(len(done.clipped), 'file')} beyond full scale ({done.clipped[0]}); --subtype FLOAT keeps them"
        )
    if done.n_without_words:
        console.print(f"Whole      {counted(done.n_without_words, 'file')} without a word in {values.speech_table}")
    if done.n_passed_over:
        console.print(f"Ignored    {counted(done.n_passed_over, 'file')}: hidden, augmented, or not audio by name")


def convert_folder(
    source: Path,
    target: Path,
    copy_format: CopyFormat,
    *,
    speech_table: Path | None = None,
    overwrite: bool = False,
    n_processes: int = 1,
    progress: Progress | None = None,
) -> Conversion:
    """Write a mono wav copy of every audio file; a run that was interrupted continues where it stopped.

    Copies of files that are gone are removed, and those of files that were replaced are written again.

    Args:
        source: The folder of the audio files.
        target: The folder of the copies, outside the other; made if missing.
        copy_format: What the copies are.
        speech_table: The table of words or phonemes that its longest_pause_s is of, as of `preprocessing.corpora._speech`.
        overwrite: Write again what is there already, in another format too.
        n_processes: Processes that convert; the copies do not depend on it.
        progress: Told how many files are done.
    """
    copies = name_copies(source)
    n_passed_over = len(files_below(source)) - len(copies)
    refuse_nested(("IN", source), ("OUT", target), "copies would be mistaken for recordings")
    words = read_words(source, speech_table) if speech_table is not None else {}
    pause_s = copy_format.longest_pause_s
    kept = {path: without_pauses(file_words, pause_s) for path, file_words in words.items()} if pause_s is not None else {}
    with open_output(target, NOTE_NAME, copy_format.settings(), overwrite=overwrite) as output:
        output.begin({path: SourceFile(stamp_of(source / path), (copy,)) for path, copy in copies.items()})
        to_do = [path for path, copy in copies.items() if not (target / copy).exists()]
        convert = partial(_convert, copy_format=copy_format)
        tasks = [(source / path, target / copies[path], kept.get(path)) for path in to_do]
        converted = map_in_processes(convert, tasks, n_processes=n_processes, progress=progress, is_first_reading=True)
        with closing(converted) as outcomes:
            results = list(outcomes)
        left_out = [(path, result.reason) for path, result in zip(to_do, results, strict=True) if result.reason is not None]
        write_table(target / LEFT_OUT_NAME, LEFT_OUT_COLUMNS, left_out)
    return Conversion(
        n_written=len(to_do) - len(left_out),
        n_kept=len(copies) - len(to_do),
        left_out=left_out,
        clipped=[path for path, result in zip(to_do, results, strict=True) if result.is_clipped],
        n_passed_over=n_passed_over,
        n_without_words=0 if pause_s is None else len(set(to_do) - set(kept)),
    )


def _convert(task: "tuple[Path, Path, Sequence[tuple[float, float]] | None]", *, copy_format: CopyFormat) -> _Outcome:
    """Write the copy of one file, or of segments of it, whole or not at all."""
    source, copy, segments = task
    try:
        samples, rate_hz = read_audio(source, sample_rate_hz=copy_format.sample_rate_hz, channel=copy_format.channel)
    except AudioError as error:
        return _Outcome(str(error).removeprefix(f"{source}: "))
    if segments is not None:
        samples = np.concatenate([samples[round(start_s * rate_hz) : round(end_s * rate_hz)] for start_s, end_s in segments])
    if not samples.size:
        return _Outcome("its words are shorter than one sample.")
    write_wav(copy, samples, rate_hz, copy_format.subtype)
    return _Outcome(is_clipped=copy_format.subtype != "FLOAT" and bool(np.abs(samples).max() > 1))


def make_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        prog="xval prepare convert",
        description="Write mono wav copies of the audio files in a folder and below it. Existing copies are kept, so an "
        "interrupted run continues; copies of removed or replaced files are removed or written again. Files that cannot be "
        "decoded are listed in OUT/left_out.csv.",
        formatter_class=argparse.HelpFormatter,
    )
    parser.add_argument("source", type=Path, metavar="IN", help="folder of the audio files (wav, flac, mp3, m4a, opus, ...)")
    parser.add_argument("target", type=Path, metavar="OUT", help="folder of the copies, outside IN")
    parser.add_argument(
        "--sample-rate", type=_sample_rate, metavar="HZ", help="resample to this rate (default: each file's own)"
    )
    channel = partial(whole_number, "--channel", smallest=0)
    parser.add_argument(
        "--channel", type=channel, metavar="N", help="keep only this channel, counted from 0 (default: the mean of all)"
    )
    parser.add_argument("--subtype", choices=SUBTYPES, default="PCM_16", help="format of a sample (default: %(default)s)")
    parser.add_argument(
        "--speech-table",
        type=Path,
        metavar="FILE",
        help="a table with a row per word or phoneme of the files (path, start_s, end_s): copies begin with the first one and "
        "end with the last one, and longer pauses between them are shortened to --longest-pause",
    )
    pause = number_reader("--longest-pause", "a number of seconds")
    parser.add_argument(
        "--longest-pause", type=pause, metavar="S", help="length to which longer pauses are cut (s); 0: no pause"
    )
    add_workers_argument(parser, " that convert")
    parser.add_argument("--overwrite", action="store_true", help="write existing copies again")
    return parser


def _copy_format(values: argparse.Namespace) -> CopyFormat:
    table, pause_s = values.speech_table, values.longest_pause
    if (table is None) != (pause_s is None):
        raise SettingsError(
            "--speech-table and --longest-pause must be given together: they say what is speech, and how much of a pause is "
            "kept."
        )
    if table is None:
        return CopyFormat(values.sample_rate, values.channel, values.subtype)
    try:
        with open_regular(table, LARGEST_TABLE_BYTES) as file:
            speech_hash = file_digest(file, lambda: blake2b(digest_size=8)).hexdigest()
    except OSError as error:
        raise SettingsError(f"--speech-table {table}: cannot be read ({error.strerror}).") from error
    return CopyFormat(values.sample_rate, values.channel, values.subtype, pause_s, speech_hash)


def _sample_rate(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1000 <= int(text) <= 384_000:
        raise SettingsError(f"--sample-rate {text}: expected a whole number from 1000 to 384000 (Hz), such as 16000.")
    return int(text)
