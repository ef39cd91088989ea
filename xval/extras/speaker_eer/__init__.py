"""Equal error rate (EER) of speaker verification with embeddings: ``xval speaker-eer``."""
