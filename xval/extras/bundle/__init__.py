"""A model handed over with its evidence: exports, a page that runs it, its card, records and checksums: ``xval bundle``."""
