"""Check a .keras file from elsewhere before Keras reads it.

Keras's safe mode refuses what is known to be harmful; this accepts only what is known to be harmless. Keras never opens the
file itself but a folder with the checked content, so that nothing can change between check and use.
"""

import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from xval.base.errors import UnsafeModelError
from xval.base.operating_system import open_regular
from xval.base.size_limits import LARGEST_MODEL_BYTES, LARGEST_TEXT_BYTES
from xval.models.saved.archive import open_archive, read_chunks, read_member
from xval.models.saved.check_layers import check_config
from xval.models.saved.check_weights import check_weights

_CONFIG, _WEIGHTS, _METADATA = "config.json", "model.weights.h5", "metadata.json"

_LARGEST_BYTES = {_CONFIG: LARGEST_TEXT_BYTES, _METADATA: LARGEST_TEXT_BYTES, _WEIGHTS: LARGEST_MODEL_BYTES}
"""The members of a model whose layers have no assets (vocabularies), and the most bytes that each may have."""


@contextmanager
def open_model(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a .keras file as a zip archive, its members checked by name and size.

    Raises:
        UnsafeModelError: As `archive.open_archive`, or a member is missing.
    """
    with open_regular(path) as file, open_archive(file, path, _LARGEST_BYTES.get) as archive:
        missing = sorted({_CONFIG, _WEIGHTS} - set(archive.namelist()))
        if missing:
            raise UnsafeModelError(f"{path}: not a saved model, because it lacks {' and '.join(missing)}.")
        yield archive


def unpack_model(path: Path, folder: Path, registered: Collection[str] = ()) -> int:
    """Check a .keras file and write the checked content into a folder, which Keras loads like the file.

    Args:
        path: The .keras file.
        folder: An empty folder that nothing else writes to.
        registered: Names of the layers and functions that imported code registered with Keras:
            ``keras.saving.get_custom_objects()``.

    Returns:
        How many numbers the weights are.

    Raises:
        UnsafeModelError: The archive (`open_archive`), the architecture (`check_config`) or the weights (`check_weights`) are
            refused.
        OSError: The file cannot be read, or the folder not written.
    """
    with open_model(path) as archive:
        config = check_config(read_member(archive, _CONFIG, path), path, registered)
        with (folder / _WEIGHTS).open("wb") as weights:
            for chunk in read_chunks(archive, _WEIGHTS, path):
                weights.write(chunk)
    (folder / _CONFIG).write_bytes(config)
    return check_weights(folder / _WEIGHTS, path)
