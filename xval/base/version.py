"""The version of the project."""

__version__ = "0.1.0"

DISTRIBUTION = "xval-audio"
"""What is installed, by the name that pyproject.toml gives it."""
