"""List the audio files of the folder to augment and the metadata next to them; check that input and output are separate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from preprocessing.audio.formats import AUDIO_SUFFIXES
from preprocessing.clips.augmented_copies import COPIES_NAME, NOTE_NAME
from preprocessing.clips.boundary import Boundary
from preprocessing.clips.listing import files_below
from preprocessing.clips.output_folder import LEFT_OUT_NAME, name_copies, refuse_nested
from preprocessing.clips.table import natural_key
from xval.base.errors import CorpusError

METADATA_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".yaml", ".yml", ".xml", ".md", ".lab", ".xlsx", ".textgrid")


@dataclass(frozen=True)
class Sources:
    """The files of a folder, relative to it, posix, in natural order.

    Attributes:
        audio: Files to augment, each with the name of its unchanged copy, relative to the output folder.
        metadata: Other files that a reader of the corpus may need.
        n_copies: Number of augmented copies, which are skipped.
        n_others: Number of other files, which are skipped.
    """

    audio: Mapping[str, str]
    metadata: tuple[str, ...]
    n_copies: int
    n_others: int


def list_sources(folder: Path, within: Sequence[Path] = ()) -> Sources:
    """List the files of a folder and its subfolders; hidden files are skipped.

    Args:
        folder: The folder, to which paths are relative.
        within: List only the files of these folders in it; empty: all.

    Raises:
        CorpusError: There are no audio files, two of them would have the same copy, or a table is a link to another folder.
    """
    audio: dict[str, str] = {}
    visible, metadata = list[str](), list[str]()
    for place in within or [folder]:
        before = place.relative_to(folder)
        audio |= {(before / path).as_posix(): (before / copy).as_posix() for path, copy in name_copies(place).items()}
        relative = [path.relative_to(place) for path in files_below(place)]
        names = [path.as_posix() for path in relative if not any(part.startswith((".", "__MACOSX")) for part in path.parts)]
        visible += names
        boundary = Boundary(place)
        for path in sorted((path for path in names if _is_metadata(path)), key=natural_key):
            if boundary.find(path) is None:
                raise CorpusError(
                    f"{place / path} is outside {place} once links are followed, so it is not copied. Put the table itself "
                    "there, or remove the link."
                )
            metadata.append((before / path).as_posix())
    n_audio = sum(PurePosixPath(path).suffix.lower() in AUDIO_SUFFIXES for path in visible)
    return Sources(audio, tuple(metadata), n_audio - len(audio), len(visible) - n_audio - len(metadata))


def refuse_shared(inputs: Mapping[str, Path], mixed_in: Mapping[str, Path], output: Path) -> None:
    """Check that the output folder is separate from all inputs, and recordings that are mixed in from the clips.

    Args:
        inputs: Folders of clips, by their names on the command line.
        mixed_in: Folders of recordings that are mixed into the clips, by their names on the command line or their settings.
        output: The folder that is written.

    Raises:
        CorpusError: Two of these folders are the same, or one is inside the other.
    """
    for read in (*inputs.items(), *mixed_in.items()):
        refuse_nested(("OUTPUT", output), read, "the output would be read as input")
    for clips in inputs.items():
        for recordings in mixed_in.items():
            refuse_nested(clips, recordings, "clips of one item would be mixed into clips of others and be in training")


def _is_metadata(path: str) -> bool:
    """Return whether a file is copied as metadata; the lists that `xval augment` writes are not."""
    name = PurePosixPath(path)
    return name.suffix.lower() in METADATA_SUFFIXES and name.name not in (COPIES_NAME, NOTE_NAME, LEFT_OUT_NAME)
