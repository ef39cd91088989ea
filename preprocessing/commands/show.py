"""``xval prepare show AUDIO_FILE ...``: draw clips as a model gets them (waveform, features, windows), a PNG for each.

Clips are audio files, or clips of a prepared dataset.
"""

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from preprocessing.clips.notation import composed
from preprocessing.commands.command_line import SETTINGS_HELP, feature_names, read_settings
from preprocessing.console import make_console
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.file_replacement import replace_file
from preprocessing.options.argument_parser import Parser, add_data_folder_argument, add_settings_argument, number_reader
from xval.base.errors import AudioError, CorpusError, SettingsError, counted, suggestion

if TYPE_CHECKING:
    import pandas as pd


_PROGRAM = "xval prepare show"


class _Clip(NamedTuple):
    """What is drawn.

    Attributes:
        path: The audio file.
        start_s: Where the clip begins in it; its beginning when None.
        end_s: Where the clip ends; its end when None.
        title: What stands above the picture.
        stem: File name of the picture, without its ending.
    """

    path: Path
    start_s: float | None
    end_s: float | None
    title: str
    stem: str


def main(arguments: Sequence[str]) -> None:
    """Draw every clip that a command line names; one that cannot be read does not stop the others.

    Raises:
        AudioError: Some clips cannot be read; the others are drawn.
    """
    from preprocessing.features.extract import check_settings

    values = make_parser().parse_all(arguments)
    settings = read_settings(values.overrides)
    check_settings(settings)
    clips, longest_s = _choose(values)
    output = values.output or values.data_folder / (values.dataset or "") / "pictures"
    console = make_console()
    failures = []
    for clip, name in zip(clips, _file_names([clip.stem for clip in clips]), strict=True):
        try:
            drawn = _draw(clip, settings, longest_s, output / name)
        except AudioError as error:
            failures.append(str(error))
            continue
        console.print(f"{output / name}: {drawn}")
    if failures:
        raise AudioError("\n".join([f"{len(failures)} of {len(clips)} clips cannot be drawn:", *failures]))


def make_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        prog=_PROGRAM,
        description="Draw clips as a model reads them, one PNG file per clip.\n\n"
        "A picture has the waveform, the features over time and, if example_length_s is set, the windows.",
        epilog=f"examples:\n  {_PROGRAM} a.wav b.flac --set n_mels=40 --set example_length_s=1\n"
        f"  {_PROGRAM} had_s01_0.wav --dataset demo --output pictures",
    )
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="audio file; with --dataset: name of a clip in the index")
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="a prepared dataset: titles show item and label, and clips are padded as in the dataset",
    )
    add_data_folder_argument(parser)
    parser.add_argument(
        "--start-s", type=number_reader("--start-s", "a time in seconds"), metavar="S", help="start of the drawing (s)"
    )
    parser.add_argument(
        "--end-s", type=number_reader("--end-s", "a time in seconds"), metavar="S", help="end of the drawing (s)"
    )
    add_settings_argument(parser, SETTINGS_HELP, feature_names)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the pictures (default: DATA_FOLDER/DATASET/pictures; without --dataset DATA_FOLDER/pictures)",
    )
    return parser


def _choose(values: argparse.Namespace) -> tuple[list[_Clip], float | None]:
    """Return the clips that are wanted, and the length of the longest clip of their corpus, where they have one."""
    if values.dataset is None:
        segment = "" if values.start_s is None and values.end_s is None else _segment_text(values.start_s, values.end_s)
        return [
            _Clip(Path(name), values.start_s, values.end_s, f"{Path(name).name}{segment}", Path(name).stem)
            for name in values.clips
        ], None
    from preprocessing.corpus import open_corpus

    if values.start_s is not None or values.end_s is not None:
        raise SettingsError(
            "--start-s and --end-s: a clip of a dataset has its own start and end. Remove these options, or --dataset."
        )
    corpus = open_corpus(values.dataset, values.data_folder)
    if corpus.is_custom:
        raise CorpusError(f"Dataset '{corpus.dataset}' was made from arrays, so it has no audio to draw.")
    rows = corpus.index.set_index("clip", drop=False)
    as_listed = {composed(clip): clip for clip in rows.index}
    clips = [as_listed.get(composed(name), name) for name in values.clips]
    unknown = [name for name in clips if name not in rows.index]
    if unknown:
        raise CorpusError(f"Dataset '{corpus.dataset}' has no clip '{unknown[0]}'. {_closest(unknown[0], list(rows.index))}")
    longest_s = float(corpus.index.loc[~corpus.index["augmented"], "duration_s"].max())
    targets = corpus.target_columns
    return [_clip_of(rows.loc[name], corpus.audio_folder, targets) for name in clips], longest_s


def _clip_of(row: "pd.Series[Any]", audio_folder: Path, targets: dict[str, str]) -> _Clip:
    import pandas as pd

    start_s, end_s = (None if pd.isna(row[column]) else float(row[column]) for column in ("start_s", "end_s"))
    labels = ", ".join(f"{name} {row[column]}" for name, column in targets.items())
    path = audio_folder / str(row["path"])
    return _Clip(path, start_s, end_s, f"{row['clip']} (item {row['item']}, {labels})", Path(str(row["clip"])).stem)


def _draw(clip: _Clip, settings: FeatureSettings, longest_s: float | None, path: Path) -> str:
    """Write the picture of a clip; return what is in it, in words."""
    from preprocessing.audio.read import read_audio
    from preprocessing.features.windows import clip_samples
    from preprocessing.quality.clip_picture import draw_clip
    from preprocessing.quality.pictures import png

    samples, rate_hz = read_audio(
        clip.path,
        sample_rate_hz=settings.sample_rate_hz,
        start_s=clip.start_s,
        end_s=clip.end_s,
        channel=settings.channel_number,
    )
    n_samples = clip_samples(settings, samples.size / rate_hz if longest_s is None else longest_s)
    figure, examples = draw_clip(samples, settings, title=clip.title, n_samples=n_samples)
    content = png(figure)
    replace_file(path, lambda temporary: temporary.write_bytes(content))
    n_examples, *shape = examples.predictors.shape
    return f"{samples.size / rate_hz:.2f} s, {counted(n_examples, 'example')} of {' x '.join(map(str, shape))}"


def _segment_text(start_s: float | None, end_s: float | None) -> str:
    return f", {start_s or 0:g} s to {'its end' if end_s is None else f'{end_s:g} s'}"


def _file_names(stems: Sequence[str]) -> list[str]:
    """Return a file name for each picture; equal ones are numbered."""
    names: list[str] = []
    for stem in stems:
        plain, number = f"{stem}.png", 1
        while plain in names:
            number += 1
            plain = f"{stem}-{number}.png"
        names.append(plain)
    return names


def _closest(name: str, clips: Sequence[str]) -> str:
    """Return a hint at the clips with the most similar names; a corpus has too many to list them all."""
    return suggestion(name, get_close_matches(name, clips, n=5, cutoff=0.3) or clips[:5])
