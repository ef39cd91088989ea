"""What the figures of an experiment say: intervals, ranking, comparison, groups, findings, the audit."""
