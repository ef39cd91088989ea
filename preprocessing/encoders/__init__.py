"""Pretrained encoders by name: ``embedding_model = wav2vec2-base`` means the preset in presets/wav2vec2-base.toml.

A preset becomes FAMILY:NAME, which embeddings/families read, with the files on this machine. Nothing is downloaded here; only
fetch.py does, for ``xval prepare encoders fetch NAME``.
"""

import json
import re
import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xval.base.errors import SettingsError, brief, how_to_install, suggestion

_FOLDER = Path(__file__).parent / "presets"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
NOTE_NAME = "xval.json"
"""What fetch.py notes next to the snapshots of a repository in the cache: revision, weights_sha256, is_checked."""


class Preset(BaseModel):
    """What is known of an encoder; a field that its file omits is unknown.

    Attributes:
        name: The name of its file.
        source: A repository of the hub, ``owner/name``; or how its package is installed.
        family: The file of embeddings/families that reads it; None: none can, and `obstacle` says why.
        model: Of a package: what comes after the colon.
        revision: The commit of the repository.
        branch: Where the newest commit is taken from where none is pinned.
        weights: The file with the weights in the repository.
        sha256: Of that file.
        size_mb: Its size (10^6 bytes).
        licence: In the words of its authors.
        sample_rate_hz: Of the audio that it reads; None: any.
        trained_on: Corpora that it was trained on, by the names that their authors give them.
        list_source: Where its authors say that `trained_on` is all that it has seen, or ``made by hand``; empty: it may have
            seen what is not named.
        card: Where all this is written.
        obstacle: Why it cannot be loaded, and what to do instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    family: Literal["transformers", "onnx", "opensmile", "resemblyzer", "praat", "duration_level"] | None = None
    model: str = ""
    revision: str | None = Field(None, pattern="^[0-9a-f]{40}$")
    branch: str = "main"
    weights: str = "model.safetensors"
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    size_mb: float | None = None
    licence: str = "unknown"
    sample_rate_hz: int | None = None
    trained_on: tuple[str, ...] = ()
    list_source: str = ""
    purpose: str
    card: str = ""
    obstacle: str = ""

    @property
    def training_data(self) -> str:
        """What it was trained on, in words."""
        if not self.trained_on:
            return "nothing (hand-crafted features)" if self.list_source else "its training data are not known"
        rest = (
            (f"and nothing else according to {self.list_source}")
            if self.list_source
            else ("and perhaps more (no complete list is known)")
        )
        return f"trained on {', '.join(self.trained_on)}, {rest}"

    @property
    def is_of_hub(self) -> bool:
        """Whether it is a repository of the hub, not a package."""
        return _HUB_NAME.fullmatch(self.source) is not None


@cache
def preset_names() -> tuple[str, ...]:
    """Return the names of all presets, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def find_preset(name: str) -> Preset:
    """Return a preset.

    Raises:
        SettingsError: There is none of this name.
    """
    names = preset_names()
    if name not in names:
        raise SettingsError(f"there is no preset '{name}'. {suggestion(name, names)}")
    path = _FOLDER / f"{name}.toml"
    try:
        return Preset(name=name, **tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, ValidationError) as error:
        raise SettingsError(f"{path}: {brief(error, 300)}") from error


def family_of(name: str) -> str:
    """Return the family of an ``embedding_model`` or ``encoder``, whether its files are here or not; empty: unknown."""
    preset = preset_of(name)
    return name.partition(":")[0].strip() if preset is None else preset.family or ""


def preset_of(name: str) -> Preset | None:
    """Return the preset that an ``embedding_model`` or ``encoder`` names, by its name or as FAMILY:SOURCE; None: it is none."""
    family, _, source = map(str.strip, name.partition(":"))
    if not source:
        return find_preset(name) if name in preset_names() else None
    presets = () if Path(source).exists() else map(find_preset, preset_names())  # a folder of that name may be another model
    return next((preset for preset in presets if preset.is_of_hub and (preset.family, preset.source) == (family, source)), None)


def resolve_encoder(name: str, setting: str = "embedding_model") -> str:
    """Return an encoder as FAMILY:NAME, of a preset with the folder or file in the cache of the hub.

    Args:
        name: A preset, or FAMILY:NAME, which is returned as it is.
        setting: The setting that it is the value of, for errors.

    Raises:
        SettingsError: There is no such preset, it cannot be loaded, or its files are not on this machine.
    """
    if ":" in name:
        return name
    try:
        preset = find_preset(name)
    except SettingsError as error:
        raise SettingsError(
            f"{setting}={name}: {error} Also allowed: FAMILY:NAME, such as transformers:FOLDER or onnx:FILE."
        ) from error
    if preset.family is None:
        raise SettingsError(f"{setting}={name}: cannot be loaded. {preset.obstacle}")
    if not preset.is_of_hub:
        return f"{preset.family}:{preset.model}" if preset.model else preset.family
    path = find_in_cache(preset)
    if path is None:
        raise SettingsError(
            f"{setting}={name}: its files are not on this machine, and a run downloads nothing. Download them once: xval "
            f"prepare encoders fetch {name}"
        )
    return f"{preset.family}:{path if preset.family == 'onnx' else path.parent}"


def find_in_cache(preset: Preset) -> Path | None:
    """Return the file with the weights of a preset in the cache of the hub; None: it is not there.

    Without a pinned revision it is the one that was fetched, else what the cache calls ``main``.

    Raises:
        SettingsError: huggingface_hub is not installed.
    """
    repository = repository_folder(preset)
    revision = preset.revision or read_note(preset).get("revision")
    if revision is None:
        main = repository / "refs" / "main"
        revision = main.read_text(encoding="ascii").strip() if main.is_file() else ""
    path = repository / "snapshots" / str(revision) / preset.weights
    return path if revision and path.is_file() else None


def repository_folder(preset: Preset) -> Path:
    """Return where the cache of the hub has the repository of a preset, or would have it."""
    if find_spec("huggingface_hub") is None:
        raise SettingsError(f"{preset.name}: huggingface_hub is not installed. Install it: {how_to_install('pretrained')}")
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{preset.source.replace('/', '--')}"


def read_note(preset: Preset) -> dict[str, Any]:
    """Return what was noted when a preset was fetched; empty: nothing."""
    try:
        note = json.loads((repository_folder(preset) / NOTE_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
