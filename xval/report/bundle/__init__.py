"""A model handed over with its evidence: one folder with exports, a page that runs it, its card, its records and checksums."""
