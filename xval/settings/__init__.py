"""Every setting: its type, its layers, and the parts that it names."""
