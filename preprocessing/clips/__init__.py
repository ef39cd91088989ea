"""Lists of audio clips: what is in a folder, one table of clips for every corpus, copies and output folders."""
