"""Test a saved model on new labelled data: a folder of class folders, a table, or a prepared dataset.

An `Outcome` has the scores, the clips that the model has seen, and the clips that were skipped.
"""
