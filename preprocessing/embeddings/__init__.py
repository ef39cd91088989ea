"""Embeddings as features: the outputs of a pretrained model for clips. Each family of models is a file of families/."""
