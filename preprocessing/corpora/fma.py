"""Free Music Archive (FMA): pieces of music with genre, artist, and number of plays.

Layout: ``fma_small/000/000002.mp3`` (any ``fma_*``, or that folder itself), and next to it ``fma_metadata/tracks.csv``, a
table with two header rows. The item is the artist, the label the top genre, the phase the official split (80, 10 and 10 %, no
artist in two of them). Tracks without such a label, and files that cannot be decoded (a few are known), are excluded.
Source: https://github.com/mdeff/fma (Defferrard, Benzi, Vandergheynst and Bresson, 2017). Licence: CC BY 4.0 for the table;
the audio under the licence that each artist chose.
"""

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.corpora._download import Archive
from preprocessing.corpora._layout import clip_table, read_names, refuse_unknown, split_names
from preprocessing.corpora._tables import find_nearby
from xval.base.csv_text import read_csv
from xval.base.errors import CorpusError, verb_of
from xval.base.operating_system import open_regular

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("FMA",)
# The checksums are in the README of the source.
DOWNLOADS = (
    Archive("https://os.unil.cloud.switch.ch/fma/fma_metadata.zip", "sha1:f0df49ffe5f2a6008d7dc83c6915b31835dfe733"),
    Archive("https://os.unil.cloud.switch.ch/fma/fma_small.zip", "sha1:ade154f733639d52e35e32f5593efe5be76c6d70"),
)

_EXPECTED = "fma_small/{000}/{000002}.mp3"
_PATTERN = re.compile(r"(?:fma_\w+/)?\d{3}/(?P<track>\d{6})\.\w+")
_HEADER = "two header rows, ',album,album,...,track' and ',comments,date_created,...,title'"
NUMBERS = {
    **{name: ("track", name) for name in ("bit_rate", "comments", "duration", "favorites", "interest", "listens", "number")},
    **{f"artist_{name}": ("artist", name) for name in ("comments", "favorites", "latitude", "longitude")},
    **{f"album_{name}": ("album", name) for name in ("comments", "favorites", "listens", "tracks")},
}
_NAMES = {
    "artist": ("artist", "id"),
    "album": ("album", "id"),
    "phase": ("set", "split"),
    "genre_top": ("track", "genre_top"),
    "language_code": ("track", "language_code"),
    "license": ("track", "license"),
    "album_type": ("album", "type"),
}
_METADATA = Path("fma_metadata")
_LABELS = tuple(name for name in (*_NAMES, *NUMBERS) if name != "phase")
_NEEDED = ("artist", "album", "phase")


def list_clips(
    audio_folder: Path,
    *,
    item: Literal["artist", "album", "track"] = "artist",
    label: str = "genre_top",
    metadata: Path = _METADATA,
) -> "pd.DataFrame":
    """List the tracks that are in the folder and have the label.

    Args:
        audio_folder: The folder that holds fma_small/ or another selection, or that folder itself.
        item: artist: folds over artists; album or track: training and test have the same artists, so scores are optimistic.
        label: The target: genre_top, artist, album, language_code, license, album_type; or a number (regression), or
            several with commas: bit_rate, comments, duration (s), favorites, interest, listens, number, and artist_comments,
            artist_favorites, artist_latitude, artist_longitude, album_comments, album_favorites, album_listens, album_tracks.
        metadata: The folder of tracks.csv, or that file; searched in the audio folder and next to it.

    Returns:
        path, item, label (or several), phase, and those of artist, album and track that are not the item, sorted by path. Its
        ``attrs["note"]`` says how many tracks are excluded.
    """
    labels = split_names(label)
    refuse_unknown("label", labels, _LABELS, "unknown.")
    names = read_names(audio_folder, _PATTERN, _EXPECTED)
    paths: dict[int, str] = {}
    for path, track in zip(names["path"], names["track"].astype(int), strict=True):
        if paths.setdefault(track, path) != path:
            raise CorpusError(f"{audio_folder} has one track twice: {paths[track]} and {path}. Give a folder that has it once.")
    table = _read_tracks(_find_table(metadata, audio_folder), labels)
    unknown = [path for track, path in paths.items() if track not in table.index]
    if unknown:
        raise CorpusError(f"tracks.csv lacks {len(unknown)} of {len(paths)} tracks: {', '.join(unknown[:3])}.")
    facts = table.loc[list(paths)].assign(path=list(paths.values()), track=[str(track) for track in paths])
    facts = facts[facts[labels].notna().all(axis=1)]
    if facts.empty:
        raise CorpusError(f"None of the {len(paths)} tracks in {audio_folder} has a {' and a '.join(labels)} in tracks.csv.")
    clips = clip_table(facts.reset_index(drop=True), item=item, label=label, numbers=NUMBERS)
    n_missing = len(paths) - len(facts)
    clips.attrs["note"] = (
        f"{n_missing} of {len(paths)} tracks {verb_of(n_missing, 'have')} no {label} and {verb_of(n_missing)} skipped."
        if n_missing
        else ""
    )
    return clips


def default_dataset(*, label: str, **_: object) -> str:
    """Return a name that distinguishes the labels."""
    return "fma" if label == "genre_top" else f"fma_{re.sub(r'[^a-z_]+', '_', label)}"


def _find_table(metadata: Path, audio_folder: Path) -> Path:
    place = find_nearby(metadata, audio_folder, default=_METADATA)
    table = place / "tracks.csv" if place is not None and place.is_dir() else place
    if table is None or not table.is_file():
        raise CorpusError(
            f"No {metadata / 'tracks.csv'}, neither in {audio_folder} nor next to it. Unpack fma_metadata.zip there, or give "
            "--metadata."
        )
    return table


def _read_tracks(table: Path, labels: list[str]) -> "pd.DataFrame":
    """Return the needed columns by the number of the track: text, or float64 for numbers; empty cells are missing values."""
    import pandas as pd

    try:
        with open_regular(table) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as lines:
            header = [row for row, _ in zip(csv.reader(lines), range(3), strict=False)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{table} cannot be read: {error}.") from error
    pairs = list(zip(*header[:2], strict=False)) if len(header) > 1 else []
    places = {name: pairs.index(pair) for name, pair in (_NAMES | NUMBERS).items() if pair in pairs}
    for name in (*_NEEDED, *labels):
        if name not in places:
            received = ",".join(header[0][:4]) if header else "nothing"
            where = ".".join((_NAMES | NUMBERS)[name])
            raise CorpusError(f"{table} has no column {where}. Expected: {_HEADER}. Found: {received}.")
    # A third row, below these two, names the first column.
    n_skipped = 3 if header[-1][:1] == ["track_id"] else 2
    wanted = {name: places[name] for name in dict.fromkeys((*_NEEDED, *labels))}
    try:
        read = read_csv(table, (), header=None, skiprows=n_skipped, usecols=[0, *wanted.values()], dtype=str)
        tracks = pd.DataFrame({name: read[place] for name, place in wanted.items()}).set_axis(read[0].astype("int64"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{table} cannot be read as the table of tracks: {error}. Unpack fma_metadata.zip again.") from error
    for name in wanted:
        text = tracks[name].where(tracks[name] != "")
        tracks[name] = pd.to_numeric(text, errors="coerce") if name in NUMBERS else text
    return tracks
