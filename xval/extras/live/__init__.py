"""Predictions of what comes while the command runs: ``xval predict --follow`` and ``--microphone``."""
