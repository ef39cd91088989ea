"""The code of the user's own that an experiment names: where it is, what it imports, and whether it has changed."""
