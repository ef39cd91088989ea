"""The targets and predictions of a side of a fold, or of a part of it: clips, or recordings with their frames."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from xval.measures.answered import Answered
    from xval.measures.events.recordings import AnsweredRecordings

Side: TypeAlias = "Answered | AnsweredRecordings"
