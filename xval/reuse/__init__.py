"""Saved models at work: predict, evaluate, embed, explain, export, ensembles."""
