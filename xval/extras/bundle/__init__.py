"""Share a model with its evidence: exports, a page that runs it, model card, records and checksums (``xval bundle``)."""
