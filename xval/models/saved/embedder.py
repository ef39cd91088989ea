"""Check whether the embedder of a saved model or a finished fold still is the one that made the features.

It is an error where an embedder of the user's own has other weights now.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preprocessing.embeddings.embedder import identify
from preprocessing.encoders import family_of
from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import ResultsError, SettingsError

if TYPE_CHECKING:
    from xval.models.saved.description import ModelDescription

_OWN = "keras:"
_UNTRAINED = ("opensmile", "praat", "duration_level")  # families whose features are computed by hand-made rules


def own_embedder(settings: FeatureSettings) -> Path | None:
    """Return the file of an embedder that xval has trained; None: there is none, or it is foreign."""
    name = settings.embedding_model or ""
    return Path(name.removeprefix(_OWN).strip()) if settings.features == "embedding" and name.startswith(_OWN) else None


def foreign_embedder(settings: FeatureSettings) -> str | None:
    """Return the embedder or encoder in the settings whose training data are unknown; None: there is none."""
    name = (settings.pretrained and getattr(settings, settings.pretrained)) or ""
    return name if is_foreign(name) else None


def is_foreign(name: str) -> bool:
    """Return whether an ``embedding_model`` is foreign: neither trained by xval nor hand-crafted."""
    return bool(name) and not is_own(name) and family_of(name) not in _UNTRAINED


def is_own(name: str) -> bool:
    """Return whether an ``embedding_model`` is a model that xval has trained."""
    return name.startswith(_OWN)


def has_changed(record: Mapping[str, Any], settings: FeatureSettings) -> bool:
    """Return whether the weights of the embedder or initial model of a fold have changed."""
    known = record.get("embedder_hash")
    settings = settings.model_copy(update=(record.get("search") or {}).get("values", {}))
    if known is None or settings.pretrained is None:
        return False
    try:
        return bool(identify(settings).hash != known)
    except SettingsError:
        return False


def check_embedder(path: Path, description: "ModelDescription") -> None:
    """Raise an error for a model whose embedder is missing, has changed, or is not named in model.json."""
    settings = description.feature_settings
    if settings.features != "embedding" or description.is_custom:
        return
    described = path.with_suffix(".json")
    if description.embedder is None:
        raise ResultsError(f"{described}: does not name the weights that made the embeddings for {path.name}.")
    try:
        current_hash = identify(settings).hash
    except SettingsError as error:
        raise SettingsError(
            f"{described}: {error} If the weights are elsewhere, change embedding_model in its feature_settings; their hash "
            "must be the same."
        ) from error
    if current_hash != description.embedder.hash:
        raise ResultsError(
            f"{described}: {path.name} was trained on embeddings of {settings.embedding_model} with the hash "
            f"{description.embedder.hash}, but the current ones have {current_hash}. Its predictions would be wrong. Restore "
            "the former weights."
        )
