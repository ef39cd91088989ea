"""Write embeddings of audio files: the output of a layer of a saved network, averaged over time.

Compare embeddings of one model only with each other, not with those of another fold. MODEL must be a single model.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from preprocessing.clips.parquet_files import write_table
from preprocessing.console import EXIT_FAILED, make_console
from preprocessing.file_replacement import replace_file
from xval.base.csv_text import guarded
from xval.base.errors import SettingsError
from xval.commands import _model_arguments as arguments

SUMMARY = "write embeddings: the output of a layer of a saved network for audio files"
GROUP = "Models"
_FORMATS = (".parquet", ".npy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    arguments.add_model(parser)
    arguments.add_audio(parser)
    layers = parser.add_mutually_exclusive_group()
    layers.add_argument(
        "--layers-dropped",
        type=int,
        metavar="N",
        help="the input of the N-th last layer with weights; 0: the prediction (default: 1, or the layer 'embedding' of an "
        "autoencoder)",
    )
    layers.add_argument("--layer", metavar="NAME", help="the output of this layer")
    arguments.add_pieces(parser)
    arguments.add_items(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("embeddings.parquet"),
        metavar="FILE",
        help=".parquet, or .npy with a .csv of the file names and times next to it (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Compute embeddings and write the table; return 1 if a file is skipped."""
    output: Path = options.output
    if output.suffix not in _FORMATS or not output.absolute().parent.is_dir():
        raise SettingsError(
            f"--output {output}: expected a file that ends in {' or '.join(_FORMATS)}, in a folder that exists."
        )
    console = make_console()
    model = arguments.load(options, console)
    table = model.embed(
        options.audio,
        layers_dropped=options.layers_dropped,
        layer=options.layer,
        per=arguments.pieces_of(options),
        every_s=options.every,
        skip_unreadable=True,
        items=arguments.items_of(options, model, console),
    )
    left_out = table.attrs.pop("left_out")
    names = [name for name in table if str(name).startswith("embedding_")]
    if output.suffix == ".parquet":
        replace_file(output, lambda temporary: write_table(temporary, table))
        where = str(output)
    else:
        values, csv_path = table[names].to_numpy("float32"), output.with_suffix(".csv")
        # The rows first: an array without names is of no use.
        replace_file(csv_path, lambda temporary: guarded(table.drop(columns=names)).to_csv(temporary, index=False))
        replace_file(output, lambda temporary: _save(temporary, values))
        where = f"{output}, its rows: {csv_path}"
    console.print(f"{len(table)} embeddings of {len(names)} numbers: {where}")
    for unread in left_out:
        console.print(unread.line, markup=False)
    return EXIT_FAILED if left_out else 0


def _save(path: Path, values: NDArray[np.float32]) -> None:
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)
