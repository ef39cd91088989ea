"""Prepare a corpus: read its audio, write its index, and make the feature store that experiments train on.

The same as python -m preprocessing, whose help it prints.
"""

from collections.abc import Sequence

from preprocessing.commands import carry_out

SUMMARY = "prepare a corpus for experiments; --check only reports what is wrong with it"
GROUP = "Start"


def main(arguments: Sequence[str]) -> int:
    """Run the arguments after ``xval prepare``."""
    return carry_out(arguments) or 0
