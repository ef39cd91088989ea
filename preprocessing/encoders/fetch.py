"""Fetch the files of a preset from the hub into its cache, completely or not at all: safetensors or ONNX, never a pickle.

A note (`NOTE_NAME`) next to them lists what was fetched. HF_ENDPOINT, HF_HUB_CACHE, HF_TOKEN and HF_HUB_OFFLINE count, as for
any program of the hub.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch

from preprocessing.console import make_console
from preprocessing.encoders import NOTE_NAME, Preset, read_note, repository_folder
from preprocessing.file_fetching import fetch_file
from xval.base.errors import SettingsError, one_line
from xval.base.json_files import part_path, remove_stale_parts, write_atomically

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_ALLOWED = (".safetensors", ".onnx")
_SETTINGS = re.compile(r"[\w.-]+\.json")
"""Files of a repository in addition to its weights: a name of the server is the name of a file here, never a path."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LARGEST_RATIO = 1.5
"""Of the size of the weights that a server says to that of the preset, which is rounded."""
_ANSWER_S = 10.0
"""So long a server may take to say what it has; a name with several addresses is tried at each."""
_STAGING = "xval-fetch"
_LARGEST_SETTINGS_BYTES = 50_000_000
"""Of all files in addition to the weights: vocabularies are the largest."""


@dataclass(frozen=True)
class Fetched:
    """What was fetched.

    Attributes:
        path: The file with the weights.
        revision: Of the repository.
        sha256: Of the file.
        is_checked: Whether the SHA-256 was known before.
    """

    path: Path
    revision: str
    sha256: str
    is_checked: bool


def check_request(preset: Preset, sha256: str | None, revision: str | None, *, unchecked: bool) -> str | None:
    """Refuse what cannot be fetched, before anybody is asked; return the SHA-256 that the weights have to have.

    Args:
        preset: What is to be fetched.
        sha256: What the user says; needed where the preset does not know it.
        revision: A commit or branch; allowed where the preset pins none.
        unchecked: Take what comes where no SHA-256 is known.
    """
    if preset.family is None:
        raise SettingsError(f"{preset.name}: cannot be loaded, so it is not downloaded. {preset.obstacle}")
    if not preset.is_of_hub:
        raise SettingsError(f"{preset.name}: comes with a package. Install it: {preset.source}")
    for option, given, pinned in (("--sha256", sha256, preset.sha256), ("--revision", revision, preset.revision)):
        if given and pinned and given != pinned:
            raise SettingsError(f"{preset.name}: {option} {given} differs from the preset's {pinned}. Remove {option}.")
    expected = sha256 or preset.sha256
    if expected is None and not unchecked:
        raise SettingsError(
            f"{preset.name}: the preset has no SHA-256 of {preset.weights}, so the download cannot be checked. Give --sha256 "
            "with its 64 digits from a source that you trust, or --unchecked to accept the file; this is noted."
        )
    return expected


