"""What the sheets of a workbook show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from xval.answers.names import names_of
from xval.answers.ranking import Ranking
from xval.base.findings import Finding
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.read import Curves


@dataclass(frozen=True)
class Contents:
    """The scores of an experiment.

    Attributes:
        instances: By number, at least one.
        ranking: Of these instances; where a sheet has no room for all, the best are shown.
        findings: What has to be said next to the scores.
        histories: Columns of history.csv by job: epoch, loss, val_loss ...
        columns: Side and metric of each score that some instance has, as of `metric_columns`.
    """

    instances: Sequence[InstanceResults]
    ranking: Ranking
    findings: Sequence[Finding]
    histories: Mapping[JobKey, Curves]
    columns: Sequence[tuple[str, str]]

    @cached_property
    def names(self) -> dict[int, str]:
        """What each instance is called, by its number."""
        return names_of(self.instances)
