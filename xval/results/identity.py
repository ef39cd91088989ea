"""Whether the record of a job still counts: nothing that it was made with is different now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from xval.base.user_code.identity import describe_changes, find_changes

Change = Literal["settings_hash", "folds_hash", "code", "models"]


@dataclass(frozen=True)
class JobIdentity:
    """What a record has to agree with, so that it counts. What is None is not known, and is not compared.

    Attributes:
        settings_hash: Of the parameters that can change a result.
        folds_hash: Of all folds of a repeat.
        user_code: What the user's own parts are made of, as of `hash_definitions`.
        has_other_models: Returns whether a record was made with other models than are there now.
    """

    settings_hash: str | None = None
    folds_hash: str | None = None
    user_code: Mapping[str, str] | None = None
    has_other_models: Callable[[Mapping[str, Any]], bool] | None = None

    def changes(self, record: Mapping[str, Any]) -> list[Change]:
        """Return what is different now; empty: the record counts."""
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
        """Return which of the user's own code is different now, for a person; empty: none is."""
        return describe_changes(record.get("own_code"), self.user_code)
