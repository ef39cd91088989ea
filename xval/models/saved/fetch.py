"""Download a saved model from an address once into a cache folder, and check its checksum."""

import os
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from preprocessing.console import make_console
from xval.base.errors import CorpusError, SettingsError
from xval.base.json_files import part_of
from xval.base.operating_system import open_regular
from xval.settings.model_address import ModelAddress, is_address, parse_address

CACHE_VARIABLE = "XVAL_CACHE"
"""The environment variable that names the cache folder; the default is the system's cache folder."""


def cached_path(address: ModelAddress) -> Path:
    """Return the path of the model of an address in the cache."""
    import pooch

    folder = Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("xval"))
    return folder / "models" / address.sha256 / address.file_name


def find_model(text: str, setting: str) -> Path:
    """Return the file of a model that a setting names by its path, or by its address, from which it is downloaded once."""
    return fetch_model(parse_address(text, setting), setting) if is_address(text) else Path(text)


def fetch_model(address: ModelAddress, setting: str = "initial_model") -> Path:
    """Return the model of an address, downloaded if it is not in the cache; its checksum is compared."""
    from preprocessing.corpora._download import Archive, download

    path = cached_path(address)
    source = urlsplit(address.url)
    archive = Archive(address.url, f"sha256:{address.sha256}", unpack=False, file_name=path.name)
    try:
        if source.scheme == "file" and not path.is_file():
            _copy(Path(unquote(source.path)), path, address)
        download([archive], path.parent, make_console())
    except (CorpusError, OSError) as error:
        raise SettingsError(f"{setting}: {error}") from error
    return path


def _copy(source: Path, path: Path, address: ModelAddress) -> None:
    import pooch

    path.parent.mkdir(parents=True, exist_ok=True)
    with part_of(path) as part:
        with open_regular(source) as file, part.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        sha256 = pooch.file_hash(part, alg="sha256")
        if sha256 != address.sha256:
            raise CorpusError(
                f"{source}: its sha256 is {sha256}; expected {address.sha256}. It is another model, or incomplete."
            )
        part.replace(path)
