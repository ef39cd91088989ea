"""What all other rooms may use, and what knows nothing of experiments: errors, files, terminal, config.ini, the system."""
