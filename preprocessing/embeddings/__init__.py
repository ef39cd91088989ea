"""Embeddings as features: what a pretrained model makes of clips. Each family of models is a file of families/."""
