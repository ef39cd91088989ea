"""The number of speakers that a study needs to show a difference, from a pilot study: ``xval sample-size``."""
