"""Speaker verification: the equal error rate (EER) of embeddings over all pairs of recordings, same speaker or not.

EMBEDDINGS is a .parquet file of `xval embed`. Use speakers that the model was not trained on, because otherwise the error
rate is optimistic. The score of a pair is its cosine similarity. The speaker is the name of the file's folder, or the text
that --speaker-pattern finds in its path.
"""

import argparse
import re
from pathlib import Path

from preprocessing.console import make_console
from xval.base.errors import ResultsError, SettingsError

SUMMARY = "speaker verification: the equal error rate (EER) of embeddings"
NAME = "speaker-eer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("embeddings", type=Path, metavar="EMBEDDINGS", help="a .parquet file of xval embed")
    parser.add_argument(
        "--speaker-pattern",
        metavar="REGEX",
        help="its first group finds the speaker in a file's path (default: the folder's name)",
    )


def run(options: argparse.Namespace) -> int:
    """Compute and print the equal error rate with its 95 % confidence interval over speakers."""
    from preprocessing.clips.parquet_files import column_names, read_frame
    from xval.measures.verification import verification_eer

    path: Path = options.embeddings
    try:
        columns = [name for name in column_names(path) if name == "path" or name.startswith("embedding_")]
        table = read_frame(path, columns=columns)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: not a readable parquet file ({error}). xval embed writes one.") from error
    embedding_columns = [name for name in table if str(name).startswith("embedding_") and table[name].dtype.kind == "f"]
    if not embedding_columns or "path" not in table:
        raise ResultsError(f"{path}: has no columns path and embedding_0, ...; xval embed writes them.")
    speakers = table["path"].map(lambda name: _speaker(str(name), options.speaker_pattern))
    verification = verification_eer(table[embedding_columns].to_numpy(), speakers.to_numpy(dtype=str))
    interval = (
        f" [{verification.interval.low:.3f}, {verification.interval.high:.3f}] (95 % over speakers)"
        if verification.interval
        else ""
    )
    make_console().print(
        f"Equal error rate {verification.eer:.3f}{interval} over {verification.n_same + verification.n_different} trials "
        f"({verification.n_same} with the same speaker twice) of {len(table)} recordings of "
        f"{speakers.nunique()} speakers; chance 0.500.",
        soft_wrap=True,
        markup=False,
    )
    return 0


def _speaker(path: str, pattern: str | None) -> str:
    if pattern is None:
        return Path(path).resolve().parent.name
    try:
        speaker_match = re.search(pattern, path)
        if speaker_match is None:
            raise SettingsError(f"--speaker-pattern {pattern}: finds no speaker in '{path}'. Give one that matches every path.")
        return speaker_match.group(1)
    except (re.error, IndexError) as error:
        raise SettingsError(f"--speaker-pattern {pattern}: expected a regular expression with one group ({error}).") from error
