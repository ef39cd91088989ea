"""A .keras file and what lies beside it: check, describe, load."""
