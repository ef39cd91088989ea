"""A .keras file and the files next to it: check, describe, load."""
