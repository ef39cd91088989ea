"""Check the folders of recordings that are mixed into others, such as noises or backgrounds, before any file is written.

All recordings are decoded. The result is a fingerprint of each folder and the facts about each recording; an error names the
recordings that cannot be used.
"""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from augmentation.transforms._options import audio_files
from preprocessing.audio.read import AudioFacts, describe_audio
from preprocessing.clips.output_folder import stamp_of
from preprocessing.corpora._tables import first_lines
from preprocessing.parallel import Progress, map_in_processes
from xval.base.errors import AudioError, CorpusError, counted

_N_SHOWN = 3


def fingerprint(folder: Path) -> str:
    """Return a text that changes if an audio file in a folder is added, removed, renamed or replaced."""
    audio_files.cache_clear()
    files = audio_files(folder)
    digest = blake2b(digest_size=8)
    for path in files:
        digest.update(f"{path.relative_to(folder).as_posix()}\0{stamp_of(path)}\0".encode("utf-8", "surrogatepass"))
    return f"{len(files)} files, {digest.hexdigest()}"


def check_recordings(
    folders: Mapping[str, Path], *, n_processes: int, progress: Progress | None = None
) -> dict[Path, AudioFacts]:
    """Decode every audio file of some folders.

    Args:
        folders: The folders, by their names for errors.
        n_processes: Number of processes that decode.
        progress: Called with the number of files that have been decoded.

    Returns:
        The facts about each file; its length is that of the decoded audio, not of the header.

    Raises:
        CorpusError: Files cannot be used.
    """
    facts: dict[Path, AudioFacts] = {}
    for setting, folder in folders.items():
        files = audio_files(folder)
        tasks = [(path, None, None) for path in files]
        described = list(map_in_processes(describe_segment, tasks, n_processes=n_processes, progress=progress))
        faults = [reason for reason in described if isinstance(reason, str)]
        if faults:
            raise CorpusError(
                f"{setting}: {len(faults)} of {counted(len(files), 'file')} in {folder} cannot be used. Move them "
                f"away:{first_lines(faults, _N_SHOWN)}"
            )
        facts |= {path: known for path, known in zip(files, described, strict=True) if isinstance(known, AudioFacts)}
    return facts


def describe_segment(segment: tuple[Path, float | None, float | None]) -> AudioFacts | str:
    """Return the facts about a segment of a file, given by path, start and end, or why it cannot be used."""
    try:
        return describe_audio(*segment)
    except AudioError as error:
        return str(error)


def refuse_equal(recordings: Mapping[str, Path], path: Path, audio_hash: str) -> None:
    """Raise an error for a clip that is also among the recordings that are mixed into clips.

    Args:
        recordings: The recordings that are mixed in, by audio hash.
        path: The clip.
        audio_hash: The audio hash of the clip.

    Raises:
        CorpusError: It is.
    """
    twin = recordings.get(audio_hash)
    if twin is not None:
        raise CorpusError(
            f"{path} and {twin} have the same audio, so a clip of one item would be mixed into clips of others and be in "
            "training. Move one of them away."
        )
