"""The results folder: names, locks, reading, summaries, ranking, DataFrames, status and the workbook."""
