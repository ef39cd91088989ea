"""Find and load the pretrained model that ``embedding_model`` names; every such model has the interface `Embedder`.

Its `Identity` (a hash of its files, and its sample rate) is found without loading the model.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from preprocessing.encoders import preset_of, resolve_encoder
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.options.named_files import load_file
from xval.base.errors import SettingsError, XvalError, one_line

# Part of every identity. Increase it if a change here or in a family changes embeddings.
EMBEDDINGS_VERSION = 1

_FAMILIES = "preprocessing.embeddings.families"
_BYTES = 1 << 20
_MOST = 1 << 24


@dataclass(frozen=True)
class Identity:
    """The identity of a pretrained model.

    Attributes:
        hash: Sixteen hex digits, which differ for other weights.
        sample_rate_hz: Sample rate of the audio that it needs (Hz); None: any.
    """

    hash: str
    sample_rate_hz: int | None = None


class EmbedderFacts(BaseModel):
    """Facts about the embedder that made the features, as stored in store.json and model.json.

    Attributes:
        name: The setting ``embedding_model``.
        hash: Hash of its `Identity`.
        sample_rate_hz: Sample rate of the audio that it read (Hz).
        n_layers: Number of stored layers, concatenated along the last axis.
        n_values: Number of values of each layer.
        device: Device on which it ran.
        seconds_per_hour: Time that it took for an hour of audio (s); None: not measured.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    hash: str = Field(pattern="^[0-9a-f]{16}$")
    sample_rate_hz: int = Field(gt=0, le=_MOST)
    n_layers: int = Field(gt=0, le=_MOST)
    n_values: int = Field(gt=0, le=_MOST)
    device: str = ""
    seconds_per_hour: float | None = None

    def describe(self) -> str:
        """Return the facts as a text, with the speed."""
        layers = f"{self.n_layers} layers with {self.n_values} values each" if self.n_layers > 1 else f"{self.n_values} values"
        speed = "" if self.seconds_per_hour is None else f", {self.seconds_per_hour:.3g} s per hour of audio on {self.device}"
        return f"{self.name} ({self.hash}): {layers} from {self.sample_rate_hz} Hz{speed}"


