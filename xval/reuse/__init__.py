"""Saved models at work: predict, evaluate, embed, ensembles."""
