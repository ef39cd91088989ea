"""Test a saved model on new labelled data.

Comes in: a model, and data: a folder of class folders, a table, or a prepared corpus. Goes out: an `Outcome` with the figures,
the clips that the model has seen, and those that were left out.
"""