class Embedder(Protocol):
    """A loaded pretrained model.

    Attributes:
        n_layers: Number of layers whose output can be returned; the last one is the output of the model.
        device: Device on which it runs.
    """

    @property
    def n_layers(self) -> int: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102

    def embed(self, waveforms: NDArray[np.float32], sample_rate_hz: int, layers: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the embeddings of clips of one length; those of a clip do not depend on the other clips.

        Args:
            waveforms: float32 (n_clips, n_samples), full scale is -1 to 1, at least one sample. Clips that are too short for
                the model are padded with zeros.
            sample_rate_hz: Sample rate (Hz); that of the `Identity`, if it has one.
            layers: Numbers of the layers to return, from 0, in ascending order.

        Returns:
            float32 (n_clips, len(layers), n_frames, n_values), with at least one frame.
        """


def identify(settings: FeatureSettings) -> Identity:
    """Return the identity of the embedder that the settings name, or of the encoder that they fine-tune.

    Raises:
        SettingsError: There is no such family or model, its files are not complete, or a package is not installed.
    """
    family, name = _split(settings)
    identity: Identity = _load_family(family).identify(name)
    preset = preset_of(settings.embedding_model or "")
    if preset is not None and identity.sample_rate_hz is None:  # an ONNX file has no sample rate
        identity = replace(identity, sample_rate_hz=preset.sample_rate_hz)
    return identity


def is_network(settings: FeatureSettings) -> bool:
    """Return whether the embedder of the settings is a network, which is efficient with batches on one device."""
    return bool(getattr(_load_family(_split(settings)[0]), "IS_NETWORK", True))


def at_its_rate(settings: FeatureSettings, identity: Identity) -> FeatureSettings:
    """Return the settings with the sample rate that the embedder needs, if it needs a certain one."""
    return settings.model_copy(update={"sample_rate_hz": identity.sample_rate_hz or settings.sample_rate_hz})


def load_embedder(settings: FeatureSettings) -> Embedder:
    """Return the embedder of the settings; the last one that was loaded stays in memory.

    Raises:
        SettingsError: There is no such model, a package is not installed, or its files cannot be loaded.
    """
    return _load(*_split(settings), settings.is_pooled, identify(settings).hash)


def run_embedder(waveforms: NDArray[np.float32], settings: FeatureSettings, layers: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the embeddings of clips by the embedder of the settings, with the shapes of `Embedder.embed`.

    Raises:
        SettingsError: The embedder cannot be loaded, fails on these clips, or returns no values.
        WorkerError: The process in which it runs died.
    """
    embedder = load_embedder(settings)
    what = f"embedding_model={settings.embedding_model}"
    n_samples = waveforms.shape[1]
    try:
        values = embedder.embed(waveforms, settings.sample_rate_hz, layers)
    except XvalError:
        raise
    except Exception as error:  # libraries of models have no common base class of their errors
        raise SettingsError(
            f"{what}: fails on {len(waveforms)} clips of {n_samples} samples ({one_line(error)[:400]}). The file is damaged, "
            "expects other input, or needs more memory than available."
        ) from error
    if not values.size:
        raise SettingsError(f"{what}: returned an empty array for {n_samples} samples, of shape {values.shape}.")
    return values


def chosen_layers(settings: FeatureSettings, n_layers: int) -> tuple[int, ...]:
    """Return the numbers of the layers that ``embedding_layer`` chooses from a model with ``n_layers`` layers.

    Raises:
        SettingsError: The model has no such layer, or only one layer to be weighted.
    """
    layer = settings.embedding_layer
    if layer == "last":
        return (n_layers - 1,)
    if layer == "weighted":
        if n_layers == 1:
            raise SettingsError(
                f"embedding_layer=weighted: {settings.embedding_model} has only one layer. Set embedding_layer=last."
            )
        return tuple(range(n_layers))
    if layer >= n_layers:
        raise SettingsError(
            f"embedding_layer={layer}: {settings.embedding_model} has the layers 0 to {n_layers - 1}; also allowed: "
            f"last{', weighted' if n_layers > 1 else ''}."
        )
    return (layer,)


def find_file(family: str, name: str) -> Path:
    """Return the path of the file that ``embedding_model = FAMILY:FILE`` names.

    Raises:
        SettingsError: There is no such file.
    """
    if not name or not Path(name).is_file():
        raise SettingsError(
            f"embedding_model={family}:{name}: there is no such file (paths are relative to {Path.cwd()}). "
            f"Expected: {family}:FILE"
        )
    return Path(name)


def read_rate(path: Path, *keys: str) -> int | None:
    """Return the sample rate (Hz) under nested keys of a JSON file; None: there is none, or the file is damaged."""
    try:
        value = json.loads(path.read_bytes())
        for key in keys:
            value = value[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return value if type(value) is int and value > 0 else None


def hash_files(paths: Iterable[Path], *facts: object) -> str:
    """Return a hash of the names and content of files, and of further facts: sixteen hex digits."""
    digest = blake2b(repr((EMBEDDINGS_VERSION, *facts)).encode(), digest_size=8)
    for path in paths:
        state = path.stat()
        digest.update(_hash_file(path, state.st_mtime_ns, state.st_size))
    return digest.hexdigest()


def list_files(folder: Path, patterns: Iterable[str]) -> list[str]:
    """Return the files in and below a folder, also hidden ones, as sorted relative paths (posix).

    A link counts as a file if its target is a file inside the folder, or a blob of the Hugging Face cache of the folder.

    Args:
        folder: The folder of a model.
        patterns: Patterns of the file names that count, such as ``*.json``.

    Raises:
        SettingsError: There is a link to another place or to a folder, or an entry with such a name is no regular file.
    """
    root = folder.resolve()
    allowed = [root, *([root.parents[1] / "blobs"] if root.parent.name == "snapshots" else [])]
    names = []
    for parent, folders, files in os.walk(root):
        linked = [name for name in folders if Path(parent, name).is_symlink()]
        for name in [*linked, *(name for name in files if any(fnmatchcase(name, pattern) for pattern in patterns))]:
            path = Path(parent, name)
            if name in linked or not path.is_file() or not any(path.resolve().is_relative_to(place) for place in allowed):
                raise SettingsError(
                    f"{path}: a link to a folder or to a file outside {root}, or not a regular file. A model may only load "
                    "files of its folder. Put a copy there, or remove it."
                )
            names.append(path.relative_to(root).as_posix())
    return sorted(names)


def _split(settings: FeatureSettings) -> tuple[str, str]:
    setting = settings.pretrained or "embedding_model"
    family, _, name = resolve_encoder(getattr(settings, setting) or "", setting).partition(":")
    return family.strip(), name.strip()


def _load_family(family: str) -> ModuleType:
    wanted = ("identify", "load")
    return load_file(_FAMILIES, family, kind="family of embedding_model", wanted=wanted, error=SettingsError)


@lru_cache(maxsize=1)
def _load(family: str, name: str, is_pooled: bool, _hash: str) -> Embedder:
    embedder: Embedder = import_module(f"{_FAMILIES}.{family}").load(name, is_pooled=is_pooled)
    return embedder


@cache
def _hash_file(path: Path, _changed_ns: int, _size: int) -> bytes:
    digest = blake2b(path.name.encode(), digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BYTES):
            digest.update(block)
    return digest.digest()
