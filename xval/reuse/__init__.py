"""Use saved models: predict, evaluate, embed, combine in ensembles."""
