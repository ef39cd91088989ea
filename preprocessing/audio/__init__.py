"""Read audio files of many formats, and the facts about them."""
