"""Bind a process to its device, its threads, its memory and its seeds."""
