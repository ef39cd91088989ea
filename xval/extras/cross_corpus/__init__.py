"""Cross-corpus evaluation, training on one dataset and testing on another, for all pairs: ``xval cross-corpus``."""
