"""The command line of ``xval augment``: its help, and its arguments as an `Augmentation` or a `Mixing`."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.console import make_console
from preprocessing.corpora import row_options, rows_of
from preprocessing.options.argument_parser import Parser, add_settings_argument, add_workers_argument, whole_number
from preprocessing.parallel import count_cores

if TYPE_CHECKING:
    from augmentation.folder import Augmentation
    from augmentation.mix import Mixing

_PROGRAM = "xval augment"
_DESCRIPTION = """\
Data augmentation: make N augmented copies of each audio file in INPUT and its subfolders.

Each copy gets a random subset of the transforms, in random order. OUTPUT has the same folders as INPUT, with the copies and
the unchanged files. All are mono wav files of 16 bit with a peak of 0.99 (lower after the transform gain).
OUTPUT/augmented.csv lists the transforms of each copy and their parameters. After an interruption the same command continues.
After a change of INPUT it updates OUTPUT."""
_EPILOG = """\
The transforms are the files of augmentation/transforms/. Section [offline_augmentation] of config.ini has their probabilities
and ranges; --set changes them for one run:
  --set background_noise_probability=0.8 --set background_noise_folder=noises --set time_stretch_probability=0

  xval augment mix --help     place annotated events into background recordings"""
_MIX_DESCRIPTION = """\
Mix the annotated events of the recordings in EVENTS into excerpts of the recordings in BACKGROUNDS.

OUTPUT gets the mixtures and their annotation, annotation.csv: one row per event, and one row per segment between events, with
the label background. The events of a mixture come from one item, and two items never share a segment of a background.
Overlapping events are placed together, and each has its own row. After an interruption the same command continues."""
_MIX_EPILOG = """\
Section [mixing] of config.ini has lengths, gaps and signal-to-noise ratios; --set changes them for one run:
  --set mixture_min_snr_db=-5 --set mixture_duration_s=20

Next: xval prepare events OUTPUT/annotation.csv --item item"""


def carry_out(arguments: Sequence[str]) -> None:
    """Carry out what follows ``xval augment``: make copies, or mixtures."""
    if arguments and arguments[0] == "mix":
        mixing = parse_mixing(arguments[1:])
        from augmentation.mix import mix_events

        mix_events(mixing, make_console())
    else:
        wanted = parse_augmentation(arguments)
        from augmentation.folder import augment_folder

        augment_folder(wanted, make_console())


def make_parser() -> Parser:
    """Return the parser of the copies."""
    parser = Parser(prog=_PROGRAM, description=_DESCRIPTION, epilog=_EPILOG)
    parser.usage = (
        f"{_PROGRAM} INPUT ... OUTPUT N [--seed 1] [--set KEY=VALUE] [--workers N] [--overwrite]\n       {_PROGRAM} mix ..."
    )
    parser.add_argument(
        "input_folders",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="folder of audio files, with subfolders (several folders: paths are relative to their common parent)",
    )
    parser.add_argument("output_folder", type=Path, metavar="OUTPUT", help="folder of the copies, created if missing")
    parser.add_argument("n_copies", metavar="N", help="copies of every file")
    _add_options(parser, _transform_settings)
    return parser


def make_mix_parser() -> Parser:
    """Return the parser of ``mix``."""
    parser = Parser(prog=f"{_PROGRAM} mix", description=_MIX_DESCRIPTION, epilog=_MIX_EPILOG)
    parser.add_argument("events_folder", type=Path, metavar="EVENTS", help="folder of the recordings with events")
    parser.add_argument("backgrounds_folder", type=Path, metavar="BACKGROUNDS", help="folder of recordings without events")
    parser.add_argument("output_folder", type=Path, metavar="OUTPUT", help="folder of the mixtures, created if missing")
    parser.add_argument(
        "--annotation",
        type=Path,
        metavar="CSV",
        help="path, start_s, end_s, label, item, or a table of bats (default: events.csv, annotation.csv, Annotations.csv or "
        "FileInfo.csv in EVENTS)",
    )
    parser.add_argument(
        "--item",
        metavar="COLUMN",
        help="the column that all events of a mixture share (default: item, or the recording if there is no such column)",
    )
    parser.add_argument("--label", default="label", metavar="COLUMN", help="class of an event (default: %(default)s)")
    for option in row_options():
        option.add_to(parser)
    _add_options(parser, _mixing_settings)
    return parser


def parse_augmentation(arguments: Sequence[str]) -> "Augmentation":
    """Read the command line of the copies."""
    known = make_parser().parse_all(arguments or ["--help"])

    from augmentation.folder import Augmentation
    from augmentation.offline_settings import read_augmentation_settings
    from preprocessing.corpora._class_folders import find_class_folders

    given = find_class_folders(known.input_folders, "none", are_classes=False)
    return Augmentation(
        input_folder=known.input_folders[0] if given is None else given.audio_folder,
        within=() if given is None else given.places,
        output_folder=known.output_folder,
        n_copies=whole_number("N", known.n_copies, smallest=1),
        settings=read_augmentation_settings(known.overrides),
        seed=whole_number("--seed", known.seed, smallest=0),
        n_processes=known.workers or count_cores(),
        overwrite=known.overwrite,
    )


def parse_mixing(arguments: Sequence[str]) -> "Mixing":
    """Read the command line of ``mix``."""
    known = make_mix_parser().parse_all(arguments or ["--help"])

    from augmentation.mix import Mixing
    from augmentation.offline_settings import read_mixing_settings

    return Mixing(
        events_folder=known.events_folder,
        backgrounds_folder=known.backgrounds_folder,
        output_folder=known.output_folder,
        annotation=known.annotation or _annotation_of(known.events_folder),
        item=known.item,
        label=known.label,
        rows=rows_of(vars(known)),
        settings=read_mixing_settings(known.overrides),
        seed=whole_number("--seed", known.seed, smallest=0),
        n_processes=known.workers or count_cores(),
        overwrite=known.overwrite,
    )


def _transform_settings() -> Collection[str]:
    from augmentation.offline_settings import augmentation_model  # here, because it loads all transforms

    return augmentation_model().model_fields


def _mixing_settings() -> Collection[str]:
    from augmentation.offline_settings import MixingSettings

    return MixingSettings.model_fields


def _add_options(parser: Parser, names: Callable[[], Collection[str]]) -> None:
    parser.add_argument(
        "--seed",
        default="1",
        metavar="NUMBER",
        help="seed of all random choices; the same seed gives the same files (default: 1)",
    )
    add_settings_argument(parser, "change a setting of config.ini for this run; repeatable", names)
    add_workers_argument(parser, "")
    parser.add_argument("--overwrite", action="store_true", help="replace the files of an earlier run in OUTPUT")


def _annotation_of(folder: Path) -> Path:
    """Return the table of events that a folder has, by its usual names; the first of these where it has none."""
    paths = [folder / name for name in ("events.csv", "annotation.csv", "Annotations.csv", "FileInfo.csv")]
    return next((path for path in paths if path.is_file()), paths[0])
