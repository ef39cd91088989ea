"""Predict live audio, new files in a folder or microphone input: ``xval predict --follow`` and ``--microphone``."""
