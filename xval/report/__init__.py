"""What people look at: terminal tables, workbook, page, table for a paper, card of a model; and metrics.json, for scripts."""
