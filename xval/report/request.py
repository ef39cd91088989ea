"""`PageRequest`: the requested contents of a page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

ExplainMethod: TypeAlias = Literal["integrated_gradients", "occlusion"]


@dataclass(frozen=True)
class PageRequest:
    """The requested contents of a page.

    Attributes:
        instance: The instance whose worst predictions are shown; None: the one that the validation scores select.
        data_folder: The folder of corpora; None: the one in the settings.
        with_audio: Embed the clips of the worst predictions, unless the settings have ``page = without_audio``.
        with_audit: Run the leakage audit.
        explain: How to explain the worst predictions; None: not at all, but an existing page with explanations is kept.
        run: The state of the run that writes the page, interrupted or ended; empty: not written by a run.
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
