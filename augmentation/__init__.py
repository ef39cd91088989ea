"""Make audio harder before training: augmented copies of a folder, and events mixed into background recordings."""
