"""The page of an experiment, report.html; the table for a paper; the card of a final model."""
