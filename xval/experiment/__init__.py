"""Declaring and running experiments: check, make feature stores, run the jobs, print results, refit."""
