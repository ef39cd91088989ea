"""What a page is to hold."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

ExplainMethod: TypeAlias = Literal["integrated_gradients", "occlusion"]


@dataclass(frozen=True)
class PageRequest:
    """What a page is to hold.

    Attributes:
        instance: Whose worst answers are shown; None: those of the instance that the validation scores select.
        data_folder: Where the corpora are; None: as the settings say.
        with_audio: Embed the clips of the worst answers, unless the settings say ``page = without_audio``.
        with_audit: Run the leakage audit.
        explain: How the worst answers are explained; None: not at all, and a page on which they are is kept.
        run: Whether a run writes the page: one that was interrupted, or one that has ended; empty: none does.
    """

    instance: int | None = None
    data_folder: Path | None = None
    with_audio: bool = True
    with_audit: bool = True
    explain: ExplainMethod | Literal["none"] | None = None
    run: Literal["", "was interrupted", "has ended"] = ""

    @property
    def explain_method(self) -> ExplainMethod | None:
        """How the worst answers are explained; None: not at all."""
        return None if self.explain == "none" else self.explain
