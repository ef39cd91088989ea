"""The user's own code that an experiment names: where it is, what it imports, and whether it has changed."""
