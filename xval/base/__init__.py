"""Basic functions that all other packages use, independent of experiments: errors, files, terminal, config.ini, system."""
