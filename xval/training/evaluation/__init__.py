"""Scores of a fitted model; nothing here knows how it was trained."""
