"""Lists of audio clips: the audio files of a folder, one table of clips for every corpus, copies and output folders."""
