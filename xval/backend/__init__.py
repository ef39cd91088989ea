"""A process and its device: threads, memory, seeds, and what is particular to a backend of Keras."""
