"""The equal error rate of speaker verification by embeddings: ``xval speaker-eer``."""
