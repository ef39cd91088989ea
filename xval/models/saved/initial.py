"""The saved model that training starts from (`initial_model`): which file it is for a fold, and which items it has seen.

It is checked without loading Keras: the file is whole, and it has neither seen what the fold tests nor been trained on what
it validates with, as far as is known.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b, file_digest
from pathlib import Path
from types import MappingProxyType
from typing import Any

from xval.base.errors import SettingsError, UnsafeModelError
from xval.base.operating_system import open_regular
from xval.folds.plan import Fold
from xval.models.saved import embedder
from xval.models.saved.archive import read_chunks
from xval.models.saved.fetch import cached_path, fetch_model
from xval.models.saved.keras_file import open_model
from xval.models.saved.provenance import Leakage, Provenance
from xval.settings.architectures import COMBINATION
from xval.settings.model_address import is_address, parse_address
from xval.settings.schema import Settings

_FOLD = "{fold}"
_UNHASHED = "metadata.json"  # the member of a .keras file that holds the time of saving


@dataclass(frozen=True)
class InitialModel:
    """A saved model, and what is known of it.

    Attributes:
        path: The .keras file.
        hash: Sixteen hex digits of its architecture and weights; saving the same model again does not change them.
        provenance: What trained it, and the content of the .json file next to it.
        leakage: Whether it has seen what the fold tests or validates with: clean or unknown.
    """

    path: Path
    hash: str
    provenance: Provenance
    leakage: Leakage

    @property
    def facts(self) -> dict[str, str]:
        """What the record of a fold and model.json say of it."""
        if self.leakage.state == "clean":
            return {"initial_model_hash": self.hash, "initial_model_items": "unseen"}
        return {
            "initial_model_hash": self.hash,
            "initial_model_items": "unknown",
            "initial_model_reason": self.leakage.reason,
        }


def find_initial_model(
    settings: Settings, fold: Fold, corpus_folder: Path, counted: Mapping[str, Collection[str]] = MappingProxyType({})
) -> InitialModel | None:
    """Return the model that a fold starts from.

    Args:
        settings: initial_model, a path below the current folder in which ``{fold}`` stands for the number of the fold, from
            1, or an address of `parse_address`, from which it is fetched once; and dataset.
        fold: The fold.
        corpus_folder: data/<dataset>, whose index has the audio hashes of the fold's clips.
        counted: The clips that count, by side, as of `Provenance.verdict`.

    Returns:
        The model; None where the settings name none.

    Raises:
        SettingsError: There is no such file, it cannot be fetched, it is damaged or no .keras file, it has seen what the fold
            tests, or it was trained on what the fold validates with.
    """
    pattern = settings.start_model
    if pattern is None:
        return None
    path = fetch_model(parse_address(pattern)) if is_address(pattern) else _path(pattern, fold.number)
    if not path.is_file():
        raise SettingsError(
            f"fold {fold.number}: initial_model: there is no file {path}. Train that model first, or correct the path; "
            f"{_FOLD} in it is replaced by the number of the fold, from 1."
        )
    content_hash = _hash_of(path, fold.number)
    provenance = Provenance(path)
    leakage = provenance.verdict(fold, settings.dataset, corpus_folder, counted)
    if leakage.state == "leaked":
        raise SettingsError(f"fold {fold.number}: initial_model: {path} {leakage.reason}")
    return InitialModel(path, content_hash, provenance, leakage)


def has_changed(record: Mapping[str, Any], settings: Settings) -> bool:
    """Return whether a finished fold read other models than are there now; those that are gone have not changed."""
    if embedder.has_changed(record, settings):
        return True
    read = {Path(model["path"]): model["hash"] for model in record.get("models", ()) if "hash" in model}
    if settings.start_model is not None:
        read[_path(settings.start_model, record["fold"])] = record.get("initial_model_hash")
    return any(path.is_file() and hash_model(path) != known for path, known in read.items())


def name_model(settings: Settings) -> str:
    """Return the setting that names the model that training starts from, that made the features, or that is combined."""
    if settings.architecture == COMBINATION:
        return "models"
    name = "initial_model" if settings.start_model else settings.pretrained or "initial_model"
    return f"{name}='{getattr(settings, name)}'"


def hash_model(path: Path) -> str:
    """Return sixteen hex digits of a .keras file's architecture and weights; saving the same model again does not change them.

    Raises:
        SettingsError: The file is damaged or no .keras file.
    """
    state = path.stat()
    try:
        return _hash_content(path, state.st_mtime_ns, state.st_size)
    except UnsafeModelError as error:
        raise SettingsError(f"{error} If copying does not help, save the model again with model.save('....keras').") from error


def hash_member(model: Path) -> str:
    """Return sixteen hex digits of a saved model's content: of a .keras file `hash_model`, of an estimator its bytes.

    Raises:
        SettingsError: A .keras file is damaged.
    """
    return hash_model(model) if model.suffix == ".keras" else hash_bytes(model)


def hash_bytes(path: Path) -> str:
    """Return sixteen hex digits of the bytes of a file."""
    with open_regular(path) as file:
        return file_digest(file, partial(blake2b, digest_size=8)).hexdigest()


def _path(pattern: str, fold: int) -> Path:
    if is_address(pattern):
        return cached_path(parse_address(pattern))
    return Path(pattern.replace(_FOLD, str(fold)))


def _hash_of(path: Path, fold: int) -> str:
    try:
        return hash_model(path)
    except SettingsError as error:
        raise SettingsError(f"fold {fold}: initial_model: {error}") from error


@cache
def _hash_content(path: Path, _changed_ns: int, _size: int) -> str:
    """Return the hash of what is in a .keras file; reading it through also compares its checksums."""
    digest = blake2b(digest_size=8)
    with open_model(path) as archive:
        for name in sorted(set(archive.namelist()) - {_UNHASHED}):
            digest.update(f"{name} {archive.getinfo(name).file_size} ".encode())
            for chunk in read_chunks(archive, name, path):
                digest.update(chunk)
    return digest.hexdigest()
