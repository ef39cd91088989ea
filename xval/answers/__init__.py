"""What the scores of an experiment show: intervals, ranking, comparison, findings, the audit."""
