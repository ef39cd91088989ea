"""Ensembles of instances and seeds, made from stored predictions, fold by fold, without training.

members.py     which predictions, and whether they fit together
combine.py     means, weights chosen by validation, stacking
fold.py        one fold: scores and files like those of a job
make.py        the whole ensemble, as an instance of the experiment
model_file.py  model.ensemble: the models of the members by path and hash, and how their answers are combined
"""
