"""The examples of a fold, in memory or streamed from files, in batches."""
