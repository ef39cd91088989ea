"""Make augmented copies of a folder of audio files, or mixtures of events and backgrounds.

The same as python -m augmentation, whose help it prints.
"""

from collections.abc import Sequence

from augmentation.command_line import carry_out

SUMMARY = "make augmented copies of audio files, or mixtures of events and backgrounds"
GROUP = "Start"


def main(arguments: Sequence[str]) -> int:
    """Run the arguments after ``xval augment``."""
    carry_out(arguments)
    return 0
