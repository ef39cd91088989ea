"""The report of an evaluation on new data: a text, tables and pictures."""
