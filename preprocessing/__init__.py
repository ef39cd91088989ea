"""From audio to feature stores: corpora, decoding, features and the store that experiments read."""
