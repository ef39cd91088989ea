"""Review of suspicious labels (label noise), clip by clip in the browser: ``xval review-labels``."""
