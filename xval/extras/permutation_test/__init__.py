"""Permutation test: is one instance above chance? ``xval permutation-test``."""
