"""Report the progress of a job to its executor, and through it to the display."""

from collections.abc import Mapping

from xval.jobs.claim import ClaimedFold, Report
from xval.jobs.observers import Observer, rounded


class Events(Observer):
    """Reports new epochs and notes."""

    sees_past = False

    def __init__(self, claimed: ClaimedFold, report: Report) -> None:
        self._key, self._report = claimed.job.key._asdict(), report

    def epoch(self, values: Mapping[str, float]) -> None:
        """Report the values of an epoch, to six digits."""
        followed = {name: value for name, value in rounded(values).items() if name != "epoch"}
        self._report({**self._key, "epoch": values["epoch"], "values": followed})

    def note(self, text: str) -> None:
        """Report a note with the key of the job."""
        self._report({**self._key, "note": text})


watch = Events
