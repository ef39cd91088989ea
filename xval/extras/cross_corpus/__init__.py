"""Train on one corpus, test on another, for all pairs: ``xval cross-corpus``."""
