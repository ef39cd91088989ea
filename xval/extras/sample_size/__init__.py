"""How many speakers to record to show a difference, from a pilot study: ``xval sample-size``."""
