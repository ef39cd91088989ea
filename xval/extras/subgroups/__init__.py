"""Scores by group, such as gender or recorder, with intervals and the largest gap: ``xval groups``."""
