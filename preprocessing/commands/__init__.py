"""The commands of python -m preprocessing that prepare no corpus; and its command line."""
