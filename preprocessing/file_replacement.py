"""Write a file completely or not at all."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from xval.base.errors import CorpusError
from xval.base.json_files import part_path, remove_stale_parts
from xval.base.operating_system import flush, refusal, replace


def replace_file(path: Path, write: Callable[[Path], object], *, among_many: bool = False) -> None:
    """Let ``write`` make a file next to ``path``, then put it in its place: readers see the old or the new one, whole.

    Args:
        path: The file. What earlier writers of it left that were killed is removed.
        write: Writes the file that it is called with.
        among_many: Leave that to the caller: the folder holds many files, and listing it for each takes too long.
    """
    temporary = part_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not among_many:
            remove_stale_parts(path.parent, path.name)
        write(temporary)
        flush(temporary)
        replace(temporary, path)
    except OSError as error:
        raise CorpusError(f"{path} cannot be written: {refusal(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
