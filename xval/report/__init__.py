"""Reports: terminal tables, workbook, page, table for a paper, model card, and metrics.json for scripts."""
