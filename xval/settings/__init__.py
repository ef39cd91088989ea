"""All settings: their types and defaults, how config.ini, script and command line are merged, and the parts that they name."""
