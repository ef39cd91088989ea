"""The shelf of extras: features that not every experiment needs, each a folder that has all of it.

An extra imports the core. The core imports no extra, and finds what extras offer by the names of their files
(`xval.base.shelf`). To remove an extra, remove its folder here, and in tests/extras/. CONTRIBUTING.md shows how to write one.
"""
