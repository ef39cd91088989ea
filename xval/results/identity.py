"""Decide whether the record of a job still counts: nothing that it was made with has changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from xval.base.user_code.identity import describe_changes, find_changes

Change = Literal["settings_hash", "folds_hash", "code", "models"]


@dataclass(frozen=True)
class JobIdentity:
    """The values that a record must agree with to count. None: not known and not compared.

    Attributes:
        settings_hash: Hash of the parameters that can change a result.
        folds_hash: Hash of all folds of a repeat.
        user_code: Hashes of the user's code, as from `hash_definitions`.
        has_other_models: Function that returns whether a record was made with models that have changed.
    """

    settings_hash: str | None = None
    folds_hash: str | None = None
    user_code: Mapping[str, str] | None = None
    has_other_models: Callable[[Mapping[str, Any]], bool] | None = None

    def changes(self, record: Mapping[str, Any]) -> list[Change]:
        """Return what has changed; empty: the record counts."""
        changes: list[Change] = []
        if self.settings_hash not in (None, record["settings_hash"]):
            changes.append("settings_hash")
        if self.folds_hash not in (None, record["folds_hash"]):
            changes.append("folds_hash")
        if find_changes(record.get("own_code"), self.user_code):
            changes.append("code")
        if self.has_other_models is not None and self.has_other_models(record):
            changes.append("models")
        return changes

    def code_changes(self, record: Mapping[str, Any]) -> str:
        """Return in words which of the user's code has changed; empty: none."""
        return describe_changes(record.get("own_code"), self.user_code)
