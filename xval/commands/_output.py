"""The options --output and --format, the same for all commands that have a table."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xval.report.text_tables import Output

FORMATS = ("table", "csv", "json")


def add_output(parser: argparse.ArgumentParser, what: str = "the table", pictures: Sequence[str] = ()) -> None:
    """Declare both options; `what` is the written table, and `pictures` are the endings of supported pictures."""
    endings = [".csv", ".json", ".xlsx", ".parquet", *pictures]
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"write {what}: {', '.join(endings[:-1])} or {endings[-1]}, by its ending"
    )
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="form of the printed output (default: %(default)s)"
    )


def output_of(options: argparse.Namespace, pictures: Sequence[str] = ()) -> "Output":
    """Return the checked options, before any computation."""
    from xval.report.text_tables import read_output

    return read_output(options.output, options.format, pictures)
