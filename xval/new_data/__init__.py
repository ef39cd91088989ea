"""A saved model tested on labelled data that its experiment did not test it on.

Comes in: a model, and data: a folder of class folders, a table, or a prepared corpus. Goes out: an `Outcome` with the figures,
which of the clips the model had seen, and what was left out.
"""
