"""Suspicious labels, judged clip by clip in the browser: ``xval review-labels``."""
