"""From a folder of recordings to a ranking of models in one command: ``xval quickstart``."""
