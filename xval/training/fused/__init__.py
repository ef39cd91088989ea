"""Fit several models at once, as one program of JAX."""
