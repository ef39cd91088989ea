"""What is wrong with the audio of a dataset, found before anything is trained on it.

facts.py reads the clips, faults.py judges them, pictures.py and report.py show what was found: quality.csv, quality.html and
the pictures in it.
"""
