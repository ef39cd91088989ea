"""Annotations of recordings: intervals, labels of frames, agreement of annotators."""
