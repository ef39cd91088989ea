"""What an evaluation on new data leaves: a text to be read, tables to go on with, pictures.

Comes in: an `Outcome` of new_data/. Goes out: the folder of the evaluation.
"""