def fetch(preset: Preset, sha256: str | None, revision: str | None = None) -> Fetched:
    """Fetch the files of a preset; nothing half is left where that fails or is interrupted.

    Args:
        preset: What `check_request` allows.
        sha256: That of the weights; None: not known.
        revision: A commit or branch; None: that of the preset, else its branch.

    Raises:
        SettingsError: The server does not answer, has no safetensors or ONNX file, or the file is another one or not whole.
    """
    from huggingface_hub import HfApi, constants, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    if not preset.weights.endswith(_ALLOWED):
        raise SettingsError(f"{preset.name}: {preset.weights} is not one of {', '.join(_ALLOWED)}.")
    cache = Path(constants.HF_HUB_CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    with _staging(cache) as staging:
        try:
            wanted = preset.revision or revision or preset.branch
            described = HfApi().model_info(preset.source, revision=wanted, files_metadata=True, timeout=_ANSWER_S)
            commit, sizes = str(described.sha), _wanted_files(preset, described, sha256)
            _check_room(preset, sizes, cache)
            for name, n_bytes in sizes.items():
                address, path = hf_hub_url(preset.source, name, revision=commit), Path(staging, name)
                fetch_file(address, path, make_console(), headers=build_hf_headers(), largest_bytes=n_bytes)
        except SettingsError:
            raise
        except Exception as error:  # of the hub, of its HTTP library, of the disk
            raise SettingsError(
                f"{preset.name}: {preset.source} cannot be downloaded from {constants.ENDPOINT} ({one_line(error)[:300]}). "
                "No partial file is left. Try again later; or download it on another machine, copy the folder and write "
                "transformers:FOLDER or onnx:FILE."
            ) from error
        received = str(pooch.file_hash(path, alg="sha256"))
        if sha256 is not None and received != sha256:
            raise _other_file(preset, received, sha256, "The download is deleted.")
        placed = repository_folder(preset) / "snapshots" / commit / preset.weights
        placed.parent.mkdir(parents=True, exist_ok=True)
        for name in sizes:  # the weights last: where they are, all is
            Path(staging, name).replace(placed.parent / Path(name).name)
    _write_note(preset, commit, received, is_checked=sha256 is not None)
    return Fetched(placed, commit, received, sha256 is not None)


def is_as_noted(preset: Preset, path: Path, sha256: str | None) -> bool:
    """Return whether weights that are here are those expected. They are hashed where nothing is noted of them, and then noted.

    A fetch that was killed, or another program, leaves weights without a note.

    Args:
        preset: What they are of.
        path: The weights.
        sha256: What they have to have; None: not known, so that any are.
    """
    remove_stale_parts(Path(repository_folder(preset)).parent, _STAGING)
    note = read_note(preset)
    expected = {"revision": path.parent.name, "weights_sha256": sha256, "is_checked": True}
    if sha256 is None or note == expected:
        return True
    if str(pooch.file_hash(path, alg="sha256")) != sha256:
        return False
    _write_note(preset, path.parent.name, sha256, is_checked=True)
    return True


@contextmanager
def _staging(cache: Path) -> Iterator[Path]:
    """Give a folder for what comes, which is removed in the end; those of processes that were killed are removed, too."""
    remove_stale_parts(cache, _STAGING)
    folder = part_path(cache / _STAGING)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_note(preset: Preset, revision: str, sha256: str, *, is_checked: bool) -> None:
    note = {"revision": revision, "weights_sha256": sha256, "is_checked": is_checked}
    write_atomically(repository_folder(preset) / NOTE_NAME, (json.dumps(note, indent=2) + "\n").encode())


def _wanted_files(preset: Preset, described: Any, sha256: str | None) -> dict[str, int]:
    """Return the files of a repository that are fetched and their sizes (bytes), the weights last.

    Raises:
        SettingsError: What the server says of them is not what the preset says.
    """
    if not _COMMIT.fullmatch(str(described.sha)) or preset.revision not in (None, described.sha):
        wanted = preset.revision or "a commit of 40 digits"
        raise SettingsError(f"{preset.name}: the server names {described.sha!r:.80} as the revision; expected {wanted}.")
    files = {sibling.rfilename: sibling for sibling in described.siblings or ()}
    if preset.weights not in files:
        pickles = [name for name in files if name.endswith(_PICKLES)]
        reason = (
            f"Its weights are a pickle ({', '.join(pickles[:3])}), which can run code, so it is never downloaded. "
            "docs/embeddings.md says how to convert it; some repositories have a converted copy in another revision "
            "(--revision refs/pr/NUMBER)."
            if pickles
            else f"It has {', '.join(sorted(files)[:10]) or 'no files'}."
        )
        raise SettingsError(f"{preset.name}: {preset.source} has no {preset.weights} at {described.sha}. {reason}")
    announced = getattr(files[preset.weights].lfs, "sha256", None)
    if sha256 is not None and announced not in (None, sha256):
        raise _other_file(preset, announced, sha256, "It is not downloaded.")
    others = [name for name in files if _SETTINGS.fullmatch(name) and preset.family == "transformers"]
    sizes = {name: files[name].size for name in [*sorted(others), preset.weights]}
    if unknown := [name for name, size in sizes.items() if size is None]:
        raise SettingsError(
            f"{preset.name}: the server does not give the size of {unknown[0]}, so it is not downloaded. Try without "
            "HF_ENDPOINT."
        )
    allowed = {"the files next to its weights": (sum(sizes[name] for name in others), _LARGEST_SETTINGS_BYTES)}
    if preset.size_mb:
        allowed[preset.weights] = sizes[preset.weights], round(_LARGEST_RATIO * 1e6 * preset.size_mb)
    for what, (n_bytes, most) in allowed.items():
        if n_bytes > most:
            raise SettingsError(
                f"{preset.name}: {what}: the server says {n_bytes / 1e6:,.0f} MB, and at most {most / 1e6:,.0f} MB are "
                "allowed by the preset. It is not downloaded. If the preset is wrong, download it with another program and "
                "write transformers:FOLDER or onnx:FILE."
            )
    return sizes


def _check_room(preset: Preset, sizes: dict[str, int], cache: Path) -> None:
    needed, free = sum(sizes.values()), shutil.disk_usage(cache).free
    if needed > free:
        raise SettingsError(
            f"{preset.name}: needs {needed / 1e6:,.0f} MB in {cache}, where {free / 1e6:,.0f} MB are free. Free some space, "
            "or set HF_HUB_CACHE to a folder on another disk."
        )


def _other_file(preset: Preset, received: str, expected: str, outcome: str) -> SettingsError:
    return SettingsError(
        f"{preset.name}: the SHA-256 of {preset.weights} is {received}; expected {expected}. {outcome} It is another file, "
        "or was changed during the download. Report it if it happens again."
    )
