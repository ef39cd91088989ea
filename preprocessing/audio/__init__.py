"""Read audio files of any format, and say what they are."""
