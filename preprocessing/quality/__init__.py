"""Find faults of a dataset and of its audio before a model is trained on it.

facts.py measures the clips, faults.py applies the rules of findings/ to them, charts.py and report.py make the report:
quality.csv, quality.html and the charts in it.
"""
